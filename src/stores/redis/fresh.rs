//! What a write has made new, for readers whose replica does not have it yet.

use serde::Serialize;

use super::Redis;
use super::cache::Cached;
use super::entry::encode;
use super::trust::Generation;
use plaza_base::ids::Id;

/// A row as a transaction leaves it.
#[derive(Debug, Clone)]
pub struct Fresh {
    kind: &'static str,
    id: i64,
    version: i64,
    json: String,
    generation: Generation,
}

impl Redis {
    /// Row `id` as a transaction leaves it that has not committed yet, so that what happens to the
    /// row after that commit is newer; `None` while the cache is not trusted.
    pub fn fresh<V: Cached + Serialize>(&self, id: V::Key, value: &V) -> Option<Fresh> {
        let json = serde_json::to_string(value).ok()?;
        let generation = self.generation()?;
        let id = id.as_i64();
        Some(Fresh { kind: V::KIND, id, version: value.version(), json, generation })
    }

    /// Stores rows that were just committed, unless something newer is known of them; a failure is
    /// only a later miss.
    pub async fn put_all(&self, fresh: &[Fresh]) {
        if fresh.is_empty() {
            return;
        }
        let now_ms = self.inner.clock.now_ms();
        let mut script = self.inner.scripts.fill.prepare_invoke();
        script.arg("").arg("").arg("");
        for Fresh { kind, id, version, json, generation } in fresh {
            let ttl_ms = i64::try_from(self.jittered().as_millis()).unwrap_or(1);
            let expires_ms = now_ms.saturating_add(ttl_ms);
            let bytes = encode(*version, (expires_ms, 0), generation, json);
            script.key(self.inner.keys.cached(kind, *id)).arg(*version).arg(bytes).arg(ttl_ms);
        }
        let stored = self
            .inner
            .pool
            .run(async |connection| script.invoke_async::<i64>(connection).await)
            .await;
        if let Err(error) = stored {
            tracing::debug!(%error, "what was written is not cached");
        }
    }
}
