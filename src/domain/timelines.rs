//! The home timeline: pushed, pulled, rebuilt, and never with a gap.
use std::sync::Arc;
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::{PostId, UserId};
/// Authors with too many followers to push to; refreshed in the background from the shards.
#[derive(Debug, Clone, Default)]
pub struct PullAuthors(Arc<std::sync::RwLock<Arc<Vec<UserId>>>>);
impl PullAuthors {
    /// Loads the list from all shards; called every second by the roles that serve or fan out.
    pub async fn refresh(&self, domain: &Domain) -> Result<(), DomainError> { todo!() }
}
/// The viewer's home: posts of the people they follow, newest first, to the first one ever; cursor = post id.
pub async fn home(op: &Operation, domain: &Domain, page: PageRequest) -> Result<Page<super::posts::Post>, DomainError> { todo!() }
/// Puts a post on the timelines of the author's followers; how many it was pushed to.
pub async fn fan_out(op: &Operation, domain: &Domain, post: PostId, author: UserId) -> Result<usize, DomainError> { todo!() }
/// Pushes what was only pulled, then ends the author's pull mode.
pub async fn resume_push(op: &Operation, domain: &Domain, author: UserId) -> Result<(), DomainError> { todo!() }
/// The timeline of `user` is no longer right (a follow, unfollow): forget it; the next read rebuilds it.
pub async fn forget(domain: &Domain, user: UserId) -> Result<(), DomainError> { todo!() }
