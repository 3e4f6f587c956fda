//! A cut, noted in the folder when it can be restored to.

use std::time::Duration;

use chrono::DateTime;

use super::folder::{Cut, Folder};
use plaza_base::clock::Clock;
use plaza_stores::postgres::cut::{Cutter, Made};

/// How long it may take until the logs up to a cut are kept.
const KEPT: Duration = Duration::from_secs(60);

/// Whether a cut may be called so: what a restore point and a line of words can be named.
///
/// # Errors
/// In words.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    anyhow::ensure!(
        (1..=32).contains(&name.len()) && name.bytes().all(is_plain) && name != "latest",
        "a cut's name is 1 to 32 letters, digits and -_. and not `latest`"
    );
    Ok(())
}

/// Who keeps the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// `plaza backup run`, in the folder.
    Received,
    /// Each server's `archive_command`, wherever that puts them.
    Archived,
}

async fn are_kept(cutter: &Cutter, positions: &[String], logs: Logs) -> anyhow::Result<()> {
    loop {
        let kept = match logs {
            Logs::Received => cutter.is_received(positions).await?,
            Logs::Archived => cutter.is_archived(positions).await?,
        };
        if kept {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a cut of all shards, waits until each one's log is kept up to it, and notes it.
///
/// # Errors
/// A shard's; a shard's log is not kept in time, or by nobody.
pub async fn make(folder: &Folder, cutter: &Cutter, name: &str, logs: Logs) -> anyhow::Result<Cut> {
    let (made, at_ms) = cutter.cut(name, || Clock::System.now_ms()).await?;
    if logs == Logs::Archived {
        cutter.close_files().await?;
    }
    match tokio::time::timeout(KEPT, are_kept(cutter, &made.positions, logs)).await {
        Ok(kept) => kept?,
        Err(_) => anyhow::bail!("the logs up to the cut are not kept after {KEPT:?}"),
    }
    let Made { label, positions, held, .. } = made;
    let cut = Cut {
        name: name.to_owned(),
        label,
        at: DateTime::from_timestamp_millis(at_ms).unwrap_or_default(),
        held_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
        positions,
    };
    folder.add_cut(&cut)?;
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain() {
        for good in ["a", "before-migration_26", "20261129T143000.123Z"] {
            check_name(good).unwrap();
        }
        let long = "x".repeat(33);
        for bad in ["", "latest", "a b", "a@b", "é", long.as_str()] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
