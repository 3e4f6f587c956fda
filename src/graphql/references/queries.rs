//! Finding posts by hashtag.

use async_graphql::{Context, Object};

use super::types::Hashtag;
use crate::context::query_scope;

/// Queries about hashtags.
#[derive(Debug, Default)]
pub struct HashtagQueries;

#[Object]
impl HashtagQueries {
    /// Returns a hashtag, including one without posts; null if the name cannot be a hashtag.
    async fn hashtag(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Name with or without `#`, in any case: at most 100 letters, digits and underscores of any script, at least one of them a letter."
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
