//! Posts.
use std::collections::HashMap;
use serde::{Deserialize, Serialize};
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::{PostId, ProductId, UserId};
/// A post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post { /// Id.
    pub id: PostId, /// Who wrote it.
    pub author_id: UserId, /// Text.
    pub text: String, /// A product shown with it.
    pub product_id: Option<ProductId>, /// Deleted: shown to nobody.
    pub deleted: bool }
/// A post's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostCounts { /// Likes.
    pub likes: i64, /// Comments.
    pub comments: i64, /// The post's version they were counted at.
    pub version: i64 }
/// The viewer writes a post.
pub async fn create(op: &Operation, domain: &Domain, text: &str, product_id: Option<ProductId>) -> Result<PostId, DomainError> { todo!() }
/// The viewer deletes a post of theirs.
pub async fn delete(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> { todo!() }
/// Posts by id that the viewer may see, through the cache; the others are left out. A shard that is away fails the whole call.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[PostId]) -> Result<HashMap<PostId, Post>, DomainError> { todo!() }
/// An author's posts, newest first; cursor = post id.
pub async fn by_author(op: &Operation, domain: &Domain, author: UserId, page: PageRequest) -> Result<Page<Post>, DomainError> { todo!() }
/// Counts by post, through the cache; an entry for every id.
pub async fn counts_many(op: &Operation, domain: &Domain, ids: &[PostId]) -> Result<HashMap<PostId, PostCounts>, DomainError> { todo!() }
