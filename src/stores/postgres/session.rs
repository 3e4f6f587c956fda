//! What one request may read from: how far each shard's replica must have replayed, and which one the request has pinned.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::routing::ShardIndex;

/// A position in a shard's write-ahead log, in bytes.
pub type Lsn = u64;

/// The consistency token: how far each shard's log had come when this client last wrote there. Opaque on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyToken {
    /// shard ▶ LSN.
    #[serde(rename = "s")]
    pub shards: BTreeMap<usize, Lsn>,
    /// When the last of those writes was, Unix milliseconds: process-local cache entries older than it are not for this client.
    #[serde(rename = "t")]
    pub written_at_ms: i64,
    /// A cache could not be told of the write: this client reads past caches for a while.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub bypass_cache: bool,
}

impl ConsistencyToken {
    /// Takes the later of both, shard by shard.
    pub fn merge(&mut self, other: &Self) {
        for (shard, lsn) in &other.shards {
            let held = self.shards.entry(*shard).or_default();
            *held = (*held).max(*lsn);
        }
        self.written_at_ms = self.written_at_ms.max(other.written_at_ms);
        self.bypass_cache |= other.bypass_cache;
    }

    /// As it travels in the `Plaza-Consistency` header.
    pub fn encode(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads the header; `None` when it is not one of ours.
    pub fn decode(text: &str) -> Option<Self> {
        use base64::Engine;
        if text.len() > 1_024 {
            return None;
        }
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// Which server of a shard a request reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The primary.
    Primary,
    /// The replica of that index.
    Replica(usize),
}

/// One request's reads.
#[derive(Debug)]
pub struct ReadSession {
    required: Vec<AtomicU64>,
    pins: Vec<OnceLock<Source>>,
    primary_only: AtomicBool,
}

impl ReadSession {
    /// A session on a cluster of so many shards that must see everything the token names.
    pub fn new(shards: usize, token: &ConsistencyToken) -> Self {
        let required = (0..shards).map(|shard| AtomicU64::new(token.shards.get(&shard).copied().unwrap_or_default())).collect();
        Self { required, pins: (0..shards).map(|_| OnceLock::new()).collect(), primary_only: AtomicBool::new(false) }
    }

    /// A session that reads primaries only: for whatever decides a write.
    pub fn primary(shards: usize) -> Self {
        let session = Self::new(shards, &ConsistencyToken::default());
        session.primary_only.store(true, Ordering::Relaxed);
        session
    }

    /// From now on, primaries only.
    pub fn read_primary_only(&self) {
        self.primary_only.store(true, Ordering::Relaxed);
    }

    /// The position a replica of this shard must have replayed.
    pub fn required(&self, shard: ShardIndex) -> Lsn {
        self.required.get(shard.0).map(|lsn| lsn.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// The session has written here: later reads must see it.
    pub fn require(&self, shard: ShardIndex, lsn: Lsn) {
        if let Some(held) = self.required.get(shard.0) {
            held.fetch_max(lsn, Ordering::Relaxed);
        }
    }

    /// The server to read this shard from: the pinned one, else the one `choose` picks, unless it no longer satisfies `fits`.
    pub(super) fn source(&self, shard: ShardIndex, fits: impl Fn(Source) -> bool, choose: impl FnOnce() -> Source) -> Source {
        if self.primary_only.load(Ordering::Relaxed) {
            return Source::Primary;
        }
        let Some(pin) = self.pins.get(shard.0) else { return Source::Primary };
        let source = *pin.get_or_init(choose);
        if fits(source) { source } else { Source::Primary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_header_and_merges_by_the_later() {
        let mut token = ConsistencyToken { shards: BTreeMap::from([(0, 10), (1, 5)]), written_at_ms: 7, bypass_cache: false };
        token.merge(&ConsistencyToken { shards: BTreeMap::from([(1, 9), (2, 1)]), written_at_ms: 3, bypass_cache: true });
        assert_eq!(token.shards, BTreeMap::from([(0, 10), (1, 9), (2, 1)]));
        assert_eq!(ConsistencyToken::decode(&token.encode()), Some(token));
        assert_eq!(ConsistencyToken::decode("not one"), None);
    }
}
