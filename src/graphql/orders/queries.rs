//! Finding orders.

use async_graphql::{Context, ID, Object};

use super::types::Order;
use crate::graphql::context::query_scope;
use crate::graphql::ids::argument;

/// Queries about orders.
#[derive(Debug, Default)]
pub struct OrderQueries;

#[Object]
impl OrderQueries {
    /// One of the viewer's orders; null when there is none.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An order's id.")] id: ID,
    ) -> Option<async_graphql::Result<Order>> {
        let found = async { Order::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }
}
