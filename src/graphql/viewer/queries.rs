//! Who asks.

use async_graphql::{Context, Object};

use super::types::Viewer;
use crate::graphql::context::query_scope;

/// Queries about the viewer.
#[derive(Debug, Default)]
pub struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// Who asks; null when anonymous.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Viewer>> {
        let scope = query_scope(ctx)?;
        Ok(scope.op.viewer.map(|viewer| Viewer::of(viewer, &scope)))
    }
}
