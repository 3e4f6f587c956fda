//! Placing and cancelling orders.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::Order;
use crate::context::{Scope, mutation_scope};
use crate::error::{UserError, payload};
use crate::ids::{input, input_at};
use plaza_base::ids::OrderId;
use plaza_domain::{DomainError, orders};

/// A line of an order to place.
#[derive(InputObject)]
pub struct OrderLineInput {
    /// Global id of the product to buy.
    product_id: ID,
    /// Number of units, 1 to 1,000.
    quantity: i32,
}

/// An order to place.
#[derive(InputObject)]
pub struct OrderPlaceInput {
    /// 1 to 50 lines; all products must have one currency. Quantities of lines with the same
    /// product are added up, to at most 1,000.
    lines: Vec<OrderLineInput>,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. A retry with the same key and input returns the first result and
    /// changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The order to cancel.
#[derive(InputObject)]
pub struct OrderCancelInput {
    /// Global id of one of the viewer's orders that is PENDING or RESERVED; succeeds if it is
    /// already CANCELLED.
    order_id: ID,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. A retry with the same key and input returns the first result and
    /// changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
    #[graphql(default)]
    client_key: Option<String>,
}

/// The order to refund.
#[derive(InputObject)]
pub struct OrderRefundInput {
    /// Global id of one of the viewer's orders that is CONFIRMED and was placed at most 14 days
    /// ago; succeeds if it is already REFUNDING or REFUNDED.
    order_id: ID,
    /// Idempotency key of this mutation: 1 to 200 visible ASCII characters; overrides the
    /// `Idempotency-Key` header. A retry with the same key and input returns the first result and
    /// changes nothing; with another input it is `IDEMPOTENCY_CONFLICT`.
    #[graphql(default)]
    client_key: Option<String>,
}

macro_rules! order_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// The order after the mutation; null if nothing was changed.
            order: Option<async_graphql::Result<Order>>,
            /// Business errors that prevented the mutation; empty on success.
            user_errors: Vec<UserError>,
        }

        impl $name {
            async fn new(scope: &Arc<Scope>, result: Result<OrderId, DomainError>) -> async_graphql::Result<Self> {
                let (id, user_errors) = payload(result)?;
                let order = match id {
                    // It is done; that it cannot be shown must not read as if it were not.
                    Some(id) => Order::load(scope, id).await.transpose(),
                    None => None,
                };
                Ok(Self { order, user_errors })
            }
        }
    };
}

order_payload! {
    /// Result of placing an order, which starts as PENDING.
    OrderPlacePayload
}
order_payload! {
    /// Result of cancelling an order.
    OrderCancelPayload
}

order_payload! {
    /// Result of requesting a refund; the order is REFUNDING.
    OrderRefundPayload
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
            OrderPlacePayload::new(&scope, result.await).await
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
            OrderRefundPayload::new(&scope, result.await).await
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
            OrderCancelPayload::new(&scope, result.await).await
        };
        Some(done.await)
    }
}
