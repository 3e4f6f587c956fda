//! `plaza projections aside`, `skip` and `retry`: what was put aside, and what is to become of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::str::FromStr;

use anyhow::Context;
use chrono::DateTime;
use clap::Args;
use serde::Serialize;

use crate::cli::write_json;
use plaza_config::Config;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::migrations::connect;
use plaza_stores::postgres::unreadable_records::{Place, RecordAside, State, all, decide, merged};

/// What is listed.
#[derive(Debug, Clone, Args)]
pub struct AsideArgs {
    /// A JSON array.
    #[arg(long)]
    json: bool,
    /// Those that were left out or applied, too.
    #[arg(long)]
    all: bool,
}

/// What is decided about.
#[derive(Debug, Clone, Args)]
pub struct DecisionArgs {
    /// `PROJECTION/TOPIC/PARTITION/OFFSET`, as `aside` shows them; without the projection: for all
    /// that have the record aside.
    #[arg(required = true)]
    records: Vec<Which>,
    /// Its aggregate goes on behind it: versions missing before it are given up.
    #[arg(long)]
    over_gap: bool,
    /// Who decides.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "unknown")]
    by: String,
}

/// A record, for one projection or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Which {
    projection: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (projection, topic, partition, offset) = match parts.as_slice() {
            [topic, partition, offset] => (None, topic, partition, offset),
            [projection, topic, partition, offset] => {
                (Some((*projection).to_owned()), topic, partition, offset)
            }
            _ => return Err("it is no [PROJECTION/]TOPIC/PARTITION/OFFSET".to_owned()),
        };
        Ok(Self {
            projection,
            topic: (*topic).to_owned(),
            partition: partition.parse().map_err(|error| format!("partition: {error}"))?,
            offset: offset.parse().map_err(|error| format!("offset: {error}"))?,
        })
    }
}

impl Which {
    fn is(&self, place: &Place) -> bool {
        self.projection.as_ref().is_none_or(|projection| *projection == place.projection)
            && self.topic == place.topic
            && self.partition == place.partition
            && self.offset == place.offset
    }
}

/// A record as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    record: String,
    state: State,
    over_gap: bool,
    aggregate: Option<&'a str>,
    version: Option<i64>,
    bytes: i64,
    reason: &'a str,
    put_aside: String,
    decided_by: Option<&'a str>,
    decided: Option<String>,
}

impl<'a> From<&'a RecordAside> for Listed<'a> {
    fn from(record: &'a RecordAside) -> Self {
        Self {
            record: record.place.to_string(),
            state: record.state,
            over_gap: record.over_gap,
            aggregate: record.aggregate.as_deref(),
            version: record.version,
            bytes: record.length,
            reason: &record.reason,
            put_aside: time(record.created_ms),
            decided_by: record.decided_by.as_deref(),
            decided: record.decided_ms.map(time),
        }
    }
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339()
}

async fn shards(config: &Config) -> anyhow::Result<Vec<Connection>> {
    let mut shards = Vec::new();
    for (number, urls) in config.postgres.shards.iter().enumerate() {
        shards.push(connect(&urls.primary).await.with_context(|| format!("shard {number}"))?);
    }
    Ok(shards)
}

async fn records(shards: &mut [Connection]) -> anyhow::Result<BTreeMap<Place, RecordAside>> {
    let mut found = Vec::new();
    for shard in shards {
        found.extend(all(shard).await?);
    }
    Ok(merged(found))
}

/// Lists what was put aside.
///
/// # Errors
/// A shard cannot be reached.
pub async fn list(config: &Config, args: &AsideArgs) -> anyhow::Result<()> {
    let records = records(&mut shards(config).await?).await?;
    let shown: Vec<Listed<'_>> = records
        .values()
        .filter(|record| args.all || record.state.is_open())
        .map(Listed::from)
        .collect();
    let mut out = std::io::stdout();
    if args.json {
        return write_json(&mut out, &shown);
    }
    if shown.is_empty() {
        writeln!(out, "there are none")?;
    }
    for Listed {
        record, state, aggregate, version, reason, put_aside, decided_by, decided, ..
    } in shown
    {
        let of =
            aggregate.zip(version).map(|(aggregate, version)| format!(" {aggregate} {version}"));
        let by = decided_by.zip(decided).map(|(by, at)| format!("; {by} at {at}"));
        let (of, by) = (of.unwrap_or_default(), by.unwrap_or_default());
        writeln!(out, "{record} {}{of}: {reason} ({put_aside}{by})", state.name())?;
    }
    Ok(())
}

/// Decides about records on every shard.
///
/// # Errors
/// A shard cannot be reached; a record was not put aside, or is applied.
pub async fn settle(config: &Config, args: &DecisionArgs, state: State) -> anyhow::Result<()> {
    let mut shards = shards(config).await?;
    let records = records(&mut shards).await?;
    let mut out = std::io::stdout();
    let said = if state == State::Skipped { "skipped" } else { "to be tried again" };
    for which in &args.records {
        let open = |(place, record): &(&Place, &RecordAside)| {
            which.is(place) && record.state != State::Applied
        };
        let mut found = records.iter().filter(open).map(|(place, _)| place).peekable();
        anyhow::ensure!(
            found.peek().is_some(),
            "{}/{}/{} waits nowhere: see `plaza projections aside --all`",
            which.topic,
            which.partition,
            which.offset
        );
        for place in found {
            for shard in &mut shards {
                decide(shard, place, (state, args.over_gap), &args.by).await?;
            }
            writeln!(out, "{said} {place}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_for_one_projection_or_for_all() {
        let place = Place {
            projection: "shares".into(),
            topic: "posts".into(),
            partition: 3,
            offset: 1_042,
        };
        let is = |text: &str| text.parse::<Which>().map(|which| which.is(&place));
        assert_eq!(is("posts/3/1042"), Ok(true));
        assert_eq!(is(&place.to_string()), Ok(true));
        for other in ["users/posts/3/1042", "posts/3/1043", "posts/4/1042"] {
            assert_eq!(is(other), Ok(false), "{other}");
        }
        for wrong in ["posts", "posts/3", "posts/x/1", "a/b/c/d/e"] {
            assert!(wrong.parse::<Which>().is_err(), "{wrong}");
        }
    }
}
