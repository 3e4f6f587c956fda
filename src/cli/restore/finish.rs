//! What all parts need before plaza serves from a cut. Each step may be repeated: brokers first,
//! then each shard in one transaction, then images.

use std::io::Write;

use serde::Serialize;

use super::FinishArgs;
use crate::cli::backup::folder::{Cut, Folder};
use crate::cli::backup::images;
use crate::cli::write_json;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_stores::kafka::{discard as kafka, topology};
use plaza_stores::postgres::restoring::{Prepared, Restored};
use plaza_stores::rabbitmq::discard as rabbitmq;
use plaza_stores::redis::discard as redis;

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Report {
    cut: String,
    /// Records of Kafka, jobs of RabbitMQ and keys of Redis that were of after the cut.
    discarded: Discarded,
    shards: Vec<Shard>,
    /// Images that were copied back.
    images: u64,
}

/// What brokers and the cache had.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Discarded {
    records: i64,
    jobs: u64,
    keys: u64,
}

/// A shard.
#[derive(Debug, Serialize)]
struct Shard {
    shard: usize,
    /// It was prepared by an earlier run.
    before: bool,
    /// Events that are sent again.
    events: u64,
    /// Jobs that are sent again.
    jobs: u64,
    /// Offsets of projections that were forgotten.
    offsets: u64,
}

/// # Errors
/// A shard that is not at the cut, or at which plaza is at work; a broker that is not empty,
/// without `--discard`; a server's.
pub async fn run(config: &Config, args: &FinishArgs) -> anyhow::Result<()> {
    let folder = Folder::open(&args.folder)?;
    let cut = folder.cut(&args.to)?;
    let shards = Restored::connect(&config.postgres).await?;
    for shard in &shards {
        shard.ensure_at(&cut.label).await?;
    }
    let discarded = discard(config, args.discard).await?;
    topology::ensure_topics(&config.kafka).await?;
    let mut report = Report { cut: cut.name.clone(), discarded, ..Report::default() };
    let newest_ms = newest(&folder, &cut)?;
    for mut shard in shards {
        let Prepared { before, events, jobs, offsets } =
            shard.prepare(newest_ms, Clock::System.now_ms()).await?;
        report.shards.push(Shard { shard: shard.number(), before, events, jobs, offsets });
    }
    report.images = images::copy_back(&config.media, &folder.objects()).await?.objects;
    let mut out = std::io::stdout();
    match args.json {
        true => write_json(&mut out, &report),
        false => print(&mut out, &report),
    }
}

/// The latest moment of which the backup knows that the shards were at work, Unix milliseconds: ids
/// up to it may have been issued.
fn newest(folder: &Folder, cut: &Cut) -> anyhow::Result<i64> {
    let cuts = folder.cuts()?;
    let newest = cuts.iter().map(|cut| cut.at).max().unwrap_or(cut.at);
    Ok(newest.timestamp_millis())
}

/// Sees that brokers and cache are empty, or empties them.
async fn discard(config: &Config, discard: bool) -> anyhow::Result<Discarded> {
    let topics = kafka::records(&config.kafka).await?;
    let held = Discarded {
        records: topics.iter().map(|(_, records)| *records).sum(),
        jobs: rabbitmq::jobs(&config.rabbitmq, discard).await?,
        keys: redis::keys(&config.redis, discard).await?,
    };
    if discard && held.records > 0 {
        kafka::delete_topics(&config.kafka).await?;
    }
    let Discarded { records, jobs, keys } = held;
    anyhow::ensure!(
        discard || (records, jobs, keys) == (0, 0, 0),
        "not empty: {records} records in Kafka, {jobs} jobs in RabbitMQ, {keys} keys in Redis, \
         which are of after the cut: delete them, or let `--discard` do so"
    );
    Ok(held)
}

fn print(out: &mut impl Write, report: &Report) -> anyhow::Result<()> {
    let Discarded { records, jobs, keys } = report.discarded;
    writeln!(out, "discarded: {records} records, {jobs} jobs, {keys} keys")?;
    for Shard { shard, before, events, jobs, offsets } in &report.shards {
        let done = match before {
            true => "was prepared before".to_owned(),
            false => format!(
                "{events} events and {jobs} jobs are sent again, {offsets} offsets forgotten"
            ),
        };
        writeln!(out, "shard {shard}: {done}")?;
    }
    writeln!(out, "{} images copied back", report.images)?;
    Ok(writeln!(out, "restored to {}: start plaza's roles", report.cut)?)
}
