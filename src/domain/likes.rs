//! Likes; on the post's shard.
use std::collections::HashSet;
use super::{Domain, DomainError, Operation};
use crate::ids::PostId;
/// The viewer likes a post; again is fine.
pub async fn like(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> { todo!() }
/// The viewer takes a like back; never liked is fine.
pub async fn unlike(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> { todo!() }
/// Those of `ids` the viewer has liked.
pub async fn viewer_likes(op: &Operation, domain: &Domain, ids: &[PostId]) -> Result<HashSet<PostId>, DomainError> { todo!() }
