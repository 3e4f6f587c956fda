//! People and their profiles.
use std::collections::HashMap;
use serde::{Deserialize, Serialize};
use super::{Domain, DomainError, Operation};
use crate::ids::UserId;

/// A person, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Unique, lower case.
    pub handle: String,
    /// Name as shown.
    pub display_name: String,
    /// What they say of themselves.
    pub bio: String,
    /// Rises with each edit.
    pub version: i64,
}
/// People by id, through the cache; those that do not exist are left out.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[UserId]) -> Result<HashMap<UserId, User>, DomainError> { todo!() }
/// The person with this handle (any case).
pub async fn by_handle(op: &Operation, domain: &Domain, handle: &str) -> Result<Option<UserId>, DomainError> { todo!() }
/// A profile edit; `None` leaves a field as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfileUpdate { /// Name as shown.
    pub display_name: Option<String>, /// Bio.
    pub bio: Option<String> }
/// Edits the viewer's own profile.
pub async fn update(op: &Operation, domain: &Domain, update: ProfileUpdate) -> Result<UserId, DomainError> { todo!() }
