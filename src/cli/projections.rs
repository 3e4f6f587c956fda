//! `plaza projections`: where each stands.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::write_json;
use plaza_config::Config;
use plaza_read_models::readers;
use plaza_stores::kafka::consumer::EventConsumer;
use plaza_stores::postgres::projections::positions;
use plaza_stores::postgres::{Cluster, ReadSession};

/// How.
#[derive(Debug, Args)]
pub struct ProjectionsArgs {
    /// A JSON array.
    #[arg(long)]
    json: bool,
}

/// Where a projection stands in a partition.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    /// Its name.
    pub projection: &'static str,
    /// The topic.
    pub topic: &'static str,
    /// The partition.
    pub partition: i32,
    /// The offset it goes on at.
    pub next: i64,
    /// The partition's end.
    pub end: i64,
    /// Events it has not applied.
    pub behind: i64,
}

/// Where every projection stands in every partition.
///
/// # Errors
/// A shard or Kafka cannot be reached.
pub(super) async fn standings(config: &Config) -> anyhow::Result<Vec<Standing>> {
    let cluster = Cluster::new(&config.postgres)?;
    let session = ReadSession::primary(cluster.len());
    let mut standings = Vec::new();
    for (name, topics) in readers(&config.feed) {
        let consumer = Arc::new(EventConsumer::new(&config.kafka, name, topics)?);
        let asking = Arc::clone(&consumer);
        let ends = tokio::task::spawn_blocking(move || {
            let partitions = asking.partitions()?;
            partitions
                .into_iter()
                .map(|partition| Ok((asking.end_of(&partition)?, partition)))
                .collect::<anyhow::Result<Vec<_>>>()
        })
        .await??;
        let shards = cluster
            .scatter_all(&session, async |connection| positions(connection, name).await)
            .await
            .complete()?;
        for (end, partition) in ends {
            // The shard that is furthest has seen everything below: the others got nothing in
            // between.
            let at = |position: &&plaza_stores::postgres::projections::Position| {
                position.topic == partition.topic && position.partition == partition.number
            };
            let next = shards
                .iter()
                .filter_map(|shard| shard.iter().find(at))
                .map(|position| position.next_offset)
                .max()
                .unwrap_or_default();
            standings.push(Standing {
                projection: name,
                topic: partition.topic,
                partition: partition.number,
                next,
                end,
                behind: (end - next).max(0),
            });
        }
    }
    Ok(standings)
}

/// # Errors
/// A shard or Kafka cannot be reached.
pub async fn run(config: &Config, args: &ProjectionsArgs) -> anyhow::Result<()> {
    let standings = standings(config).await?;
    let mut out = std::io::stdout();
    if args.json {
        write_json(&mut out, &standings)?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<16} {:<10} {:>9} {:>12} {:>8}",
        "projection", "topic", "partition", "next offset", "behind"
    )?;
    for Standing { projection, topic, partition, next, behind, .. } in standings {
        writeln!(out, "{projection:<16} {topic:<10} {partition:>9} {next:>12} {behind:>8}")?;
    }
    Ok(())
}
