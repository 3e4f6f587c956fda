//! Finding posts.

use async_graphql::{Context, ID, Object};

use super::types::Post;
use crate::graphql::context::query_scope;
use crate::graphql::ids::argument;

/// Queries about posts.
#[derive(Debug, Default)]
pub struct PostQueries;

#[Object]
impl PostQueries {
    /// A post; null when there is none that the viewer may see.
    async fn post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A post's id.")] id: ID,
    ) -> Option<async_graphql::Result<Post>> {
        let found = async { Post::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }
}
