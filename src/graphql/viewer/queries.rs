//! Who asks.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::Viewer;
use crate::graphql::context::{RequestContext, query_scope};
use crate::graphql::error::ErrorCode;

/// How a bucket of points stands. A query costs about a point for each field it may at most ask for.
#[derive(Debug, Clone, SimpleObject)]
pub struct RateLimit {
    /// What this request was charged.
    cost: i32,
    /// What the bucket holds when full.
    limit: i32,
    /// What it holds now.
    remaining: i32,
    /// When it will be full again if nothing more is asked.
    reset_at: DateTime<Utc>,
}

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

    /// How the points stand that this request was paid with: the viewer's, or the address's when anonymous. They are restored steadily, and
    /// what a request was charged and did not use is given back with the next one.
    async fn rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<RateLimit> {
        let points = ctx.data::<Arc<RequestContext>>()?.points;
        let points = points.ok_or_else(|| ErrorCode::Internal.error("internal error"))?;
        let int = |points: u64| i32::try_from(points).unwrap_or(i32::MAX);
        Ok(RateLimit {
            cost: int(points.cost),
            limit: int(points.limit),
            remaining: int(points.remaining),
            reset_at: points.reset_at,
        })
    }
}
