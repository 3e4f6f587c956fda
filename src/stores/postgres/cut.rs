//! A cut: one moment of all shards, which each shard's write-ahead log names by a restore point.
//!
//! Shards have no transaction in common. What happens on one because of what happened on another
//! comes by a message, and messages leave by the outbox. So the outboxes of all shards are held for
//! a moment (`outbox_hold`, migration 26): whoever has written a message has committed, and the
//! others wait. Between the moment at which the last outbox is held and the one at which the first
//! is let go, every shard writes its restore point. Whatever caused a transaction that is before
//! the cut is then before it too, on whichever shard:
//!
//! - A transaction with messages is before the cut if it committed before all were held, and after
//!   it otherwise: none commits in between.
//! - A projection's transaction that is before the cut has applied events that were sent, and so
//!   were committed before all were held.
//! - A transaction without messages is about its own shard alone; what it follows from is as above.
//!
//! Mutations wait for as long as the outboxes are held, and no attempt waits for long for those
//! that are at work (`patience`).

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::{join_all, try_join_all};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::identity::{check_identity, identity_of};
use super::target;
use plaza_config::PostgresConfig;

/// How long the first attempts wait for transactions that have written a message: mutations wait
/// behind them.
const PATIENCE: Duration = Duration::from_millis(80);
/// Attempts at one cut.
const ATTEMPTS: u32 = 40;
/// Between two of them.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long a session that holds an outbox may be silent before its server ends it: a process that
/// hangs then holds up nobody.
const SILENCE: Duration = Duration::from_millis(1_500);
/// The slot by which a backup receives a shard's log.
pub const SLOT: &str = "plaza_backup";

/// Which database cluster a shard is, and how it keeps its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// PostgreSQL's identifier of the cluster.
    pub system: String,
    /// How often it was restored to a cut.
    pub restores: i64,
    /// Bytes of a file of its log.
    pub segment_bytes: u64,
}

/// A cut that every shard's log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The name of the restore points.
    pub label: String,
    /// Where each shard's restore point ends in its log, as PostgreSQL writes it: `0/3000060`.
    pub positions: Vec<String>,
    /// How long the outboxes were held, or waited for, in the attempt that succeeded.
    pub held: Duration,
    /// Attempts, this one included.
    pub attempts: u32,
}

/// Sessions on all primaries.
#[derive(Debug)]
pub struct Cutter {
    shards: Vec<Client>,
}

