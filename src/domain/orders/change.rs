//! What a buyer may change about an order: cancel it before it is paid, have the money back after
//! it is confirmed. The state is written here; pieces and money are the saga's to give back, which
//! runs again for it.

use super::{OrderStatus, REFUND_WITHIN, in_time};
use crate::{DomainError, Mutation, Operation, UserErrorCode, mutate};
use plaza_base::ids::OrderId;
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::orders as store;

/// The viewer cancels an order that is not paid yet; cancelled already is fine. What was held is
/// given back by the saga.
///
/// # Errors
/// Not there, past cancelling; the order's shard is unavailable.
pub async fn cancel(op: &Operation, id: OrderId) -> Result<OrderId, DomainError> {
    change(op, id, "orderCancel", OrderStatus::Cancelled, &[OrderStatus::Cancelled]).await
}

/// The viewer gives a confirmed order back within a fortnight of placing it; given back already is
/// fine. Pieces and money follow, and the order is REFUNDED.
///
/// # Errors
/// Not there, not confirmed, too late; the order's shard is unavailable.
pub async fn refund(op: &Operation, id: OrderId) -> Result<OrderId, DomainError> {
    change(
        op,
        id,
        "orderRefund",
        OrderStatus::Refunding,
        &[OrderStatus::Refunding, OrderStatus::Refunded],
    )
    .await
}

/// Moves an order of the viewer's to a state, unless it is in one of `done` already, and has the
/// saga do the rest.
async fn change(
    op: &Operation,
    id: OrderId,
    name: &'static str,
    to: OrderStatus,
    done: &[OrderStatus],
) -> Result<OrderId, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(id);
    mutate(
        op,
        Mutation { name, user: buyer, shard, input: &id },
        async { Ok(()) },
        async |tx, ()| {
            let order = store::lock(tx, id).await?;
            let Some(order) = order.filter(|order| order.buyer_id == buyer) else {
                return Err(DomainError::rejected(
                    UserErrorCode::NotFound,
                    "orderId",
                    "there is no such order",
                ));
            };
            let refused =
                |message| DomainError::rejected(UserErrorCode::InvalidState, "orderId", message);
            let status = OrderStatus::from_name(&order.status);
            if status.is_some_and(|status| done.contains(&status)) {
                return Ok(id);
            }
            if !status.is_some_and(|status| status.may_become(to)) {
                let (from, to) = (&order.status, to.name());
                return Err(refused(format!("an order that is {from} cannot become {to}")));
            }
            if !in_time(id, to, tx.now()) {
                let days = REFUND_WITHIN.num_days();
                return Err(refused(format!("the money can be had back for {days} days")));
            }
            let version = order.version + 1;
            store::set_status(tx, id, to.name(), None, version).await?;
            let status = to.name().to_owned();
            let event = Event::OrderStatusChanged { order_id: id, buyer_id: buyer, status };
            tx.emit(event, version);
            // The saga may have ended its last run already: this one gives back what there is to
            // give back.
            let job = Job::OrderProcess { order_id: id };
            tx.enqueue(job, format!("order:{id}/process/{version}"));
            Ok(id)
        },
    )
    .await
}
