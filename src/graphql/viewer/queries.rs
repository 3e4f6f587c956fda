//! Who asks.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::types::Viewer;
use crate::context::{RequestContext, query_scope};
use crate::error::ErrorCode;

/// State of a rate-limit bucket, in points. A point is about the cost of one returned field. Every
/// operation costs 40 points beside its fields. A list costs its `first` times the cost of an item,
/// a database statement at least 5 points, a mutation some hundreds, a log-in or sign-up 2,000.
#[derive(Debug, Clone, SimpleObject)]
pub struct RateLimit {
    /// Points charged for this request before it ran: the most that it may cost.
    cost: i32,
    /// Capacity of the bucket in points.
    limit: i32,
    /// Points in the bucket now.
    remaining: i32,
    /// Time at which the bucket is full again without further requests.
    reset_at: DateTime<Utc>,
}

/// Queries about the viewer.
#[derive(Debug, Default)]
pub struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// The authenticated viewer; null for anonymous requests.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Viewer>> {
        let scope = query_scope(ctx)?;
        Ok(scope.op.viewer.map(|viewer| Viewer::of(viewer, &scope)))
    }

    /// State of the bucket that paid for this request: the viewer's, or the client address's for
    /// anonymous requests. It refills steadily. Points charged but not used are refunded with the
    /// next request; points used beyond the charge are taken then.
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
