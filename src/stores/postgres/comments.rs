//! Comment rows; on the post's shard.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::entities::Entities;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, CommentId, PostId, UserId};

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
pub struct Comment {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: CommentId,
    /// On which post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// By whom.
    #[diesel(sql_type = BigInt)]
    pub author_id: UserId,
    /// Text.
    #[diesel(sql_type = Text)]
    pub text: String,
    /// The comment that it answers; `None`: it is on the post itself.
    #[diesel(sql_type = Nullable<BigInt>)]
    #[serde(default)]
    pub in_reply_to: Option<CommentId>,
    /// 0 on the post itself, else one more than that of the comment that it answers.
    #[diesel(sql_type = SmallInt)]
    #[serde(default)]
    pub depth: i16,
    /// What the text refers to; `None`: nothing.
    #[diesel(sql_type = Nullable<Jsonb>)]
    #[serde(default)]
    pub entities: Option<Entities>,
    /// How many comments answer it.
    #[diesel(sql_type = BigInt)]
    #[serde(default)]
    pub reply_count: i64,
}

/// A comment to be.
#[derive(Debug, Clone, Copy)]
pub struct NewComment<'a> {
    /// On which post.
    pub post: PostId,
    /// By whom.
    pub author: UserId,
    /// Text.
    pub text: &'a str,
    /// Which comment it answers.
    pub in_reply_to: Option<CommentId>,
    /// How deep in the thread.
    pub depth: i16,
    /// What the text refers to.
    pub entities: &'a Entities,
}

/// Inserts a comment.
///
/// # Errors
/// The server's.
pub async fn insert(
    mut connection: &Connection,
    bucket: Bucket,
    comment: NewComment<'_>,
) -> Result<Comment, StoreError> {
    Ok(prepared(
        sql("WITH made AS (INSERT INTO comments (id, post_id, author_id, text, in_reply_to, depth, entities)
                           VALUES (next_id($1), $2, $3, $4, $5, $6, $7)
                           RETURNING id, post_id, author_id, text, in_reply_to, depth, entities),
                  answer AS (INSERT INTO replies (parent_id, comment_id) SELECT in_reply_to, id FROM made WHERE in_reply_to IS NOT NULL)
             SELECT made.*, 0::bigint AS reply_count FROM made")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(comment.post)
        .bind::<BigInt, _>(comment.author)
        .bind::<Text, _>(comment.text)
        .bind::<Nullable<BigInt>, _>(comment.in_reply_to)
        .bind::<SmallInt, _>(comment.depth)
        .bind::<Nullable<Jsonb>, _>(comment.entities.to_stored()),
    )
    .get_result(&mut connection)
    .await?)
}

