//! A base backup of all shards, and the end of old ones.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use futures_util::future::try_join_all;

use super::folder::{Base, Folder};
use super::segments::{position, segments};
use super::tools::Tools;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_stores::postgres::cut::Cutter;

/// How long the receivers of the log are given to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// Waits until every shard's log is received: a base backup without its log is none.
///
/// # Errors
/// Nobody receives it.
pub async fn await_receivers(cutter: &Cutter) -> anyhow::Result<()> {
    let nothing = vec!["0/0".to_owned(); cutter.shards()];
    let received = async {
        while !matches!(cutter.is_received(&nothing).await, Ok(true)) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    if tokio::time::timeout(BEGIN, received).await.is_err() {
        anyhow::ensure!(cutter.is_received(&nothing).await?, "a shard's log is not received yet");
    }
    Ok(())
}

/// Copies all shards' data, side by side.
///
/// # Errors
/// A shard's, in the words of PostgreSQL's program: nothing is left of the backup then.
pub async fn make(
    config: &Config,
    tools: &Tools,
    folder: &Folder,
    cutter: &Cutter,
) -> anyhow::Result<Base> {
    await_receivers(cutter).await?;
    let began = Clock::System.now();
    let id = began.format("%Y%m%dT%H%M%SZ").to_string();
    let partial = folder.base(&format!("{id}.partial"));
    std::fs::create_dir_all(&partial)?;
    let copying = config.postgres.shards.iter().enumerate().map(|(number, urls)| {
        let place = partial.join(format!("shard-{number}"));
        async move { tools.copy(urls, &place).await.with_context(|| format!("shard {number}")) }
    });
    let logs = match try_join_all(copying).await {
        Ok(logs) => logs,
        Err(error) => {
            std::fs::remove_dir_all(&partial)?;
            return Err(error);
        }
    };
    let base = Base { id, began, ended: Clock::System.now(), logs };
    folder.add_base(&base, &partial)?;
    Ok(base)
}

/// Deletes what is needed for no cut of the last so many days; the base backups that were.
///
/// # Errors
/// The folder cannot be written.
pub fn prune(folder: &Folder, keep_days: u32) -> anyhow::Result<Vec<String>> {
    let moment = Clock::System.now() - TimeDelta::days(i64::from(keep_days));
    let deleted = folder.forget_before(moment)?;
    let Some(oldest) = folder.bases()?.into_iter().next() else { return Ok(deleted) };
    let bytes = folder.owner.segment_bytes;
    for (shard, (start, _)) in oldest.logs.iter().enumerate() {
        let first = position(start)?.checked_div(bytes).unwrap_or_default();
        for segment in segments(&folder.log(shard), bytes)? {
            if segment.number.is_some_and(|number| number < first) {
                std::fs::remove_file(&segment.path)?;
            }
        }
    }
    Ok(deleted)
}
