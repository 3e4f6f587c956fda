//! The home timeline: pushed, pulled, rebuilt, and never with a gap.
//!
//! A post is *pushed* to the materialised timelines of its author's followers; authors with very
//! many followers are *pulled* at read. Every source knows its horizon, the id above which it is
//! complete, and a page is emitted only down to the newest of those; below it the shards answer. So
//! scrolling goes on to the first post ever, and nothing is skipped on the way.

mod fan_out;
mod home;
mod merge;
mod pull;
mod rebuild;
mod walk;

pub use fan_out::{fan_out, resume_push};
pub use home::home;
pub(super) use home::is_repeat;
pub use pull::PullAuthors;

use super::{Domain, DomainError};
use plaza_base::ids::UserId;

/// The timeline of `user` is no longer right (a follow, an unfollow): forgets it; the next read
/// rebuilds it.
///
/// # Errors
/// Redis is unavailable: what cannot be forgotten now must be forgotten again.
pub async fn forget(domain: &Domain, user: UserId) -> Result<(), DomainError> {
    Ok(domain.redis.forget_timelines(&[user]).await?)
}
