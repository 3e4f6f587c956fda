//! A post, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::comments;
use crate::domain::images::Lifetime;
use crate::domain::posts::{self, Post as Row, PostCounts, ShareCounts};
use crate::graphql::analytics::types::PostAnalytics;
use crate::graphql::comments::types::Comment;
use crate::graphql::connection::Connection;
use crate::graphql::context::Scope;
use crate::graphql::cursors::List;
use crate::graphql::error::fault;
use crate::graphql::ids::global;
use crate::graphql::images::types::Image;
use crate::graphql::loaders::{FirstComments, ViewerLikes, ViewerReposts};
use crate::graphql::output;
use crate::graphql::products::types::Product;
use crate::graphql::references::types::TextEntity;
use crate::graphql::users::types::User;
use crate::ids::{Id, PostId};

/// A post.
#[derive(Debug, Clone)]
pub struct Post {
    row: Arc<Row>,
    scope: Arc<Scope>,
}

impl Post {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row: Arc::new(row), scope: Arc::clone(scope) }
    }

    /// A post by id, through the loader; none that the viewer may not see.
    ///
    /// # Errors
    /// A shard that is away.
    pub async fn load(scope: &Arc<Scope>, id: PostId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }

    /// A post that a mutation of the viewer's was answered with, the first time or again.
    ///
    /// # Errors
    /// A shard that is away.
    pub async fn answered(scope: &Arc<Scope>, id: PostId) -> async_graphql::Result<Option<Self>> {
        let found = posts::answered(&scope.op, id).await;
        Ok(found.map_err(|error| fault(&error))?.map(|row| Self::new(row, scope)))
    }
}

/// A post, or somebody's passing on of another: then `repostOf` is that one, and what counts is counted there.
#[Object]
impl Post {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Who wrote it.
    async fn author(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.author_id).await.transpose()
    }

    /// 1 to 2,000 characters; empty in a repost.
    async fn text(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.text)
    }

    /// The mentions and hashtags in the text, in its order, at most 100.
    async fn entities(&self) -> Vec<TextEntity> {
        TextEntity::all(self.row.entities.as_ref(), &self.scope)
    }

    /// The images shown with it, at most 4, in order; each is READY.
    async fn images(&self) -> Vec<Image> {
        let shown = self.row.images.iter().flat_map(|shown| &shown.0);
        shown.map(|picture| Image::shown(picture.clone(), Lifetime::Content, &self.scope)).collect()
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// The post that this one only passes on, as written; null when it is no repost. A repost is there only for those who may see both.
    async fn repost_of(&self) -> Option<async_graphql::Result<Post>> {
        Self::load(&self.scope, self.row.repost_of?).await.transpose()
    }

    /// Whether it says something about another post.
    async fn is_quote(&self) -> bool {
        self.row.quoted_post_id.is_some()
    }

    /// The post that it says something about; null when it quotes none, or one that was deleted or that the viewer may not see.
    async fn quoted_post(&self) -> Option<async_graphql::Result<Post>> {
        Self::load(&self.scope, self.row.quoted_post_id?).await.transpose()
    }

    /// How many pass it on; a repost is counted a moment after it was made.
    async fn repost_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get::<ShareCounts>(self.row.subject())
                .await
                .map(|counts| counts.unwrap_or_default().reposts),
        )
    }

    /// How many posts quote it; a quote is counted a moment after it was written.
    async fn quote_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get::<ShareCounts>(self.row.subject())
                .await
                .map(|counts| counts.unwrap_or_default().quotes),
        )
    }

    /// Whether the viewer passes it on; false for the anonymous.
    async fn viewer_has_reposted(&self) -> Option<async_graphql::Result<bool>> {
        Some(
            self.scope
                .loaders
                .get::<ViewerReposts>(self.row.subject())
                .await
                .map(Option::unwrap_or_default),
        )
    }

    /// How many like it.
    async fn like_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get::<PostCounts>(self.row.subject())
                .await
                .map(|counts| counts.unwrap_or_default().likes),
        )
    }

    /// How many comments it has, answers to comments included.
    async fn comment_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get::<PostCounts>(self.row.subject())
                .await
                .map(|counts| counts.unwrap_or_default().comments),
        )
    }

    /// The comments on it, oldest first; the answers to each are the comment's `replies`.
    async fn comments(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Comment>>> {
        let comments = async {
            let list = List::new(&self.scope, "Post.comments", self.row.subject());
            let request = list.page(first, after.as_deref())?;
            let page = match request.after {
                None => self
                    .scope
                    .loaders
                    .get::<FirstComments>((self.row.subject(), request.first))
                    .await?
                    .unwrap_or_default(),
                Some(_) => comments::by_post(&self.scope.op, self.row.subject(), request)
                    .await
                    .map_err(|error| fault(&error))?,
            };
            Ok(list.connection(page.map(|comment| Comment::new(comment, &self.scope)), request))
        };
        Some(comments.await)
    }

    /// Whether the viewer likes it; false for the anonymous.
    async fn viewer_has_liked(&self) -> Option<async_graphql::Result<bool>> {
        Some(
            self.scope
                .loaders
                .get::<ViewerLikes>(self.row.subject())
                .await
                .map(Option::unwrap_or_default),
        )
    }

    /// The product shown with it.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        match self.row.product_id {
            Some(id) => Product::load(&self.scope, id).await.transpose(),
            None => None,
        }
    }

    /// Views and reach; for its author.
    async fn analytics(&self) -> Option<async_graphql::Result<PostAnalytics>> {
        Some(PostAnalytics::of(&self.row, &self.scope).await)
    }
}
