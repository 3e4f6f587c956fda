//! Who asks.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::Viewer;
use crate::graphql::context::{RequestContext, query_scope};
use crate::graphql::error::ErrorCode;

/// How a bucket of points stands. A point is about what one field of an answer costs: a list costs its length times what is asked of each item, what is read from
/// the database costs at least 5 a statement, a change some hundreds, a log-in or sign-up 2,000.
#[derive(Debug, Clone, SimpleObject)]
pub struct RateLimit {
    /// What this request was charged: what it may cost, before it ran.
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
    /// what a request was charged and did not use is given back with the next one, what it used beyond it is taken.
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
