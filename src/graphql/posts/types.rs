//! A post, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::analytics::types::PostAnalytics;
use crate::comments::types::Comment;
use crate::connection::Connection;
use crate::context::Scope;
use crate::cursors::List;
use crate::error::fault;
use crate::ids::global;
use crate::images::types::Image;
use crate::lists::Listing;
use crate::loaders::{FirstComments, ViewerLikes, ViewerReposts};
use crate::output;
use crate::products::types::Product;
use crate::references::types::TextEntity;
use crate::users::types::User;
use plaza_base::ids::{Id, PostId};
use plaza_domain::PageRequest;
use plaza_domain::comments;
use plaza_domain::images::Lifetime;
use plaza_domain::likes;
use plaza_domain::posts::{self, Post as Row, PostCounts, ShareCounts, ShareKind};

/// A post.
#[derive(Debug, Clone)]
pub struct Post {
    row: Row,
    scope: Arc<Scope>,
}

impl Post {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row, scope: Arc::clone(scope) }
    }

    /// A post by id, through the loader; none that the viewer may not see.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn load(scope: &Arc<Scope>, id: PostId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }

    /// A post that a mutation of the viewer's was answered with, the first time or again.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn answered(scope: &Arc<Scope>, id: PostId) -> async_graphql::Result<Option<Self>> {
        let found = posts::answered(&scope.op, id).await;
        Ok(found.map_err(|error| fault(&error))?.map(|row| Self::new(row, scope)))
    }

    /// A page of the posts that share it.
    async fn sharing(
        &self,
        list: List,
        kind: ShareKind,
        request: async_graphql::Result<PageRequest>,
    ) -> async_graphql::Result<Connection<Self>> {
        let request = request?;
        let page = posts::sharing(&self.scope.op, self.row.subject(), kind, request)
            .await
            .map_err(|error| fault(&error))?;
        Ok(list.connection(page.map(|post| Self::new(post, &self.scope)), request))
    }
}

/// A post or a repost. A repost names the original in `repostOf`, and its counts are those of the
/// original.
#[Object]
impl Post {
    /// Global id of the post.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Author of the post; null if the viewer may not see them.
    async fn author(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.author_id).await.transpose()
    }

    /// Text of 1 to 2,000 characters; empty for a repost.
    async fn text(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.text)
    }

    /// Mentions, hashtags and links in the text, in order of position; at most 100 mentions and
    /// hashtags.
    async fn entities(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<TextEntity>> {
        let entities = self.row.entities.as_ref();
        output::list(ctx, TextEntity::all(entities, &self.row.text, &self.scope))
    }

    /// Images of the post, at most 4, in order; each is READY.
    async fn images(&self) -> Vec<Image> {
        let shown = self.row.images.iter().flat_map(|shown| &shown.0);
        shown.map(|picture| Image::shown(picture.clone(), Lifetime::Content, &self.scope)).collect()
    }

    /// Time at which the post was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// The original of a repost; null for any other post. A repost is visible only to users who may
    /// see both authors.
    async fn repost_of(&self) -> Option<async_graphql::Result<Post>> {
        Self::load(&self.scope, self.row.repost_of?).await.transpose()
    }

    /// Whether the post quotes another post.
    async fn is_quote(&self) -> bool {
        self.row.quoted_post_id.is_some()
    }

    /// The quoted post; null if the post is not a quote, or if the quoted post was deleted or the
    /// viewer may not see it.
    async fn quoted_post(&self) -> Option<async_graphql::Result<Post>> {
        Self::load(&self.scope, self.row.quoted_post_id?).await.transpose()
    }

    /// Number of reposts; a new repost is counted within moments.
    async fn repost_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get_or_default::<ShareCounts>(self.row.subject())
                .await
                .map(|counts| counts.reposts),
        )
    }

    /// Number of posts that quote it; a new quote is counted within moments.
    async fn quote_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get_or_default::<ShareCounts>(self.row.subject())
                .await
                .map(|counts| counts.quotes),
        )
    }

    /// Reposts of it that the viewer may see, newest first; a new repost is listed within moments.
    async fn reposts(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let list = List::new(&self.scope, "Post.reposts", self.row.subject());
        let request = list.page_of_either_end((first, after.as_deref()), (last, before.as_deref()));
        Some(self.sharing(list, ShareKind::Repost, request).await)
    }

    /// Posts that quote it and that the viewer may see, newest first; a new quote is listed within
    /// moments.
    async fn quotes(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let list = List::new(&self.scope, "Post.quotes", self.row.subject());
        let request = list.page_of_either_end((first, after.as_deref()), (last, before.as_deref()));
        Some(self.sharing(list, ShareKind::Quote, request).await)
    }

    /// Whether the viewer has reposted it; false for anonymous requests.
    async fn viewer_has_reposted(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.get_or_default::<ViewerReposts>(self.row.subject()).await)
    }

    /// Number of users who like it.
    async fn like_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get_or_default::<PostCounts>(self.row.subject())
                .await
                .map(|counts| counts.likes),
        )
    }

    /// Users who like it and whom the viewer may see, newest account first.
    async fn likers(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let likers = async {
            let list = List::new(&self.scope, "Post.likers", self.row.subject());
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| likes::likers(op, self.row.subject(), part);
            Ok(list.connection(User::fill_page(&self.scope, request, part).await?, request))
        };
        Some(likers.await)
    }

    /// Number of comments, including replies to comments.
    async fn comment_count(&self) -> Option<async_graphql::Result<i64>> {
        Some(
            self.scope
                .loaders
                .get_or_default::<PostCounts>(self.row.subject())
                .await
                .map(|counts| counts.comments),
        )
    }

    /// Comments on the post itself, oldest first; `Comment.replies` has the replies to each.
    async fn comments(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Comment>>> {
        let comments = async {
            let list = Listing::CommentsOn(self.row.subject()).of(&self.scope);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let page = match request.after {
                None if !request.backwards => {
                    self.scope
                        .loaders
                        .get_or_default::<FirstComments>((self.row.subject(), request.first))
                        .await?
                }
                _ => comments::by_post(&self.scope.op, self.row.subject(), request)
                    .await
                    .map_err(|error| fault(&error))?,
            };
            Ok(list.connection(page.map(|comment| Comment::new(comment, &self.scope)), request))
        };
        Some(comments.await)
    }

    /// Whether the viewer likes it; false for anonymous requests.
    async fn viewer_has_liked(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.get_or_default::<ViewerLikes>(self.row.subject()).await)
    }

    /// Product shown with the post; null if there is none or the viewer may not see it.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        match self.row.product_id {
            Some(id) => Product::load(&self.scope, id).await.transpose(),
            None => None,
        }
    }

    /// Views and reach of the post, for its author and administrators; `FORBIDDEN` for other users.
    async fn analytics(&self) -> Option<async_graphql::Result<PostAnalytics>> {
        Some(PostAnalytics::of(&self.row, &self.scope).await)
    }
}
