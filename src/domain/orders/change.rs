//! What a buyer may change about an order: cancel it before it is paid, have the money back after
//! it is confirmed. The state is written here; pieces and money are the saga's to give back, which
//! runs again for it.

use super::{OrderStatus, REFUND_WITHIN, in_time};
use crate::domain::idempotency::{Request, once};
use crate::domain::{Domain, DomainError, Operation, UserErrorCode};
use crate::ids::{Id, OrderId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::protocol::jobs::Job;
use crate::stores::postgres::{Connection, orders as store};

/// The viewer cancels an order that is not paid yet; cancelled already is fine. What was held is
/// given back by the saga.
///
/// # Errors
/// Not there, past cancelling; the order's shard is away.
pub async fn cancel(op: &Operation, domain: &Domain, id: OrderId) -> Result<OrderId, DomainError> {
    change(op, domain, id, "orderCancel", OrderStatus::Cancelled, &[OrderStatus::Cancelled]).await
}

/// The viewer gives a confirmed order back within a fortnight of placing it; given back already is
/// fine. Pieces and money follow, and the order is REFUNDED.
///
/// # Errors
/// Not there, not confirmed, too late; the order's shard is away.
pub async fn refund(op: &Operation, domain: &Domain, id: OrderId) -> Result<OrderId, DomainError> {
    change(
        op,
        domain,
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
    domain: &Domain,
    id: OrderId,
    operation: &'static str,
    to: OrderStatus,
    done: &[OrderStatus],
) -> Result<OrderId, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(id);
    let request = Request { user: buyer, client_key: op.client_key.as_deref(), operation };
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            let order =
                store::lock(connection, id.as_i64()).await?.filter(|order| order.buyer_id == buyer);
            let Some(order) = order else {
                return Err(DomainError::rejected(
                    UserErrorCode::NotFound,
                    "orderId",
                    "there is no such order",
                ));
            };
            once(connection, request, &id, async |connection: &mut Connection| {
                let status = OrderStatus::from_name(&order.status);
                if status.is_some_and(|status| done.contains(&status)) {
                    return Ok(());
                }
                if !status.is_some_and(|status| status.next().contains(&to)) {
                    let message =
                        format!("an order that is {} cannot become {}", order.status, to.name());
                    return Err(DomainError::rejected(
                        UserErrorCode::InvalidState,
                        "orderId",
                        message,
                    ));
                }
                if !in_time(id, to, domain.clock.now()) {
                    let message =
                        format!("the money can be had back for {} days", REFUND_WITHIN.num_days());
                    return Err(DomainError::rejected(
                        UserErrorCode::InvalidState,
                        "orderId",
                        message,
                    ));
                }
                let version = order.version + 1;
                store::set_status(connection, id.as_i64(), to.name(), None, version).await?;
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(
                        Event::OrderStatusChanged {
                            order_id: id,
                            buyer_id: buyer,
                            status: to.name().to_owned(),
                        },
                        version,
                    )
                    // The saga may have ended its last run already: this one gives back what there
                    // is to give back.
                    .job(
                        Job::OrderProcess { order_id: id },
                        format!("order:{id}/process/{version}"),
                    )
                    .append(connection)
                    .await?;
                Ok(())
            })
            .await
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    Ok(id)
}
