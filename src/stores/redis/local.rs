//! The first level: this process's memory. A value stays until its row changes: other processes'
//! writes are published by Redis, and [`Local`] is read only while it is known that all of them
//! arrive (`listen.rs`). A client that has just written is not served what was loaded before its
//! write.
//!
//! What was asked of Redis before an invalidation, and arrives after it, is not kept: a reader
//! takes a [`Ticket`] before it asks, and every invalidation since voids it.

use std::any::Any;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Weighter};
use tokio::time::Instant;

/// How much later than a client's last write an entry must have been asked for to be served to it,
/// in milliseconds. The write is timed at its commit, Redis is invalidated a little later, and what
/// is asked for in between may still be the old value; besides, another process's clock timed it.
/// Clients that have not just written pay nothing for it.
const AFTER_A_WRITE_MS: i64 = 1_000;
/// How long it is kept that there is no such row, whose first writer may invalidate nothing.
const NEGATIVE: Duration = Duration::from_secs(1);
/// Bytes that an entry takes beside its value: its key, its times, its place in the cache.
const OVERHEAD: u64 = 160;
/// Bytes that a value takes for each byte of its JSON.
const PER_BYTE: u64 = 2;
/// About how many bytes a value has as JSON; only sizes tables.
const TYPICAL: u64 = 400;
/// Counters of invalidations; two keys with the same one void each other's tickets.
const COUNTERS: u64 = 4_096;

/// A kind and an id.
type Key = (&'static str, i64);

/// One entry: the value, and when it was asked for.
#[derive(Clone)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    loaded_at_ms: i64,
    /// After this it is asked for anew.
    until: Instant,
    /// About how many bytes it takes.
    weight: u64,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Entry> for Bytes {
    fn weight(&self, _: &Key, entry: &Entry) -> u64 {
        entry.weight
    }
}

/// When a value was asked for: by the caller's clock, and in the order of invalidations.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    asked_at_ms: i64,
    invalidations: u64,
}

