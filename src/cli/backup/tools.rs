//! PostgreSQL's own programs.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::process::Command;

use plaza_config::ShardUrls;
use plaza_stores::postgres::cut::SLOT;
use plaza_stores::postgres::libpq::Libpq;

/// Where they are.
#[derive(Debug, Clone, Args)]
pub struct Tools {
    /// The folder of PostgreSQL's programs (`pg_basebackup`, `pg_receivewal`, `pg_verifybackup`),
    /// of the servers' version or newer. Not said: the path.
    #[arg(long)]
    postgres_bin: Option<PathBuf>,
}

/// The list of a base backup that PostgreSQL keeps beside it, as far as it is read here.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "WAL-Ranges")]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "Start-LSN")]
    start: String,
    #[serde(rename = "End-LSN")]
    end: String,
}

/// The last lines of what a program said.
fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.reverse();
    lines.join(" / ")
}

impl Tools {
    /// A program, which ends when the command is dropped.
    fn program(&self, name: &str) -> Command {
        let path = self.postgres_bin.as_ref().map_or_else(|| name.into(), |bin| bin.join(name));
        let mut command = Command::new(path);
        command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// The same, with where a shard is. TLS and password come by it, not by the arguments.
    fn at_shard(&self, name: &str, libpq: &Libpq) -> Command {
        let mut command = self.program(name);
        if let Some(password) = &libpq.password {
            command.env("PGPASSWORD", password.expose_secret());
        }
        command.args(["--no-password", "--dbname", &libpq.conninfo]);
        command
    }

    async fn finish(mut command: Command) -> anyhow::Result<()> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let said = command.output().await.with_context(|| name.clone())?;
        anyhow::ensure!(said.status.success(), "{name}: {}", last_words(&said.stderr));
        Ok(())
    }

    /// Receives a shard's log into a folder until the connection is lost; never returns otherwise.
    /// What is received is on the disk before the server hears of it. The slot by which the
    /// server keeps what was not received yet is made where it is missing.
    ///
    /// # Errors
    /// Always, in the program's words.
    pub async fn receive(&self, urls: &ShardUrls, folder: &Path) -> anyhow::Result<()> {
        let libpq = Libpq::of(urls, "plaza backup")?;
        let mut slot = self.at_shard("pg_receivewal", &libpq);
        slot.args(["--create-slot", "--if-not-exists", "--slot", SLOT]);
        Self::finish(slot).await?;
        let mut receiver = self.at_shard("pg_receivewal", &libpq);
        receiver.args(["--slot", SLOT, "--synchronous", "--no-loop", "--status-interval=1"]);
        receiver.arg("--directory").arg(folder);
        Self::finish(receiver).await?;
        anyhow::bail!("pg_receivewal has ended")
    }

    /// Copies a shard's data into a folder that is not there yet, and compares it with its
    /// checksums; from where and up to where the log is needed.
    ///
    /// # Errors
    /// In the program's words.
    pub async fn copy(&self, urls: &ShardUrls, folder: &Path) -> anyhow::Result<(String, String)> {
        let libpq = Libpq::of(urls, "plaza backup")?;
        let mut copy = self.at_shard("pg_basebackup", &libpq);
        copy.args(["--wal-method=none", "--checkpoint=fast", "--pgdata"]).arg(folder);
        Self::finish(copy).await?;
        self.verify(folder).await?;
        let file = folder.join("backup_manifest");
        let manifest: Manifest = serde_json::from_slice(&std::fs::read(&file)?)?;
        let range = manifest.ranges.into_iter().next();
        let range = range.with_context(|| format!("{} names no log", file.display()))?;
        Ok((range.start, range.end))
    }

    /// Compares a copy with its checksums.
    ///
    /// # Errors
    /// It differs, in the program's words.
    pub async fn verify(&self, folder: &Path) -> anyhow::Result<()> {
        let mut verify = self.program("pg_verifybackup");
        // The log is elsewhere.
        verify.args(["--no-parse-wal", "--quiet", "--exit-on-error"]).arg(folder);
        Self::finish(verify).await
    }
}
