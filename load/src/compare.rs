//! The seeding's loader against `psql \copy`: the same rows into tables alike, in turns.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use plaza::clock::Clock;
use plaza::config::PostgresConfig;
use plaza::seeding::{Follows, Loader, Plan, Rows, Step, Table, Text, World, people};
use plaza::stores::postgres::migrations::load_map;
use plaza::stores::postgres::{Cluster, ShardIndex};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::cases::case::{Side, in_turns};
use crate::cases::outcome::{Pair, median};
use crate::report::write_json;
use crate::session::Session;
use crate::table;

/// The table that both load: as wide in indexes as any.
const LIKE: &str = "follows";
const INTO: Table = Table {
    name: "compared_follows",
    columns: "follower_id, followee_id, id, version, active",
    taken: "true",
};
/// Pairs of rounds; one more is thrown away.
const PAIRS: u64 = 5;
/// Whom each user follows, on average, and how many users there are at least.
const MEAN_FOLLOWS: u32 = 50;
const FEWEST_USERS: u32 = 10_001;
const SEED: u64 = 1;

/// How much.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Rows to load in each round, about.
    pub rows: u64,
    /// Where to write the metrics, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Follows of users that nobody has seeded: enough of them for so many rows.
async fn world(session: &Session, rows: u64) -> anyhow::Result<Arc<World>> {
    let map = load_map(&Cluster::new(&session.settings()?.postgres)?).await?;
    let beginning = Clock::System.now_ms();
    let count = u32::try_from(rows / u64::from(MEAN_FOLLOWS))?.max(FEWEST_USERS);
    let users = people(u64::from(count), SEED, beginning);
    let follows = Follows::drawn(count, f64::from(MEAN_FOLLOWS), SEED);
    let plan = Plan { posts: 0, products: 0, orders: 0 };
    // Users themselves are not loaded: nobody logs in.
    let password = String::new();
    Ok(Arc::new(World::of_new_people(map, SEED, users, password, follows, plan, beginning)))
}

/// The rows of each shard in a file of its own; how many.
fn write_files(world: &World, chunks: u64, shards: usize, folder: &Path) -> anyhow::Result<u64> {
    let mut count = 0;
    let mut writers = Vec::new();
    for shard in 0..shards {
        let file = std::fs::File::create(folder.join(shard.to_string()))?;
        writers.push(std::io::BufWriter::new(file));
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
    Ok(count)
}

/// Seconds of each pair: psql's (one process a shard, all at once, from files that lie ready), and
/// the loader's, which makes its rows meanwhile.
async fn measure(
    config: &PostgresConfig,
    loader: &mut Loader,
    world: &Arc<World>,
    chunks: u64,
    files: &TempDir,
) -> anyhow::Result<Vec<Pair>> {
    let (name, columns) = (INTO.name, INTO.columns);
    let command = format!("\\copy {name} ({columns}) from pstdin");
    let mut seconds = Vec::new();
    for pair in 0..=PAIRS {
        let round = async |side| {
            loader.everywhere(&format!("TRUNCATE {name}; CHECKPOINT")).await?;
            let started = Instant::now();
            match side {
                Side::Before => psql(config, files.path(), &command).await?,
                Side::After => own(loader, world, chunks, config.shards.len()).await?,
            }
            Ok(started.elapsed().as_secs_f64())
        };
        let measured = in_turns(pair, round).await?;
        if pair > 0 {
            seconds.push(measured);
        }
    }
    Ok(seconds)
}

/// The verb: loads follows into a table like `follows` with all its indexes, which goes afterwards.
///
/// # Errors
/// No psql; the servers'.
pub async fn run(session: &Session, arguments: &CompareArguments) -> anyhow::Result<bool> {
    let config = session.settings()?;
    let mut loader = Loader::connect(&config.postgres, config.feed.pull_from).await?;
    let world = world(session, arguments.rows).await?;
    let (chunks, files) = (chunks(&world, arguments.rows), tempfile::tempdir()?);
    let rows = write_files(&world, chunks, config.postgres.shards.len(), files.path())?;
    let name = INTO.name;
    let make = format!("CREATE TABLE {name} (LIKE {LIKE} INCLUDING ALL)");
    loader.everywhere(&format!("DROP TABLE IF EXISTS {name}; {make}")).await?;
    let seconds = measure(&config.postgres, &mut loader, &world, chunks, &files).await;
    loader.everywhere(&format!("DROP TABLE {name}")).await?;
    let seconds = seconds?;
    let ratio = median(seconds.iter().map(|pair| pair.before / pair.after));
    table::print(
        &["rows", "psql \\copy, s", "plaza seed, s", "times as fast"],
        seconds.iter().map(|Pair { before, after }| {
            let times = format!("{:.2}", before / after);
            [rows.to_string(), format!("{before:.2}"), format!("{after:.2}"), times]
        }),
    )?;
    writeln!(
        std::io::stdout(),
        "median: {ratio:.2} times the rows a second of psql \\copy, one process a shard on both sides"
    )?;
    if let Some(file) = &arguments.json {
        write_json(file, &json!({ "rows": rows, "seconds": seconds, "ratio": ratio }))?;
    }
    Ok(true)
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

async fn psql(config: &PostgresConfig, files: &Path, command: &str) -> anyhow::Result<()> {
    let mut running = Vec::new();
    for (shard, urls) in config.shards.iter().enumerate() {
        let child = tokio::process::Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command])
            .arg(urls.primary.expose_secret())
            .stdin(std::fs::File::open(files.join(shard.to_string()))?)
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
