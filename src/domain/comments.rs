//! Comments and the answers to them; on the post's shard, oldest first.

use std::collections::HashMap;

use futures_util::future::try_join;

use super::posts::{self, PostCounts};
use super::threads::FirstComments;
use super::{
    DomainError, Mutation, Operation, Tx, UserErrorCode, mutate_from, policy, references, text,
};
use plaza_base::ids::{CommentId, Id, PostId, UserId};
use plaza_protocol::events::Event;
use plaza_stores::postgres::{comments as store, posts as post_rows};
use plaza_stores::redis::Shared;

pub use super::threads::{by_post, first_of_many, replies, replies_of_many};

/// A comment; copies are one row.
pub type Comment = Shared<store::Comment>;

/// How deep a thread goes: a comment at this depth cannot be answered.
pub const MAX_DEPTH: i16 = 8;

/// The viewer comments on a post, or answers a comment on it.
///
/// # Errors
/// A text out of bounds, a post or comment that is not there, a thread that is too deep; its shard
/// is unavailable.
pub async fn create(
    op: &Operation,
    id: PostId,
    text: &str,
    in_reply_to: Option<CommentId>,
) -> Result<Comment, DomainError> {
    let author = op.require_viewer()?.user_id;
    let checked = text::checked("text", text, text::COMMENT_TEXT)
        .map_err(|error| DomainError::Rejected(vec![error]))?;
    // Who comments on a repost comments on the original.
    let post = posts::subject_of(op, "postId", id).await?;
    mutate_from(
        op,
        Mutation {
            name: "commentCreate",
            user: author,
            shard: op.domain.cluster.shard_of_id(post),
            input: &(id, text, in_reply_to),
        },
        drafted(op, (id, post), &checked, in_reply_to),
        async |connection, draft| {
            let new = store::NewComment {
                post,
                author,
                text: &checked,
                in_reply_to,
                depth: draft.answered.as_ref().map_or(0, |answered| answered.depth + 1),
                entities: &draft.entities,
            };
            let (version, row) = try_join(
                post_rows::advance(connection, post),
                store::insert(connection, post.bucket(), new),
            )
            .await?;
            let version = version.ok_or_else(|| posts::missing("postId"))?;
            Ok((draft, version, Comment::from(row)))
        },
        async |tx, (draft, version, comment)| {
            let answered = draft.answered.as_ref();
            written(tx, &comment, answered, version);
            let place = references::Place { author, post, comment: Some(comment.id) };
            references::emit(tx, &draft.mentioned, place);
            tx.invalidate::<PostCounts>(post, version);
            tx.invalidate::<FirstComments>(post, version);
            Ok(comment)
        },
    )
    .await
}

/// A comment that may be written.
struct Draft {
    answered: Option<Comment>,
    entities: references::Entities,
    /// Who is mentioned in it and is to be notified.
    mentioned: Vec<UserId>,
}

/// `id` is the post that the viewer named, `post` the one that is commented on.
async fn drafted(
    op: &Operation,
    (id, post): (PostId, PostId),
    text: &str,
    in_reply_to: Option<CommentId>,
) -> Result<Draft, DomainError> {
    let mut row = posts::require_visible(op, "postId", id).await?;
    if row.id != post {
        row = posts::require_visible(op, "postId", post).await?;
    }
    let answered = match in_reply_to {
        Some(id) => Some(answerable(op, post, id).await?),
        None => None,
    };
    let entities = references::of_text(op, text).await?;
    // Whoever is notified of the comment as such is not notified of the mention too.
    let answered_author = answered.as_ref().map(|answered| answered.author_id);
    let otherwise: Vec<UserId> = std::iter::once(row.author_id).chain(answered_author).collect();
    let mentioned = references::to_tell(op, &entities, &otherwise).await?;
    Ok(Draft { answered, entities, mentioned })
}

/// A comment on a post, for the viewer to answer.
async fn answerable(op: &Operation, post: PostId, id: CommentId) -> Result<Comment, DomainError> {
    let mut found = get_many(op, &[id]).await?;
    if found.is_empty() {
        // It may be too new for the replica.
        let fresh = op.fresh();
        found = get_many(&fresh, &[id]).await?;
    }
    let Some(comment) = found.remove(&id).filter(|comment| comment.post_id == post) else {
        return Err(DomainError::rejected(
            UserErrorCode::NotFound,
            "inReplyToId",
            "there is no such comment on this post",
        ));
    };
    if comment.depth >= MAX_DEPTH {
        let deep =
            format!("a thread is at most {MAX_DEPTH} answers deep: answer the comment above");
        return Err(DomainError::rejected(UserErrorCode::LimitExceeded, "inReplyToId", deep));
    }
    Ok(comment)
}

/// Publishes a new comment: on the post's own shard, and on that of whoever it answers.
fn written(tx: &mut Tx, comment: &Comment, answered: Option<&Comment>, version: i64) {
    let (post_id, comment_id, author_id) = (comment.post_id, comment.id, comment.author_id);
    let Some(answered) = answered else {
        return tx.emit(Event::PostCommented { post_id, comment_id, author_id }, version);
    };
    let answered_id = answered.author_id;
    tx.emit(Event::PostReplied { post_id, comment_id, author_id, answered_id }, version);
    tx.emit(Event::CommentAnswered { user_id: answered_id, author_id, comment_id }, 1);
}

/// Comments by id; missing ones and those on posts the viewer may not see are left out, but the
/// viewer's own: what they wrote they find, whatever became of the post.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[CommentId],
) -> Result<HashMap<CommentId, Comment>, DomainError> {
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection, ids| {
            store::get_many(connection, ids).await
        })
        .await
        .complete()?;
    let comments: Vec<Comment> = rows.into_iter().flatten().map(Comment::from).collect();
    let on: Vec<PostId> = comments.iter().map(|comment| comment.post_id).collect();
    let visible = posts::get_many(op, &on).await?;
    let heard = policy::passing(
        op,
        comments.iter().map(|comment| comment.author_id),
        policy::voice_is_visible,
    )
    .await?;
    let is_own =
        |comment: &Comment| op.viewer.is_some_and(|viewer| viewer.user_id == comment.author_id);
    let shown = |comment: &Comment| {
        is_own(comment)
            || (visible.contains_key(&comment.post_id) && heard.contains(&comment.author_id))
    };
    Ok(comments.into_iter().filter(shown).map(|comment| (comment.id, comment)).collect())
}
