//! `plaza projections`: where each stands.

use std::io::Write;
use std::sync::Arc;

use crate::config::Config;
use crate::read_models::projection::all;
use crate::stores::kafka::consumer::EventConsumer;
use crate::stores::postgres::projections::positions;
use crate::stores::postgres::{Cluster, Connection, ReadSession};

/// # Errors
/// A shard or Kafka cannot be reached.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let cluster = Cluster::new(&config.postgres)?;
    let session = ReadSession::primary(cluster.len());
    let mut out = std::io::stdout();
    writeln!(out, "{:<16} {:<10} {:>9} {:>12} {:>8}", "projection", "topic", "partition", "next offset", "behind")?;
    for projection in all(&config.feed) {
        let name = projection.name();
        let consumer = Arc::new(EventConsumer::new(&config.kafka, name, projection.topics())?);
        let asking = Arc::clone(&consumer);
        let ends = tokio::task::spawn_blocking(move || {
            let partitions = asking.partitions()?;
            partitions.into_iter().map(|partition| Ok((asking.end_of(&partition)?, partition))).collect::<anyhow::Result<Vec<_>>>()
        })
        .await??;
        let shards =
            cluster.scatter_all(&session, async |connection: &mut Connection| positions(connection, name).await).await.complete()?;
        for (end, partition) in ends {
            // The shard that is furthest has seen everything below: the others got nothing in between.
            let at = |position: &&crate::stores::postgres::projections::Position| {
                position.topic == partition.topic && position.partition == partition.number
            };
            let next =
                shards.iter().filter_map(|shard| shard.iter().find(at)).map(|position| position.next_offset).max().unwrap_or_default();
            writeln!(out, "{name:<16} {:<10} {:>9} {next:>12} {:>8}", partition.topic, partition.number, (end - next).max(0))?;
        }
    }
    Ok(())
}
