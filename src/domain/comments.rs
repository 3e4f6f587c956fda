//! Comments; on the post's shard, oldest first.
use std::collections::HashMap;
use serde::{Deserialize, Serialize};
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::{CommentId, PostId, UserId};
/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment { /// Id.
    pub id: CommentId, /// On which post.
    pub post_id: PostId, /// By whom.
    pub author_id: UserId, /// Text.
    pub text: String }
/// The viewer comments on a post.
pub async fn create(op: &Operation, domain: &Domain, post: PostId, text: &str) -> Result<Comment, DomainError> { todo!() }
/// Comments by id; missing ones and those on invisible posts are left out.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[CommentId]) -> Result<HashMap<CommentId, Comment>, DomainError> { todo!() }
/// A post's comments, oldest first; cursor = comment id.
pub async fn by_post(op: &Operation, domain: &Domain, post: PostId, page: PageRequest) -> Result<Page<Comment>, DomainError> { todo!() }
/// The first `first` comments of many posts: one statement a shard, none when warm (the first 20 of each post are cached); an entry for every id.
pub async fn first_of_many(op: &Operation, domain: &Domain, posts: &[PostId], first: usize) -> Result<HashMap<PostId, Page<Comment>>, DomainError> { todo!() }
