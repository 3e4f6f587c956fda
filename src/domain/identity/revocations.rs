//! Sessions that ended before their access tokens did. Every server asks every shard a few times a
//! second what was revoked since it last asked, so that a log-out, a revocation or a suspension
//! reaches all of them within a second, whatever else is unavailable.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::{Domain, DomainError};
use plaza_base::ids::SessionId;
use plaza_stores::postgres::{ShardIndex, sessions as store};

/// How often the shards are asked.
pub const EVERY: Duration = Duration::from_millis(300);
/// A transaction that committed late has an earlier time than when it was first seen: so far back
/// is asked again.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// Delivered at a time; a receiver that falls behind checks everything.
const BUFFERED: usize = 1_024;

/// What is known to have ended.
#[derive(Debug)]
pub struct Revocations {
    ended: moka::sync::Cache<SessionId, ()>,
    asked_until: Mutex<HashMap<ShardIndex, DateTime<Utc>>>,
    revoked: broadcast::Sender<SessionId>,
    kept: TimeDelta,
}

impl Revocations {
    /// Remembers an end for as long as an access token may live.
    pub fn new(access_ttl_s: u64) -> Self {
        let kept = Duration::from_secs(access_ttl_s + 60);
        Self {
            ended: moka::sync::Cache::builder().time_to_live(kept).build(),
            asked_until: Mutex::default(),
            revoked: broadcast::Sender::new(BUFFERED),
            kept: TimeDelta::from_std(kept).unwrap_or_default(),
        }
    }

    /// Whether a session has ended.
    pub fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains_key(&session)
    }

    /// The sessions that end from now on.
    pub fn listen(&self) -> broadcast::Receiver<SessionId> {
        self.revoked.subscribe()
    }

    /// Whether a session is over by what a listener heard; by what is known, when the listener fell
    /// behind.
    pub fn ends(&self, session: SessionId, heard: Result<SessionId, RecvError>) -> bool {
        heard.map_or_else(|_| self.has_ended(session), |ended| ended == session)
    }

    /// A session has ended, here and now.
    pub fn end(&self, session: SessionId) {
        if !self.ended.contains_key(&session) {
            self.ended.insert(session, ());
            // Nobody may be listening.
            let _ = self.revoked.send(session);
        }
    }
}

/// Asks every shard once. One that is unavailable is asked again the next time, from where it was.
///
/// # Errors
/// None but for a fault of ours: shards that are unavailable are skipped.
pub async fn refresh(domain: &Domain) -> Result<(), DomainError> {
    let revocations = &domain.identity.revocations;
    let primary = domain.primary();
    let since = |shard: ShardIndex| {
        let asked = revocations.asked_until.lock();
        asked.get(&shard).copied().unwrap_or_else(|| domain.clock.now() - revocations.kept)
    };
    let asking = domain.cluster.indexes().map(|shard| {
        let (since, primary) = (since(shard), &primary);
        async move {
            let rows = domain
                .cluster
                .read(primary, shard, async |connection| {
                    store::revoked_since(connection, since).await
                })
                .await;
            (shard, rows)
        }
    });
    for (shard, rows) in futures_util::future::join_all(asking).await {
        let Ok(rows) = rows else { continue };
        for row in &rows {
            revocations.end(row.id);
        }
        if let Some(newest) = rows.iter().map(|row| row.revoked_at).max() {
            let mut asked = revocations.asked_until.lock();
            asked.insert(shard, newest - OVERLAP);
        }
    }
    Ok(())
}
