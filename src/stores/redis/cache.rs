//! Cache-aside in two levels: this process's memory, then Redis.
//!
//! Bytes in Redis are `<version>|<json>`, the version being that of the row the value was made from. An invalidation leaves a *tombstone*,
//! `<version>|`, for longer than any serving replica may lag: it counts as a miss, and a fill with an older version is refused. So a
//! lagging replica cannot put back what a write has made old. Process memory is filled only from what Redis held, for the same reason.
//!
//! One load per key at a time holds within a process. Across processes nothing waits: an expiry costs at most one load per process,
//! and jitter keeps keys from expiring together.

use std::collections::HashMap;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Redis;
use crate::stores::query::SendFn;
use crate::stores::{StoreError, explain};

/// How long a tombstone stands; a replica that lags longer serves nobody.
const TOMBSTONE: Duration = Duration::from_secs(30);
/// How long it is remembered that a row does not exist.
const NEGATIVE: Duration = Duration::from_secs(5);

/// A value that may be cached: the type is bound to its kind of key.
pub trait Cached: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The key's middle part: `user`, `post`.
    const KIND: &'static str;
    /// Whether it may be kept in process memory too, for `redis.l1_ttl_ms`.
    const LOCAL: bool;
    /// The version of the row it was made from, 0 or more: an older one never overwrites a newer one.
    fn version(&self) -> i64;
}

/// How a reader may use the cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct CachePolicy {
    /// When this client last wrote (Unix ms), 0 for never: process memory loaded before is too old for it, and so is another request's load.
    pub floor_ms: i64,
    /// Read and fill nothing.
    pub bypass: bool,
}

fn count(kind: &'static str, outcome: &'static str, number: usize) {
    if number > 0 {
        explain::cache(kind, outcome, number);
        metrics::counter!("plaza_cache_total", "kind" => kind, "outcome" => outcome).increment(u64::try_from(number).unwrap_or_default());
    }
}

/// `Some(None)`: known not to exist. `None`: not held, or a tombstone.
fn decode<V: DeserializeOwned>(bytes: &[u8]) -> Option<Option<V>> {
    let bar = bytes.iter().position(|byte| *byte == b'|')?;
    serde_json::from_slice(bytes.get(bar + 1..).filter(|json| !json.is_empty())?).ok()
}

