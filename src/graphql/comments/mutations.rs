//! Commenting.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::Comment;
use crate::domain::comments;
use crate::graphql::context::mutation_scope;
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::input;

/// A comment to be.
#[derive(InputObject)]
pub struct CommentCreateInput {
    /// On which post.
    post_id: ID,
    /// The text: 1 to 1,000 characters, one of them visible; white space around it is dropped.
    text: String,
    /// A comment on the same post that it answers.
    #[graphql(default)]
    in_reply_to_id: Option<ID>,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The new comment.
#[derive(SimpleObject)]
pub struct CommentCreatePayload {
    /// The comment.
    comment: Option<Comment>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of comments.
#[derive(Debug, Default)]
pub struct CommentMutations;

#[Object]
impl CommentMutations {
    /// The viewer comments on a post, or answers a comment on it.
    async fn comment_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment.")] input: CommentCreateInput,
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
