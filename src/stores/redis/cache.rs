//! Cache-aside in two levels: this process's memory, then Redis.
//!
//! Bytes in Redis are `<version>,<expires>,<took>,<generation>|<json>`: the version of the row the
//! value was made from, when it expires (Unix ms), how many milliseconds its load took, and the
//! generation it is trusted in (`trust.rs`). An invalidation leaves a *tombstone*, `<version>|`, for
//! longer than any serving replica may lag: it counts as a miss, and a fill with an older version is
//! refused. So a lagging replica cannot put back what a write has made old. Process memory is filled
//! only from what Redis held, for the same reason.
//!
//! One load per key at a time: within a process by `flight.rs`, across processes by `lease.rs`. A
//! hot key seldom expires at all, because the nearer its end, the likelier one of its readers loads
//! it anew (`early`); jitter keeps keys from expiring together.

use std::collections::HashMap;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Redis;
use super::entry::{decode, encode, is_of, lifetime, may_fill, over};
use super::local::Ticket;
use super::trust::Generation;
use crate::query::Load;
use crate::{StoreError, explain, work};
use plaza_base::ids::Id;

/// Values stored in one script: Redis does nothing else meanwhile, some 7 µs for each.
const FILLED_AT_ONCE: usize = 64;
/// How long it is remembered that a row does not exist.
const NEGATIVE: Duration = Duration::from_secs(5);
/// How often, in milliseconds, some process asks Redis for a key that all of them keep in memory.
/// Were it as long as one of them keeps it, a fifth of all that is asked for would be loaded early.
const ASKED_EVERY_MS: f64 = 1_000.0;

/// A value that may be cached: the type is bound to its kind of key.
pub trait Cached: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// What it is read by; names the shard that has it.
    type Key: Id;
    /// The key's middle part: `user`, `post`.
    const KIND: &'static str;
    /// Whether it may be kept in process memory too, for `redis.l1_ttl_ms`.
    const LOCAL: bool;
    /// The version of the row it was made from, 0 or more: an older one never overwrites a newer
    /// one.
    fn version(&self) -> i64;
}

/// How a reader may use the cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct CachePolicy {
    /// When this client last wrote (Unix ms), 0 for never: process memory loaded before is too old
    /// for it, and so is another request's load.
    pub floor_ms: i64,
    /// Read and fill nothing.
    pub bypass: bool,
}

/// What a read of Redis returned.
#[derive(Debug, Default)]
struct Lookup<I> {
    /// To be loaded.
    unheld: Vec<I>,
    /// Held, and to be loaded anew before they expire.
    ending: Vec<I>,
}

fn count(kind: &'static str, outcome: &'static str, number: usize) {
    if number > 0 {
        explain::cache(kind, outcome, number);
        work::lookups(number);
        metrics::counter!("plaza_cache_total", "kind" => kind, "outcome" => outcome)
            .increment(u64::try_from(number).unwrap_or_default());
    }
}

/// Counts values asked of the shards.
pub(super) fn count_loads(kind: &'static str, number: usize) {
    metrics::counter!("plaza_cache_loads_total", "kind" => kind)
        .increment(u64::try_from(number).unwrap_or_default());
}

/// Whether a reader at this moment is the one that loads a value anew before it expires (the rule
/// known as XFetch): the nearer the end and the longer a load takes, the likelier. `chance` is
/// uniform in 0..1. Readers ask Redis for a key about once in [`ASKED_EVERY_MS`], so that counts as
/// part of the load: else a load of 2 ms would have to be met by chance in its last 2 ms.
fn early(bytes: &[u8], now_ms: i64, chance: f64) -> bool {
    let Some((expires_ms, took_ms)) = lifetime(bytes) else { return false };
    let left = i32::try_from(expires_ms.saturating_sub(now_ms)).map_or(f64::MAX, f64::from);
    -(took_ms + ASKED_EVERY_MS) * chance.max(f64::MIN_POSITIVE).ln() >= left
}

