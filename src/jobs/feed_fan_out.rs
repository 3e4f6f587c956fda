//! A new post goes to the timelines of the author's followers.

use super::JobError;
use plaza_base::ids::{Id, PostId, UserId};
use plaza_domain::{Operation, timelines};

/// # Errors
/// The author's shard or Redis is unavailable.
pub async fn run(op: &Operation, post: PostId, author: UserId) -> Result<(), JobError> {
    let pushed = timelines::fan_out(op, post, author).await?;
    let taken = (op.domain.clock.now() - post.created_at()).to_std().unwrap_or_default();
    metrics::counter!("plaza_fan_out_deliveries_total")
        .increment(u64::try_from(pushed).unwrap_or_default());
    metrics::histogram!("plaza_fan_out_seconds").record(taken.as_secs_f64());
    Ok(())
}
