//! `plaza migrate`: every shard by itself, so that it can be run again after a failure.

use std::io::Write;

use clap::Args;

use plaza_config::Config;
use plaza_stores::kafka::topology;
use plaza_stores::postgres::migrations;

/// What to bring up to date.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// The shards alone: Kafka need not be there.
    #[arg(long)]
    databases_only: bool,
}

/// # Errors
/// A shard that could not be migrated: the others are.
pub async fn run(config: &Config, args: &MigrateArgs) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        let outcome = match migrations::migrate(&urls.primary).await {
            Ok(migrated) => {
                let applied = match migrated.applied.as_slice() {
                    [] => "up to date".to_owned(),
                    applied => format!("applied {}", applied.join(", ")),
                };
                // A user that is made afterwards has nothing until the next run.
                match migrated.granted.as_slice() {
                    [] => applied,
                    users => format!("{applied}; granted to {}", users.join(", ")),
                }
            }
            Err(error) => {
                failed.push(number.to_string());
                format!("FAILED: {error:#}")
            }
        };
        writeln!(std::io::stdout(), "shard {number}: {outcome}")?;
    }
    anyhow::ensure!(failed.is_empty(), "not migrated: shard {}", failed.join(", "));
    let version = migrations::ensure_map(&config.postgres).await?;
    writeln!(std::io::stdout(), "shard map: version {version}")?;
    if args.databases_only {
        return Ok(());
    }
    topology::ensure_topics(&config.kafka).await?;
    writeln!(std::io::stdout(), "kafka topics: there")?;
    Ok(())
}
