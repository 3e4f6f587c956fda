//! An author's posts are pushed again.

use super::JobError;
use plaza_base::ids::UserId;
use plaza_domain::{Operation, timelines};

/// # Errors
/// The author's shard or Redis is unavailable.
pub async fn run(op: &Operation, author: UserId) -> Result<(), JobError> {
    Ok(timelines::resume_push(op, author).await?)
}
