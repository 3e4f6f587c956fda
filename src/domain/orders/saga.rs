//! The saga: reserve, pay, confirm, or compensate; and give back what was confirmed, when its buyer
//! wants that.
//!
//! Every step may be done again, by this worker or another one at the same time: reservations and
//! payments are keyed by the order, states move only along the table, under the order's lock. PAID
//! is past cancelling, so stock is sold (HELD ▶ SOLD) only after it, and an order that is PAID
//! needs nothing but repetition to become CONFIRMED. An order that ended otherwise has its held
//! stock given back, and a cancelled one its money, at every run: whoever captured may have died,
//! or got "not known", before a cancellation came in between.

use chrono::{DateTime, Utc};

use crate::payments::PaymentOutcome;
use crate::products::{Money, Product};
use crate::{DomainError, Operation, Tx, write};
use plaza_base::ids::{OrderId, ProductId};
use plaza_protocol::events::Event;
use plaza_stores::StoreError;
use plaza_stores::postgres::{orders as store, products as product_rows, reservations};

use super::steps::{Saga, Step, payment_key};
use super::{Order, OrderLine, OrderStatus, orders_of};

/// Brings an order as far as it goes; safe to run again at any point. Called by the job.
///
/// # Errors
/// A shard or the payment provider is unavailable: run it again.
pub async fn process(op: &Operation, id: OrderId) -> Result<(), DomainError> {
    let Some(order) = load(op, id).await? else {
        return Err(DomainError::Internal(format!("there is no order {id}")));
    };
    let mut saga = Saga::of(order.status);
    let mut payment: Option<String> = None;
    loop {
        match saga.step() {
            Step::Reserve => saga.reserved(reserve_all(op, &order).await?),
            Step::Capture => {
                payment = capture(op, &order).await?;
                saga.captured(payment.is_some());
            }
            Step::Move(to, reason) => {
                saga.moved(move_to(op, &order, to, reason, payment.as_deref()).await?);
            }
            Step::Refund => {
                let refund = op.domain.payments.refund(id, &order.total).await;
                refund.map_err(|reason| StoreError::unavailable("payments", reason))?;
                saga.done();
            }
            step @ (Step::Sell | Step::Release | Step::TakeBack) => {
                for line in &order.lines {
                    match step {
                        Step::Sell => sell(op, &order, line).await?,
                        Step::Release => release(op, &order, line).await?,
                        _ => take_back(op, &order, line).await?,
                    }
                }
                saga.done();
            }
            Step::End => return Ok(()),
        }
    }
}

/// Takes the money; the provider's reference, unless it was refused.
async fn capture(op: &Operation, order: &Order) -> Result<Option<String>, DomainError> {
    let key = payment_key(order.id, || op.domain.clock.now_ms());
    let outcome = op.domain.payments.capture(key, &order.total).await;
    match outcome.map_err(|reason| StoreError::unavailable("payments", reason))? {
        PaymentOutcome::Captured(reference) => Ok(Some(reference)),
        PaymentOutcome::Declined(_) => Ok(None),
    }
}

async fn load(op: &Operation, id: OrderId) -> Result<Option<Order>, DomainError> {
    let shard = op.domain.cluster.shard_of_id(id);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| store::get_many(connection, &[id]).await)
        .await?;
    Ok(orders_of(rows)?.into_iter().next())
}

/// Moves the order to a state if the table allows it from where it is now; the state it is in
/// afterwards. A payment is written down with PAID.
async fn move_to(
    op: &Operation,
    order: &Order,
    to: OrderStatus,
    reason: Option<&str>,
    payment: Option<&str>,
) -> Result<OrderStatus, DomainError> {
    let (id, shard) = (order.id, op.domain.cluster.shard_of_id(order.id));
    write(op, shard, async |tx| {
        let locked = store::lock(tx, id).await?;
        let locked = locked.ok_or_else(|| DomainError::Internal(format!("order {id} has gone")))?;
        let Some(from) = OrderStatus::from_name(&locked.status) else {
            let status = &locked.status;
            return Err(DomainError::Internal(format!(
                "order {id} is in no known state: {status}"
            )));
        };
        if !from.may_become(to) {
            return Ok(from);
        }
        let version = locked.version + 1;
        store::set_status(tx, id, to.name(), reason, version).await?;
        if let Some(reference) = payment.filter(|_| to == OrderStatus::Paid) {
            let Money { amount, currency } = &order.total;
            store::insert_payment(tx, id, *amount, currency, reference).await?;
        }
        if to == OrderStatus::Refunded {
            store::refund_payment(tx, id).await?;
        }
        let (buyer_id, status) = (order.buyer_id, to.name().to_owned());
        tx.emit(Event::OrderStatusChanged { order_id: id, buyer_id, status }, version);
        Ok(to)
    })
    .await
}