/// All kinds in one cache.
pub struct Local {
    entries: Cache<Key, Entry, Bytes>,
    kinds: RwLock<BTreeSet<&'static str>>,
    ttl: Duration,
    /// Until when every invalidation is known to have arrived.
    heard_until: RwLock<Option<Instant>>,
    /// Invalidations so far, and the number of the last one: of all, and of each key by its hash.
    invalidations: AtomicU64,
    all: AtomicU64,
    by_key: Box<[AtomicU64]>,
    hasher: DefaultHashBuilder,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Local {
    /// A cache of so many bytes whose entries live for `ttl` at most; zero of either turns it off.
    pub fn new(ttl: Duration, max_bytes: u64) -> Self {
        let ttl = if max_bytes == 0 { Duration::ZERO } else { ttl };
        let items = max_bytes / (TYPICAL * PER_BYTE + OVERHEAD);
        let items = usize::try_from(items).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with_weighter(items, max_bytes, Bytes),
            kinds: RwLock::default(),
            ttl,
            heard_until: RwLock::new(None),
            invalidations: AtomicU64::new(0),
            all: AtomicU64::new(0),
            by_key: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Every invalidation up to a moment has arrived: it may be read until `until`.
    pub fn complete_until(&self, until: Instant) {
        *self.heard_until.write() = Some(until);
    }

    /// Invalidations may be missed from now on, and may have been.
    pub fn deaf(&self) {
        *self.heard_until.write() = None;
        self.clear();
    }

    /// Whether it may be read: never, in a process that does not listen.
    pub fn is_complete(&self) -> bool {
        !self.ttl.is_zero() && self.heard_until.read().is_some_and(|until| Instant::now() < until)
    }

    /// To be taken before Redis is asked for what is to be kept.
    pub fn ticket(&self, asked_at_ms: i64) -> Ticket {
        Ticket { asked_at_ms, invalidations: self.invalidations.load(Ordering::SeqCst) }
    }

    /// The value, unless it was asked for before or soon after `floor_ms` (the client's last write;
    /// 0: none). `Some(None)`: known not to exist.
    pub fn get<V: Clone + 'static>(
        &self,
        kind: &'static str,
        id: i64,
        floor_ms: i64,
    ) -> Option<Option<V>> {
        let entry = self.entries.get(&(kind, id))?;
        if floor_ms > 0 && entry.loaded_at_ms <= floor_ms.saturating_add(AFTER_A_WRITE_MS)
            || entry.until <= Instant::now()
        {
            return None;
        }
        entry.value.downcast_ref::<Option<V>>().cloned()
    }

    /// Keeps a value that has so many bytes as JSON, unless it may have changed since the ticket
    /// was taken.
    pub fn put<V: Clone + Send + Sync + 'static>(
        &self,
        kind: &'static str,
        id: i64,
        value: Option<V>,
        ticket: Ticket,
        bytes: usize,
    ) {
        if !self.is_complete() || self.is_void(ticket, (kind, id)) {
            return;
        }
        if !self.kinds.read().contains(kind) {
            self.kinds.write().insert(kind);
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let kept = if value.is_some() { self.ttl } else { self.ttl.min(NEGATIVE) };
        let entry = Entry {
            value: Arc::new(value),
            loaded_at_ms: ticket.asked_at_ms,
            until: Instant::now() + kept,
            weight: bytes.saturating_mul(PER_BYTE).saturating_add(OVERHEAD),
        };
        self.entries.insert((kind, id), entry);
        // An invalidation counts first and removes then: one that came in between has either
        // removed this, or is seen here.
        if self.is_void(ticket, (kind, id)) {
            self.entries.remove(&(kind, id));
        }
    }

    /// Forgets a value of a kind named in a message; a kind that was never kept here has nothing to
    /// forget, but may be about to be kept.
    pub fn forget(&self, kind: &str, id: i64) {
        self.count((kind, id));
        let known = self.kinds.read().get(kind).copied();
        if let Some(kind) = known {
            self.entries.remove(&(kind, id));
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.all.fetch_max(self.next(), Ordering::SeqCst);
        self.entries.clear();
    }

    fn next(&self) -> u64 {
        self.invalidations.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn counter(&self, key: (&str, i64)) -> Option<&AtomicU64> {
        let number = usize::try_from(self.hasher.hash_one(key) % COUNTERS).ok()?;
        self.by_key.get(number)
    }

    fn count(&self, key: (&str, i64)) {
        if let Some(counter) = self.counter(key) {
            counter.fetch_max(self.next(), Ordering::SeqCst);
        }
    }

    fn is_void(&self, ticket: Ticket, key: (&str, i64)) -> bool {
        let since = |counter: &AtomicU64| counter.load(Ordering::SeqCst) > ticket.invalidations;
        since(&self.all) || self.counter(key).is_none_or(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// One that hears everything for a minute.
    fn local() -> Local {
        let local = Local::new(Duration::from_secs(60), MIB);
        local.complete_until(Instant::now() + Duration::from_secs(60));
        local
    }

    fn kept(local: &Local, id: i64, value: Option<&'static str>, at_ms: i64) {
        local.put("post", id, value, local.ticket(at_ms), 10);
    }

    #[test]
    fn a_client_that_has_just_written_is_not_served_what_was_asked_for_about_then() {
        let local = local();
        kept(&local, 1, Some("old"), 10_500);
        assert_eq!(local.get::<&str>("post", 1, 0), Some(Some("old")));
        assert_eq!(
            local.get::<&str>("post", 1, 10_000),
            None,
            "Redis may not have the invalidation yet"
        );
        assert_eq!(local.get::<&str>("post", 1, 11_000), None);
        assert_eq!(local.get::<&str>("post", 1, 9_000), Some(Some("old")));
    }

    #[test]
    fn a_message_forgets_only_what_it_names() {
        let local = local();
        kept(&local, 1, Some("one"), 1);
        local.put::<&str>("user", 1, None, local.ticket(1), 0);
        local.forget("post", 1);
        local.forget("never heard of", 1);
        assert_eq!(local.get::<&str>("post", 1, 0), None);
        assert_eq!(local.get::<&str>("user", 1, 0), Some(None), "known not to exist");
    }

    #[test]
    fn what_was_asked_for_before_an_invalidation_is_not_kept_after_it() {
        let local = local();
        let keep = |void: &dyn Fn()| {
            let ticket = local.ticket(1);
            void();
            local.complete_until(Instant::now() + Duration::from_secs(60));
            local.put("post", 1, Some("old"), ticket, 10);
            local.get::<&str>("post", 1, 0).is_some()
        };
        assert!(!keep(&|| local.forget("post", 1)), "of a kind that was not kept yet");
        assert!(!keep(&|| local.clear()));
        assert!(!keep(&|| local.deaf()));
        assert!(keep(&|| {}));
    }

    #[test]
    fn of_readers_and_writers_at_once_the_last_writer_wins() {
        let local = local();
        let row = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    row.fetch_add(1, Ordering::SeqCst);
                    local.forget("post", 1);
                }
            });
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let ticket = local.ticket(1);
                        let read = row.load(Ordering::SeqCst);
                        local.put("post", 1, Some(read), ticket, 8);
                    }
                });
            }
        });
        let held = local.get::<u64>("post", 1, 0);
        assert!(held.is_none_or(|held| held == Some(20_000)), "{held:?}");
    }

    #[test]
    fn it_holds_so_many_bytes_and_no_more() {
        let local = local();
        for id in 0..10_000 {
            local.put("post", id, Some("text"), local.ticket(1), 1_000);
        }
        let held = local.entries.weight();
        assert!((MIB / 2..=MIB).contains(&held), "{held}");
    }

    #[test]
    fn it_is_read_only_while_every_invalidation_is_heard() {
        let local = Local::new(Duration::from_secs(60), MIB);
        assert!(!local.is_complete(), "nothing is heard yet");
        kept(&local, 1, Some("not kept"), 1);
        assert_eq!(local.get::<&str>("post", 1, 0), None);
        local.complete_until(Instant::now() + Duration::from_secs(60));
        assert!(local.is_complete());
        kept(&local, 1, Some("kept"), 1);
        local.deaf();
        assert!(!local.is_complete());
        assert_eq!(local.get::<&str>("post", 1, 0), None);
        local.complete_until(Instant::now());
        assert!(!local.is_complete(), "too long ago");
    }
}
