//! The cache's epoch as a shard knows it: a number that whoever could not invalidate raises, and
//! that every server reads with its polls of the primaries (`replicas.rs`).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use parking_lot::RwLock;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use super::routing::ShardIndex;
use crate::StoreError;

/// How long one shard may take to raise its epoch before another is asked.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What is known of one shard's epoch.
#[derive(Debug, Default)]
pub struct Epoch {
    known: AtomicI64,
    asked_at: RwLock<Option<Instant>>,
}

impl Epoch {
    /// The shard's primary has said so.
    pub fn note(&self, value: i64) {
        self.known.fetch_max(value, Ordering::AcqRel);
    }

    /// The shard's primary was asked at this moment. One that cannot be reached counts as asked:
    /// nothing can be written there that a cache had to forget.
    pub fn asked(&self, at: Instant) {
        *self.asked_at.write() = Some(at);
    }
}

#[derive(QueryableByName)]
struct Raised {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

async fn raise(connection: &mut Connection) -> Result<i64, StoreError> {
    // Not at the top: it would give atomics a `load` of its own.
    use diesel_async::RunQueryDsl;
    let row: Raised =
        prepared(sql("SELECT nextval('cache_epoch') AS epoch")).get_result(connection).await?;
    Ok(row.epoch)
}

impl Cluster {
    /// Every shard's epoch as far as it is known, in the order of the shards; 0: never heard.
    pub fn epochs(&self) -> Vec<i64> {
        self.shards.iter().map(|shard| shard.epoch.known.load(Ordering::Acquire)).collect()
    }

    /// Since when, at the latest, every shard's epoch has been known; `None` while one has never
    /// been asked, as in a process that does not poll primaries.
    pub fn epochs_asked_at(&self) -> Option<Instant> {
        let asked = self.shards.iter().map(|shard| *shard.epoch.asked_at.read());
        asked.collect::<Option<Vec<Instant>>>()?.into_iter().min()
    }

    /// Raises the cache's epoch, on `first` or any other shard: when this returns, every server
    /// that polls from now on trusts nothing that was cached before.
    ///
    /// # Errors
    /// No shard could be reached.
    pub async fn raise_epoch(&self, first: ShardIndex) -> Result<(), StoreError> {
        let mut failed = StoreError::unavailable("postgres", "there is no shard");
        for step in 0..self.len() {
            let number = first.0.saturating_add(step).checked_rem(self.len()).unwrap_or_default();
            let shard = self.shard(ShardIndex(number))?;
            let raising = async { raise(&mut *shard.direct().await?).await };
            match tokio::time::timeout(TIMEOUT, raising).await {
                Ok(Ok(value)) => {
                    shard.epoch.note(value);
                    return Ok(());
                }
                Ok(Err(error)) => failed = error,
                Err(_) => failed = StoreError::Deadline(shard.primary_name().to_owned()),
            }
        }
        Err(failed)
    }

    /// From now on replicas answer only once they have everything up to this moment (Unix ms):
    /// what was cached before is not trusted, and a replica that is behind must not bring it back.
    pub fn require_since(&self, now_ms: i64) {
        for shard in &self.shards {
            shard.fresh_since_ms.fetch_max(now_ms, Ordering::AcqRel);
        }
    }
}
