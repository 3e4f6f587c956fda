//! Migrations.
use super::{Cluster, ShardMap};
use crate::stores::StoreError;
/// The shard map in force: the highest version on any shard.
pub async fn load_map(cluster: &Cluster) -> Result<ShardMap, StoreError> { todo!() }
