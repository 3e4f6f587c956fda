//! Redis: cache, timelines, sessions' consistency tokens. Away means slower, never wrong.
pub mod cache;
pub mod keys;
pub mod pool;
pub mod sessions;
pub mod timelines;
use super::StoreError;
/// The way in; cheap to clone.
#[derive(Clone, Debug)]
pub struct Redis {}
impl Redis {
    /// Prepares the pool; connects when first needed.
    pub fn new(config: &crate::config::RedisConfig, clock: crate::clock::Clock) -> Result<Self, StoreError> { todo!() }
    /// Whether it answers now.
    pub async fn ping(&self) -> Result<(), StoreError> { todo!() }
}
