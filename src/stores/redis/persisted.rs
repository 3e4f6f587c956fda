//! Texts of automatic persisted queries, shared by all servers.

use super::Redis;
use crate::StoreError;

/// Most texts kept; each has at most 16 KiB.
const MOST: usize = 5_000;

impl Redis {
    /// The text stored under a hash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn persisted_query(&self, hash: &str) -> Result<Option<String>, StoreError> {
        let key = self.inner.keys.persisted_queries();
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("HGET").arg(&key).arg(hash).query_async(connection).await
            })
            .await
    }

    /// Stores a text under its hash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn persist_query(&self, hash: &str, text: &str) -> Result<(), StoreError> {
        let keys = &self.inner.keys;
        let mut script = self.inner.scripts.persisted.prepare_invoke();
        script
            .key(keys.persisted_queries())
            .key(keys.persisted_queries_age())
            .arg(hash)
            .arg(text)
            .arg(MOST);
        self.inner.pool.run(async |connection| script.invoke_async::<()>(connection).await).await
    }
}
