//! Post rows.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::entities::Entities;
use super::images::Pictures;
use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use crate::redis::cache::Cached;
use plaza_base::ids::{Bucket, PostId, ProductId, UserId};

/// A post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
pub struct Post {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: PostId,
    /// Who wrote it.
    #[diesel(sql_type = BigInt)]
    pub author_id: UserId,
    /// Text.
    #[diesel(sql_type = Text)]
    pub text: String,
    /// A product shown with it.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub product_id: Option<ProductId>,
    /// Images shown with it.
    #[diesel(sql_type = Nullable<Jsonb>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Pictures>,
    /// Deleted: shown to nobody.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// The post that this one only passes on: it has no text, likes or comments of its own.
    #[diesel(sql_type = Nullable<BigInt>)]
    #[serde(default)]
    pub repost_of: Option<PostId>,
    /// The post that this one says something about.
    #[diesel(sql_type = Nullable<BigInt>)]
    #[serde(default)]
    pub quoted_post_id: Option<PostId>,
    /// What the text refers to; `None`: nothing.
    #[diesel(sql_type = Nullable<Jsonb>)]
    #[serde(default)]
    pub entities: Option<Entities>,
}

/// A post never changes but by being deleted.
impl Cached for Post {
    type Key = PostId;
    const KIND: &'static str = "post";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        if self.deleted { DELETED } else { 1 }
    }
}

/// The cached version of a deleted post.
pub const DELETED: i64 = 2;

impl Post {
    /// The post that likes, comments and counts belong to: the original, when this is a repost.
    pub fn subject(&self) -> PostId {
        self.repost_of.unwrap_or(self.id)
    }
}

/// A post to be.
#[derive(Debug, Clone, Copy)]
pub struct NewPost<'a> {
    /// Whose.
    pub author: UserId,
    /// Text.
    pub text: &'a str,
    /// A product shown with it.
    pub product: Option<ProductId>,
    /// The post that it says something about.
    pub quoted: Option<PostId>,
    /// What the text refers to.
    pub entities: &'a Entities,
    /// The images shown with it, as stored.
    pub images: Option<&'a serde_json::Value>,
}

/// Inserts a post; its row.
///
/// # Errors
/// The server's.
pub async fn insert(
    mut connection: &Connection,
    bucket: Bucket,
    post: NewPost<'_>,
) -> Result<Post, StoreError> {
    Ok(prepared(
        sql("INSERT INTO posts (id, author_id, text, product_id, quoted_post_id, entities, images)
             VALUES (next_id($1), $2, $3, $4, $5, $6, $7)
             RETURNING id, author_id, text, product_id, images, deleted, repost_of, quoted_post_id, entities")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(post.author)
        .bind::<Text, _>(post.text)
        .bind::<Nullable<BigInt>, _>(post.product)
        .bind::<Nullable<BigInt>, _>(post.quoted)
        .bind::<Nullable<Jsonb>, _>(post.entities.to_stored())
        .bind::<Nullable<Jsonb>, _>(post.images),
    )
    .get_result(&mut connection)
    .await?)
}

/// Rows by id, deleted ones too.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[PostId],
) -> Result<Vec<Post>, StoreError> {
    Ok(prepared(
        sql("SELECT id, author_id, text, product_id, images, deleted, repost_of, quoted_post_id, entities FROM posts WHERE id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// An author's posts, by id.
///
/// # Errors
/// The server's.
pub async fn by_author(
    connection: &mut Connection,
    author: UserId,
    keyset: Keyset,
) -> Result<Vec<Post>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT id, author_id, text, product_id, images, deleted, repost_of, quoted_post_id, entities FROM posts
             WHERE author_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3")
    } else {
        sql("SELECT id, author_id, text, product_id, images, deleted, repost_of, quoted_post_id, entities FROM posts
             WHERE author_id = $1 AND NOT deleted AND id > $2 ORDER BY id LIMIT $3")
    };
    Ok(prepared(
        statement
            .bind::<BigInt, _>(author)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?)
}

/// This shard's newest posts below an id, without reposts: their ids, newest first.
///
/// # Errors
/// The server's.
pub async fn newest(
    connection: &mut Connection,
    below: i64,
    limit: i64,
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<PostIdRow> = prepared(
        sql("SELECT id FROM posts WHERE id < $1 AND NOT deleted AND repost_of IS NULL ORDER BY id DESC LIMIT $2")
            .bind::<BigInt, _>(below)
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct PostIdRow {
    #[diesel(sql_type = BigInt)]
    id: PostId,
}

/// What a change to a post must know.
#[derive(Debug, Clone, QueryableByName)]
pub struct Locked {
    /// Whose.
    #[diesel(sql_type = BigInt)]
    pub author_id: UserId,
    /// Its version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Images shown with it.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub images: Option<Pictures>,
    /// Deleted already.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// The post that it is a repost of.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub repost_of: Option<PostId>,
    /// The post that it quotes.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub quoted_post_id: Option<PostId>,
    /// What its text refers to.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub entities: Option<Entities>,
}

/// Locks a post.
///
/// # Errors
/// The server's.
pub async fn lock(connection: &mut Connection, id: PostId) -> Result<Option<Locked>, StoreError> {
    Ok(prepared(
        sql("SELECT author_id, version, images, deleted, repost_of, quoted_post_id, entities FROM posts WHERE id = $1 FOR UPDATE")
            .bind::<BigInt, _>(id),
    )
    .get_result(connection)
    .await
    .optional()?)
}

#[derive(QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// Locks a post and sets its next version, which is returned; `None` when it is deleted.
///
/// # Errors
/// The server's.
pub async fn advance(mut connection: &Connection, id: PostId) -> Result<Option<i64>, StoreError> {
    let row: Option<VersionRow> = prepared(
        sql("UPDATE posts SET version = version + 1 WHERE id = $1 AND NOT deleted
             RETURNING version")
        .bind::<BigInt, _>(id),
    )
    .get_result(&mut connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.version))
}

/// Sets a locked post's next version, and whether it is deleted.
///
/// # Errors
/// The server's.
pub async fn raise(
    connection: &mut Connection,
    id: PostId,
    version: i64,
    deleted: bool,
) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE posts SET version = $2, deleted = $3 WHERE id = $1")
            .bind::<BigInt, _>(id)
            .bind::<BigInt, _>(version)
            .bind::<Bool, _>(deleted),
    )
    .execute(connection)
    .await?;
    Ok(())
}