impl Redis {
    /// Values by id: memory, then one MGET, then `load` for the rest, once per id at a time in this
    /// process. An id that `load` leaves out does not exist, and that is remembered for a moment.
    /// Redis unavailable: `load`, once per id at a time all the same, and under a concurrency
    /// limit.
    ///
    /// # Errors
    /// What `load` returns; Redis's own failures never.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn cannot promise that its future is Send"
    )]
    pub fn get_many<'a, V, E, F>(
        &'a self,
        policy: CachePolicy,
        ids: &'a [V::Key],
        load: F,
    ) -> impl Future<Output = Result<HashMap<V::Key, V>, E>> + Send + 'a
    where
        V: Cached,
        E: Send + 'a,
        F: Load<V::Key, V, E> + 'a,
    {
        async move { self.get_many_through(policy, ids, load).await }
    }

    async fn get_many_through<V, E, F>(
        &self,
        policy: CachePolicy,
        ids: &[V::Key],
        load: F,
    ) -> Result<HashMap<V::Key, V>, E>
    where
        V: Cached,
        E: Send,
        F: Load<V::Key, V, E>,
    {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        if policy.bypass || self.inner.ttl.is_zero() {
            return load(ids).await;
        }
        let generation = self.generation();
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        let is_local = V::LOCAL && generation.is_some() && self.inner.local.is_complete();
        for id in ids {
            match is_local
                .then(|| self.inner.local.get::<V>(V::KIND, id.as_i64(), policy.floor_ms))
                .flatten()
            {
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
        let lookup = match &generation {
            Some(generation) => self.read_held::<V>(&missing, generation, &mut found).await.ok(),
            None => None,
        };
        // One that is not trusted counts as unavailable.
        let generation = generation.filter(|_| lookup.is_some());
        let Lookup { unheld, ending } = lookup.unwrap_or_else(|| {
            count(V::KIND, "unavailable", missing.len());
            Lookup { unheld: missing, ending: Vec::new() }
        });
        if policy.floor_ms > 0 {
            // Another request's load may come from a replica that has not this client's write yet.
            if !unheld.is_empty() {
                found.extend(self.load_alone(&unheld, generation, &load).await?);
            }
            return Ok(found);
        }
        if let Some(generation) = generation.as_ref().filter(|_| !ending.is_empty()) {
            self.load_early(&ending, generation, &load).await;
        }
        if unheld.is_empty() {
            return Ok(found);
        }
        let (leader, waiters) = self.inner.flights.join(V::KIND, &unheld);
        if let Some(leader) = leader {
            let loaded = match &generation {
                None => self.load_alone(leader.ids(), None, &load).await?,
                Some(generation) => self.load_leased(leader.ids(), generation, &load).await?,
            };
            leader.complete(&loaded);
            found.extend(loaded);
        }
        count(V::KIND, "shared", waiters.len());
        let mut left = Vec::new();
        for waiter in waiters {
            let id = waiter.id;
            match waiter.completed::<V>().await {
                Some(Some(value)) => drop(found.insert(id, value)),
                Some(None) => {}
                None => left.push(id),
            }
        }
        if !left.is_empty() {
            count_loads(V::KIND, left.len());
            found.extend(load(&left).await?);
        }
        Ok(found)
    }

    /// Loads without asking what other processes load; without a generation (Redis is unavailable,
    /// or not to be believed): under a concurrency limit, and stored nowhere.
    async fn load_alone<V, E, F>(
        &self,
        ids: &[V::Key],
        generation: Option<Generation>,
        load: &F,
    ) -> Result<HashMap<V::Key, V>, E>
    where
        V: Cached,
        E: Send,
        F: Load<V::Key, V, E>,
    {
        count_loads(V::KIND, ids.len());
        let Some(generation) = generation else {
            let _permit = self.inner.loads_while_away.acquire().await;
            return load(ids).await;
        };
        let began_ms = self.inner.clock.now_ms();
        let loaded = load(ids).await?;
        self.fill(ids, &loaded, began_ms, &generation, None).await;
        Ok(loaded)
    }

    /// One MGET; what is held goes into `found` and into memory.
    async fn read_held<V: Cached>(
        &self,
        ids: &[V::Key],
        generation: &Generation,
        found: &mut HashMap<V::Key, V>,
    ) -> Result<Lookup<V::Key>, StoreError> {
        let asked_at_ms = self.inner.clock.now_ms();
        let ticket = self.inner.local.ticket(asked_at_ms);
        let keys: Vec<String> =
            ids.iter().map(|id| self.inner.keys.cached(V::KIND, id.as_i64())).collect();
        let held: Vec<Option<Vec<u8>>> = self
            .inner
            .pool
            .run(async |connection| redis::cmd("MGET").arg(&keys).query_async(connection).await)
            .await?;
        let mut lookup = Lookup { unheld: Vec::new(), ending: Vec::new() };
        for (id, bytes) in ids.iter().zip(held) {
            if !self.hold(*id, bytes.as_deref(), (generation, ticket), found) {
                lookup.unheld.push(*id);
            } else if early(bytes.as_deref().unwrap_or_default(), asked_at_ms, rand::rng().random())
            {
                lookup.ending.push(*id);
            }
        }
        count(V::KIND, "hit", ids.len() - lookup.unheld.len());
        count(V::KIND, "miss", lookup.unheld.len());
        Ok(lookup)
    }

    /// Takes what Redis held of an id into `found` and into memory; whether it held anything.
    pub(super) fn hold<V: Cached>(
        &self,
        id: V::Key,
        bytes: Option<&[u8]>,
        (generation, ticket): (&Generation, Ticket),
        found: &mut HashMap<V::Key, V>,
    ) -> bool {
        let Some(bytes) = bytes.filter(|bytes| is_of(bytes, generation)) else { return false };
        let Some(value) = decode::<V>(bytes) else { return false };
        if V::LOCAL {
            self.inner.local.put(V::KIND, id.as_i64(), value.clone(), ticket, bytes.len());
        }
        if let Some(value) = value {
            found.insert(id, value);
        }
        true
    }

    /// Stores what was loaded for these ids since `began_ms` and gives back their leases, if there
    /// is a token; a failure is only a later miss.
    pub(super) async fn fill<V: Cached>(
        &self,
        ids: &[V::Key],
        loaded: &HashMap<V::Key, V>,
        began_ms: i64,
        generation: &Generation,
        token: Option<&str>,
    ) {
        let now_ms = self.inner.clock.now_ms();
        let took_ms = now_ms.saturating_sub(began_ms).max(0);
        if !may_fill(took_ms) {
            // Leases end by themselves.
            return;
        }
        for ids in ids.chunks(FILLED_AT_ONCE) {
            self.fill_some(ids, loaded, (now_ms, took_ms, generation), token).await;
        }
    }

    async fn fill_some<V: Cached>(
        &self,
        ids: &[V::Key],
        loaded: &HashMap<V::Key, V>,
        (now_ms, took_ms, generation): (i64, i64, &Generation),
        token: Option<&str>,
    ) {
        let mut script = self.inner.scripts.fill.prepare_invoke();
        script.arg(token.unwrap_or_default()).arg("").arg("");
        for id in ids {
            let value = loaded.get(id);
            let version = value.map_or(0, Cached::version);
            let json = serde_json::to_string(&value).unwrap_or_default();
            let ttl = if value.is_some() { self.jittered() } else { NEGATIVE };
            let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(1);
            let bytes = match value {
                Some(_) => {
                    let lifetime = (now_ms.saturating_add(ttl_ms), took_ms);
                    encode(version, lifetime, generation, &json)
                }
                None => format!("{version},,,{generation}|{json}"),
            };
            script
                .key(self.inner.keys.cached(V::KIND, id.as_i64()))
                .arg(over(version))
                .arg(bytes)
                .arg(ttl_ms);
        }
        for id in ids.iter().filter(|_| token.is_some()) {
            script.key(self.inner.keys.lease(V::KIND, id.as_i64()));
        }
        if let Err(error) = self
            .inner
            .pool
            .run(async |connection| script.invoke_async::<i64>(connection).await)
            .await
        {
            tracing::debug!(%error, kind = V::KIND, "not cached");
        }
    }

    /// The configured time to live, give or take a tenth, so that what was cached together does not
    /// expire together.
    pub(super) fn jittered(&self) -> Duration {
        self.inner.ttl.mul_f64(rand::rng().random_range(0.9..1.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_its_end_the_likelier_a_value_is_loaded_anew() {
        let held = b"3,10000,100,g|7";
        let (far, near) = (-12_000, 10_000 - 1_100);
        let times = |now_ms: i64| {
            (1..1_000).filter(|chance| early(held, now_ms, f64::from(*chance) / 1_000.0)).count()
        };
        assert_eq!(times(far), 0, "20 loads away from its end");
        assert!((350..390).contains(&times(near)), "exp(-1) one load away: {}", times(near));
        assert_eq!(times(10_000), 999);
        assert!(!early(b"0|null", i64::MAX, 0.0), "known absence is short-lived as it is");
    }
}
