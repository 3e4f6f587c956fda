//! `plaza rebalance`: deals the buckets out over the shards, while plaza is stopped.

use std::io::Write;

use anyhow::Context;
use clap::Args;

use super::projections::standings;
use plaza_config::Config;
use plaza_outbox::Sink;
use plaza_stores::postgres::moving::{deal, keep_out, others_at_work};
use plaza_stores::postgres::{Cluster, ReadSession, outbox};

/// Over how many.
#[derive(Debug, Args)]
pub struct RebalanceArgs {
    /// The shards that are to have buckets, the first so many of the configured ones; else all of
    /// them.
    #[arg(long)]
    shards: Option<usize>,
}

/// # Errors
/// plaza is not stopped, or has not finished; a shard's.
pub async fn run(config: &Config, args: &RebalanceArgs) -> anyhow::Result<()> {
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        let others =
            others_at_work(&urls.primary).await.with_context(|| format!("shard {number}"))?;
        anyhow::ensure!(
            others == 0,
            "plaza is at work on shard {number} ({others} connections): stop every role first"
        );
    }
    for standing in standings(config).await? {
        let (name, topic, behind) = (&standing.projection, &standing.topic, standing.behind);
        anyhow::ensure!(
            behind == 0,
            "{name} is {behind} events of {topic} behind: run worker, relay and projector until it is not"
        );
    }
    unsent(config).await?;
    keep_out(&config.postgres).await?;
    let mut out = std::io::stdout();
    let shards = args.shards.unwrap_or(config.postgres.shards.len());
    let dealt = deal(&config.postgres, shards, |step, rows| {
        let _ = writeln!(
            std::io::stdout(),
            "shard {} -> {}: {} buckets, {rows} rows",
            step.from,
            step.to,
            step.buckets.len()
        );
    })
    .await?;
    let held: Vec<String> = (0..config.postgres.shards.len())
        .map(|shard| dealt.map.buckets_of(shard).len().to_string())
        .collect();
    writeln!(out, "shard map: version {}, {} buckets", dealt.map.version, held.join(" "))?;
    Ok(())
}

async fn unsent(config: &Config) -> anyhow::Result<()> {
    let cluster = Cluster::new(&config.postgres)?;
    let session = ReadSession::primary(cluster.len());
    for sink in [Sink::Rabbitmq, Sink::Kafka].map(Sink::code) {
        let shards = cluster
            .scatter_all(&session, async |connection| outbox::backlog(connection, sink).await)
            .await;
        let unsent: i64 = shards.complete()?.iter().map(|backlog| backlog.unsent).sum();
        anyhow::ensure!(
            unsent == 0,
            "{unsent} messages are not sent yet: run worker, relay and projector until they are"
        );
    }
    Ok(())
}
