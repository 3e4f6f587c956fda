//! What one request may read from: how far each shard's replica must have replayed, and which one
//! the request has pinned.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::routing::ShardIndex;
use super::turns::{Turn, Turns};

/// A position in a shard's history (`position.rs`): those of a later timeline are greater, and of
/// one timeline those that are further in its write-ahead log.
pub type Lsn = u64;

/// What a client, or a session, has written and seen, so that nothing it is answered lies before
/// that. It travels as the consistency token, which is sealed: nobody but plaza writes one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyToken {
    /// shard ▶ LSN: how far its log had come when this client last wrote there.
    #[serde(rename = "s")]
    pub shards: BTreeMap<usize, Lsn>,
    /// When the last of those writes was, Unix milliseconds: process-local cache entries older than
    /// it are not for this client.
    #[serde(rename = "t")]
    pub written_at_ms: i64,
    /// When it was last answered by another server than its own replica, Unix milliseconds: that
    /// replica is to have come as far.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    pub seen_at_ms: i64,
    /// A cache could not be invalidated after the write: this client reads past caches for a while.
    #[serde(skip)]
    pub bypass_cache: bool,
    /// Until when the holder of a token does so, Unix milliseconds.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    pub bypass_until_ms: i64,
}

/// How long what a token asks for is asked for, in milliseconds after the write: far longer than a
/// serving replica may lag, or a cache may miss an invalidation.
const ASKED_FOR_MS: i64 = 60_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

impl ConsistencyToken {
    /// Takes the later of both, shard by shard.
    pub fn merge(&mut self, other: &Self) {
        for (shard, lsn) in &other.shards {
            let held = self.shards.entry(*shard).or_default();
            *held = (*held).max(*lsn);
        }
        self.written_at_ms = self.written_at_ms.max(other.written_at_ms);
        self.seen_at_ms = self.seen_at_ms.max(other.seen_at_ms);
        self.bypass_cache |= other.bypass_cache;
        self.bypass_until_ms = self.bypass_until_ms.max(other.bypass_until_ms);
    }

    /// The token of a client that had this one and has `written` now: what is sealed for it.
    #[must_use]
    pub fn after(mut self, written: &Self, now_ms: i64) -> Self {
        self.merge(written);
        if written.bypass_cache {
            self.bypass_until_ms = now_ms + ASKED_FOR_MS;
        }
        self
    }

