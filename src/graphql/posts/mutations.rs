//! Writing, deleting, liking and passing on posts.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::types::Post;
use crate::context::{Scope, mutation_scope};
use crate::error::{UserError, payload};
use crate::ids::{global, input};
use crate::payload::{Done, inputs, payloads};
use plaza_base::ids::{ImageId, PostId};
use plaza_domain::likes::{self, Liked};
use plaza_domain::{DomainError, posts};

inputs! {
    /// A post to create.
    PostCreateInput {
        /// Text of 1 to 2,000 characters, at least one of them visible; surrounding white space is
        /// removed. It may have at most 20 mentions, 20 hashtags and 100 of both with repetitions.
        text: String,
        /// Global id of a product to show with the post.
        product_id: Option<ID>,
        /// Global id of a post to quote; for a repost, the original is quoted. Posts of private
        /// accounts can be quoted only by their author (`NOT_ALLOWED`).
        #[graphql(default)]
        quoted_post_id: Option<ID>,
        /// Global ids of images to show with the post, at most 4 and distinct, in this order. Each must
        /// be the viewer's own, uploaded for posts, READY and not shown elsewhere.
        #[graphql(default)]
        image_ids: Vec<ID>,
    }
}

inputs! {
    /// The post to delete.
    PostDeleteInput {
        /// Global id of one of the viewer's posts; succeeds if it is already deleted.
        post_id: ID,
    }
}

inputs! {
    /// The post to like.
    PostLikeInput {
        /// Global id of the post; succeeds if the viewer already likes it.
        post_id: ID,
    }
}

inputs! {
    /// The post to unlike.
    PostUnlikeInput {
        /// Global id of the post; succeeds if the viewer does not like it.
        post_id: ID,
    }
}

inputs! {
    /// The post to repost.
    PostRepostInput {
        /// Global id of the post; for a repost, the original is reposted. Succeeds if the viewer has
        /// already reposted it. Posts of private accounts can be reposted only by their author
        /// (`NOT_ALLOWED`).
        post_id: ID,
    }
}

inputs! {
    /// The post whose repost to remove.
    PostUnrepostInput {
        /// Global id of the original or of a repost of it; succeeds if the viewer has not reposted it.
        post_id: ID,
    }
}

/// Result of creating a post.
#[derive(SimpleObject)]
pub struct PostCreatePayload {
    /// The created post; null if it was not created.
    post: Option<async_graphql::Result<Post>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

payloads! {
    /// Result of liking a post.
    PostLikePayload {
        /// The post after the mutation; null if nothing was changed, or if the viewer may no
        /// longer see it.
        post: Post,
    }
}
payloads! {
    /// Result of removing a like.
    PostUnlikePayload {
        /// The post after the mutation; null if nothing was changed, or if the viewer may no
        /// longer see it.
        post: Post,
    }
}

payloads! {
    /// Result of removing a repost.
    PostUnrepostPayload {
        /// The post after the mutation; null if nothing was changed, or if the viewer may no
        /// longer see it.
        post: Post,
    }
}

/// Result of reposting a post.
#[derive(SimpleObject)]
pub struct PostRepostPayload {
    /// The original post; null if it was not reposted.
    post: Option<async_graphql::Result<Post>>,
    /// The viewer's repost, which appears in their followers' home feeds.
    repost: Option<async_graphql::Result<Post>>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// Result of deleting a post.
#[derive(SimpleObject)]
pub struct PostDeletePayload {
    /// Global id of the deleted post; null if it was not deleted.
    deleted_post_id: Option<ID>,
    /// Business errors that prevented the mutation; empty on success.
    user_errors: Vec<UserError>,
}

/// The post after a mutation.
async fn after(
    scope: &Arc<Scope>,
    result: Result<Option<PostId>, DomainError>,
) -> async_graphql::Result<Done<Post>> {
    Done::of(result, async |id: Option<PostId>| Post::answered(scope, id?).await.transpose()).await
}

/// Mutations of posts.
#[derive(Debug, Default)]
pub struct PostMutations;

#[Object]
impl PostMutations {
    /// Creates a post. It is in the viewer's own home feed immediately, and in the followers' home
    /// feeds within moments. A user may create 1,000 posts and reposts an hour by default; beyond
    /// that the error is `RATE_LIMITED`.
    async fn post_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to create.")] input: PostCreateInput,
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

    /// Deletes a post of the viewer, with its images; its reposts disappear with it. `NOT_ALLOWED`
    /// for another user's post.
    async fn post_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to delete.")] input: PostDeleteInput,
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

    /// Likes a post as the viewer. `NOT_FOUND` if the viewer may not see it.
    async fn post_like(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to like.")] input: PostLikeInput,
    ) -> Option<async_graphql::Result<PostLikePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { likes::like(&scope.op, self::input("postId", &input.post_id)?).await };
            let done = Done::of(result.await, async |liked: Liked| match liked.post {
                Some(row) => Some(Ok(Post::new(row, &scope))),
                None => Post::answered(&scope, liked.id).await.transpose(),
            });
            done.await.map(PostLikePayload::from)
        };
        Some(done.await)
    }

    /// Reposts a post: it appears in the home feeds of the viewer's followers within moments.
    async fn post_repost(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to repost.")] input: PostRepostInput,
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

    /// Removes the viewer's repost of a post, and with it the post from their followers' home
    /// feeds.
    async fn post_unrepost(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post whose repost to remove.")] input: PostUnrepostInput,
    ) -> Option<async_graphql::Result<PostUnrepostPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { posts::unrepost(&scope.op, self::input("postId", &input.post_id)?).await };
            after(&scope, result.await).await.map(PostUnrepostPayload::from)
        };
        Some(done.await)
    }

    /// Removes the viewer's like of a post, also when the viewer may no longer see the post.
    async fn post_unlike(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to unlike.")] input: PostUnlikeInput,
    ) -> Option<async_graphql::Result<PostUnlikePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { likes::unlike(&scope.op, self::input("postId", &input.post_id)?).await };
            after(&scope, result.await).await.map(PostUnlikePayload::from)
        };
        Some(done.await)
    }
}
