//! Commenting.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::Comment;
use crate::context::mutation_scope;
use crate::error::{UserError, payload};
use crate::ids::input;
use plaza_domain::comments;

/// A comment to create on a post.
#[derive(InputObject)]
pub struct CommentCreateInput {
    /// Global id of the post to comment on.
    post_id: ID,
    /// Text of 1 to 1,000 characters, at least one of them visible; surrounding white space is
    /// removed.
    text: String,
    /// Global id of the comment on the same post to reply to; its `depth` must be below 8.
    #[graphql(default)]
    in_reply_to_id: Option<ID>,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. A retry with the same key and input returns the first result and
    /// changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Result of creating a comment.
#[derive(SimpleObject)]
pub struct CommentCreatePayload {
    /// The created comment; null if it was not created.
    comment: Option<Comment>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of comments.
#[derive(Debug, Default)]
pub struct CommentMutations;

#[Object]
impl CommentMutations {
    /// Comments on a post, or replies to a comment on it. A user may do so 2,000 times an hour by
    /// default; beyond that the error is `RATE_LIMITED`.
    async fn comment_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment to create.")] input: CommentCreateInput,
    ) -> Option<async_graphql::Result<CommentCreatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let post = self::input("postId", &input.post_id)?;
                let answered = input
                    .in_reply_to_id
                    .as_ref()
                    .map(|id| self::input("inReplyToId", id))
                    .transpose()?;
                comments::create(&scope.op, post, &input.text, answered).await
            };
            let (comment, user_errors) = payload(result.await)?;
            Ok(CommentCreatePayload {
                comment: comment.map(|comment| Comment::new(comment, &scope)),
                user_errors,
            })
        };
        Some(done.await)
    }
}
