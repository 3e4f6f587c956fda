//! Placing an order.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Order, OrderLine, OrderStatus, process};
use crate::products::{self, Money, Product};
use crate::{DomainError, Mutation, Operation, UserErrorCode, mutate_from};
use plaza_base::ids::{Id, OrderId, ProductId, UserId};
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::orders as store;

/// Most lines in an order.
pub const MAX_LINES: usize = 50;
/// Most pieces in a line.
pub const MAX_QUANTITY: i32 = 1_000;

/// An order that the viewer has placed.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its id.
    pub id: OrderId,
    /// As it was written, when it was written now.
    pub order: Option<Order>,
}

/// The viewer places an order of (product, quantity) lines; lines of one product are added up. The
/// answer is a PENDING order; the rest is the saga's, which a job runs.
///
/// # Errors
/// No, too many or too large lines, products that do not exist, are the viewer's own or are not in
/// one currency; a shard that is unavailable.
pub async fn place(op: &Operation, lines: &[(ProductId, i32)]) -> Result<Placed, DomainError> {
    let buyer = op.require_viewer()?.user_id;
    let quantities = added_up(lines)?;
    let in_request = runs_saga(op);
    let mut order = None;
    let id = mutate_from(
        op,
        Mutation {
            name: "orderPlace",
            user: buyer,
            shard: op.domain.cluster.shard_of_id(buyer),
            input: &quantities.iter().collect::<Vec<_>>(),
        },
        async {
            let ids: Vec<ProductId> = quantities.keys().copied().collect();
            let products = products::current(op, &ids).await?;
            if products.values().any(|product| product.seller_id == buyer) {
                return Err(invalid("nobody can buy from themselves".to_owned()));
            }
            priced(&quantities, |id| products.get(&id))
        },
        async |connection, (rows, total)| {
            let (whose, sum) = ((buyer.bucket(), buyer), (total.amount, &*total.currency));
            let id = store::insert(connection, whose, sum, &rows).await?;
            Ok(pending(id, buyer, rows, total))
        },
        async |tx, placed| {
            let id = placed.id;
            order = Some(placed);
            tx.emit(Event::OrderPlaced { order_id: id, buyer_id: buyer }, 1);
            if !in_request {
                tx.enqueue(Job::OrderProcess { order_id: id }, format!("order:{id}/process"));
            }
            Ok(id)
        },
    )
    .await?;
    if in_request {
        let mut saga =
            Operation::internal(&op.domain, op.deadline.saturating_duration_since(Instant::now()));
        saga.traceparent.clone_from(&op.traceparent);
        process(&saga, id).await?;
        order = None;
    }
    Ok(Placed { id, order })
}

/// An order as it is written.
fn pending(id: OrderId, buyer_id: UserId, rows: Vec<store::NewLine>, total: Money) -> Order {
    let line = |row: store::NewLine| OrderLine {
        product_id: row.product,
        quantity: row.quantity,
        unit_amount: row.amount,
        title: Some(row.title),
    };
    let lines = rows.into_iter().map(line).collect();
    let (status, reason, version) = (OrderStatus::Pending, None, 1);
    Order { id, buyer_id, status, reason, lines, total, version }
}

/// Whether the request runs the saga, as case 2.1 compares jobs with it.
#[cfg(feature = "case-studies")]
fn runs_saga(op: &Operation) -> bool {
    op.domain.orders.saga_in_request
}

#[cfg(not(feature = "case-studies"))]
const fn runs_saga(_: &Operation) -> bool {
    false
}

fn invalid(message: String) -> DomainError {
    DomainError::rejected(UserErrorCode::Invalid, "lines", message)
}

fn added_up(lines: &[(ProductId, i32)]) -> Result<BTreeMap<ProductId, i32>, DomainError> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(invalid(format!("an order has 1 to {MAX_LINES} lines")));
    }
    let mut quantities: BTreeMap<ProductId, i32> = BTreeMap::new();
    for (product, quantity) in lines {
        let sum = quantities.entry(*product).or_default();
        *sum = sum.saturating_add((*quantity).max(0));
        if *quantity < 1 || *sum > MAX_QUANTITY {
            return Err(invalid(format!("a quantity is 1 to {MAX_QUANTITY}")));
        }
    }
    Ok(quantities)
}

/// The lines as they are stored, and their sum.
type Priced = (Vec<store::NewLine>, Money);

fn priced<'a>(
    quantities: &BTreeMap<ProductId, i32>,
    product: impl Fn(ProductId) -> Option<&'a Product>,
) -> Result<Priced, DomainError> {
    let mut rows = Vec::new();
    let mut total: Option<Money> = None;
    for (id, quantity) in quantities {
        let Some(product) = product(*id) else {
            return Err(DomainError::rejected(
                UserErrorCode::NotFound,
                "lines",
                "there is no such product",
            ));
        };
        rows.push(store::NewLine {
            product: *id,
            quantity: *quantity,
            amount: product.price.amount,
            title: product.title.clone(),
        });
        let so_far = total
            .get_or_insert_with(|| Money { amount: 0, currency: product.price.currency.clone() });
        if so_far.currency != product.price.currency {
            return Err(invalid("all products of an order must have one currency".to_owned()));
        }
        let sum = product
            .price
            .amount
            .checked_mul(i64::from(*quantity))
            .and_then(|amount| so_far.amount.checked_add(amount));
        so_far.amount = sum.ok_or_else(|| invalid("the order is too large".to_owned()))?;
    }
    total.map(|total| (rows, total)).ok_or_else(|| invalid("an order has lines".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: i64, amount: i64, currency: &str) -> Product {
        Product {
            id: ProductId::from_i64(id),
            seller_id: UserId::from_i64(1),
            title: String::new(),
            description: String::new(),
            price: Money { amount, currency: currency.into() },
            stock: 1,
            version: 1,
        }
    }

    #[test]
    fn lines_of_one_product_are_added_up_and_bounded() {
        let id = ProductId::from_i64(5);
        assert_eq!(added_up(&[(id, 2), (id, 3)]).unwrap(), BTreeMap::from([(id, 5)]));
        assert!(added_up(&[]).is_err());
        assert!(added_up(&[(id, 0)]).is_err());
        assert!(added_up(&[(id, -1)]).is_err());
        assert!(added_up(&[(id, 600), (id, 600)]).is_err());
        assert!(added_up(&[(id, i32::MAX), (id, i32::MAX)]).is_err());
    }

    #[test]
    fn sums_are_checked_and_of_one_currency() {
        let quantities = BTreeMap::from([(ProductId::from_i64(1), 2), (ProductId::from_i64(2), 1)]);
        let shop = |second: Product| {
            let products = [product(1, 150, "EUR"), second];
            priced(&quantities, |id| products.iter().find(|product| product.id == id))
                .map(|(_, total)| total.amount)
                .ok()
        };
        assert_eq!(shop(product(2, 50, "EUR")), Some(350));
        assert_eq!(shop(product(2, 50, "USD")), None);
        assert_eq!(shop(product(2, i64::MAX, "EUR")), None);
        assert_eq!(shop(product(3, 50, "EUR")), None);
    }
}
