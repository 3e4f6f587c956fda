//! What was sold: a sale is reported once for each order, with every product of the seller's in it.

use std::collections::HashMap;

use crate::{DomainError, Operation};
use plaza_base::ids::{Id, OrderId, ProductId};
use plaza_stores::postgres::reservations::{self as store, SoldRow};

use super::{Kind, Notification};

/// A product that was sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoldLine {
    /// Which.
    pub product: ProductId,
    /// How many, at least 1.
    pub quantity: i32,
}

/// The order in which the notification's user sold something; `None` for what is no sale.
pub fn order_of(notification: &Notification) -> Option<OrderId> {
    let is_sale = match notification.kind {
        Kind::Ordered => true,
        // The buyer's own has no product.
        Kind::OrderRefunded => notification.product_id.is_some(),
        _ => false,
    };
    is_sale.then(|| OrderId::from_i64(notification.subject_id))
}

/// What these orders have bought of the viewer, returned since or not; orders that have bought
/// nothing are left out.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn of_orders(
    op: &Operation,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<SoldLine>>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashMap::new()) };
    // A seller's products, and what is held of them, are on the seller's shard.
    let (seller, cluster) = (viewer.user_id, &op.domain.cluster);
    let rows = cluster
        .read(&op.reads, cluster.shard_of_id(seller), async |connection| {
            store::sold_by(connection, seller, orders).await
        })
        .await?;
    let mut sold: HashMap<OrderId, Vec<SoldLine>> = HashMap::new();
    for SoldRow { order_id, product_id, quantity } in rows {
        sold.entry(order_id).or_default().push(SoldLine { product: product_id, quantity });
    }
    Ok(sold)
}
