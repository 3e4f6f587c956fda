//! Orders: what they are, and reading them. Placing is in `place.rs`, what a buyer may change in
//! `change.rs`, and the saga that brings them to their end in `saga.rs`.

mod change;
mod place;
mod saga;
mod states;
mod steps;
mod watch;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::products::Money;
use super::{DomainError, Operation, Page, PageRequest};
use plaza_base::ids::{Id, OrderId, ProductId, UserId};
use plaza_stores::postgres::orders::{self as store, OrderLineRow};

pub use change::{cancel, refund};
pub use place::{MAX_LINES, MAX_QUANTITY, Placed, place};
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
    /// What it was called when placed; `None` in orders from before that was stored.
    pub title: Option<String>,
}

/// A state that an order came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderChange {
    /// Which.
    pub status: OrderStatus,
    /// When.
    pub at: DateTime<Utc>,
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

/// How long after it was placed an order's money may be had back.
const REFUND_WITHIN: TimeDelta = TimeDelta::days(14);

impl Order {
    /// Until when its buyer may have the money back: of a confirmed order.
    pub fn refundable_until(&self) -> Option<DateTime<Utc>> {
        (self.status == OrderStatus::Confirmed).then(|| self.id.created_at() + REFUND_WITHIN)
    }

    /// The states that may follow at this moment.
    pub fn next_statuses(&self, now: DateTime<Utc>) -> Vec<OrderStatus> {
        self.status.next().iter().copied().filter(|next| in_time(self.id, *next, now)).collect()
    }
}

/// Whether it is not too late for an order to come to a state.
fn in_time(id: OrderId, next: OrderStatus, now: DateTime<Utc>) -> bool {
    next != OrderStatus::Refunding || now <= id.created_at() + REFUND_WITHIN
}

/// Rows, a line each, to orders, newest first.
fn orders_of(rows: Vec<OrderLineRow>) -> Result<Vec<Order>, DomainError> {
    let mut orders: BTreeMap<OrderId, Order> = BTreeMap::new();
    for row in rows {
        let status = OrderStatus::from_name(&row.status).ok_or_else(|| {
            DomainError::Internal(format!("order {} is in no known state: {}", row.id, row.status))
        })?;
        let order = orders.entry(row.id).or_insert_with(|| Order {
            id: row.id,
            buyer_id: row.buyer_id,
            status,
            reason: row.reason,
            lines: Vec::new(),
            total: Money { amount: row.total_amount, currency: row.total_currency },
            version: row.version,
        });
        order.lines.push(OrderLine {
            product_id: row.product_id,
            quantity: row.quantity,
            unit_amount: row.unit_amount,
            title: row.title,
        });
    }
    Ok(orders.into_values().rev().collect())
}

/// The viewer's own orders by id; others' are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Order>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection, ids| {
            store::get_many(connection, ids).await
        })
        .await
        .complete()?;
    let orders = orders_of(rows.into_iter().flatten().collect())?;
    Ok(orders
        .into_iter()
        .filter(|order| order.buyer_id == viewer.user_id)
        .map(|order| (order.id, order))
        .collect())
}

/// The viewer's orders, newest first, from either end; cursor = order id.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn of_viewer(op: &Operation, page: PageRequest) -> Result<Page<Order>, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(buyer);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::of_buyer(connection, buyer, page.newest_first()).await
        })
        .await?;
    let mut orders = orders_of(rows)?;
    if page.backwards {
        orders.reverse();
    }
    Ok(Page::from_rows(
        orders.into_iter().map(|order| (order.id.as_i64(), order)).collect(),
        page.first,
    ))
}

/// The states that the viewer's own orders came to, in order of time, the first being PENDING;
/// others' orders are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn history_of_many(
    op: &Operation,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Vec<OrderChange>>, DomainError> {
    let own: Vec<OrderId> = get_many(op, ids).await?.into_keys().collect();
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, own.iter().copied(), async |connection, ids| {
            store::changes(connection, ids).await
        })
        .await
        .complete()?;
    let placed =
        |id: OrderId| (id, vec![OrderChange { status: OrderStatus::Pending, at: id.created_at() }]);
    let mut histories: HashMap<OrderId, Vec<OrderChange>> = own.into_iter().map(placed).collect();
    for row in rows.into_iter().flatten() {
        if let (Some(history), Some(status)) =
            (histories.get_mut(&row.order_id), OrderStatus::from_name(&row.status))
        {
            history.push(OrderChange { status, at: row.at });
        }
    }
    Ok(histories)
}
