//! An author's posts are pushed again.

use super::JobError;
use crate::domain::{Operation, timelines};
use crate::ids::UserId;

/// # Errors
/// The author's shard or Redis is unavailable.
pub async fn run(op: &Operation, author: UserId) -> Result<(), JobError> {
    Ok(timelines::resume_push(op, author).await?)
}
