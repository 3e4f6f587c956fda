//! Which posts have a hashtag; on the posts' shard. Tags are in their normal form.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{PostId, UserId};

#[derive(QueryableByName)]
struct PostRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    posts: i64,
}

/// Adds a post under its tags.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    tags: &[&str],
    post: PostId,
    author: UserId,
) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO hashtags (tag, post_id, author_id) SELECT tag, $2, $3 FROM unnest($1::text[]) AS t(tag)")
            .bind::<Array<Text>, _>(tags)
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(author),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a post from its tags.
///
/// # Errors
/// The server's.
pub async fn delete(
    connection: &mut Connection,
    tags: &[&str],
    post: PostId,
) -> Result<(), StoreError> {
    prepared(
        sql("DELETE FROM hashtags WHERE tag = ANY($1) AND post_id = $2")
            .bind::<Array<Text>, _>(tags)
            .bind::<BigInt, _>(post),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// This shard's posts with a tag below an id, newest first.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    tag: &str,
    below: i64,
    limit: i64,
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<PostRow> = prepared(
        sql("SELECT post_id FROM hashtags WHERE tag = $1 AND post_id < $2 ORDER BY post_id DESC LIMIT $3")
            .bind::<Text, _>(tag)
            .bind::<BigInt, _>(below)
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.post_id).collect())
}

/// How many of this shard's posts with a tag are by users whose posts everybody may see; counted
/// up to `most`.
///
/// # Errors
/// The server's.
pub async fn count_open(
    connection: &mut Connection,
    tag: &str,
    most: i64,
) -> Result<i64, StoreError> {
    let row: CountRow = prepared(
        sql("SELECT count(*) AS posts FROM (SELECT 1 FROM hashtags h JOIN users u ON u.id = h.author_id
             WHERE h.tag = $1 AND NOT u.is_private AND u.suspended_at IS NULL LIMIT $2) open")
        .bind::<Text, _>(tag)
        .bind::<BigInt, _>(most),
    )
    .get_result(connection)
    .await?;
    Ok(row.posts)
}