impl Redis {
    /// Values by id: memory, then one MGET, then `load` for the rest, once per id at a time in this process. An id that `load` leaves
    /// out does not exist, and that is remembered for a moment. Redis away: `load`, under a concurrency limit.
    ///
    /// # Errors
    /// What `load` returns; Redis's own failures never.
    #[expect(clippy::manual_async_fn, reason = "an async fn cannot promise that its future is Send")]
    pub fn get_many<'a, V, E, F>(
        &'a self,
        policy: CachePolicy,
        ids: &'a [i64],
        load: F,
    ) -> impl Future<Output = Result<HashMap<i64, V>, E>> + Send + 'a
    where
        V: Cached,
        E: Send + 'a,
        for<'i> F:
            AsyncFn(&'i [i64]) -> Result<HashMap<i64, V>, E> + SendFn<&'i [i64], Result<HashMap<i64, V>, E>, Fut: Send> + Send + Sync + 'a,
    {
        async move { self.get_many_through(policy, ids, load).await }
    }

    async fn get_many_through<V, E, F>(&self, policy: CachePolicy, ids: &[i64], load: F) -> Result<HashMap<i64, V>, E>
    where
        V: Cached,
        E: Send,
        for<'i> F:
            AsyncFn(&'i [i64]) -> Result<HashMap<i64, V>, E> + SendFn<&'i [i64], Result<HashMap<i64, V>, E>, Fut: Send> + Send + Sync,
    {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        if policy.bypass || self.inner.ttl.is_zero() {
            return load(ids).await;
        }
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match V::LOCAL.then(|| self.inner.local.get::<V>(V::KIND, *id, policy.floor_ms)).flatten() {
                Some(Some(value)) => drop(found.insert(*id, value)),
                Some(None) => {}
                None => missing.push(*id),
            }
        }
        count(V::KIND, "local", ids.len() - missing.len());
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(found);
        }
        let Ok(unheld) = self.read_held::<V>(&missing, &mut found).await else {
            count(V::KIND, "away", missing.len());
            let _permit = self.inner.loads_while_away.acquire().await;
            found.extend(load(&missing).await?);
            return Ok(found);
        };
        if unheld.is_empty() {
            return Ok(found);
        }
        if policy.floor_ms > 0 {
            // Another request's load may come from a replica that has not this client's write yet.
            let loaded = load(&unheld).await?;
            self.fill(&unheld, &loaded).await;
            found.extend(loaded);
            return Ok(found);
        }
        let (lead, follows) = self.inner.flights.board(V::KIND, &unheld);
        if let Some(lead) = lead {
            let loaded = load(lead.ids()).await?;
            self.fill(lead.ids(), &loaded).await;
            lead.land(&loaded);
            found.extend(loaded);
        }
        count(V::KIND, "shared", follows.len());
        let mut left = Vec::new();
        for follow in follows {
            let id = follow.id;
            match follow.landed::<V>().await {
                Some(Some(value)) => drop(found.insert(id, value)),
                Some(None) => {}
                None => left.push(id),
            }
        }
        if !left.is_empty() {
            found.extend(load(&left).await?);
        }
        Ok(found)
    }

    /// One MGET; what is held goes into `found` and into memory, and the ids that are not held come back.
    async fn read_held<V: Cached>(&self, ids: &[i64], found: &mut HashMap<i64, V>) -> Result<Vec<i64>, StoreError> {
        let asked_at_ms = self.inner.clock.now_ms();
        let keys: Vec<String> = ids.iter().map(|id| self.inner.keys.cached(V::KIND, *id)).collect();
        let held: Vec<Option<Vec<u8>>> =
            self.inner.pool.run(async |connection| redis::cmd("MGET").arg(&keys).query_async(connection).await).await?;
        let mut unheld = Vec::new();
        for (id, bytes) in ids.iter().zip(held) {
            match bytes.as_deref().and_then(decode::<V>) {
                Some(value) => {
                    if V::LOCAL {
                        self.inner.local.put(V::KIND, *id, value.clone(), asked_at_ms);
                    }
                    if let Some(value) = value {
                        found.insert(*id, value);
                    }
                }
                None => unheld.push(*id),
            }
        }
        count(V::KIND, "hit", ids.len() - unheld.len());
        count(V::KIND, "miss", unheld.len());
        Ok(unheld)
    }

    /// Stores what was loaded for these ids; a failure is only a later miss.
    async fn fill<V: Cached>(&self, ids: &[i64], loaded: &HashMap<i64, V>) {
        let mut script = self.inner.scripts.fill.prepare_invoke();
        for id in ids {
            let value = loaded.get(id);
            let version = value.map_or(0, Cached::version);
            let Ok(json) = serde_json::to_string(&value) else { continue };
            let ttl = if value.is_some() { self.jittered() } else { NEGATIVE };
            script.key(self.inner.keys.cached(V::KIND, *id));
            script.arg(version).arg(format!("{version}|{json}")).arg(u64::try_from(ttl.as_millis()).unwrap_or(1));
        }
        if let Err(error) = self.inner.pool.run(async |connection| script.invoke_async::<i64>(connection).await).await {
            tracing::debug!(%error, kind = V::KIND, "not cached");
        }
    }

    /// The configured time to live, give or take a tenth, so that what was cached together does not expire together.
    fn jittered(&self) -> Duration {
        self.inner.ttl.mul_f64(rand::rng().random_range(0.9..1.1))
    }

    /// These rows have changed and are now at least at this version: forgets them here and in Redis, and tells the other processes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nobody has been told, and whoever wrote must not trust the cache for a while.
    pub async fn invalidate<V: Cached>(&self, changed: &[(i64, i64)]) -> Result<(), StoreError> {
        if changed.is_empty() {
            return Ok(());
        }
        let mut script = self.inner.scripts.fill.prepare_invoke();
        let mut told = String::new();
        for (id, version) in changed {
            script.key(self.inner.keys.cached(V::KIND, *id));
            script.arg(*version).arg(format!("{version}|")).arg(u64::try_from(TOMBSTONE.as_millis()).unwrap_or(1));
            told.push_str(&format!("{}:{id} ", V::KIND));
        }
        if V::LOCAL {
            for (id, _) in changed {
                self.inner.local.remove(V::KIND, *id);
            }
        }
        let channel = self.inner.keys.invalidations();
        self.inner
            .pool
            .run(async |connection| {
                script.invoke_async::<i64>(connection).await?;
                if V::LOCAL {
                    redis::cmd("PUBLISH").arg(&channel).arg(&told).query_async::<i64>(connection).await?;
                }
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_and_garbage_are_misses_and_null_is_known_absence() {
        assert_eq!(decode::<i64>(b"3|7"), Some(Some(7)));
        assert_eq!(decode::<i64>(b"0|null"), Some(None));
        assert_eq!(decode::<i64>(b"3|"), None);
        assert_eq!(decode::<i64>(b"garbage"), None);
    }
}
