//! A user is no longer private: who had asked to follow them does.

use super::JobError;
use plaza_base::ids::UserId;
use plaza_domain::{Operation, follow_requests};

/// # Errors
/// A shard is unavailable.
pub async fn run(op: &Operation, user: UserId, above: i64) -> Result<(), JobError> {
    Ok(follow_requests::grant_waiting(op, user, above).await?)
}
