//! The first level: this process's memory. Entries live for a second or two; other processes'
//! writes are published by Redis (`listen.rs`), and a client that has just written is not served
//! what was loaded before its write.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

/// How much later than a client's last write an entry must have been asked for to be served to it,
/// in milliseconds. The write is timed at its commit, Redis is invalidated a little later, and what
/// is asked for in between may still be the old value; besides, another process's clock timed it.
/// Clients that have not just written pay nothing for it.
const AFTER_A_WRITE_MS: i64 = 1_000;

/// One entry: the value, and when its load began (Unix milliseconds).
#[derive(Clone)]
pub struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    loaded_at_ms: i64,
}

/// All kinds in one cache.
pub struct Local {
    entries: moka::sync::Cache<(&'static str, i64), Entry>,
    kinds: RwLock<BTreeSet<&'static str>>,
    enabled: bool,
    ttl: Duration,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("entries", &self.entries.entry_count())
            .finish_non_exhaustive()
    }
}

impl Local {
    /// A cache whose entries live for `ttl`; zero turns it off.
    pub fn new(ttl: Duration) -> Self {
        Self {
            entries: moka::sync::Cache::builder()
                .max_capacity(100_000)
                .time_to_live(ttl.max(Duration::from_millis(1)))
                .build(),
            kinds: RwLock::default(),
            enabled: !ttl.is_zero(),
            ttl,
        }
    }

    /// How long a process that wants a value again and again does without asking Redis, in
    /// milliseconds.
    pub fn poll_ms(&self) -> f64 {
        self.ttl.as_secs_f64() * 1_000.0
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
        if floor_ms > 0 && entry.loaded_at_ms <= floor_ms.saturating_add(AFTER_A_WRITE_MS) {
            return None;
        }
        entry.value.downcast_ref::<Option<V>>().cloned()
    }

    /// Keeps a value.
    pub fn put<V: Clone + Send + Sync + 'static>(
        &self,
        kind: &'static str,
        id: i64,
        value: Option<V>,
        loaded_at_ms: i64,
    ) {
        if self.enabled {
            if !self.kinds.read().contains(kind) {
                self.kinds.write().insert(kind);
            }
            self.entries.insert((kind, id), Entry { value: Arc::new(value), loaded_at_ms });
        }
    }

    /// Forgets a value of a kind named in a message; a kind that was never kept here has nothing to
    /// forget.
    pub fn forget(&self, kind: &str, id: i64) {
        let known = self.kinds.read().get(kind).copied();
        if let Some(kind) = known {
            self.remove(kind, id);
        }
    }

    /// Forgets one value of a kind known to the program.
    pub fn remove(&self, kind: &'static str, id: i64) {
        self.entries.invalidate(&(kind, id));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_has_just_written_is_not_served_what_was_asked_for_about_then() {
        let local = Local::new(Duration::from_secs(60));
        local.put("post", 1, Some("old"), 10_500);
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
        let local = Local::new(Duration::from_secs(60));
        local.put("post", 1, Some("one"), 1);
        local.put::<&str>("user", 1, None, 1);
        local.forget("post", 1);
        local.forget("never heard of", 1);
        assert_eq!(local.get::<&str>("post", 1, 0), None);
        assert_eq!(local.get::<&str>("user", 1, 0), Some(None), "known not to exist");
    }
}
