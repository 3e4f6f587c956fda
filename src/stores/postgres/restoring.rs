//! What a shard needs before it is served again after it was restored to a cut (`cut.rs`): brokers
//! and caches begin empty, and what was theirs is sent to them once more.
//!
//! - No projection has read anything of the new topics. Rows and versions of aggregates stay: an
//!   event that was applied before the cut is skipped when it comes again.
//! - Messages of the kept days count as unsent. Jobs come to the same when they are done twice; a
//!   post is not put on timelines again, since timelines are made anew from the rows.
//! - Views are in the topic alone: those that were counted stay counted, without it.
//! - Ids go on above those that may have been issued after the cut, and the cache's epoch above
//!   every one that a server may have heard.

use anyhow::Context;
use tokio_postgres::{Client, Transaction};

use super::identity::{identity_of, require_identity};
use super::target;
use plaza_config::PostgresConfig;

/// A shard before it is prepared.
#[derive(Debug)]
pub struct Restored {
    client: Client,
    number: usize,
}

/// What preparing a shard came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// It was prepared by an earlier run; nothing was done.
    pub before: bool,
    /// Events that are to be sent again.
    pub events: u64,
    /// Jobs that are to be sent again.
    pub jobs: u64,
    /// Offsets of projections that were forgotten.
    pub offsets: u64,
}

impl Restored {
    /// Connects to every shard's primary.
    ///
    /// # Errors
    /// A shard that cannot be reached, or is not surely that of its entry.
    pub async fn connect(config: &PostgresConfig) -> anyhow::Result<Vec<Self>> {
        let mut shards = Vec::new();
        for (number, urls) in config.shards.iter().enumerate() {
            let shard = || format!("shard {number}");
            let client = target::connect(&urls.primary).await.with_context(shard)?;
            client.batch_execute("SET statement_timeout = 0").await.with_context(shard)?;
            require_identity(number, identity_of(&client).await.with_context(shard)?)?;
            shards.push(Self { client, number });
        }
        Ok(shards)
    }

    /// Whether it is at a cut, and nobody is at work there.
    ///
    /// # Errors
    /// It still recovers, is at another cut, or is used by a process of plaza.
    pub async fn ensure_at(&self, label: &str) -> anyhow::Result<()> {
        let query = "SELECT pg_is_in_recovery(), (SELECT label FROM backup_cut),
                            (SELECT count(*) FROM pg_stat_activity
                             WHERE datname = current_database() AND application_name = 'plaza')";
        let row = self.client.query_one(query, &[]).await?;
        let (recovers, at, others): (bool, Option<String>, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let number = self.number;
        anyhow::ensure!(!recovers, "shard {number} still recovers, or is a replica");
        let at = at.as_deref().unwrap_or("(none)");
        anyhow::ensure!(at == label, "shard {number} is at the cut {at}, not at {label}");
        anyhow::ensure!(
            others == 0,
            "plaza is at work on shard {number} ({others} connections): stop every role first"
        );
        Ok(())
    }

    /// Its place in the configuration.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Prepares it, in one transaction, once: `newest_ms` is the latest moment, in Unix
    /// milliseconds, of which is known that ids were issued.
    ///
    /// # Errors
    /// The server's; nothing is changed then.
    pub async fn prepare(&mut self, newest_ms: i64, now_ms: i64) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::default();
        let transaction = self.client.transaction().await?;
        let remembered = "INSERT INTO restores (label, cut_at)
                          SELECT label, at FROM backup_cut ON CONFLICT DO NOTHING";
        if transaction.execute(remembered, &[]).await? == 0 {
            return Ok(Prepared { before: true, ..prepared });
        }
        prepared.offsets = transaction.execute("DELETE FROM projection_offsets", &[]).await?;
        keep_counted_views(&transaction).await?;
        (prepared.events, prepared.jobs) = unsend(&transaction).await?;
        go_on(&transaction, newest_ms, now_ms).await?;
        transaction.commit().await?;
        Ok(prepared)
    }
}

/// What was counted of the topic's records is counted without the topic.
async fn keep_counted_views(transaction: &Transaction<'_>) -> anyhow::Result<()> {
    let kept = "INSERT INTO view_totals AS held (partition, counted, late, unreadable, watermark)
                SELECT -1, sum(counted), 0, 0, max(watermark) FROM view_totals
                WHERE partition >= 0 HAVING count(*) > 0
                ON CONFLICT (partition) DO UPDATE SET counted = held.counted + excluded.counted";
    transaction.execute(kept, &[]).await?;
    transaction.execute("DELETE FROM view_totals WHERE partition >= 0", &[]).await?;
    Ok(())
}

/// What is kept of the outbox is unsent; how many events and jobs that are. Those of posts that are
/// to be put on timelines are left out.
async fn unsend(transaction: &Transaction<'_>) -> anyhow::Result<(u64, u64)> {
    let events = "UPDATE outbox SET sent_at = NULL WHERE sink = 1 AND sent_at IS NOT NULL";
    let jobs = "UPDATE outbox SET sent_at = NULL WHERE sink = 0 AND sent_at IS NOT NULL
                AND payload::jsonb ->> 'job' <> 'feed.fan_out.v1'";
    Ok((transaction.execute(events, &[]).await?, transaction.execute(jobs, &[]).await?))
}

/// Sequences that may not go back do not.
async fn go_on(transaction: &Transaction<'_>, newest_ms: i64, now_ms: i64) -> anyhow::Result<()> {
    let clock = "SELECT setval('id_clock', greatest(last_value, $1)) FROM id_clock";
    transaction.execute(clock, &[&(newest_ms - plaza_base::ids::EPOCH_MS).max(0)]).await?;
    let epoch = "SELECT setval('cache_epoch', greatest(last_value + 1, $1)) FROM cache_epoch";
    transaction.execute(epoch, &[&now_ms]).await?;
    Ok(())
}
