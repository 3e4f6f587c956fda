//! Placing and cancelling orders.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};

use super::types::Order;
use crate::context::{Scope, mutation_scope};
use crate::ids::{input, input_at};
use crate::payload::{Done, inputs, payloads};
use plaza_base::ids::OrderId;
use plaza_domain::DomainError;
use plaza_domain::orders::{self, Placed};

/// A line of an order to place.
#[derive(InputObject)]
pub struct OrderLineInput {
    /// Global id of the product to buy.
    product_id: ID,
    /// Number of units, 1 to 1,000.
    quantity: i32,
}

inputs! {
    /// An order to place.
    OrderPlaceInput {
        /// 1 to 50 lines; all products must have one currency. Quantities of lines with the same
        /// product are added up, to at most 1,000.
        lines: Vec<OrderLineInput>,
    }
}

inputs! {
    /// The order to cancel.
    OrderCancelInput {
        /// Global id of one of the viewer's orders that is PENDING or RESERVED; succeeds if it is
        /// already CANCELLED.
        order_id: ID,
    }
}

inputs! {
    /// The order to refund.
    OrderRefundInput {
        /// Global id of one of the viewer's orders that is CONFIRMED and was placed at most 14 days
        /// ago; succeeds if it is already REFUNDING or REFUNDED.
        order_id: ID,
    }
}

payloads! {
    /// Result of placing an order, which starts as PENDING.
    OrderPlacePayload {
        /// The order after the mutation; null if nothing was changed.
        order: Order,
    }
}
payloads! {
    /// Result of cancelling an order.
    OrderCancelPayload {
        /// The order after the mutation; null if nothing was changed.
        order: Order,
    }
}

payloads! {
    /// Result of requesting a refund; the order is REFUNDING.
    OrderRefundPayload {
        /// The order after the mutation; null if nothing was changed.
        order: Order,
    }
}

/// The order after a mutation.
async fn after(
    scope: &Arc<Scope>,
    result: Result<OrderId, DomainError>,
) -> async_graphql::Result<Done<Order>> {
    Done::of(result, async |id| Order::load(scope, id).await.transpose()).await
}

/// Mutations of orders.
#[derive(Debug, Default)]
pub struct OrderMutations;

#[Object]
impl OrderMutations {
    /// Places an order at the current prices of the products. It returns immediately with a PENDING
    /// order; stock is reserved and payment taken afterwards, and `status` shows the progress.
    /// Users cannot buy their own products (`INVALID`).
    async fn order_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order to place.")] input: OrderPlaceInput,
    ) -> Option<async_graphql::Result<OrderPlacePayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result = async {
                let mut lines = Vec::with_capacity(input.lines.len());
                for (number, line) in input.lines.iter().enumerate() {
                    let path = ["input", "lines", &number.to_string(), "productId"];
                    lines.push((input_at(&path, &line.product_id)?, line.quantity));
                }
                orders::place(&scope.op, &lines).await
            };
            let done = Done::of(result.await, async |placed: Placed| match placed.order {
                Some(row) => Some(Ok(Order::new(row, &scope))),
                None => Order::load(&scope, placed.id).await.transpose(),
            });
            done.await.map(OrderPlacePayload::from)
        };
        Some(done.await)
    }

    /// Requests the refund of a confirmed order. It returns immediately; units and money are
    /// returned afterwards, and `status` shows the progress. `INVALID_STATE` if the order is not
    /// confirmed or too old.
    async fn order_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order to refund.")] input: OrderRefundInput,
    ) -> Option<async_graphql::Result<OrderRefundPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { orders::refund(&scope.op, self::input("orderId", &input.order_id)?).await };
            after(&scope, result.await).await.map(OrderRefundPayload::from)
        };
        Some(done.await)
    }

    /// Cancels an order that is not paid yet; `INVALID_STATE` once it is PAID.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order to cancel.")] input: OrderCancelInput,
    ) -> Option<async_graphql::Result<OrderCancelPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { orders::cancel(&scope.op, self::input("orderId", &input.order_id)?).await };
            after(&scope, result.await).await.map(OrderCancelPayload::from)
        };
        Some(done.await)
    }
}
