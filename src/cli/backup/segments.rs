//! A shard's write-ahead log as files: which there are, and which a restore needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file that is still being received: full of zeros behind what it has.
const PARTIAL: &str = ".partial";

/// A position as PostgreSQL writes it (`0/3000060`), in bytes.
///
/// # Errors
/// Another text.
pub fn position(text: &str) -> anyhow::Result<u64> {
    let parse = |half: &str| u64::from_str_radix(half, 16).ok().filter(|half| *half < 1 << 32);
    let halves = text.split_once('/').and_then(|(high, low)| Some((parse(high)?, parse(low)?)));
    let (high, low) = halves.with_context(|| format!("{text:?} is no position in a log"))?;
    Ok(high << 32 | low)
}

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where.
    pub path: PathBuf,
    /// Its name once it is whole.
    pub name: String,
    /// Its place in the log, counted in files; `None`: the history of a timeline.
    pub number: Option<u64>,
}

/// The file of that name; `None` when it is none of the log's.
fn segment(path: PathBuf, bytes: u64) -> Option<Segment> {
    let found = path.file_name()?.to_str()?.to_owned();
    if found.ends_with(".history") {
        return Some(Segment { path, name: found, number: None });
    }
    let name = found.strip_suffix(PARTIAL).unwrap_or(&found).to_owned();
    let is_hex = name.len() == 24 && name.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits = |from: usize| u64::from_str_radix(name.get(from..from + 8)?, 16).ok();
    let number = digits(8)?.checked_mul((1 << 32_u32) / bytes.max(1))? + digits(16)?;
    is_hex.then_some(Segment { path, name, number: Some(number) })
}

/// What a folder has of a shard's log, by name; of a file that is there twice, the whole one.
///
/// # Errors
/// The folder cannot be read.
pub fn segments(folder: &Path, bytes: u64) -> anyhow::Result<Vec<Segment>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        found.extend(segment(entry?.path(), bytes));
    }
    found.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    found.dedup_by(|later, kept| later.name == kept.name);
    Ok(found)
}

/// The files that hold the log between two positions, and every history of a timeline.
///
/// # Errors
/// One is missing.
pub fn between(found: &[Segment], bytes: u64, from: u64, to: u64) -> anyhow::Result<Vec<Segment>> {
    let number = |position: u64| position.checked_div(bytes).context("files without bytes");
    // A position is the end of something: what is behind it is not needed.
    let needed: BTreeSet<u64> = (number(from)?..=number(to.saturating_sub(1))?).collect();
    let there: BTreeSet<u64> = found.iter().filter_map(|segment| segment.number).collect();
    if let Some(missing) = needed.difference(&there).next() {
        let of = needed.len();
        anyhow::bail!("the log has a gap: its file number {missing:#x}, one of {of} needed");
    }
    let wanted = |segment: &&Segment| segment.number.is_none_or(|number| needed.contains(&number));
    Ok(found.iter().filter(wanted).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 16 << 20;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn a_position_is_read_as_postgresql_writes_it() {
        assert_eq!(position("0/3000060").unwrap(), 0x300_0060);
        assert_eq!(position("2/0").unwrap(), 2 << 32);
        for wrong in ["", "3000060", "0/x", "100000000/0", "0/100000000"] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_files_between_two_positions_are_found_and_a_gap_is_seen() {
        let there = folder(&[
            "000000010000000000000002",
            "000000010000000000000003",
            "000000010000000000000003.partial",
            "000000020000000000000003",
            "000000020000000100000000.partial",
            "00000002.history",
            "backup.json",
        ]);
        let found = segments(there.path(), BYTES).unwrap();
        let name = |segment: &Segment| segment.name.clone();
        assert_eq!(found.len(), 5);
        let whole = between(&found, BYTES, 2 * BYTES + 40, 4 * BYTES).unwrap();
        let names: Vec<String> = whole.iter().map(name).collect();
        assert_eq!(
            names,
            [
                "000000010000000000000002",
                "000000010000000000000003",
                "00000002.history",
                "000000020000000000000003"
            ]
        );
        assert!(whole.iter().all(|segment| segment.path.extension() != Some("partial".as_ref())));
        let last = between(&found, BYTES, 256 * BYTES, 256 * BYTES + 1).unwrap();
        assert_eq!(last[1].path.extension(), Some("partial".as_ref()));
        let gap = between(&found, BYTES, 2 * BYTES, 4 * BYTES + 1).unwrap_err();
        assert!(gap.to_string().contains("0x4"), "{gap}");
    }
}
