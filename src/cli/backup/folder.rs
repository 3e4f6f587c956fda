//! A folder of backups: whose it is, its base backups, its cuts.
//!
//! ```text
//! plaza-backup.json     whose backups these are
//! cuts.jsonl            every cut, a line each; a line is written when all that it needs is here
//! base/ID/base.json     a base backup that is whole
//! base/ID/shard-N/      its data, and PostgreSQL's own list of it with checksums
//! wal/shard-N/          the log since
//! objects/              images
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::segments::position;
use plaza_stores::postgres::cut::Server;

/// The form of the folder that this build writes.
const FORMAT: u32 = 1;

/// Whose backups these are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The form of the folder.
    pub format: u32,
    /// PostgreSQL's identifier of each shard's database cluster.
    pub systems: Vec<String>,
    /// How often the shards had been restored before: a restored system begins a folder of its own.
    pub restores: i64,
    /// Bytes of a file of the log.
    pub segment_bytes: u64,
}

impl Owner {
    /// These servers.
    ///
    /// # Errors
    /// There are none, or they keep their logs in files of different sizes.
    pub fn of(servers: &[Server]) -> anyhow::Result<Self> {
        let first = servers.first().context("there is no shard")?;
        let alike = servers.iter().all(|server| server.segment_bytes == first.segment_bytes);
        anyhow::ensure!(alike, "the shards keep their logs in files of different sizes");
        Ok(Self {
            format: FORMAT,
            systems: servers.iter().map(|server| server.system.clone()).collect(),
            restores: servers.iter().map(|server| server.restores).max().unwrap_or_default(),
            segment_bytes: first.segment_bytes,
        })
    }
}

/// A cut that can be restored to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// As it was asked for.
    pub name: String,
    /// The name of its restore points.
    pub label: String,
    /// When it was made, by the clock of whoever made it.
    pub at: DateTime<Utc>,
    /// How long mutations waited for it at most, in milliseconds.
    pub held_ms: u64,
    /// Where it is in each shard's log.
    pub positions: Vec<String>,
}

/// A base backup of all shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The name of its folder.
    pub id: String,
    /// When it was begun.
    pub began: DateTime<Utc>,
    /// When it was whole.
    pub ended: DateTime<Utc>,
    /// Of each shard, where the log is needed from, and up to where.
    pub logs: Vec<(String, String)>,
}

impl Base {
    /// Whether a cut can be reached from it: the cut is behind what it needs, on every shard.
    pub fn reaches(&self, cut: &Cut) -> bool {
        let pairs = self.logs.iter().zip(&cut.positions);
        self.logs.len() == cut.positions.len()
            && pairs.map(|((_, end), at)| (position(end), position(at))).all(|pair| match pair {
                (Ok(end), Ok(at)) => end <= at,
                _ => false,
            })
    }
}

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    /// Whose it is.
    pub owner: Owner,
}

/// Writes a file as a whole, and on the disk.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside).with_context(|| aside.display().to_string())?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    Ok(File::open(path.parent().unwrap_or(path))?.sync_all()?)
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

