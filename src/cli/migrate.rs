//! `plaza migrate`: every shard by itself, so that it can be run again after a failure.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::write_json;
use plaza_config::Config;
use plaza_stores::kafka::topology;
use plaza_stores::postgres::migrations;

/// What to bring up to date.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// The shards alone: Kafka need not be there.
    #[arg(long)]
    databases_only: bool,
    /// A JSON object, instead of a line each.
    #[arg(long)]
    json: bool,
}

/// What was brought up to date.
#[derive(Debug, Default, Serialize)]
struct Report {
    shards: Vec<Shard>,
    /// The version of the map in force; null where a shard failed.
    shard_map: Option<i32>,
    /// Whether Kafka's topics are there; null where that was not asked.
    kafka_topics: Option<bool>,
}

/// What became of a shard.
#[derive(Debug, Serialize)]
struct Shard {
    shard: usize,
    /// Names of the migrations that were applied.
    applied: Vec<String>,
    /// Users that were granted what their roles need.
    granted: Vec<String>,
    /// Why it was not migrated.
    error: Option<String>,
}

impl Shard {
    fn line(&self) -> String {
        if let Some(error) = &self.error {
            return format!("FAILED: {error}");
        }
        let applied = match self.applied.as_slice() {
            [] => "up to date".to_owned(),
            applied => format!("applied {}", applied.join(", ")),
        };
        // A user that is made afterwards has nothing until the next run.
        match self.granted.as_slice() {
            [] => applied,
            users => format!("{applied}; granted to {}", users.join(", ")),
        }
    }
}

/// # Errors
/// A shard that could not be migrated: the others are.
pub async fn run(config: &Config, args: &MigrateArgs) -> anyhow::Result<()> {
    let mut report = Report::default();
    let outcome = bring_up_to_date(config, args, &mut report).await;
    if args.json {
        write_json(&mut std::io::stdout(), &report)?;
    }
    outcome
}

async fn bring_up_to_date(
    config: &Config,
    args: &MigrateArgs,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        let shard = match migrations::migrate(&urls.primary).await {
            Ok(migrated) => Shard {
                shard: number,
                applied: migrated.applied,
                granted: migrated.granted,
                error: None,
            },
            Err(error) => Shard {
                shard: number,
                applied: Vec::new(),
                granted: Vec::new(),
                error: Some(format!("{error:#}")),
            },
        };
        say(args, &format!("shard {number}: {}", shard.line()))?;
        report.shards.push(shard);
    }
    let failed = report.shards.iter().filter(|shard| shard.error.is_some());
    let failed: Vec<String> = failed.map(|shard| shard.shard.to_string()).collect();
    anyhow::ensure!(failed.is_empty(), "not migrated: shard {}", failed.join(", "));
    let version = migrations::ensure_map(&config.postgres).await?;
    report.shard_map = Some(version);
    say(args, &format!("shard map: version {version}"))?;
    if args.databases_only {
        return Ok(());
    }
    report.kafka_topics = Some(false);
    topology::ensure_topics(&config.kafka).await?;
    report.kafka_topics = Some(true);
    say(args, "kafka topics: there")?;
    Ok(())
}

/// Prints a line, unless JSON is asked for.
fn say(args: &MigrateArgs, line: &str) -> std::io::Result<()> {
    match args.json {
        true => Ok(()),
        false => writeln!(std::io::stdout(), "{line}"),
    }
}
