//! Finding posts by hashtag.

use async_graphql::{Context, Object};

use super::types::Hashtag;
use crate::graphql::context::query_scope;

/// Queries about hashtags.
#[derive(Debug, Default)]
pub struct HashtagQueries;

#[Object]
impl HashtagQueries {
    /// A hashtag, also one that no post has yet; null for what can be none.
    async fn hashtag(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "With or without its #, in any case: letters, digits and _, of any script, at most 100, with a letter among them."
        )]
        name: String,
    ) -> Option<async_graphql::Result<Hashtag>> {
        let scope = match query_scope(ctx) {
            Ok(scope) => scope,
            Err(error) => return Some(Err(error)),
        };
        Hashtag::named(&name, &scope).map(Ok)
    }
}
