//! What a write has made old, in every cache.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Redis;
use super::cache::Cached;
use crate::StoreError;
use plaza_base::ids::Id;

/// How long a tombstone stands; a replica that lags longer serves nobody.
pub(super) const TOMBSTONE: Duration = Duration::from_secs(30);

/// A cached row that a write has made old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    pub(super) kind: Cow<'static, str>,
    pub(super) id: i64,
    /// The row's version now.
    pub(super) version: i64,
    /// Whether processes keep the kind in their memory.
    #[serde(rename = "local")]
    pub(super) is_local: bool,
}

/// The bytes that an invalidation leaves.
pub(super) fn tombstone(version: i64) -> String {
    format!("{version}|")
}

impl Stale {
    /// Row `id` of a kind, which is at least at `version` now.
    pub fn of<V: Cached>(id: V::Key, version: i64) -> Self {
        let id = id.as_i64();
        Self { kind: Cow::Borrowed(V::KIND), id, version, is_local: V::LOCAL }
    }
}

impl Redis {
    /// These rows have changed and are now at least at this version: forgets them here and in
    /// Redis, and publishes that to the other processes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing was invalidated, and the writer must not trust the
    /// cache for a while. It is retried (`trust.rs`) until it has worked.
    pub async fn invalidate<V: Cached>(&self, changed: &[(V::Key, i64)]) -> Result<(), StoreError> {
        let stale: Vec<Stale> =
            changed.iter().map(|(id, version)| Stale::of::<V>(*id, *version)).collect();
        self.invalidate_all(&stale).await
    }

    /// The same for rows of several kinds, in one round trip.
    ///
    /// # Errors
    /// As [`Redis::invalidate`].
    pub async fn invalidate_all(&self, stale: &[Stale]) -> Result<(), StoreError> {
        self.send_invalidations(stale).await.inspect_err(|_| self.defer_invalidations(stale))
    }

    pub(super) async fn send_invalidations(&self, stale: &[Stale]) -> Result<(), StoreError> {
        if stale.is_empty() {
            return Ok(());
        }
        let mut local = String::new();
        for Stale { kind, id, .. } in stale.iter().filter(|stale| stale.is_local) {
            self.inner.local.forget(kind, *id);
            local.push_str(&format!("{kind}:{id} "));
        }
        let mut script = self.inner.scripts.fill.prepare_invoke();
        script.arg("").arg(self.inner.keys.invalidations()).arg(local);
        for Stale { kind, id, version, .. } in stale {
            script.key(self.inner.keys.cached(kind, *id));
            script
                .arg(*version)
                .arg(tombstone(*version))
                .arg(u64::try_from(TOMBSTONE.as_millis()).unwrap_or(1));
        }
        self.inner
            .pool
            .run(async |connection| script.invoke_async::<i64>(connection).await.map(drop))
            .await
    }
}