    /// As it is sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was sealed, as of now and on so many shards; `None` when it is none. Every value
    /// was true once, which does not make it true today: times are not after now, and positions of
    /// writes that every serving replica has long had are left out (a shard that was restored to
    /// an earlier moment may never come to them).
    pub fn of_bytes(bytes: &[u8], shards: usize, now_ms: i64, max_lag_ms: i64) -> Option<Self> {
        let mut token: Self = serde_json::from_slice(bytes).ok()?;
        let now_ms = now_ms.max(0);
        token.written_at_ms = token.written_at_ms.clamp(0, now_ms);
        token.seen_at_ms = token.seen_at_ms.clamp(0, now_ms);
        token.bypass_until_ms = token.bypass_until_ms.clamp(0, now_ms.saturating_add(ASKED_FOR_MS));
        token.bypass_cache = token.bypass_until_ms > now_ms;
        // No log comes so far as the greatest: there is no such position, and no replica would
        // ever serve the client again.
        token.shards.retain(|shard, lsn| *shard < shards && *lsn < i64::MAX.unsigned_abs());
        if now_ms - token.written_at_ms > ASKED_FOR_MS.max(max_lag_ms.saturating_mul(10)) {
            token.shards.clear();
        }
        Some(token)
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

/// One request's reads. Those of one client keep to one replica of each shard: a replica never goes
/// back, while another may be behind it.
#[derive(Debug)]
pub struct ReadSession {
    client: u64,
    required: Vec<AtomicU64>,
    seen_at_ms: i64,
    pins: Vec<OnceLock<Source>>,
    turns: Vec<Turns>,
    primary_only: AtomicBool,
    left_replica: AtomicBool,
}

impl ReadSession {
    /// A session on a cluster of so many shards that must see everything the token names. `client`
    /// is any number that stays with the client: it says which replicas are its own.
    pub fn new(shards: usize, token: &ConsistencyToken, client: u64) -> Self {
        let required = (0..shards)
            .map(|shard| AtomicU64::new(token.shards.get(&shard).copied().unwrap_or_default()))
            .collect();
        Self {
            client,
            required,
            seen_at_ms: token.seen_at_ms,
            pins: (0..shards).map(|_| OnceLock::new()).collect(),
            turns: (0..shards).map(|_| Turns::default()).collect(),
            primary_only: AtomicBool::new(false),
            left_replica: AtomicBool::new(false),
        }
    }

    /// Another client than was said.
    #[must_use]
    pub fn of_client(self, client: u64) -> Self {
        Self { client, ..self }
    }

    /// A session that reads primaries only: for whatever decides a write.
    pub fn primary(shards: usize) -> Self {
        let session = Self::new(shards, &ConsistencyToken::default(), 0);
        session.primary_only.store(true, Ordering::Relaxed);
        session
    }

    /// Waits for one of the turns on this shard, which is held until what it returns is dropped.
    pub(super) async fn turn(&self, shard: ShardIndex) -> Option<Turn<'_>> {
        self.turns.get(shard.0)?.next().await
    }

    /// From now on, primaries only.
    pub fn read_primary_only(&self) {
        self.primary_only.store(true, Ordering::Relaxed);
    }

    /// The position a replica of this shard must have replayed.
    pub fn required(&self, shard: ShardIndex) -> Lsn {
        self.required.get(shard.0).map(|lsn| lsn.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// The session has written here: later reads must see it. Its replicas cannot have it yet.
    pub fn require(&self, shard: ShardIndex, lsn: Lsn) {
        if let Some(held) = self.required.get(shard.0) {
            held.fetch_max(lsn, Ordering::Relaxed);
        }
        if let Some(pin) = self.pins.get(shard.0) {
            let _ = pin.set(Source::Primary);
        }
    }

    /// The moment, in Unix milliseconds, up to which a replica must have everything.
    pub fn seen_at_ms(&self) -> i64 {
        self.seen_at_ms
    }

    /// Which of so many replicas of a shard is the client's own.
    pub(super) fn own_replica(&self, shard: ShardIndex, replicas: usize) -> usize {
        let mixed = (self.client ^ u64::try_from(shard.0).unwrap_or_default())
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 32;
        usize::try_from(mixed).unwrap_or_default().checked_rem(replicas).unwrap_or_default()
    }

    /// Whether the server that answers for this shard is still to be chosen.
    pub(super) fn is_open(&self, shard: ShardIndex) -> bool {
        !self.primary_only.load(Ordering::Relaxed)
            && self.pins.get(shard.0).is_some_and(|pin| pin.get().is_none())
    }

    /// The server to read this shard from: the pinned one, else the one `choose` picks, unless it
    /// no longer satisfies `fits`.
    pub(super) fn source(
        &self,
        shard: ShardIndex,
        fits: impl Fn(Source) -> bool,
        choose: impl FnOnce() -> Source,
    ) -> Source {
        if self.primary_only.load(Ordering::Relaxed) {
            return Source::Primary;
        }
        let Some(pin) = self.pins.get(shard.0) else { return Source::Primary };
        let source = *pin.get_or_init(choose);
        if fits(source) { source } else { Source::Primary }
    }

    /// The client was answered by another server than its own replica.
    pub(super) fn mark_left_replica(&self) {
        self.left_replica.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    pub fn has_left_replica(&self) -> bool {
        self.left_replica.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_that_no_log_comes_to_is_none() {
        let shards = BTreeMap::from([(0, i64::MAX.unsigned_abs()), (1, u64::MAX), (2, 7)]);
        let token = read(&ConsistencyToken { shards, ..written(3) }, 5);
        assert_eq!((token.shards, token.written_at_ms), (BTreeMap::from([(2, 7)]), 3));
    }

    #[test]
    fn a_token_merges_by_the_later() {
        let mut token = ConsistencyToken {
            shards: BTreeMap::from([(0, 10), (1, 5)]),
            written_at_ms: 7,
            ..Default::default()
        };
        token.merge(&ConsistencyToken {
            shards: BTreeMap::from([(1, 9), (2, 1)]),
            written_at_ms: 3,
            seen_at_ms: 4,
            bypass_cache: true,
            ..Default::default()
        });
        assert_eq!((token.written_at_ms, token.seen_at_ms), (7, 4));
        assert_eq!(token.shards, BTreeMap::from([(0, 10), (1, 9), (2, 1)]));
        assert!(token.bypass_cache);
    }

    fn written(at_ms: i64) -> ConsistencyToken {
        ConsistencyToken {
            shards: BTreeMap::from([(0, 10), (9, 5)]),
            written_at_ms: at_ms,
            ..Default::default()
        }
    }

    fn read(token: &ConsistencyToken, now_ms: i64) -> ConsistencyToken {
        ConsistencyToken::of_bytes(&token.to_bytes(), 4, now_ms, 2_000).unwrap()
    }

    #[test]
    fn a_token_is_read_as_of_now() {
        let token = read(&written(1_000_000), 1_000_005);
        assert_eq!(token.shards, BTreeMap::from([(0, 10)]), "of shards that there are");
        assert_eq!(read(&written(i64::MAX), 1_000_000).written_at_ms, 1_000_000);
        assert_eq!(read(&written(i64::MIN), 1_000_000).written_at_ms, 0);
        assert!(read(&written(1_000_000), 1_060_001).shards.is_empty(), "long since everywhere");
        assert_eq!(ConsistencyToken::of_bytes(b"{}", 4, 1, 1), None);
    }

    #[test]
    fn caches_are_passed_by_for_a_while_after_one_missed_an_invalidation() {
        let missed = ConsistencyToken { bypass_cache: true, ..written(1_000_000) };
        let given = ConsistencyToken::default().after(&missed, 1_000_000);
        assert!(read(&given, 1_000_001).bypass_cache);
        assert!(!read(&given, 1_060_000).bypass_cache);
        // A later write whose cache was invalidated does not make it longer.
        let later = read(&given, 1_050_000).after(&written(1_050_000), 1_050_000);
        assert!(read(&later, 1_050_001).bypass_cache && !read(&later, 1_060_000).bypass_cache);
    }

    #[test]
    fn a_client_has_one_replica_and_clients_are_spread_over_all() {
        let own = |client, shard| {
            ReadSession::new(4, &ConsistencyToken::default(), client)
                .own_replica(ShardIndex(shard), 2)
        };
        for shard in 0..4 {
            let first = (0..1_000).filter(|client| own(*client, shard) == 0).count();
            assert!((450..=550).contains(&first), "{first} of 1000");
        }
        assert_eq!(own(7, 1), own(7, 1));
    }
}
