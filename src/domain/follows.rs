//! Who follows whom.
use std::collections::HashSet;
use std::sync::Arc;
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::UserId;
/// Most people one may follow.
pub const MAX_FOLLOWING: i64 = 10_000;
/// The viewer follows `followee`; already following is fine.
pub async fn follow(op: &Operation, domain: &Domain, followee: UserId) -> Result<UserId, DomainError> { todo!() }
/// The viewer no longer follows `followee`; not following is fine.
pub async fn unfollow(op: &Operation, domain: &Domain, followee: UserId) -> Result<UserId, DomainError> { todo!() }
/// People a user follows, newest follow first; cursor = follow id.
pub async fn following(op: &Operation, domain: &Domain, user: UserId, page: PageRequest) -> Result<Page<UserId>, DomainError> { todo!() }
/// People following a user, newest follow first; cursor = follow id.
pub async fn followers(op: &Operation, domain: &Domain, user: UserId, page: PageRequest) -> Result<Page<UserId>, DomainError> { todo!() }
/// Everyone a user follows, sorted, through the cache.
pub async fn followees(op: &Operation, domain: &Domain, user: UserId) -> Result<Arc<Vec<UserId>>, DomainError> { todo!() }
/// Those of `ids` that the viewer follows; empty when anonymous.
pub async fn viewer_follows(op: &Operation, domain: &Domain, ids: &[UserId]) -> Result<HashSet<UserId>, DomainError> { todo!() }