impl Cutter {
    /// Connects to every shard's primary.
    ///
    /// # Errors
    /// A shard that cannot be reached, or is another one than its entry says.
    pub async fn connect(config: &PostgresConfig) -> anyhow::Result<Self> {
        let mut shards = Vec::new();
        for (number, urls) in config.shards.iter().enumerate() {
            let shard = || format!("shard {number}");
            let client = target::connect(&urls.primary).await.with_context(shard)?;
            check_identity(number, identity_of(&client).await.with_context(shard)?)?;
            let settings = format!(
                "SET application_name = 'plaza backup'; SET synchronous_commit = local;
                 SET statement_timeout = '5s'; SET lock_timeout = '2s';
                 SET idle_in_transaction_session_timeout = {}",
                SILENCE.as_millis()
            );
            client.batch_execute(&settings).await.with_context(shard)?;
            shards.push(client);
        }
        Ok(Self { shards })
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What each shard is.
    ///
    /// # Errors
    /// A shard's.
    pub async fn servers(&self) -> anyhow::Result<Vec<Server>> {
        let query = "SELECT (SELECT system_identifier::text FROM pg_control_system()),
                            (SELECT count(*) FROM restores),
                            (SELECT setting::bigint FROM pg_settings
                             WHERE name = 'wal_segment_size')";
        let rows =
            try_join_all(self.shards.iter().map(|shard| shard.query_one(query, &[]))).await?;
        rows.iter()
            .map(|row| {
                Ok(Server {
                    system: row.try_get(0)?,
                    restores: row.try_get(1)?,
                    segment_bytes: row.try_get::<_, i64>(2)?.try_into()?,
                })
            })
            .collect()
    }

    /// Makes a cut; `now_ms` is the moment that it is said to be at, Unix milliseconds. Each
    /// attempt has restore points of its own name, which begins with `name`: a point of one that
    /// failed is never restored to.
    ///
    /// # Errors
    /// A shard's: that messages are at work there for too long, that this user may not make restore
    /// points.
    pub async fn cut(&self, name: &str, now_ms: impl Fn() -> i64) -> anyhow::Result<(Made, i64)> {
        let mut failed = anyhow::anyhow!("no attempt was made");
        for attempt in 1..=ATTEMPTS {
            let at_ms = now_ms();
            let label = format!("{name}@{at_ms}");
            match self.attempt(&label, at_ms, patience(attempt)).await {
                Ok((positions, held)) => {
                    let made = Made { label, positions, held, attempts: attempt };
                    return Ok((made, at_ms));
                }
                Err(error) if !is_passing(&error) => return Err(error),
                Err(error) => failed = error,
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(failed.context(format!("no cut in {ATTEMPTS} attempts")))
    }

    /// One attempt, by one process at a time: what a shard says of the last cut is then of it.
    async fn attempt(
        &self,
        label: &str,
        at_ms: i64,
        patience: Duration,
    ) -> anyhow::Result<(Vec<String>, Duration)> {
        let first = self.shards.first().context("there is no shard")?;
        let lock = "SELECT pg_try_advisory_lock(hashtextextended('backup cut', 0))";
        if !first.query_one(lock, &[]).await?.try_get::<_, bool>(0)? {
            return Err(AnotherCut.into());
        }
        let made = self.make(label, at_ms, patience).await;
        let unlock = "SELECT pg_advisory_unlock(hashtextextended('backup cut', 0))";
        // A session that is lost has given it back by itself.
        let _unlocked = first.execute(unlock, &[]).await;
        made
    }

    async fn make(
        &self,
        label: &str,
        at_ms: i64,
        patience: Duration,
    ) -> anyhow::Result<(Vec<String>, Duration)> {
        let begin = "INSERT INTO backup_cut (label, at)
                     VALUES ($1, to_timestamp($2::bigint / 1000.0))
                     ON CONFLICT (only_row)
                     DO UPDATE SET label = excluded.label, at = excluded.at, recorded_at = NULL";
        let parameters: &[&(dyn ToSql + Sync)] = &[&label, &at_ms];
        try_join_all(self.shards.iter().map(|shard| shard.execute(begin, parameters))).await?;
        let began = Instant::now();
        let pointed = self.point(label, patience).await;
        let held = began.elapsed();
        let ended = self.end(if pointed.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
        let positions = pointed?;
        // Each was held until after the last point: a session that was ended before says so here.
        ended?;
        // The log is written out as far as the commit of this, and so beyond the restore point.
        let done = "UPDATE backup_cut SET recorded_at = clock_timestamp()";
        try_join_all(self.shards.iter().map(|shard| shard.execute(done, &[]))).await?;
        Ok((positions, held))
    }

    /// Holds every outbox, then writes every restore point; where each is.
    async fn point(
        &self,
        label: &str,
        patience: Duration,
    ) -> Result<Vec<String>, tokio_postgres::Error> {
        let hold = format!(
            "BEGIN; SET LOCAL lock_timeout = {}; SELECT outbox_hold()",
            patience.as_millis()
        );
        // All are waited for, also when one fails: none may begin a transaction later.
        let holding = self.shards.iter().map(|shard| shard.batch_execute(&hold));
        join_all(holding).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        let point = "SELECT pg_create_restore_point($1)::text";
        let parameters: &[&(dyn ToSql + Sync)] = &[&label];
        let pointing = self.shards.iter().map(|shard| shard.query_one(point, parameters));
        join_all(pointing).await.into_iter().map(|row| row?.try_get(0)).collect()
    }

    async fn end(&self, how: &str) -> Result<(), tokio_postgres::Error> {
        let ends = self.shards.iter().map(|shard| shard.batch_execute(how));
        join_all(ends).await.into_iter().collect()
    }

    /// Whether a backup has each shard's log up to these positions on its disk.
    ///
    /// # Errors
    /// A shard's; that nobody receives its log.
    pub async fn is_received(&self, positions: &[String]) -> anyhow::Result<bool> {
        let query = "SELECT coalesce(restart_lsn >= $2::text::pg_lsn, false)
                     FROM pg_replication_slots WHERE slot_name = $1 AND active";
        for (number, (shard, position)) in self.shards.iter().zip(positions).enumerate() {
            let row = shard.query_opt(query, &[&SLOT, position]).await?;
            let row = row.with_context(|| {
                format!("nobody receives the log of shard {number}: is `plaza backup run` at work?")
            })?;
            if !row.try_get::<_, bool>(0)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Closes the file of each shard's log that a cut is in, so that its server archives it.
    ///
    /// # Errors
    /// A shard's; this user may not.
    pub async fn close_files(&self) -> anyhow::Result<()> {
        let closing = self.shards.iter().map(|shard| shard.execute("SELECT pg_switch_wal()", &[]));
        try_join_all(closing).await?;
        Ok(())
    }

    /// Whether every shard's server has archived its log up to these positions.
    ///
    /// # Errors
    /// A shard's.
    pub async fn is_archived(&self, positions: &[String]) -> anyhow::Result<bool> {
        let query = "SELECT coalesce(last_archived_wal >= pg_walfile_name($1::text::pg_lsn), false)
                     FROM pg_stat_archiver";
        for (shard, position) in self.shards.iter().zip(positions) {
            if !shard.query_one(query, &[position]).await?.try_get::<_, bool>(0)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How long an attempt waits: where all transactions take long, twice as long after every tenth, up
/// to 640 ms.
fn patience(attempt: u32) -> Duration {
    PATIENCE * (1 << (attempt / 10).min(3))
}

/// Another process is making one.
#[derive(Debug, thiserror::Error)]
#[error("another cut is being made")]
struct AnotherCut;

/// Whether another attempt may succeed: somebody was at work for too long, or the cut was.
fn is_passing(error: &anyhow::Error) -> bool {
    use tokio_postgres::error::SqlState;
    if error.is::<AnotherCut>() {
        return true;
    }
    let code = error.downcast_ref::<tokio_postgres::Error>().and_then(|error| error.code());
    let passing = [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::T_R_DEADLOCK_DETECTED];
    code.is_some_and(|code| passing.contains(&code))
}
