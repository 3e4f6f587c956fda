//! A user, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::connection::Connection;
use crate::context::Scope;
use crate::cursors::List;
use crate::error::fault;
use crate::ids::global;
use crate::images::types::Image;
use crate::lists::Listing;
use crate::loaders::ViewerBlocks;
use crate::output;
use crate::posts::types::Post;
use crate::products::types::Product;
use plaza_base::ids::{Id, UserId};
use plaza_domain::follows::Tie;
use plaza_domain::images::Lifetime;
use plaza_domain::profile_counts::{FollowerCount, ProfileCounts};
use plaza_domain::users::User as Row;
use plaza_domain::{
    DomainError, Fill, Page, PageRequest, follows, policy, posts, products, relations,
};

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    row: Row,
    scope: Arc<Scope>,
}

impl User {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row, scope: Arc::clone(scope) }
    }

    /// A user by id, through the loader.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn load(scope: &Arc<Scope>, id: UserId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }

    /// A page of users, without those whom the viewer may not see; `list` gives parts of the list
    /// that it is of.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn fill_page<F>(
        scope: &Arc<Scope>,
        request: PageRequest,
        list: impl Fn(PageRequest) -> F,
    ) -> async_graphql::Result<Page<Self>>
    where
        F: Future<Output = Result<Page<UserId>, DomainError>>,
    {
        let load = |(cursor, id)| async move {
            Ok::<_, async_graphql::Error>(Self::load(scope, id).await?.map(|user| (cursor, user)))
        };
        let mut fill = Fill::new(request);
        while let Some(part) = fill.next_part() {
            let Page { items, end, has_next } = list(part).await.map_err(|error| fault(&error))?;
            let people = futures_util::future::try_join_all(items.into_iter().map(load)).await?;
            fill.add(Page { items: people.into_iter().flatten().collect(), end, has_next });
        }
        Ok(fill.page())
    }

    async fn viewer_tie(&self) -> async_graphql::Result<Tie> {
        self.scope.loaders.get_or_default::<Tie>(self.row.id).await
    }

    /// A count of what they have made, unless the viewer may not see that.
    async fn if_visible(
        &self,
        count: impl Future<Output = async_graphql::Result<i64>>,
    ) -> Option<async_graphql::Result<i64>> {
        let op = &self.scope.op;
        match relations::of_viewer(op).await {
            Ok(relations) if policy::content_is_visible(op.viewer, &relations, &self.row) => {
                Some(count.await)
            }
            Ok(_) => None,
            Err(error) => Some(Err(fault(&error))),
        }
    }
}

/// A user of the platform.
#[Object]
impl User {
    /// Global id of the user.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Unique handle in lower case: 3 to 30 characters of a-z, 0-9 and `_`.
    async fn handle(&self) -> &str {
        &self.row.handle
    }

    /// Display name: one line of 1 to 60 characters, at least one of them visible.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// Biography of up to 500 characters; may be empty.
    async fn bio(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.bio)
    }

    /// Avatar of the user, which is READY; null if they have none.
    async fn avatar(&self) -> Option<Image> {
        self.row.avatar.clone().map(|picture| Image::shown(picture, Lifetime::Person, &self.scope))
    }

    /// Time at which the user signed up.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// Posts and reposts of the user, newest first; empty if the viewer may not see them.
    async fn posts(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let posts = async {
            let list = Listing::PostsOf(self.row.id).of(&self.scope);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let page = posts::by_author(&self.scope.op, self.row.id, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|post| Post::new(post, &self.scope)), request))
        };
        Some(posts.await)
    }

    /// Products that the user sells, newest first; empty if the viewer may not see them.
    async fn products(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Product>>> {
        let products = async {
            let list = List::new(&self.scope, "User.products", self.row.id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let page = products::by_seller(&self.scope.op, self.row.id, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|product| Product::new(product, &self.scope)), request))
        };
        Some(products.await)
    }

    /// Followers of the user, most recent follow first.
    async fn followers(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let followers = async {
            let list = List::new(&self.scope, "User.followers", self.row.id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| follows::followers(op, self.row.id, part);
            Ok(list.connection(Self::fill_page(&self.scope, request, part).await?, request))
        };
        Some(followers.await)
    }

    /// Users whom they follow, most recent follow first.
    async fn following(
        &self,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
        #[graphql(desc = "Number of items at the end of the list, 1 to 100, instead of `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Cursor of the edge to end before; omit it for the last page.")]
        before: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let following = async {
            let list = List::new(&self.scope, "User.following", self.row.id);
            let from_end = (last, before.as_deref());
            let request = list.page_of_either_end((first, after.as_deref()), from_end)?;
            let op = &self.scope.op;
            let part = |part| follows::following(op, self.row.id, part);
            Ok(list.connection(Self::fill_page(&self.scope, request, part).await?, request))
        };
        Some(following.await)
    }

    /// Number of posts without reposts; null if the viewer may not see the posts.
    async fn post_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            self.scope
                .loaders
                .get_or_default::<ProfileCounts>(self.row.id)
                .await
                .map(|counts| counts.posts)
        })
        .await
    }

    /// Number of followers; a new follow is counted within moments. Null if the viewer may not see
    /// the list.
    async fn follower_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            self.scope
                .loaders
                .get_or_default::<FollowerCount>(self.row.id)
                .await
                .map(|counts| counts.followers)
        })
        .await
    }

    /// Number of users whom they follow; null if the viewer may not see the list.
    async fn following_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            self.scope
                .loaders
                .get_or_default::<ProfileCounts>(self.row.id)
                .await
                .map(|counts| counts.following)
        })
        .await
    }

    /// Whether only accepted followers can see the user's posts.
    async fn is_private(&self) -> bool {
        self.row.is_private
    }

    /// Whether the viewer blocks the user; false for anonymous requests.
    async fn viewer_is_blocking(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.get_or_default::<ViewerBlocks>(self.row.id).await)
    }

    /// Whether the viewer follows the user; false for anonymous requests.
    async fn viewer_is_following(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.follows))
    }

    /// Whether the viewer has a pending request to follow the user, whose account is private; false
    /// for anonymous requests.
    async fn viewer_has_requested_to_follow(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.requested))
    }

    /// Whether the user follows the viewer, updated within moments; false for anonymous requests.
    async fn is_following_viewer(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.followed_by))
    }
}
