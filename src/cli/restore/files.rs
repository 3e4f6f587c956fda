//! The data of every shard's primary, as it was at a base backup, with all of the log that leads to
//! the cut beside it: a server that is started on it needs nothing else.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::FilesArgs;
use crate::cli::backup::folder::{Base, Cut, Folder};
use crate::cli::backup::needed;
use crate::cli::write_json;
use plaza_stores::postgres::libpq::{is_data_folder, setting};

/// What was laid out.
#[derive(Debug, Serialize)]
struct LaidOut {
    cut: String,
    at: DateTime<Utc>,
    base: String,
    /// Folders, in the order of the shards.
    shards: Vec<String>,
    /// Files of the logs.
    segments: usize,
}

/// # Errors
/// The cut cannot be reached; a file that cannot be read or written.
pub fn run(args: &FilesArgs) -> anyhow::Result<()> {
    let folder = Folder::open(&args.folder)?;
    let (cut, base) = folder.find(&args.to)?;
    std::fs::create_dir(&args.target).with_context(|| args.target.display().to_string())?;
    let (mut shards, mut segments) = (Vec::new(), 0);
    for shard in 0..base.logs.len() {
        let place = args.target.join(format!("shard-{shard}"));
        segments += lay_out(&folder, (&cut, &base), shard, &place)
            .with_context(|| format!("shard {shard}"))?;
        shards.push(place.display().to_string());
    }
    let (cut, at) = (cut.name, cut.at);
    let laid_out = LaidOut { cut, at, base: base.id, shards, segments };
    let mut out = std::io::stdout();
    if args.json {
        return write_json(&mut out, &laid_out);
    }
    let LaidOut { cut, base, shards, .. } = laid_out;
    let at = at.format("%FT%T%.3fZ");
    writeln!(out, "cut {cut} at {at}, from base backup {base} and {segments} files of the logs")?;
    for place in shards {
        writeln!(out, "{place}")?;
    }
    Ok(())
}

/// Lays out one shard; how many files of its log that took.
fn lay_out(
    folder: &Folder,
    (cut, base): (&Cut, &Base),
    shard: usize,
    place: &Path,
) -> anyhow::Result<usize> {
    let (Some((start, _)), Some(end)) = (base.logs.get(shard), cut.positions.get(shard)) else {
        anyhow::bail!("the backup has no such shard")
    };
    // Before anything is copied: what is missing is said at once.
    let segments = needed(folder, shard, start, end)?;
    let from = folder.base(&base.id).join(format!("shard-{shard}"));
    anyhow::ensure!(is_data_folder(&from), "{} is no data of PostgreSQL", from.display());
    copy_folder(&from, place)?;
    let log = place.join("pg_wal");
    std::fs::create_dir_all(&log)?;
    for segment in &segments {
        std::fs::copy(&segment.path, log.join(&segment.name))?;
    }
    write_recovery(place, &cut.label)?;
    Ok(segments.len())
}

/// Copies a folder with what is in it, permissions included.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || format!("{} to {}", from.display(), to.display());
    std::fs::create_dir(to).with_context(copied)?;
    for entry in std::fs::read_dir(from).with_context(copied)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        anyhow::ensure!(!kind.is_symlink(), "{} is a tablespace", source.display());
        match kind.is_dir() {
            true => copy_folder(&source, &target)?,
            false => drop(std::fs::copy(&source, &target).with_context(copied)?),
        }
    }
    Ok(std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?)
}

/// What makes a server recover to the cut, and go on as a primary from there.
fn write_recovery(place: &Path, label: &str) -> anyhow::Result<()> {
    let label = setting(label).context("a cut whose name has several lines")?;
    let settings = format!(
        "# Written by `plaza restore files`.\n\
         # All of the log is in pg_wal already.\n\
         restore_command = 'false'\n\
         recovery_target_name = {label}\n\
         recovery_target_action = 'promote'\n\
         recovery_target_timeline = 'latest'\n"
    );
    // What the base backup has here was of a server that is gone.
    std::fs::write(place.join("postgresql.auto.conf"), settings)?;
    std::fs::write(place.join("recovery.signal"), "")?;
    for file in ["standby.signal", "postmaster.pid", "postmaster.opts"] {
        match std::fs::remove_file(place.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::backup::folder::Owner;

    fn backup(root: &Path, segments: &[&str]) -> Folder {
        let owner =
            Owner { format: 1, systems: vec!["7".into()], restores: 0, segment_bytes: 16 << 20 };
        let folder = Folder::of(root, &owner).unwrap();
        let partial = folder.base("one.partial");
        std::fs::create_dir_all(partial.join("shard-0/base/1")).unwrap();
        for file in ["PG_VERSION", "base/1/112", "standby.signal", "postgresql.auto.conf"] {
            std::fs::write(partial.join("shard-0").join(file), file).unwrap();
        }
        let at = DateTime::UNIX_EPOCH;
        let logs = vec![("0/2000028".to_owned(), "0/2000100".to_owned())];
        folder.add_base(&Base { id: "one".into(), began: at, ended: at, logs }, &partial).unwrap();
        let positions = vec!["0/4000060".to_owned()];
        let (name, label) = ("it's".to_owned(), "it's@1".to_owned());
        folder.add_cut(&Cut { name, label, at, held_ms: 1, positions }).unwrap();
        for segment in segments {
            std::fs::write(folder.log(0).join(segment), segment).unwrap();
        }
        folder
    }

    fn laid_out(folder: &Folder, place: &Path) -> anyhow::Result<usize> {
        let (cut, base) = folder.find("latest").unwrap();
        lay_out(folder, (&cut, &base), 0, place)
    }

    #[test]
    fn a_shards_data_has_all_of_its_log_and_recovers_to_the_cut() {
        let root = tempfile::tempdir().unwrap();
        let names = [
            "000000010000000000000002",
            "000000010000000000000003",
            "000000010000000000000004.partial",
            "000000010000000000000001",
        ];
        let folder = backup(&root.path().join("backup"), &names);
        let place = root.path().join("shard-0");
        assert_eq!(laid_out(&folder, &place).unwrap(), 3);
        assert_eq!(std::fs::read(place.join("base/1/112")).unwrap(), b"base/1/112");
        let log = place.join("pg_wal");
        assert!(log.join("000000010000000000000004").exists(), "as if it were whole");
        assert!(!log.join("000000010000000000000001").exists(), "of before the base backup");
        assert!(place.join("recovery.signal").exists() && !place.join("standby.signal").exists());
        let settings = std::fs::read_to_string(place.join("postgresql.auto.conf")).unwrap();
        assert!(settings.contains("recovery_target_name = 'it''s@1'"), "{settings}");
    }

    #[test]
    fn nothing_is_laid_out_where_the_log_has_a_gap() {
        let root = tempfile::tempdir().unwrap();
        let names = ["000000010000000000000002", "000000010000000000000004"];
        let folder = backup(&root.path().join("backup"), &names);
        let place = root.path().join("shard-0");
        let error = format!("{:#}", laid_out(&folder, &place).unwrap_err());
        assert!(error.contains("gap"), "{error}");
        assert!(!place.exists());
    }
}
