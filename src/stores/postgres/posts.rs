//! Post rows.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::images::Pictures;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::ids::{Bucket, PostId, ProductId, UserId};
use crate::stores::StoreError;

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
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: PostId,
}

/// Inserts a post; its id.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    bucket: Bucket,
    author: i64,
    text: &str,
    product: Option<i64>,
    images: Option<&serde_json::Value>,
) -> Result<PostId, StoreError> {
    let row: IdRow = prepared(
        sql("INSERT INTO posts (id, author_id, text, product_id, images) VALUES (next_id($1), $2, $3, $4, $5) RETURNING id")
            .bind::<Integer, _>(i32::from(bucket.number()))
            .bind::<BigInt, _>(author)
            .bind::<Text, _>(text)
            .bind::<Nullable<BigInt>, _>(product)
            .bind::<Nullable<Jsonb>, _>(images),
    )
    .get_result(connection)
    .await?;
    Ok(row.id)
}

/// Rows by id, deleted ones too.
///
/// # Errors
/// The server's.
pub async fn get_many(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Post>, StoreError> {
    Ok(prepared(sql("SELECT id, author_id, text, product_id, images, deleted FROM posts WHERE id = ANY($1)").bind::<Array<BigInt>, _>(ids))
        .load(connection)
        .await?)
}

/// An author's posts below an id, newest first.
///
/// # Errors
/// The server's.
pub async fn by_author(connection: &mut Connection, author: i64, below: i64, limit: i64) -> Result<Vec<Post>, StoreError> {
    Ok(prepared(
        sql("SELECT id, author_id, text, product_id, images, deleted FROM posts
             WHERE author_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3")
        .bind::<BigInt, _>(author)
        .bind::<BigInt, _>(below)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
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
}

/// Locks a post.
///
/// # Errors
/// The server's.
pub async fn lock(connection: &mut Connection, id: i64) -> Result<Option<Locked>, StoreError> {
    Ok(prepared(sql("SELECT author_id, version, images, deleted FROM posts WHERE id = $1 FOR UPDATE").bind::<BigInt, _>(id))
        .get_result(connection)
        .await
        .optional()?)
}

/// Sets a locked post's next version, and whether it is deleted.
///
/// # Errors
/// The server's.
pub async fn raise(connection: &mut Connection, id: i64, version: i64, deleted: bool) -> Result<(), StoreError> {
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
