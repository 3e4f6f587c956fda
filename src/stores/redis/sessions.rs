//! What each session has written lately: its own reads are fresh without the client's help.

use std::collections::HashMap;

use super::Redis;
use crate::StoreError;
use crate::postgres::session::ConsistencyToken;
use plaza_base::ids::SessionId;

/// How long it is kept, in seconds: far longer than a serving replica may lag.
const KEPT_S: u64 = 30;
/// The hash's field for the time of the last write; a shard's field is its number.
const WRITTEN_AT: &str = "t";
/// The hash's field for the time up to which the session has seen more than its replicas may have.
const SEEN_AT: &str = "r";
/// The hash's field that is there when a cache could not be invalidated.
const BYPASS: &str = "b";

impl Redis {
    /// Merges what a session has just written into what is kept for it, the greater of each
    /// position. One script, so that two mutations of one session at the same moment are both kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: Redis is written later (`trust.rs`).
    pub async fn remember_writes(
        &self,
        session: SessionId,
        token: &ConsistencyToken,
    ) -> Result<(), StoreError> {
        self.send_writes(session, token).await.inspect_err(|_| {
            self.inner
                .trust
                .defer(|pending| pending.sessions.entry(session).or_default().merge(token));
        })
    }

    pub(super) async fn send_writes(
        &self,
        session: SessionId,
        token: &ConsistencyToken,
    ) -> Result<(), StoreError> {
        let mut script = self.inner.scripts.session_merge.prepare_invoke();
        script
            .key(self.inner.keys.session_writes(session))
            .arg(KEPT_S)
            .arg(WRITTEN_AT)
            .arg(token.written_at_ms);
        for (shard, lsn) in &token.shards {
            script.arg(*shard).arg(*lsn);
        }
        if token.seen_at_ms > 0 {
            script.arg(SEEN_AT).arg(token.seen_at_ms);
        }
        if token.bypass_cache {
            script.arg(BYPASS).arg(1);
        }
        self.inner.pool.run(async |connection| script.invoke_async::<()>(connection).await).await
    }

    /// What a session has written lately; empty when nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: not known, so the caller must read primaries.
    pub async fn recent_writes(&self, session: SessionId) -> Result<ConsistencyToken, StoreError> {
        let key = self.inner.keys.session_writes(session);
        let held: HashMap<String, u64> = self
            .inner
            .pool
            .run(async |connection| redis::cmd("HGETALL").arg(&key).query_async(connection).await)
            .await?;
        Ok(writes_of(held))
    }
}

/// What a session has written, by the fields of its hash.
pub(super) fn writes_of(held: HashMap<String, u64>) -> ConsistencyToken {
    let mut token = ConsistencyToken::default();
    for (field, value) in held {
        match field.as_str() {
            WRITTEN_AT => token.written_at_ms = i64::try_from(value).unwrap_or(i64::MAX),
            SEEN_AT => token.seen_at_ms = i64::try_from(value).unwrap_or(i64::MAX),
            BYPASS => token.bypass_cache = true,
            shard => {
                if let Ok(shard) = shard.parse() {
                    token.shards.insert(shard, value);
                }
            }
        }
    }
    token
}
