//! `plaza counters audit`: stored counts against the rows that they count, some at a time, and
//! those that differ counted again.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use tokio::time::Instant;

use super::write_json;
use plaza_app::App;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::effects::Effects;
use plaza_domain::identity::Keys;
use plaza_read_models::projection::EffectHandler;
use plaza_stores::StoreError;
use plaza_stores::postgres::ledger::counters::{Counter, Drift, drift, repair};
use plaza_stores::postgres::ledger::pieces::{Place, piece};
use plaza_stores::postgres::migrations::connect_to_read;
use plaza_stores::postgres::{Connection, ShardIndex};

/// Counts compared in one statement.
const PIECE: i64 = 2_000;
/// Counts repaired in one transaction: it holds up whoever writes to those posts or users.
const REPAIRED: usize = 100;
/// How long that may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, Args)]
pub struct CountersArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Compares every count with its rows; the exit code is 1 when one differs and stays so.
    Audit(AuditArgs),
}

#[derive(Debug, Args)]
struct AuditArgs {
    /// Count those that differ again, beside the writers.
    #[arg(long)]
    repair: bool,
    /// A JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// A count that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The shard.
    pub shard: usize,
    /// The post or the user.
    pub id: i64,
    /// The counts as stored.
    pub stored: String,
    /// The same, counted.
    pub counted: String,
}

/// What became of a table of counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// The table.
    pub counts: &'static str,
    /// Counts that were compared.
    pub checked: i64,
    /// Those behind their rows, whom readers do not use.
    pub behind: i64,
    /// Those that differ.
    pub differing: Vec<Differing>,
    /// Whether they were counted again.
    pub repaired: bool,
}

fn table(counter: Counter) -> &'static str {
    match counter {
        Counter::Posts => "likes and comments of posts",
        Counter::Users => "posts and follows of people",
        Counter::Followers => "followers of people",
        Counter::Shares => "reposts and quotes of posts",
    }
}

/// # Errors
/// A server cannot be reached; a count differs, and was not to be repaired.
pub async fn run(config: &Config, args: &CountersArgs) -> anyhow::Result<()> {
    let Verb::Audit(args) = &args.verb;
    let audited = audit(config, args.repair).await?;
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &audited)?;
    } else {
        print(&mut out, &audited)?;
    }
    let left: usize =
        audited.iter().filter(|one| !one.repaired).map(|one| one.differing.len()).sum();
    anyhow::ensure!(left == 0, "{left} counts differ from their rows");
    Ok(())
}

fn print(out: &mut impl Write, audited: &[Audited]) -> anyhow::Result<()> {
    writeln!(out, "{:<32} {:>12} {:>8} {:>8}", "counts", "checked", "behind", "differ")?;
    for one in audited {
        let differ = one.differing.len();
        writeln!(out, "{:<32} {:>12} {:>8} {differ:>8}", one.counts, one.checked, one.behind)?;
        for row in &one.differing {
            let done = if one.repaired { ", repaired" } else { "" };
            let (stored, counted) = (&row.stored, &row.counted);
            writeln!(
                out,
                "  {} on shard {}: {stored}; in rows {counted}{done}",
                row.id, row.shard
            )?;
        }
    }
    Ok(())
}

/// Compares all counts, and counts those that differ again where that is asked for.
///
/// # Errors
/// A server that cannot be reached.
pub async fn audit(config: &Config, repair: bool) -> anyhow::Result<Vec<Audited>> {
    let app = App::build_with(config.clone(), Clock::System, &Keys::of_this_process()?).await?;
    let mut shards = Vec::new();
    for urls in &config.postgres.shards {
        shards.push(connect_to_read(&urls.primary).await?);
    }
    let mut audited = Vec::new();
    for counter in Counter::ALL {
        let mut one = Audited {
            counts: table(counter),
            checked: 0,
            behind: 0,
            differing: Vec::new(),
            repaired: repair,
        };
        for (number, shard) in shards.iter_mut().enumerate() {
            let found = differing(shard, counter, &mut one).await?;
            if repair {
                let ids: Vec<i64> = found.iter().map(|drift| drift.id).collect();
                for ids in ids.chunks(REPAIRED) {
                    mend(&app, ShardIndex(number), counter, ids).await?;
                }
            }
            one.differing.extend(found.into_iter().map(|Drift { id, stored, counted }| {
                Differing { shard: number, id, stored, counted }
            }));
        }
        audited.push(one);
    }
    if repair && audited.iter().any(|one| !one.differing.is_empty()) {
        // A count that was wrong has the version of the right one: no version tells them apart.
        Effects(app.domain.clone()).distrust_caches().await;
    }
    Ok(audited)
}

/// The counts of one shard that differ.
async fn differing(
    shard: &mut Connection,
    counter: Counter,
    audited: &mut Audited,
) -> Result<Vec<Drift>, StoreError> {
    let (mut found, mut after): (Vec<Drift>, Place) = (Vec::new(), (0, 0));
    loop {
        let piece = piece(shard, counter.law(), after, PIECE).await?;
        audited.checked += piece.checked;
        audited.behind += piece.waiting;
        let Some(last) = piece.last else { return Ok(found) };
        if piece.wrong > 0 {
            found.extend(drift(shard, counter, after.0, last).await?);
        }
        if piece.rows < PIECE {
            return Ok(found);
        }
        after = (last, 0);
    }
}

/// Counts again, in one transaction.
async fn mend(app: &App, shard: ShardIndex, counter: Counter, ids: &[i64]) -> anyhow::Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let counted = async |connection: &mut Connection| repair(connection, counter, ids).await;
    app.domain.cluster.write_unread::<(), StoreError, _>(shard, deadline, counted).await?;
    Ok(())
}
