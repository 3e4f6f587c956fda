//! `plaza failover`: a shard's primary is replaced by its furthest replica, by itself when it is
//! gone (`watch`) or by plan (`switch`). The rules are in `verdict.rs`; why they are enough, in
//! docs/decisions/0022.

mod figures;
mod supervised;
mod verdict;
mod watch;

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use self::supervised::Supervised;
use self::verdict::{Verdict, primary};
use super::write_json;
use crate::{http, telemetry};
use plaza_app::Tasks;
use plaza_config::Config;
use plaza_stores::postgres::supervision::Seen;

/// How often a shard's servers are looked at.
const ROUND: Duration = Duration::from_millis(500);

/// What to do. The users of `postgres.shards` must be superusers.
#[derive(Debug, Args)]
pub struct FailoverArgs {
    #[command(subcommand)]
    verb: FailoverVerb,
}

#[derive(Debug, Subcommand)]
enum FailoverVerb {
    /// Replace primaries that are gone, until it is stopped.
    Watch,
    /// Which server of each shard is what.
    Status {
        /// A JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Replace a primary that is well, as before its machine is restarted.
    Switch {
        /// The shard, from 0.
        shard: usize,
    },
}

/// # Errors
/// The verb's.
pub async fn run(config: &Config, args: &FailoverArgs) -> anyhow::Result<()> {
    match args.verb {
        FailoverVerb::Watch => watch(config.clone()).await,
        FailoverVerb::Status { json } => status(config, json).await,
        FailoverVerb::Switch { shard } => switch(config, shard).await,
    }
}

fn supervised(config: &Config) -> anyhow::Result<Vec<Supervised>> {
    let shards = config.postgres.shards.iter().enumerate();
    shards.map(|(number, urls)| Supervised::new(number, urls)).collect()
}

/// # Errors
/// A URL that is none; the address for operators is taken.
async fn watch(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry, "failover")?;
    // Before anything is counted.
    plaza_telemetry::metrics::recorder();
    metrics::gauge!("plaza_build_info", "version" => env!("CARGO_PKG_VERSION"), "roles" => "failover").set(1);
    let shards = supervised(&config)?;
    tracing::info!(shards = shards.len(), "watching primaries");
    let tasks = Tasks::default();
    tasks.spawn("admin", http::serve_figures(config, tasks.clone()));
    for (number, shard) in shards.into_iter().enumerate() {
        let stop = tasks.stopping();
        tasks.spawn("supervisor", async move {
            tokio::select! {
                () = watch_shard(number, shard) => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }
    tasks.set_ready();
    tasks.run_to_end().await
}

/// One shard, for ever. What is seen is said when it changes.
async fn watch_shard(number: usize, mut shard: Supervised) {
    figures::register(number);
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = None;
    loop {
        rounds.tick().await;
        let round = shard.round().await;
        figures::record_possible(number, shard.can_be_replaced());
        let verdict = match round {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::error!(shard = number, error = format!("{error:#}"), "a step failed");
                continue;
            }
        };
        if said.as_ref() != Some(&verdict) {
            say(number, &verdict);
            said = Some(verdict);
        }
    }
}

fn say(shard: usize, verdict: &Verdict) {
    match verdict {
        Verdict::Well(primary) => tracing::info!(shard, primary, "has a primary"),
        Verdict::Wait(why) => tracing::warn!(shard, why, "its primary does not answer"),
        Verdict::Cannot(why) => {
            tracing::error!(shard, why, "has no primary, and none is promoted");
        }
        Verdict::FailOver(old) => tracing::info!(shard, old, "its primary was replaced"),
    }
}

/// A server, for `status`.
#[derive(Debug, Serialize)]
struct Line {
    shard: usize,
    /// Its place in the configuration, from 0.
    server: usize,
    address: String,
    /// `primary`, `replica`, `ended` (it was the primary, and is to be rebuilt) or `away`.
    is: &'static str,
    /// Null where it is away.
    timeline: Option<i64>,
    /// How far its log goes, in bytes.
    place: Option<u64>,
    /// Whom a primary's commits wait for.
    waits_for: Option<String>,
}

impl Line {
    fn text(&self) -> String {
        let Self { shard, server, address, is, .. } = self;
        let mut text = format!("shard {shard} server {server} {address}: {is}");
        if let (Some(timeline), Some(place)) = (self.timeline, self.place) {
            text += &format!(", timeline {timeline} at {place}");
        }
        if let Some(names) = &self.waits_for {
            text += &format!(", waits for {names}");
        }
        text
    }
}

fn standing(seen: Option<&Seen>, is_primary: bool) -> &'static str {
    match seen {
        None => "away",
        Some(_) if is_primary => "primary",
        Some(seen) if !seen.is_replica => "ended, to be rebuilt",
        Some(seen) if seen.hears => "replica",
        Some(_) => "replica that hears no primary",
    }
}

async fn status(config: &Config, json: bool) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for (number, mut shard) in supervised(config)?.into_iter().enumerate() {
        let seen = shard.see().await;
        let leads = primary(&seen, None);
        let addresses = shard.addresses().into_iter();
        for (server, (seen, (host, port))) in seen.into_iter().zip(addresses).enumerate() {
            let is_primary = leads == Some(server);
            lines.push(Line {
                shard: number,
                server,
                address: format!("{host}:{port}"),
                is: standing(seen.as_ref(), is_primary),
                timeline: seen.as_ref().map(|seen| seen.timeline),
                place: seen.as_ref().map(|seen| seen.place),
                waits_for: seen.map(|seen| seen.waits_for).filter(|_| is_primary),
            });
        }
    }
    let mut out = std::io::stdout();
    if json {
        return write_json(&mut out, &lines);
    }
    for line in lines {
        writeln!(out, "{}", line.text())?;
    }
    Ok(())
}

async fn switch(config: &Config, shard: usize) -> anyhow::Result<()> {
    let found = supervised(config)?.into_iter().nth(shard);
    let (old, new) = found.with_context(|| format!("there is no shard {shard}"))?.switch().await?;
    let what = "the old one takes no writes, and is to be rebuilt from the new one";
    Ok(writeln!(std::io::stdout(), "shard {shard}: server {old} -> server {new}; {what}")?)
}
