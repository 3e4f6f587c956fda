//! `plaza shards clock`: how far each shard's clock is behind the ids it has issued.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::write_json;
use plaza_config::Config;
use plaza_stores::postgres::id_clock;
use plaza_stores::postgres::migrations::connect;

/// What to do beside showing it.
#[derive(Debug, Args)]
pub struct ClockArgs {
    /// Set clocks that are ahead back, as far as no row has a later id.
    #[arg(long)]
    set_back: bool,
    /// A JSON array.
    #[arg(long)]
    json: bool,
}

/// A shard's clock.
#[derive(Debug, Serialize)]
struct Standing {
    shard: usize,
    /// How far it is behind the last id that was issued, in milliseconds.
    behind_ms: i64,
    /// Whether ids are issued all the same.
    issues_ids: bool,
}

/// # Errors
/// A shard cannot be reached; with `--set-back`, one that issues no ids afterwards either.
pub async fn run(config: &Config, args: &ClockArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut standings = Vec::new();
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        let mut connection = connect(&urls.primary).await?;
        let mut clock = id_clock::read(&mut connection).await?;
        if args.set_back && clock.behind_ms() > 0 {
            id_clock::set_back(&mut connection).await?;
            clock = id_clock::read(&mut connection).await?;
        }
        let behind_ms = clock.behind_ms();
        let issues_ids = behind_ms <= 1_000;
        // Each at once: the next one may not be reached.
        if !args.json {
            let state = if issues_ids { "issues ids" } else { "issues no ids" };
            writeln!(out, "shard {number}: {state}, clock behind the last id by {behind_ms} ms")?;
        }
        standings.push(Standing { shard: number, behind_ms, issues_ids });
    }
    if args.json {
        write_json(&mut out, &standings)?;
    }
    let refusing = standings.iter().filter(|standing| !standing.issues_ids);
    let refusing: Vec<String> = refusing.map(|standing| standing.shard.to_string()).collect();
    anyhow::ensure!(
        !args.set_back || refusing.is_empty(),
        "rows with later ids exist on shard {}: correct its server's clock, or wait",
        refusing.join(", ")
    );
    Ok(())
}
