//! A person, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::images::Lifetime;
use crate::domain::users::User as Row;
use crate::domain::{Page, follows, policy, posts, relations};
use crate::graphql::connection::Connection;
use crate::graphql::context::Scope;
use crate::graphql::cursors::List;
use crate::graphql::error::fault;
use crate::graphql::ids::global;
use crate::graphql::images::types::Image;
use crate::graphql::output;
use crate::graphql::posts::types::Post;
use crate::ids::{Id, UserId};

/// A person.
#[derive(Debug, Clone)]
pub struct User {
    row: Arc<Row>,
    scope: Arc<Scope>,
}

impl User {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row: Arc::new(row), scope: Arc::clone(scope) }
    }

    /// A person by id, through the loader.
    ///
    /// # Errors
    /// A shard that is away.
    pub async fn load(scope: &Arc<Scope>, id: UserId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.user(id).await?.map(|row| Self::new(row, scope)))
    }

    /// A page of people, without those whom the viewer may not see.
    ///
    /// # Errors
    /// A shard that is away.
    pub async fn load_page(
        scope: &Arc<Scope>,
        page: Page<UserId>,
    ) -> async_graphql::Result<Page<Self>> {
        let load = |(cursor, id)| async move {
            Ok::<_, async_graphql::Error>(Self::load(scope, id).await?.map(|user| (cursor, user)))
        };
        let items = futures_util::future::try_join_all(page.items.into_iter().map(load)).await?;
        Ok(Page {
            items: items.into_iter().flatten().collect(),
            end: page.end,
            has_next: page.has_next,
        })
    }

    /// A count of what they have made, unless the viewer may not see that.
    async fn if_visible(
        &self,
        count: impl Future<Output = async_graphql::Result<i64>>,
    ) -> Option<async_graphql::Result<i64>> {
        let op = &self.scope.op;
        match relations::of_viewer(op, &self.scope.domain).await {
            Ok(relations) if policy::content_is_visible(op.viewer, &relations, &self.row) => {
                Some(count.await)
            }
            Ok(_) => None,
            Err(error) => Some(Err(fault(&error))),
        }
    }
}

/// A person.
#[Object]
impl User {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Unique, lower case, 3 to 30 of a-z, 0-9 and _.
    async fn handle(&self) -> &str {
        &self.row.handle
    }

    /// The name as shown: one line of 1 to 60 characters, one of them visible.
    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    /// What they say of themselves, up to 500 characters.
    async fn bio(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.bio)
    }

    /// The image they are shown with, READY; null when they have none.
    async fn avatar(&self) -> Option<Image> {
        self.row.avatar.clone().map(|picture| Image::shown(picture, Lifetime::Person, &self.scope))
    }

    /// When they signed up.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// Their posts and reposts, newest first.
    async fn posts(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let posts = async {
            let list = List::new(&self.scope, "User.posts", self.row.id);
            let request = list.page(first, after.as_deref())?;
            let page = posts::by_author(&self.scope.op, &self.scope.domain, self.row.id, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(page.map(|post| Post::new(post, &self.scope)), request))
        };
        Some(posts.await)
    }

    /// People who follow them, newest follow first.
    async fn followers(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let followers = async {
            let list = List::new(&self.scope, "User.followers", self.row.id);
            let request = list.page(first, after.as_deref())?;
            let page = follows::followers(&self.scope.op, &self.scope.domain, self.row.id, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(Self::load_page(&self.scope, page).await?, request))
        };
        Some(followers.await)
    }

    /// People they follow, newest follow first.
    async fn following(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "The cursor to go on from.")] after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<User>>> {
        let following = async {
            let list = List::new(&self.scope, "User.following", self.row.id);
            let request = list.page(first, after.as_deref())?;
            let page = follows::following(&self.scope.op, &self.scope.domain, self.row.id, request)
                .await
                .map_err(|error| fault(&error))?;
            Ok(list.connection(Self::load_page(&self.scope, page).await?, request))
        };
        Some(following.await)
    }

    /// How many posts they have, reposts not counted; null for those who may not see them.
    async fn post_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self.scope.loaders.profile_counts(self.row.id).await?.unwrap_or_default().posts)
        })
        .await
    }

    /// How many follow them; a follow is counted a moment after it was made. Null for those who may not see who.
    async fn follower_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self.scope.loaders.follower_count(self.row.id).await?.unwrap_or_default().followers)
        })
        .await
    }

    /// How many they follow; null for those who may not see whom.
    async fn following_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self.scope.loaders.profile_counts(self.row.id).await?.unwrap_or_default().following)
        })
        .await
    }

    /// Whether only those they let follow them see what they write.
    async fn is_private(&self) -> bool {
        self.row.is_private
    }

    /// Whether the viewer blocks them; false for the anonymous.
    async fn viewer_is_blocking(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.viewer_blocks(self.row.id).await.map(Option::unwrap_or_default))
    }

    /// Whether the viewer follows them; false for the anonymous.
    async fn viewer_is_following(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.scope.loaders.viewer_follows(self.row.id).await.map(Option::unwrap_or_default))
    }
}
