//! Which requests were here before: a proxy that makes a request's headers once, for all servers
//! that it asks in turn, cannot number its attempts.

use super::Redis;
use crate::StoreError;

/// How long a request is remembered, in seconds: far longer than a proxy goes on trying.
const KEPT_S: u64 = 30;

impl Redis {
    /// Whether a request, by its proxy's id, was at any server before; it is remembered for 30 s.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: that is not known.
    pub async fn was_here(&self, request: &str) -> Result<bool, StoreError> {
        let asking = first_seen(&self.inner.keys.request(request));
        let is_new: Option<String> =
            self.inner.pool.run(async |connection| asking.query_async(connection).await).await?;
        Ok(is_new.is_none())
    }
}

/// Remembers a request; answered with nothing when it was remembered already.
pub(super) fn first_seen(key: &str) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(1).arg("NX").arg("EX").arg(KEPT_S);
    command
}
