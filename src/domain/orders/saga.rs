//! The saga: reserve, pay, confirm, or compensate; and give back what was confirmed, when its buyer
//! wants that.
//!
//! Every step may be done again, by this worker or another one at the same time: reservations and
//! payments are keyed by the order, states move only along the table, under the order's lock. PAID
//! is past cancelling, so stock is sold (HELD ▶ SOLD) only after it, and an order that is PAID
//! needs nothing but repetition to become CONFIRMED. An order that ended otherwise has its held
//! stock given back, and a cancelled one its money, at every run: whoever captured may have died,
//! or been told "not known", before a cancellation came in between.

use chrono::{DateTime, Utc};

use crate::domain::payments::PaymentOutcome;
use crate::domain::products::Product;
use crate::domain::{Domain, DomainError, Operation};
use crate::ids::{Id, OrderId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::stores::StoreError;
use crate::stores::postgres::{
    Connection, orders as store, products as product_rows, reservations,
};

use super::{Order, OrderLine, OrderStatus, orders_of};

/// Brings an order as far as it goes; safe to run again at any point. Called by the job.
///
/// # Errors
/// A shard or the payment provider is away: run it again.
pub async fn process(op: &Operation, domain: &Domain, id: OrderId) -> Result<(), DomainError> {
    let Some(order) = load(op, domain, id).await? else {
        return Err(DomainError::Internal(format!("there is no order {id}")));
    };
    let mut status = order.status;
    if status == OrderStatus::Pending {
        status = match reserve_all(op, domain, &order).await? {
            true => move_to(op, domain, &order, OrderStatus::Reserved, None, None).await?,
            false => {
                move_to(op, domain, &order, OrderStatus::Rejected, Some("OUT_OF_STOCK"), None)
                    .await?
            }
        };
    }
    if status == OrderStatus::Reserved {
        let outcome = domain.payments.capture(id, &order.total).await;
        status = match outcome.map_err(|reason| StoreError::unavailable("payments", reason))? {
            PaymentOutcome::Captured(reference) => {
                move_to(op, domain, &order, OrderStatus::Paid, None, Some(&reference)).await?
            }
            PaymentOutcome::Declined(_) => {
                move_to(op, domain, &order, OrderStatus::Rejected, Some("PAYMENT_DECLINED"), None)
                    .await?
            }
        };
    }
    match status {
        OrderStatus::Paid => {
            for line in &order.lines {
                sell(op, domain, &order, line).await?;
            }
            move_to(op, domain, &order, OrderStatus::Confirmed, None, None).await?;
            Ok(())
        }
        OrderStatus::Rejected | OrderStatus::Cancelled => {
            for line in &order.lines {
                release(op, domain, &order, line).await?;
            }
            // After the stock, which others wait for. Nothing says whether money was taken, so the
            // provider, who knows, is always asked.
            if status == OrderStatus::Cancelled {
                let refund = domain.payments.refund(id, &order.total).await;
                refund.map_err(|reason| StoreError::unavailable("payments", reason))?;
            }
            Ok(())
        }
        OrderStatus::Refunding => {
            for line in &order.lines {
                take_back(op, domain, &order, line).await?;
            }
            let refund = domain.payments.refund(id, &order.total).await;
            refund.map_err(|reason| StoreError::unavailable("payments", reason))?;
            move_to(op, domain, &order, OrderStatus::Refunded, None, None).await?;
            Ok(())
        }
        OrderStatus::Pending
        | OrderStatus::Reserved
        | OrderStatus::Confirmed
        | OrderStatus::Refunded => Ok(()),
    }
}

async fn load(op: &Operation, domain: &Domain, id: OrderId) -> Result<Option<Order>, DomainError> {
    let raw = [id.as_i64()];
    let shard = domain.cluster.shard_of_id(id);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| {
            store::get_many(connection, &raw).await
        })
        .await?;
    Ok(orders_of(rows)?.into_iter().next())
}

/// Moves the order to a state if the table allows it from where it is now; the state it is in
/// afterwards. A payment is written down with PAID.
async fn move_to(
    op: &Operation,
    domain: &Domain,
    order: &Order,
    to: OrderStatus,
    reason: Option<&str>,
    payment: Option<&str>,
) -> Result<OrderStatus, DomainError> {
    let (id, shard) = (order.id, domain.cluster.shard_of_id(order.id));
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<OrderStatus, DomainError> {
                let locked = store::lock(connection, id.as_i64()).await?;
                let locked =
                    locked.ok_or_else(|| DomainError::Internal(format!("order {id} has gone")))?;
                let Some(from) = OrderStatus::from_name(&locked.status) else {
                    return Err(DomainError::Internal(format!(
                        "order {id} is in no known state: {}",
                        locked.status
                    )));
                };
                if !from.next().contains(&to) {
                    return Ok(from);
                }
                let version = locked.version + 1;
                store::set_status(connection, id.as_i64(), to.name(), reason, version).await?;
                if let Some(reference) = payment {
                    store::insert_payment(
                        connection,
                        id.as_i64(),
                        order.total.amount,
                        &order.total.currency,
                        reference,
                    )
                    .await?;
                }
                if to == OrderStatus::Refunded {
                    store::refund_payment(connection, id.as_i64()).await?;
                }
                let event = Event::OrderStatusChanged {
                    order_id: id,
                    buyer_id: order.buyer_id,
                    status: to.name().to_owned(),
                };
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(event, version)
                    .append(connection)
                    .await?;
                Ok(to)
            },
        )
        .await?;
    Ok(committed.value)
}

