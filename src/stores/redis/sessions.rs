//! What each session has written, for half a minute: its own reads are fresh without the client's help.
use super::Redis;
use crate::ids::SessionId;
use crate::stores::StoreError;
use crate::stores::postgres::session::ConsistencyToken;
impl Redis {
    /// Merges what a session has just written into what is kept for it (30 s).
    pub async fn remember_writes(&self, session: SessionId, token: &ConsistencyToken) -> Result<(), StoreError> { todo!() }
    /// What a session has written lately. `Err`: not known, so the caller reads primaries.
    pub async fn recent_writes(&self, session: SessionId) -> Result<ConsistencyToken, StoreError> { todo!() }
}
