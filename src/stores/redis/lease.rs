//! One load per key at a time across processes: who loads holds a *lease* in Redis, and the others
//! poll until the value is there.
//!
//! A lease keeps loads few, nothing depends on it: one that is lost with its process ends by
//! itself, and who has waited long enough loads without. That a late load puts back nothing old is
//! the version's work (`cache.rs`), not the lease's.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Redis;
use super::cache::{Cached, count_loads};
use super::trust::Generation;
use crate::query::Load;
use crate::{StoreError, explain};
use plaza_base::ids::Id;

/// How long a load may keep other processes from loading the same.
const LEASE: Duration = Duration::from_secs(1);
/// How long a request waits for another process's load before it loads by itself.
const TIMEOUT: Duration = Duration::from_millis(1_200);
/// The first wait between two polls; each is twice the last, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Ids by whose they are to load.
#[derive(Debug)]
struct Leased<I> {
    mine: Vec<I>,
    others: Vec<I>,
}

fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Redis {
    /// Values that Redis does not hold: loaded here and stored, or loaded by another process and
    /// read from Redis. Redis unavailable: loaded here.
    pub(super) async fn load_leased<V, E, F>(
        &self,
        ids: &[V::Key],
        generation: &Generation,
        load: &F,
    ) -> Result<HashMap<V::Key, V>, E>
    where
        V: Cached,
        E: Send,
        F: Load<V::Key, V, E>,
    {
        let (token, give_up_at) = (token(), Instant::now() + TIMEOUT);
        let (mut found, mut left, mut wait) = (HashMap::new(), ids.to_vec(), FIRST_WAIT);
        loop {
            let leased = self
                .lease(&left, (&token, generation), false, &mut found)
                .await
                .ok()
                .filter(|_| Instant::now() < give_up_at);
            let Some(Leased { mine, others }) = leased else {
                count_loads(V::KIND, left.len());
                let began_ms = self.inner.clock.now_ms();
                let loaded = load(&left).await?;
                self.fill(&left, &loaded, began_ms, generation, Some(&token)).await;
                found.extend(loaded);
                return Ok(found);
            };
            if !mine.is_empty() {
                found.extend(self.load_and_fill(&mine, (&token, generation), load).await?);
            }
            if others.is_empty() {
                return Ok(found);
            }
            if wait == FIRST_WAIT {
                explain::cache(V::KIND, "waited", others.len());
            }
            left = others;
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Loads anew what is still held, unless another process does so; what is held goes on being
    /// served meanwhile. A load that fails is retried by whoever finds the value expired.
    pub(super) async fn load_early<V, E, F>(
        &self,
        ids: &[V::Key],
        generation: &Generation,
        load: &F,
    ) where
        V: Cached,
        E: Send,
        F: Load<V::Key, V, E>,
    {
        let token = token();
        let Ok(Leased { mine, .. }) =
            self.lease::<V>(ids, (&token, generation), true, &mut HashMap::new()).await
        else {
            return;
        };
        if !mine.is_empty() {
            explain::cache(V::KIND, "early", mine.len());
            // Not handed to the reader: a replica that lags may have loaded less than is held.
            let _stored = self.load_and_fill(&mine, (&token, generation), load).await;
        }
    }

    async fn load_and_fill<V, E, F>(
        &self,
        ids: &[V::Key],
        (token, generation): (&str, &Generation),
        load: &F,
    ) -> Result<HashMap<V::Key, V>, E>
    where
        V: Cached,
        E: Send,
        F: Load<V::Key, V, E>,
    {
        count_loads(V::KIND, ids.len());
        let began_ms = self.inner.clock.now_ms();
        match load(ids).await {
            Ok(loaded) => {
                self.fill(ids, &loaded, began_ms, generation, Some(token)).await;
                Ok(loaded)
            }
            Err(error) => {
                self.give_back::<V>(ids, token).await;
                Err(error)
            }
        }
    }

    /// Asks for the leases of these ids. Unless held values do not count, they come into `found`
    /// and need no load.
    async fn lease<V: Cached>(
        &self,
        ids: &[V::Key],
        (token, generation): (&str, &Generation),
        although_held: bool,
        found: &mut HashMap<V::Key, V>,
    ) -> Result<Leased<V::Key>, StoreError> {
        let ticket = self.inner.local.ticket(self.inner.clock.now_ms());
        let mut script = self.inner.scripts.lease.prepare_invoke();
        for id in ids {
            script
                .key(self.inner.keys.cached(V::KIND, id.as_i64()))
                .key(self.inner.keys.lease(V::KIND, id.as_i64()));
        }
        script
            .arg(token)
            .arg(u64::try_from(LEASE.as_millis()).unwrap_or(1))
            .arg(i32::from(although_held))
            .arg(generation.as_ref());
        let answers: Vec<redis::Value> = self
            .inner
            .pool
            .run(async |connection| script.invoke_async::<Vec<redis::Value>>(connection).await)
            .await?;
        let mut leased = Leased { mine: Vec::new(), others: Vec::new() };
        for (id, answer) in ids.iter().zip(answers) {
            match answer {
                redis::Value::BulkString(bytes)
                    if self.hold(*id, Some(&bytes), (generation, ticket), found) => {}
                redis::Value::Int(0) => leased.others.push(*id),
                // Ours, or something that is held and cannot be read.
                _ => leased.mine.push(*id),
            }
        }
        Ok(leased)
    }

    /// Gives leases back without a value: the next who asks loads.
    async fn give_back<V: Cached>(&self, ids: &[V::Key], token: &str) {
        let keys: Vec<String> =
            ids.iter().map(|id| self.inner.keys.lease(V::KIND, id.as_i64())).collect();
        let mut script = self.inner.scripts.give_back.prepare_invoke();
        script.key(keys).arg(token);
        if let Err(error) = self
            .inner
            .pool
            .run(async |connection| script.invoke_async::<i64>(connection).await)
            .await
        {
            tracing::debug!(%error, kind = V::KIND, "leases were not given back: they end by themselves");
        }
    }
}
