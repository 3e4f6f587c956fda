//! Cache-aside in two levels: this process's memory, then Redis.
use std::collections::HashMap;
use std::hash::Hash;
use serde::Serialize;
use serde::de::DeserializeOwned;
use super::Redis;
use crate::stores::StoreError;

/// A value that may be cached: the type is bound to its kind of key.
pub trait Cached: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The key's middle part: `user`, `post`.
    const KIND: &'static str;
    /// Whether it may be kept in process memory too, for `redis.l1_ttl_ms`.
    const LOCAL: bool;
    /// The version of the row it was made from: an older one never overwrites a newer one.
    fn version(&self) -> i64;
}
/// How a reader may use the cache.
#[derive(Debug, Clone, Copy, Default)]
pub struct CachePolicy { /// Process-local entries loaded before this (Unix ms) are too old.
    pub floor_ms: i64, /// Read and fill nothing.
    pub bypass: bool }
impl Redis {
    /// Values by id: memory, then one MGET, then `load` for the rest, once per id at a time (single flight). An id that `load` leaves out
    /// does not exist, and that is remembered for a short while. Redis away: `load` under a concurrency limit.
    pub async fn get_many<V, E, F>(&self, policy: CachePolicy, ids: &[i64], load: F) -> Result<HashMap<i64, V>, E>
    where V: Cached, F: AsyncFn(&[i64]) -> Result<HashMap<i64, V>, E> { todo!() }
    /// These have changed and are now at least at this version: forgets them here and in Redis (a tombstone that refuses older fills),
    /// and tells the other processes.
    pub async fn invalidate<V: Cached>(&self, changed: &[(i64, i64)]) -> Result<(), StoreError> { todo!() }
}
