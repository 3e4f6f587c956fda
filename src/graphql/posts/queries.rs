//! Finding posts.

use async_graphql::{Context, ID, Object};

use super::types::Post;
use crate::connection::Connection;
use crate::context::query_scope;
use crate::error::{add_missing, fault};
use crate::ids::argument;
use crate::lists::Listing;
use plaza_domain::posts;

/// Queries about posts.
#[derive(Debug, Default)]
pub struct PostQueries;

#[Object]
impl PostQueries {
    /// Returns a post; null if it does not exist or the viewer may not see it.
    async fn post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the post; `BAD_USER_INPUT` for an id of another type.")] id: ID,
    ) -> Option<async_graphql::Result<Post>> {
        let found = async { Post::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }

    /// Posts of all users that the viewer may see, newest first, without reposts. If a shard is
    /// unavailable, the rest is returned with a `SHARD_UNAVAILABLE` error beside it.
    async fn posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Cursor of the edge to start after; omit it for the first page.")]
        after: Option<String>,
    ) -> Option<async_graphql::Result<Connection<Post>>> {
        let found = async {
            let scope = query_scope(ctx)?;
            let list = Listing::Posts.of(&scope);
            let request = list.page(first, after.as_deref())?;
            let (page, missing) =
                posts::newest(&scope.op, request).await.map_err(|error| fault(&error))?;
            add_missing(ctx, "posts", missing);
            Ok(list.connection(page.map(|post| Post::new(post, &scope)), request))
        };
        Some(found.await)
    }
}
