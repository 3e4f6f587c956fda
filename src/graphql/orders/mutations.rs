//! Placing and cancelling orders.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::types::Order;
use crate::domain::{DomainError, orders};
use crate::graphql::context::{Scope, mutation_scope};
use crate::graphql::error::{UserError, payload};
use crate::graphql::ids::{input, input_at};
use crate::ids::OrderId;

/// One line of an order to be.
#[derive(InputObject)]
pub struct OrderLineInput {
    /// What.
    product_id: ID,
    /// 1 to 1,000.
    quantity: i32,
}

/// An order to be.
#[derive(InputObject)]
pub struct OrderPlaceInput {
    /// 1 to 50 lines, all of products in one currency; lines of one product are added up.
    lines: Vec<OrderLineInput>,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which order.
#[derive(InputObject)]
pub struct OrderCancelInput {
    /// One of the viewer's that is not paid yet; cancelled already is fine.
    order_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

/// Which order.
#[derive(InputObject)]
pub struct OrderRefundInput {
    /// One of the viewer's that is CONFIRMED and was placed at most 14 days ago; given back already is fine.
    order_id: ID,
    /// Names this mutation, as the `Idempotency-Key` header does: sent again with the same key it answers as before and does nothing.
    #[graphql(default)]
    client_key: Option<String>,
}

macro_rules! order_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $name {
            /// The order.
            order: Option<async_graphql::Result<Order>>,
            /// Why not.
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
    /// The new order, PENDING.
    OrderPlacePayload
}
order_payload! {
    /// The cancelled order.
    OrderCancelPayload
}

order_payload! {
    /// The order that is given back, REFUNDING.
    OrderRefundPayload
}

/// Mutations of orders.
#[derive(Debug, Default)]
pub struct OrderMutations;

#[Object]
impl OrderMutations {
    /// The viewer places an order at the products' current prices. It is answered at once; stock and payment follow, and `status` tells.
    async fn order_place(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] input: OrderPlaceInput,
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

    /// The viewer gives a confirmed order back. It is answered at once; pieces and money follow, and `status` tells.
    async fn order_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: OrderRefundInput,
    ) -> Option<async_graphql::Result<OrderRefundPayload>> {
        let done = async {
            let scope = mutation_scope(ctx)?;
            let result =
                async { orders::refund(&scope.op, self::input("orderId", &input.order_id)?).await };
            OrderRefundPayload::new(&scope, result.await).await
        };
        Some(done.await)
    }

    /// The viewer cancels an order.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: OrderCancelInput,
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
