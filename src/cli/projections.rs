//! `plaza projections`: where each stands, and what it has put aside.

mod aside;

use std::io::Write;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::write_json;
use aside::{AsideArgs, DecisionArgs};
use plaza_config::Config;
use plaza_read_models::readers;
use plaza_stores::kafka::ANSWERS_A_COMMAND_WITHIN;
use plaza_stores::kafka::consumer::EventConsumer;
use plaza_stores::postgres::projections::positions;
use plaza_stores::postgres::unreadable_records::State;
use plaza_stores::postgres::{Cluster, ReadSession};

/// How.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ProjectionsArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// A JSON array of all.
    #[arg(long)]
    json: bool,
    /// Those that have applied every event, too.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Records that could not be read, or came after a missing version, and wait.
    Aside(AsideArgs),
    /// Leaves records out for good.
    Skip(DecisionArgs),
    /// Has the projectors try records again.
    Retry(DecisionArgs),
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
            let partitions = asking.partitions(ANSWERS_A_COMMAND_WITHIN)?;
            partitions
                .into_iter()
                .map(|partition| {
                    Ok((asking.end_of(&partition, ANSWERS_A_COMMAND_WITHIN)?, partition))
                })
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
/// A shard or Kafka cannot be reached; a record that is decided about was not put aside.
pub async fn run(config: &Config, args: &ProjectionsArgs) -> anyhow::Result<()> {
    match &args.verb {
        Some(Verb::Aside(args)) => return aside::list(config, args).await,
        Some(Verb::Skip(args)) => return aside::settle(config, args, State::Skipped).await,
        Some(Verb::Retry(args)) => return aside::settle(config, args, State::Retry).await,
        None => {}
    }
    let standings = standings(config).await?;
    let mut out = std::io::stdout();
    if args.json {
        write_json(&mut out, &standings)?;
        return Ok(());
    }
    print(&mut out, &standings, args.all)
}

/// A table of those that are behind, or of all, and how many are not.
fn print(out: &mut impl Write, standings: &[Standing], all: bool) -> anyhow::Result<()> {
    let shown: Vec<&Standing> =
        standings.iter().filter(|standing| all || standing.behind > 0).collect();
    if !shown.is_empty() {
        writeln!(
            out,
            "{:<16} {:<10} {:>9} {:>12} {:>8}",
            "projection", "topic", "partition", "next offset", "behind"
        )?;
    }
    for Standing { projection, topic, partition, next, behind, .. } in shown {
        writeln!(out, "{projection:<16} {topic:<10} {partition:>9} {next:>12} {behind:>8}")?;
    }
    let level = standings.iter().filter(|standing| standing.behind == 0).count();
    writeln!(out, "{level} of {} have applied every event of their partition", standings.len())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(projection: &'static str, behind: i64) -> Standing {
        Standing { projection, topic: "posts", partition: 0, next: 10, end: 10 + behind, behind }
    }

    fn printed(standings: &[Standing], all: bool) -> String {
        let mut out = Vec::new();
        print(&mut out, standings, all).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_level_is_counted_and_listed_only_on_asking() {
        let standings = [standing("shares", 0), standing("users", 3)];
        let behind = printed(&standings, false);
        assert!(behind.contains("users") && !behind.contains("shares"), "{behind}");
        assert!(behind.ends_with("1 of 2 have applied every event of their partition\n"));
        let all = printed(&standings, true);
        assert!(all.contains("users") && all.contains("shares"), "{all}");
        let level = printed(&standings[..1], false);
        assert_eq!(level, "1 of 1 have applied every event of their partition\n", "no head alone");
    }
}
