//! Orders: placing, cancelling, reading; the saga that brings them to their end is in `saga.rs`.

mod place;
mod saga;
mod states;
mod watch;

use std::collections::{BTreeMap, HashMap};

use super::idempotency::{Request, once};
use super::products::Money;
use super::{Domain, DomainError, Operation, Page, PageRequest, UserErrorCode};
use crate::ids::{Id, OrderId, ProductId, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::protocol::jobs::Job;
use crate::stores::postgres::Connection;
use crate::stores::postgres::orders::{self as store, OrderLineRow};

pub use place::{MAX_LINES, MAX_QUANTITY, place};
pub use saga::process;
pub use states::OrderStatus;
pub use watch::OrderWatch;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// What.
    pub product_id: ProductId,
    /// How many.
    pub quantity: i32,
    /// Price of one, minor units, when placed.
    pub unit_amount: i64,
}

/// An order.
#[derive(Debug, Clone)]
pub struct Order {
    /// Id.
    pub id: OrderId,
    /// Buyer.
    pub buyer_id: UserId,
    /// State.
    pub status: OrderStatus,
    /// Why rejected.
    pub reason: Option<String>,
    /// In product id order.
    pub lines: Vec<OrderLine>,
    /// Sum.
    pub total: Money,
    /// Rises with each change of state.
    pub version: i64,
}

/// Rows, a line each, to orders, newest first.
fn orders_of(rows: Vec<OrderLineRow>) -> Result<Vec<Order>, DomainError> {
    let mut orders: BTreeMap<OrderId, Order> = BTreeMap::new();
    for row in rows {
        let status = OrderStatus::from_name(&row.status)
            .ok_or_else(|| DomainError::Internal(format!("order {} is in no known state: {}", row.id, row.status)))?;
        let order = orders.entry(row.id).or_insert_with(|| Order {
            id: row.id,
            buyer_id: row.buyer_id,
            status,
            reason: row.reason,
            lines: Vec::new(),
            total: Money { amount: row.total_amount, currency: row.total_currency },
            version: row.version,
        });
        order.lines.push(OrderLine { product_id: row.product_id, quantity: row.quantity, unit_amount: row.unit_amount });
    }
    Ok(orders.into_values().rev().collect())
}

/// The viewer's own orders by id; others' are left out.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    let rows = domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection: &mut Connection, ids: &[i64]| {
            store::get_many(connection, ids).await
        })
        .await
        .complete()?;
    let orders = orders_of(rows.into_iter().flatten().collect())?;
    Ok(orders.into_iter().filter(|order| order.buyer_id == viewer.user_id).map(|order| (order.id, order)).collect())
}

/// The viewer's orders, newest first; cursor = order id.
///
/// # Errors
/// The viewer's shard is away.
pub async fn of_viewer(op: &Operation, domain: &Domain, page: PageRequest) -> Result<Page<Order>, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let below = page.after.unwrap_or(i64::MAX);
    let limit = i64::try_from(page.first + 1).unwrap_or(i64::MAX);
    let shard = domain.cluster.shard_of_id(buyer);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| store::of_buyer(connection, buyer.as_i64(), below, limit).await)
        .await?;
    let orders = orders_of(rows)?;
    Ok(Page::from_rows(orders.into_iter().map(|order| (order.id.as_i64(), order)).collect(), page.first))
}

/// The viewer cancels an order that is not paid yet; cancelled already is fine. What was held is given back by the saga.
///
/// # Errors
/// Not there, past cancelling; the order's shard is away.
pub async fn cancel(op: &Operation, domain: &Domain, id: OrderId) -> Result<OrderId, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(id);
    let request = Request { user: buyer, client_key: op.client_key.as_deref(), operation: "orderCancel" };
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            let order = store::lock(connection, id.as_i64()).await?.filter(|order| order.buyer_id == buyer);
            let Some(order) = order else {
                return Err(DomainError::rejected(UserErrorCode::NotFound, "orderId", "there is no such order"));
            };
            once(connection, request, &id, async |connection: &mut Connection| {
                if order.status == OrderStatus::Cancelled.name() {
                    return Ok(());
                }
                let status = OrderStatus::from_name(&order.status);
                if !status.is_some_and(|status| status.next().contains(&OrderStatus::Cancelled)) {
                    let message = format!("an order that is {} cannot be cancelled", order.status);
                    return Err(DomainError::rejected(UserErrorCode::InvalidState, "orderId", message));
                }
                let version = order.version + 1;
                store::set_status(connection, id.as_i64(), OrderStatus::Cancelled.name(), None, version).await?;
                let status = OrderStatus::Cancelled.name().to_owned();
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(Event::OrderStatusChanged { order_id: id, buyer_id: buyer, status }, version)
                    // The saga may have ended its last run already: this one gives back what was held.
                    .job(Job::OrderProcess { order_id: id }, format!("order:{id}/process/{version}"))
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
