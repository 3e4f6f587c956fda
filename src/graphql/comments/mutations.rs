//! Commenting.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::types::Comment;
use crate::context::mutation_scope;
use crate::error::{UserError, payload};
use crate::ids::input;
use crate::payload::inputs;
use plaza_domain::comments;

inputs! {
    /// A comment to create on a post.
    CommentCreateInput {
        /// Global id of the post to comment on.
        post_id: ID,
        /// Text of 1 to 1,000 characters, at least one of them visible; surrounding white space is
        /// removed.
        text: String,
        /// Global id of the comment on the same post to reply to; its `depth` must be below 8.
        #[graphql(default)]
        in_reply_to_id: Option<ID>,
    }
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
