//! Finding posts by hashtag.

use async_graphql::{Context, Object};

use super::types::Hashtag;
use crate::domain::hashtags;
use crate::graphql::context::query_scope;

/// Longest name looked at, in bytes.
const LONGEST: usize = 1_000;

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
        let name = hashtags::normal_form(&name).filter(|_| name.len() <= LONGEST)?;
        Some(query_scope(ctx).map(|scope| Hashtag::new(name, &scope)))
    }
}