/// Holds stock for every line, in product order; false at the first that there is not enough of.
async fn reserve_all(op: &Operation, order: &Order) -> Result<bool, DomainError> {
    for line in &order.lines {
        if !reserve(op, order, line).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn amount_of(line: &OrderLine) -> i64 {
    line.unit_amount.saturating_mul(i64::from(line.quantity))
}

/// Holds a line's stock for the order; false when there is not enough, now and for ever.
async fn reserve(op: &Operation, order: &Order, line: &OrderLine) -> Result<bool, DomainError> {
    let (order_id, product) = (order.id, line.product_id);
    let shard = op.domain.cluster.shard_of_id(product);
    write(op, shard, async |tx| {
        // The reservation first: an earlier run may have made it, in whatever state it is now.
        if !reservations::hold(tx, order_id, product, line.quantity, amount_of(line)).await? {
            return Ok(!reservations::is_released(tx, order_id, product).await?);
        }
        let Some(left) = product_rows::change_stock(tx, product, -line.quantity).await? else {
            reservations::release(tx, order_id, product).await?;
            return Ok(false);
        };
        stock_changed(tx, product, left);
        Ok(true)
    })
    .await
}

/// Publishes a product's new stock.
fn stock_changed(tx: &mut Tx, product: ProductId, left: product_rows::StockRow) {
    tx.emit(Event::ProductStockChanged { product_id: product, stock: left.stock }, left.version);
    tx.invalidate::<Product>(product, left.version);
}

async fn release(op: &Operation, order: &Order, line: &OrderLine) -> Result<(), DomainError> {
    let (order_id, product) = (order.id, line.product_id);
    let shard = op.domain.cluster.shard_of_id(product);
    write(op, shard, async |tx| {
        let Some(held) = reservations::release(tx, order_id, product).await? else {
            // Whoever is still about to reserve for this order must find that it has ended.
            reservations::refuse(tx, order_id, product, line.quantity, amount_of(line)).await?;
            return Ok(());
        };
        let left = changed(tx, product, held.quantity).await?;
        stock_changed(tx, product, left);
        Ok(())
    })
    .await
}

/// Changes the stock of a product that is sure to be there.
async fn changed(
    tx: &mut Tx,
    product: ProductId,
    by: i32,
) -> Result<product_rows::StockRow, DomainError> {
    let left = product_rows::change_stock(tx, product, by).await?;
    left.ok_or_else(|| DomainError::Internal(format!("product {product} has gone")))
}

async fn sell(op: &Operation, order: &Order, line: &OrderLine) -> Result<(), DomainError> {
    let (order_id, product_id) = (order.id, line.product_id);
    let shard = op.domain.cluster.shard_of_id(product_id);
    write(op, shard, async |tx| {
        let (now, minute) = (tx.now(), minute_of(tx.now()));
        let sold = reservations::sell(tx, order_id, product_id, now).await?;
        let Some(sold) = sold else { return Ok(()) };
        let version = changed(tx, product_id, 0).await?.version;
        let (quantity, amount) = (sold.quantity, sold.amount);
        tx.emit(Event::ProductSold { product_id, order_id, quantity, amount, minute }, version);
        tx.invalidate::<Product>(product_id, version);
        Ok(())
    })
    .await
}

/// Puts sold pieces back, once.
async fn take_back(op: &Operation, order: &Order, line: &OrderLine) -> Result<(), DomainError> {
    let (order_id, product_id) = (order.id, line.product_id);
    let shard = op.domain.cluster.shard_of_id(product_id);
    write(op, shard, async |tx| {
        let returned = reservations::take_back(tx, order_id, product_id).await?;
        let Some(returned) = returned else { return Ok(()) };
        let version = changed(tx, product_id, returned.quantity).await?.version;
        let (quantity, amount) = (returned.quantity, returned.amount);
        let minute = minute_of(returned.sold_at);
        let event = Event::ProductReturned { product_id, order_id, quantity, amount, minute };
        tx.emit(event, version);
        tx.invalidate::<Product>(product_id, version);
        Ok(())
    })
    .await
}

/// The beginning of its minute, Unix seconds: the window that sales are counted in.
fn minute_of(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(60) * 60
}
