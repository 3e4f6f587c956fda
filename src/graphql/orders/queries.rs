//! Finding orders.

use async_graphql::{Context, ID, Object};

use super::types::Order;
use crate::context::query_scope;
use crate::ids::argument;

/// Queries about orders.
#[derive(Debug, Default)]
pub struct OrderQueries;

#[Object]
impl OrderQueries {
    /// Returns one of the viewer's orders; null if the viewer has no such order.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the order; `BAD_USER_INPUT` for an id of another type.")] id: ID,
    ) -> Option<async_graphql::Result<Order>> {
        let found = async { Order::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }
}