/// Rows by id.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[CommentId],
) -> Result<Vec<Comment>, StoreError> {
    Ok(prepared(
        sql("SELECT id, post_id, author_id, text, in_reply_to, depth, entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM comments c WHERE id = ANY($1)")
        .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// Which comments under each of many parents: beyond an id of its own, at most so many each.
#[derive(Debug, Clone, Copy)]
pub struct Beyond<'a> {
    /// Whether they are wanted from the newest back: below the id, else above it.
    pub descending: bool,
    /// The ids, in the order of the parents.
    pub ids: &'a [i64],
    /// Most comments of one parent.
    pub limit: i64,
}

/// The comments on each of these posts themselves.
///
/// # Errors
/// The server's.
pub async fn on_posts(
    connection: &mut Connection,
    posts: &[PostId],
    beyond: Beyond<'_>,
) -> Result<Vec<Comment>, StoreError> {
    let statement = if beyond.descending {
        sql("SELECT c.id, c.post_id, c.author_id, c.text, c.in_reply_to, c.depth, c.entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM unnest($1::bigint[], $2::bigint[]) AS p(id, below)
             CROSS JOIN LATERAL (SELECT * FROM comments
                                 WHERE post_id = p.id AND id < p.below AND in_reply_to IS NULL
                                 ORDER BY id DESC LIMIT $3) c
             ORDER BY c.id DESC")
    } else {
        sql("SELECT c.id, c.post_id, c.author_id, c.text, c.in_reply_to, c.depth, c.entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM unnest($1::bigint[], $2::bigint[]) AS p(id, above)
             CROSS JOIN LATERAL (SELECT * FROM comments
                                 WHERE post_id = p.id AND id > p.above AND in_reply_to IS NULL
                                 ORDER BY id LIMIT $3) c
             ORDER BY c.id")
    };
    Ok(prepared(
        statement
            .bind::<Array<BigInt>, _>(posts)
            .bind::<Array<BigInt>, _>(beyond.ids)
            .bind::<BigInt, _>(beyond.limit),
    )
    .load(connection)
    .await?)
}

/// The answers to each of these comments.
///
/// # Errors
/// The server's.
pub async fn replies(
    connection: &mut Connection,
    comments: &[CommentId],
    beyond: Beyond<'_>,
) -> Result<Vec<Comment>, StoreError> {
    let statement = if beyond.descending {
        sql("SELECT c.id, c.post_id, c.author_id, c.text, c.in_reply_to, c.depth, c.entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM unnest($1::bigint[], $2::bigint[]) AS p(id, below)
             CROSS JOIN LATERAL (SELECT comment_id FROM replies
                                 WHERE parent_id = p.id AND comment_id < p.below
                                 ORDER BY comment_id DESC LIMIT $3) a
             JOIN comments c ON c.id = a.comment_id ORDER BY c.id DESC")
    } else {
        sql("SELECT c.id, c.post_id, c.author_id, c.text, c.in_reply_to, c.depth, c.entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM unnest($1::bigint[], $2::bigint[]) AS p(id, above)
             CROSS JOIN LATERAL (SELECT comment_id FROM replies
                                 WHERE parent_id = p.id AND comment_id > p.above
                                 ORDER BY comment_id LIMIT $3) a
             JOIN comments c ON c.id = a.comment_id ORDER BY c.id")
    };
    Ok(prepared(
        statement
            .bind::<Array<BigInt>, _>(comments)
            .bind::<Array<BigInt>, _>(beyond.ids)
            .bind::<BigInt, _>(beyond.limit),
    )
    .load(connection)
    .await?)
}

/// One comment of a post, or a post without any, with the post's version.
#[derive(Debug, QueryableByName)]
pub struct FirstComment {
    /// The post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// The post's version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Whether the post is deleted.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// The comment's id.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub id: Option<CommentId>,
    /// By whom.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub author_id: Option<UserId>,
    /// Text.
    #[diesel(sql_type = Nullable<Text>)]
    pub text: Option<String>,
    /// What the text refers to.
    #[diesel(sql_type = Nullable<Jsonb>)]
    pub entities: Option<Entities>,
    /// How many comments answer it.
    #[diesel(sql_type = BigInt)]
    pub reply_count: i64,
}

/// The first comments on many posts themselves, oldest first within a post.
///
/// # Errors
/// The server's.
pub async fn first_of_many(
    connection: &mut Connection,
    posts: &[PostId],
    limit: i64,
) -> Result<Vec<FirstComment>, StoreError> {
    Ok(prepared(
        sql("SELECT p.id AS post_id, p.version, p.deleted, c.id, c.author_id, c.text, c.entities,
                    (SELECT count(*) FROM replies r WHERE r.parent_id = c.id) AS reply_count
             FROM posts p
             LEFT JOIN LATERAL (SELECT id, author_id, text, entities FROM comments
                                WHERE post_id = p.id AND in_reply_to IS NULL ORDER BY id LIMIT $2) c ON true
             WHERE p.id = ANY($1) ORDER BY p.id, c.id")
        .bind::<Array<BigInt>, _>(posts)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}
