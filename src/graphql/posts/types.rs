//! A post, as a type.

use std::sync::Arc;

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::comments;
use crate::domain::images::Lifetime;
use crate::domain::posts::Post as Row;
use crate::graphql::analytics::types::PostAnalytics;
use crate::graphql::comments::types::Comment;
use crate::graphql::connection::{Connection, connection, page};
use crate::graphql::context::Scope;
use crate::graphql::error::fault;
use crate::graphql::ids::global;
use crate::graphql::images::types::Image;
use crate::graphql::products::types::Product;
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
        Ok(scope.loaders.post(id).await?.map(|row| Self::new(row, scope)))
    }
}

/// A post.
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

    /// 1 to 2,000 characters.
    async fn text(&self) -> &str {
        &self.row.text
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

    /// How many like it.
    async fn like_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(self.scope.loaders.post_counts(self.row.id).await.map(|counts| counts.unwrap_or_default().likes))
    }

    /// How many comments it has.
    async fn comment_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(self.scope.loaders.post_counts(self.row.id).await.map(|counts| counts.unwrap_or_default().comments))
    }

    /// Its comments, oldest first.
    async fn comments(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Comment>>> {
        let comments = async {
            let request = page::<Comment>(first, after.as_deref())?;
            let page = match request.after {
                None => self.scope.loaders.first_comments((self.row.id, request.first)).await?.unwrap_or_default(),
                Some(_) => {
                    comments::by_post(&self.scope.op, &self.scope.domain, self.row.id, request).await.map_err(|error| fault(&error))?
                }
            };
            Ok(connection(page.map(|comment| Comment::new(comment, &self.scope)), request))
        };
        Some(comments.await)
    }

    /// Whether the viewer likes it; false for the anonymous.
    async fn viewer_has_liked(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.viewer_likes(self.row.id).await.map(Option::unwrap_or_default))
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
