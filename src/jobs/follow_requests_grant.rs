//! A person is no longer private: who had asked to follow them does.

use super::JobError;
use crate::domain::{Domain, Operation, follow_requests};
use crate::ids::UserId;

/// # Errors
/// A shard is unavailable.
pub async fn run(
    op: &Operation,
    domain: &Domain,
    user: UserId,
    above: i64,
) -> Result<(), JobError> {
    Ok(follow_requests::grant_waiting(op, domain, user, above).await?)
}