impl Folder {
    /// Opens a folder of backups.
    ///
    /// # Errors
    /// It is none, or of another form.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let owner: Owner =
            read_json(&root.join("plaza-backup.json")).context("not a folder of backups")?;
        anyhow::ensure!(owner.format == FORMAT, "a folder of the form {}", owner.format);
        Ok(Self { root: std::path::absolute(root)?, owner })
    }

    /// Opens a folder for backups of these shards, and makes it where there is none.
    ///
    /// # Errors
    /// It has those of others, or of the same before they were restored.
    pub fn of(root: &Path, owner: &Owner) -> anyhow::Result<Self> {
        let file = root.join("plaza-backup.json");
        if !file.exists() {
            std::fs::create_dir_all(root).with_context(|| root.display().to_string())?;
            anyhow::ensure!(
                std::fs::read_dir(root)?.next().is_none(),
                "{} is not empty, and no folder of backups",
                root.display()
            );
            for number in 0..owner.systems.len() {
                std::fs::create_dir_all(root.join(format!("wal/shard-{number}")))?;
            }
            std::fs::create_dir_all(root.join("base"))?;
            write_whole(&file, &serde_json::to_vec_pretty(owner)?)?;
        }
        let folder = Self::open(root)?;
        anyhow::ensure!(
            folder.owner == *owner,
            "{} has backups of other shards, or of these before they were restored: \
             begin another folder",
            root.display()
        );
        Ok(folder)
    }

    /// Where a shard's log is.
    pub fn log(&self, shard: usize) -> PathBuf {
        self.root.join(format!("wal/shard-{shard}"))
    }

    /// Where images are.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// Where a base backup is; one that is not whole yet is elsewhere.
    pub fn base(&self, id: &str) -> PathBuf {
        self.root.join("base").join(id)
    }

    /// Notes a base backup whose data is in `partial`: from then on it is there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn add_base(&self, base: &Base, partial: &Path) -> anyhow::Result<()> {
        write_whole(&partial.join("base.json"), &serde_json::to_vec_pretty(base)?)?;
        Ok(std::fs::rename(partial, self.base(&base.id))?)
    }

    /// The base backups that are whole, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn bases(&self) -> anyhow::Result<Vec<Base>> {
        let mut bases = Vec::new();
        for entry in std::fs::read_dir(self.root.join("base"))? {
            let file = entry?.path().join("base.json");
            // One that is being made, or that was interrupted.
            let is_partial = file.parent().is_some_and(|folder| folder.extension().is_some());
            if file.exists() && !is_partial {
                bases.push(read_json::<Base>(&file)?);
            }
        }
        bases.sort_by_key(|base| base.began);
        Ok(bases)
    }

    fn cuts_file(&self) -> PathBuf {
        self.root.join("cuts.jsonl")
    }

    /// Notes a cut: one line, in one write, so that two processes may do so.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn add_cut(&self, cut: &Cut) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(cut)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(self.cuts_file())?;
        file.write_all(&line)?;
        Ok(file.sync_all()?)
    }

    /// Every cut, oldest first. A line that a crash left unfinished is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cuts(&self) -> anyhow::Result<Vec<Cut>> {
        let text = match std::fs::read_to_string(self.cuts_file()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut cuts: Vec<Cut> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        cuts.sort_by_key(|cut| cut.at);
        Ok(cuts)
    }

    /// Forgets the cuts before a moment, and deletes the base backups before it that no later cut
    /// needs; their ids. While another process notes a cut, that may be lost: whoever makes them
    /// calls this.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn forget_before(&self, moment: DateTime<Utc>) -> anyhow::Result<Vec<String>> {
        let kept: Vec<Cut> = self.cuts()?.into_iter().filter(|cut| cut.at >= moment).collect();
        let bases = self.bases()?;
        // The newest that every kept cut can be reached from stays, and all after it.
        let needed = kept.first().map_or(bases.last(), |first| {
            bases.iter().rev().find(|base| base.reaches(first)).or(bases.first())
        });
        let oldest = needed.map(|base| base.began);
        let mut deleted = Vec::new();
        for base in bases.iter().filter(|base| oldest.is_some_and(|oldest| base.began < oldest)) {
            std::fs::remove_dir_all(self.base(&base.id))?;
            deleted.push(base.id.clone());
        }
        let mut lines = Vec::new();
        for cut in &kept {
            serde_json::to_writer(&mut lines, cut)?;
            lines.push(b'\n');
        }
        write_whole(&self.cuts_file(), &lines)?;
        Ok(deleted)
    }

    /// The cut that a word means: its name, `latest`, or the last one that is not after a moment
    /// (RFC 3339).
    ///
    /// # Errors
    /// There is none.
    pub fn cut(&self, word: &str) -> anyhow::Result<Cut> {
        let moment = DateTime::parse_from_rfc3339(word).ok();
        let is_meant = |cut: &Cut| match moment {
            Some(moment) => cut.at <= moment,
            None => word == "latest" || cut.name == word,
        };
        let cut = self.cuts()?.into_iter().rev().find(is_meant);
        cut.with_context(|| format!("there is no cut {word}: see `plaza backup list`"))
    }

    /// The same, and the newest base backup that it can be reached from.
    ///
    /// # Errors
    /// There is no such cut, or no base backup from which it can be reached.
    pub fn find(&self, word: &str) -> anyhow::Result<(Cut, Base)> {
        let cut = self.cut(word)?;
        let base = self.bases()?.into_iter().rev().find(|base| base.reaches(&cut));
        let name = &cut.name;
        let base =
            base.with_context(|| format!("no base backup is whole before the cut {name}"))?;
        Ok((cut, base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { format: FORMAT, systems: vec!["7".into()], restores: 0, segment_bytes: 16 << 20 }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_400_000 + second, 0).unwrap()
    }

    fn cut(name: &str, second: i64, position: &str) -> Cut {
        let label = format!("{name}@{second}");
        let positions = vec![position.to_owned()];
        Cut { name: name.into(), label, at: at(second), held_ms: 3, positions }
    }

    fn base(folder: &Folder, id: &str, second: i64, end: &str) {
        let partial = folder.base(&format!("{id}.partial"));
        std::fs::create_dir_all(&partial).unwrap();
        let logs = vec![("0/1000028".to_owned(), end.to_owned())];
        let base = Base { id: id.into(), began: at(second), ended: at(second + 1), logs };
        folder.add_base(&base, &partial).unwrap();
    }

    #[test]
    fn a_cut_is_found_by_its_name_a_moment_and_from_the_newest_base_before_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::of(&place.path().join("b"), &owner()).unwrap();
        base(&folder, "one", 0, "0/2000100");
        base(&folder, "two", 20, "0/5000100");
        for cut in [cut("a", 10, "0/3000060"), cut("b", 30, "0/6000060"), cut("c", 1, "0/1000060")]
        {
            folder.add_cut(&cut).unwrap();
        }
        let found = |word: &str| folder.find(word).map(|(cut, base)| (cut.name, base.id));
        let pair = |name: &str, id: &str| (name.to_owned(), id.to_owned());
        assert_eq!(found("a").unwrap(), pair("a", "one"));
        assert_eq!(found("latest").unwrap(), pair("b", "two"));
        assert_eq!(found(&at(29).to_rfc3339()).unwrap(), pair("a", "one"));
        assert!(found("c").unwrap_err().to_string().contains("no base backup"));
        assert!(found("d").unwrap_err().to_string().contains("no cut d"));
    }

    #[test]
    fn what_a_kept_cut_needs_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::of(place.path(), &owner()).unwrap();
        for (id, second, end) in
            [("1", 0, "0/2000100"), ("2", 20, "0/5000100"), ("3", 40, "0/8000100")]
        {
            base(&folder, id, second, end);
        }
        for cut in [cut("a", 10, "0/3000060"), cut("b", 30, "0/6000060"), cut("c", 50, "0/9000060")]
        {
            folder.add_cut(&cut).unwrap();
        }
        assert_eq!(folder.forget_before(at(30)).unwrap(), ["1"]);
        assert!(folder.find("a").is_err() && folder.find("b").is_ok());
        assert_eq!(folder.forget_before(at(99)).unwrap(), ["2"]);
        assert_eq!(folder.bases().unwrap().len(), 1, "the last base is never deleted");
    }

    #[test]
    fn a_folder_is_of_one_system_and_ends_with_a_restore() {
        let place = tempfile::tempdir().unwrap();
        Folder::of(place.path(), &owner()).unwrap();
        Folder::of(place.path(), &owner()).unwrap();
        let restored = Owner { restores: 1, ..owner() };
        assert!(Folder::of(place.path(), &restored).is_err());
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("x"), "").unwrap();
        assert!(Folder::of(other.path(), &owner()).is_err(), "somebody's files");
    }
}
