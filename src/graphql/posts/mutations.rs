//! Writing, deleting, liking and passing on posts.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::Post;
use crate::domain::{DomainError, likes, posts};
use crate::graphql::context::{Scope, mutation_scope};
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::{global, input};
use crate::ids::{ImageId, PostId};

/// A post to be.
#[derive(InputObject)]
pub struct PostCreateInput {
    /// The text: 1 to 2,000 characters, one of them visible; white space around it is dropped.
    text: String,
    /// A product to show with it.
    product_id: Option<ID>,
    /// A post that it says something about; of a repost, the original is meant. Posts of private people cannot be quoted by others.
    #[graphql(default)]
    quoted_post_id: Option<ID>,
    /// Images to show with it, at most 4, in this order: the viewer's own, made for posts, READY, and shown by nothing else.
    #[graphql(default)]
    image_ids: Vec<ID>,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which post.
#[derive(InputObject)]
pub struct PostDeleteInput {
    /// One of the viewer's; deleted already is fine.
    post_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which post.
#[derive(InputObject)]
pub struct PostLikeInput {
    /// Liked already is fine.
    post_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which post.
#[derive(InputObject)]
pub struct PostUnlikeInput {
    /// Never liked is fine.
    post_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which post.
#[derive(InputObject)]
pub struct PostRepostInput {
    /// Of a repost, the original is meant; reposted already is fine. Posts of private people cannot be passed on by others.
    post_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which post.
#[derive(InputObject)]
pub struct PostUnrepostInput {
    /// The original, or a repost of it; never reposted is fine.
    post_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

macro_rules! post_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// The post.
            post: Option<async_graphql::Result<Post>>,
            /// Why not.
            user_errors: Vec<UserError>,
        }

        impl $name {
            async fn new(scope: &Arc<Scope>, result: Result<Option<PostId>, DomainError>) -> async_graphql::Result<Self> {
                let (id, user_errors) = payload(result)?;
                let post = match id.flatten() {
                    // It is done; that it cannot be shown must not read as if it were not.
                    Some(id) => Post::answered(scope, id).await.transpose(),
                    None => None,
                };
                Ok(Self { post, user_errors })
            }
        }
    };
}

/// The new post.
#[derive(SimpleObject)]
pub struct PostCreatePayload {
    /// The post.
    post: Option<async_graphql::Result<Post>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

post_payload! {
    /// The post, liked.
    PostLikePayload
}
post_payload! {
    /// The post, not liked.
    PostUnlikePayload
}

post_payload! {
    /// The post, no longer passed on.
    PostUnrepostPayload
}

/// What was passed on.
#[derive(SimpleObject)]
pub struct PostRepostPayload {
    /// The original.
    post: Option<async_graphql::Result<Post>>,
    /// The viewer's repost of it, which is in their followers' home feeds.
    repost: Option<async_graphql::Result<Post>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// What was deleted.
#[derive(SimpleObject)]
pub struct PostDeletePayload {
    /// The id of the post that is gone.
    deleted_post_id: Option<ID>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of posts.
#[derive(Debug, Default)]
pub struct PostMutations;

#[Object]
impl PostMutations {
    /// The viewer writes a post; it is in the viewer's own home feed at once, and in the followers' within moments.
    async fn post_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post.")] input: PostCreateInput,
    ) -> Option<async_graphql::Result<PostCreatePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let product =
                    input.product_id.as_ref().map(|id| self::input("productId", id)).transpose()?;
                let quoted = input
                    .quoted_post_id
                    .as_ref()
                    .map(|id| self::input("quotedPostId", id))
                    .transpose()?;
                let images = input
                    .image_ids
                    .iter()
                    .map(|id| self::input("imageIds", id))
                    .collect::<Result<Vec<ImageId>, DomainError>>()?;
                let new = posts::NewPost {
                    text: input.text,
                    product_id: product,
                    quoted_post_id: quoted,
                    image_ids: images,
                };
                posts::create(&scope.op, new).await
            };
            let (post, user_errors) = payload(result.await)?;
            Ok(PostCreatePayload { post: post.map(|row| Ok(Post::new(row, &scope))), user_errors })
        };
        Some(done.await)
    }

    /// The viewer deletes a post of theirs; it is gone from everywhere.
    async fn post_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: PostDeleteInput,
    ) -> Option<async_graphql::Result<PostDeletePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { posts::delete(&scope.op, self::input("postId", &input.post_id)?).await };
            let (id, user_errors) = payload(result.await)?;
            Ok(PostDeletePayload { deleted_post_id: id.map(global), user_errors })
        };
        Some(done.await)
    }

    /// The viewer likes a post.
    async fn post_like(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: PostLikeInput,
    ) -> Option<async_graphql::Result<PostLikePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                likes::like(&scope.op, self::input("postId", &input.post_id)?).await.map(Some)
            };
            PostLikePayload::new(&scope, result.await).await
        };
        Some(done.await)
    }

    /// The viewer passes a post on: their followers have it in their home feeds within moments, as the viewer's repost.
    async fn post_repost(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: PostRepostInput,
    ) -> Option<async_graphql::Result<PostRepostPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { posts::repost(&scope.op, self::input("postId", &input.post_id)?).await };
            let (done, user_errors) = payload(result.await)?;
            let Some(done) = done else {
                return Ok(PostRepostPayload { post: None, repost: None, user_errors });
            };
            let (post, repost) = futures_util::future::join(
                Post::answered(&scope, done.original),
                Post::answered(&scope, done.repost),
            )
            .await;
            Ok(PostRepostPayload {
                post: post.transpose(),
                repost: repost.transpose(),
                user_errors,
            })
        };
        Some(done.await)
    }

    /// The viewer no longer passes a post on; it is gone from their followers' home feeds.
    async fn post_unrepost(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: PostUnrepostInput,
    ) -> Option<async_graphql::Result<PostUnrepostPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { posts::unrepost(&scope.op, self::input("postId", &input.post_id)?).await };
            PostUnrepostPayload::new(&scope, result.await).await
        };
        Some(done.await)
    }

    /// The viewer takes a like back.
    async fn post_unlike(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: PostUnlikeInput,
    ) -> Option<async_graphql::Result<PostUnlikePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { likes::unlike(&scope.op, self::input("postId", &input.post_id)?).await };
            PostUnlikePayload::new(&scope, result.await).await
        };
        Some(done.await)
    }
}
