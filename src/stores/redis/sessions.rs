//! What each session has written lately: its own reads are fresh without the client's help.

use super::Redis;
use crate::ids::SessionId;
use crate::stores::StoreError;
use crate::stores::postgres::session::ConsistencyToken;

/// How long it is kept, in seconds: far longer than a serving replica may lag.
const KEPT_S: u64 = 30;

impl Redis {
    /// Merges what a session has just written into what is kept for it. Two requests of one session at the same moment may each
    /// keep only their own; each has its own answer's token too.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remember_writes(&self, session: SessionId, token: &ConsistencyToken) -> Result<(), StoreError> {
        let mut merged = self.recent_writes(session).await?;
        merged.merge(token);
        let key = self.inner.keys.session_writes(session);
        let value = merged.encode();
        self.inner
            .pool
            .run(async |connection| redis::cmd("SET").arg(&key).arg(&value).arg("EX").arg(KEPT_S).query_async::<()>(connection).await)
            .await
    }

    /// What a session has written lately; empty when nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: not known, so the caller must read primaries.
    pub async fn recent_writes(&self, session: SessionId) -> Result<ConsistencyToken, StoreError> {
        let key = self.inner.keys.session_writes(session);
        let held: Option<String> =
            self.inner.pool.run(async |connection| redis::cmd("GET").arg(&key).query_async(connection).await).await?;
        Ok(held.as_deref().and_then(ConsistencyToken::decode).unwrap_or_default())
    }
}
