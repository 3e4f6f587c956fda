//! A person, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};

use crate::domain::follows::Tie;
use crate::domain::images::Lifetime;
use crate::domain::profile_counts::{FollowerCount, ProfileCounts};
use crate::domain::users::User as Row;
use crate::domain::{DomainError, Fill, Page, PageRequest, follows, policy, posts, relations};
use crate::graphql::connection::Connection;
use crate::graphql::context::Scope;
use crate::graphql::cursors::List;
use crate::graphql::error::fault;
use crate::graphql::ids::global;
use crate::graphql::images::types::Image;
use crate::graphql::loaders::ViewerBlocks;
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
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }

    /// A page of people, without those whom the viewer may not see; `list` gives parts of the list
    /// that it is of.
    ///
    /// # Errors
    /// A shard that is away.
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
        Ok(self.scope.loaders.get::<Tie>(self.row.id).await?.unwrap_or_default())
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
            let page = posts::by_author(&self.scope.op, self.row.id, request)
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
            let op = &self.scope.op;
            let part = |part| follows::followers(op, self.row.id, part);
            Ok(list.connection(Self::fill_page(&self.scope, request, part).await?, request))
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
            let op = &self.scope.op;
            let part = |part| follows::following(op, self.row.id, part);
            Ok(list.connection(Self::fill_page(&self.scope, request, part).await?, request))
        };
        Some(following.await)
    }

    /// How many posts they have, reposts not counted; null for those who may not see them.
    async fn post_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self
                .scope
                .loaders
                .get::<ProfileCounts>(self.row.id)
                .await?
                .unwrap_or_default()
                .posts)
        })
        .await
    }

    /// How many follow them; a follow is counted a moment after it was made. Null for those who may not see who.
    async fn follower_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self
                .scope
                .loaders
                .get::<FollowerCount>(self.row.id)
                .await?
                .unwrap_or_default()
                .followers)
        })
        .await
    }

    /// How many they follow; null for those who may not see whom.
    async fn following_count(&self) -> Option<async_graphql::Result<i64>> {
        self.if_visible(async {
            Ok(self
                .scope
                .loaders
                .get::<ProfileCounts>(self.row.id)
                .await?
                .unwrap_or_default()
                .following)
        })
        .await
    }

    /// Whether only those they let follow them see what they write.
    async fn is_private(&self) -> bool {
        self.row.is_private
    }

    /// Whether the viewer blocks them; false for the anonymous.
    async fn viewer_is_blocking(&self) -> Option<async_graphql::Result<bool>> {
        Some(
            self.scope
                .loaders
                .get::<ViewerBlocks>(self.row.id)
                .await
                .map(Option::unwrap_or_default),
        )
    }

    /// Whether the viewer follows them; false for the anonymous.
    async fn viewer_is_following(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.follows))
    }

    /// Whether the viewer has asked to follow them, who are private, and waits for an answer; false for the anonymous.
    async fn viewer_has_requested_to_follow(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.requested))
    }

    /// Whether they follow the viewer, a moment after the follow was made; false for the anonymous.
    async fn is_following_viewer(&self) -> Option<async_graphql::Result<bool>> {
        Some(self.viewer_tie().await.map(|tie| tie.followed_by))
    }
}