/// Holds stock for every line, in product order; false at the first that there is not enough of.
async fn reserve_all(op: &Operation, domain: &Domain, order: &Order) -> Result<bool, DomainError> {
    for line in &order.lines {
        if !reserve(op, domain, order, line).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn amount_of(line: &OrderLine) -> i64 {
    line.unit_amount.saturating_mul(i64::from(line.quantity))
}

async fn reserve(
    op: &Operation,
    domain: &Domain,
    order: &Order,
    line: &OrderLine,
) -> Result<bool, DomainError> {
    let (order_id, product) = (order.id.as_i64(), line.product_id);
    let shard = domain.cluster.shard_of_id(product);
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<(bool, Option<i64>), DomainError> {
                let id = product.as_i64();
                // The stock is taken first: its row lock orders everybody who wants this product.
                let Some(left) = product_rows::change_stock(connection, id, -line.quantity).await?
                else {
                    // An earlier run may have taken the last pieces for this very order; if not, it
                    // gets none, now and for ever.
                    reservations::refuse(connection, order_id, id, line.quantity, amount_of(line))
                        .await?;
                    let held = reservations::status(connection, order_id, id).await? != "RELEASED";
                    return Ok((held, None));
                };
                if !reservations::hold(connection, order_id, id, line.quantity, amount_of(line))
                    .await?
                {
                    return Err(DomainError::Store(StoreError::Constraint(
                        "reserved already".to_owned(),
                    )));
                }
                let event = Event::ProductStockChanged { product_id: product, stock: left.stock };
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(event, left.version)
                    .append(connection)
                    .await?;
                Ok((true, Some(left.version)))
            },
        )
        .await;
    match committed {
        Ok(committed) => {
            tell_caches(op, domain, line, committed.value.1).await;
            Ok(committed.value.0)
        }
        // Reserved by an earlier run, in whatever state that is now: nothing was taken a second
        // time.
        Err(DomainError::Store(StoreError::Constraint(_))) => {
            let status = domain
                .cluster
                .read(&op.reads, shard, async |connection: &mut Connection| {
                    reservations::status(connection, order_id, product.as_i64()).await
                })
                .await?;
            Ok(status != "RELEASED")
        }
        Err(error) => Err(error),
    }
}

async fn release(
    op: &Operation,
    domain: &Domain,
    order: &Order,
    line: &OrderLine,
) -> Result<(), DomainError> {
    let (order_id, product) = (order.id.as_i64(), line.product_id);
    let shard = domain.cluster.shard_of_id(product);
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Option<i64>, DomainError> {
                let id = product.as_i64();
                let Some(held) = reservations::release(connection, order_id, id).await? else {
                    // Whoever is still about to reserve for this order must find that it has ended.
                    reservations::refuse(connection, order_id, id, line.quantity, amount_of(line))
                        .await?;
                    return Ok(None);
                };
                let left = product_rows::change_stock(connection, id, held.quantity).await?;
                let left = left
                    .ok_or_else(|| DomainError::Internal(format!("product {product} has gone")))?;
                let event = Event::ProductStockChanged { product_id: product, stock: left.stock };
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(event, left.version)
                    .append(connection)
                    .await?;
                Ok(Some(left.version))
            },
        )
        .await?;
    tell_caches(op, domain, line, committed.value).await;
    Ok(())
}

async fn sell(
    op: &Operation,
    domain: &Domain,
    order: &Order,
    line: &OrderLine,
) -> Result<(), DomainError> {
    let (order_id, product) = (order.id.as_i64(), line.product_id);
    let shard = domain.cluster.shard_of_id(product);
    let now = domain.clock.now();
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Option<i64>, DomainError> {
                let Some(sold) =
                    reservations::sell(connection, order_id, product.as_i64(), now).await?
                else {
                    return Ok(None);
                };
                let raised = product_rows::change_stock(connection, product.as_i64(), 0).await?;
                let raised = raised
                    .ok_or_else(|| DomainError::Internal(format!("product {product} has gone")))?;
                let event = Event::ProductSold {
                    product_id: product,
                    order_id: order.id,
                    quantity: sold.quantity,
                    amount: sold.amount,
                    minute: minute_of(now),
                };
                Messages::new(shard, now, op.traceparent.as_deref())
                    .event(event, raised.version)
                    .append(connection)
                    .await?;
                Ok(Some(raised.version))
            },
        )
        .await?;
    tell_caches(op, domain, line, committed.value).await;
    Ok(())
}

/// Puts sold pieces back, once.
async fn take_back(
    op: &Operation,
    domain: &Domain,
    order: &Order,
    line: &OrderLine,
) -> Result<(), DomainError> {
    let product = line.product_id;
    let shard = domain.cluster.shard_of_id(product);
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<Option<i64>, DomainError> {
                let Some(returned) =
                    reservations::take_back(connection, order.id.as_i64(), product.as_i64())
                        .await?
                else {
                    return Ok(None);
                };
                let left =
                    product_rows::change_stock(connection, product.as_i64(), returned.quantity)
                        .await?;
                let left = left
                    .ok_or_else(|| DomainError::Internal(format!("product {product} has gone")))?;
                let event = Event::ProductReturned {
                    product_id: product,
                    order_id: order.id,
                    quantity: returned.quantity,
                    amount: returned.amount,
                    minute: minute_of(returned.sold_at),
                };
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(event, left.version)
                    .append(connection)
                    .await?;
                Ok(Some(left.version))
            },
        )
        .await?;
    tell_caches(op, domain, line, committed.value).await;
    Ok(())
}

/// The beginning of its minute, Unix seconds: the window that sales are counted in.
fn minute_of(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(60) * 60
}

async fn tell_caches(op: &Operation, domain: &Domain, line: &OrderLine, version: Option<i64>) {
    if let Some(version) = version {
        op.told(domain.redis.invalidate::<Product>(&[(line.product_id.as_i64(), version)]).await);
    }
}
