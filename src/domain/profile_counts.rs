//! Counts on a profile.
use std::collections::HashMap;
use serde::{Deserialize, Serialize};
use super::{Domain, DomainError, Operation};
use crate::ids::UserId;
/// A profile's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileCounts { /// Posts not deleted.
    pub posts: i64, /// People followed.
    pub following: i64, /// People following.
    pub followers: i64 }
/// Counts by user, through the cache; an entry for every id.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[UserId]) -> Result<HashMap<UserId, ProfileCounts>, DomainError> { todo!() }
