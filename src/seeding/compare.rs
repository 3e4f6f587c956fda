//! The loader against `psql \copy`: the same rows into tables alike, in turns.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::load::Loader;
use super::rows::{Rows, Table, Text};
use super::world::{Step, World};
use crate::config::PostgresConfig;
use crate::stores::postgres::ShardIndex;

/// The table that both load: as wide in indexes as any.
const LIKE: &str = "follows";
const INTO: Table = Table {
    name: "compared_follows",
    columns: "follower_id, followee_id, id, version, active",
    taken: "true",
};
/// Pairs of rounds; one more is thrown away.
const PAIRS: usize = 5;

/// What was measured.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Rows in a round.
    pub rows: u64,
    /// Seconds by pair: psql's, and the loader's with making the rows.
    pub seconds: Vec<(f64, f64)>,
}

impl Comparison {
    /// The loader's rows a second over psql's: the median of the pairs.
    pub fn ratio(&self) -> f64 {
        let mut ratios: Vec<f64> = self.seconds.iter().map(|(psql, own)| psql / own).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Files that go when the comparison ends.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Loads about so many follows with psql (one process a shard, all at once, from files that lie
/// ready) and with the loader (which makes its rows meanwhile), in turns, into tables like
/// `follows` with all its indexes. The tables go afterwards.
///
/// # Errors
/// No psql; the server's.
pub async fn compare_with_psql(
    config: &PostgresConfig,
    loader: &mut Loader,
    world: &Arc<World>,
    rows: u64,
) -> anyhow::Result<Comparison> {
    let chunks = chunks(world, rows);
    let files = Files(std::env::temp_dir().join(format!("plaza-compare-{}", std::process::id())));
    std::fs::create_dir_all(&files.0)?;
    let mut count = 0;
    let shards = config.shards.len();
    let mut writers = Vec::new();
    for shard in 0..shards {
        writers
            .push(std::io::BufWriter::new(std::fs::File::create(files.0.join(shard.to_string()))?));
    }
    for chunk in 0..chunks {
        for (text, writer) in texts(world, chunk, shards).iter().zip(&mut writers) {
            writer.write_all(text.text.as_bytes())?;
            count += text.rows;
        }
    }
    for writer in &mut writers {
        writer.flush()?;
    }
    let (name, columns) = (INTO.name, INTO.columns);
    loader
        .everywhere(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (LIKE {LIKE} INCLUDING ALL)"
        ))
        .await?;
    let mut seconds = Vec::new();
    for pair in 0..=PAIRS {
        let mut both = (0.0, 0.0);
        for turn in [pair % 2, 1 - pair % 2] {
            loader.everywhere(&format!("TRUNCATE {name}; CHECKPOINT")).await?;
            let started = Instant::now();
            if turn == 0 {
                psql(config, &files, &format!("\\copy {name} ({columns}) from pstdin")).await?;
                both.0 = started.elapsed().as_secs_f64();
            } else {
                own(loader, world, chunks, shards).await?;
                both.1 = started.elapsed().as_secs_f64();
            }
        }
        if pair > 0 {
            seconds.push(both);
        }
    }
    loader.everywhere(&format!("DROP TABLE {name}")).await?;
    Ok(Comparison { rows: count, seconds })
}

/// As many chunks of follows as have so many rows.
fn chunks(world: &World, rows: u64) -> u64 {
    let all = world.chunks(Step::Follows);
    (all * rows).checked_div(world.expected(Step::Follows)).unwrap_or_default().clamp(1, all.max(1))
}

fn texts(world: &World, chunk: u64, shards: usize) -> Vec<Text> {
    let mut rows: Vec<Rows> = world.make(Step::Follows, chunk).rows;
    (0..shards)
        .map(|shard| {
            rows.iter_mut()
                .find_map(|rows| rows.by_shard.remove(&ShardIndex(shard)))
                .unwrap_or_default()
        })
        .collect()
}

/// The next chunk is made while one is loaded.
async fn own(
    loader: &mut Loader,
    world: &Arc<World>,
    chunks: u64,
    shards: usize,
) -> anyhow::Result<()> {
    let make = |chunk| {
        let world = Arc::clone(world);
        tokio::task::spawn_blocking(move || texts(&world, chunk, shards))
    };
    let mut next = Some(make(0));
    for chunk in 1..=chunks {
        let Some(made) = next.take() else { break };
        let ready = made.await?;
        next = (chunk < chunks).then(|| make(chunk));
        loader.copy_everywhere(INTO, &ready).await?;
    }
    Ok(())
}

async fn psql(config: &PostgresConfig, files: &Files, command: &str) -> anyhow::Result<()> {
    let mut running = Vec::new();
    for (shard, urls) in config.shards.iter().enumerate() {
        let child = tokio::process::Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command])
            .arg(urls.primary.expose_secret())
            .stdin(std::fs::File::open(files.0.join(shard.to_string()))?)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("psql cannot be started: it comes with PostgreSQL")?;
        running.push(child);
    }
    for mut child in running {
        let status = child.wait().await?;
        anyhow::ensure!(status.success(), "psql: {status}");
    }
    Ok(())
}
