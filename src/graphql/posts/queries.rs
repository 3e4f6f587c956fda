//! Finding posts.

use async_graphql::{Context, ID, Object};

use super::types::Post;
use crate::context::query_scope;
use crate::ids::argument;

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
}
