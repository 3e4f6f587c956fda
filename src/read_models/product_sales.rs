//! Sales per product and minute: a windowed aggregate of the products' events. What came back is
//! not counted in the minute it was sold in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Timestamptz};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, ProductId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};

/// A minute of a product's sales.
#[derive(Debug, Clone, QueryableByName)]
pub struct SalesRow {
    /// When it began.
    #[diesel(sql_type = Timestamptz)]
    pub minute: DateTime<Utc>,
    /// Orders.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    /// Pieces.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// Minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
}

/// A product's minutes with sales, newest first.
///
/// # Errors
/// The server's.
pub async fn latest(
    connection: &mut Connection,
    product: ProductId,
    limit: i64,
) -> Result<Vec<SalesRow>, StoreError> {
    Ok(prepared(
        sql(
            "SELECT minute, orders, quantity, amount FROM product_sales WHERE product_id = $1 AND orders > 0 ORDER BY minute DESC LIMIT $2",
        )
        .bind::<BigInt, _>(product)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// The projection.
#[derive(Debug)]
pub struct ProductSales;

fn product_of(event: &Event) -> Option<ProductId> {
    match event.aggregate() {
        Aggregate::Product(product) => Some(product),
        _ => None,
    }
}

/// The windows that a batch touches: (product, beginning of the minute in Unix seconds).
fn windows(events: &[EventEnvelope]) -> Vec<(i64, i64)> {
    distinct(events.iter().filter_map(|event| match &event.event {
        Event::ProductSold { product_id, minute, .. }
        | Event::ProductReturned { product_id, minute, .. } => Some((product_id.as_i64(), *minute)),
        _ => None,
    }))
}

#[async_trait]
impl Projection for ProductSales {
    fn name(&self) -> &'static str {
        "product_sales"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Products]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Product(product) => Some(product.bucket()),
            Aggregate::User(_)
            | Aggregate::Edge(..)
            | Aggregate::Block(..)
            | Aggregate::Post(_)
            | Aggregate::Share(..)
            | Aggregate::Mention(..)
            | Aggregate::Answer(..)
            | Aggregate::Acceptance(..)
            | Aggregate::Order(_) => None,
        }
    }

    async fn commit(
        &self,
        transaction: &mut Transaction,
        _shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        let connection: &mut Connection = transaction;
        let (products, minutes): (Vec<i64>, Vec<i64>) = windows(events).into_iter().unzip();
        if products.is_empty() {
            return Ok(self.effects(events));
        }
        prepared(
            sql("INSERT INTO product_sales (product_id, minute, orders, quantity, amount)
                 SELECT w.product_id, to_timestamp(w.minute), count(r.order_id), coalesce(sum(r.quantity), 0), coalesce(sum(r.amount), 0)
                 FROM unnest($1::bigint[], $2::bigint[]) AS w(product_id, minute)
                 LEFT JOIN reservations r ON r.product_id = w.product_id AND r.status = 'SOLD'
                  AND r.sold_at >= to_timestamp(w.minute) AND r.sold_at < to_timestamp(w.minute + 60)
                 GROUP BY w.product_id, w.minute
                 ON CONFLICT (product_id, minute) DO UPDATE
                 SET orders = excluded.orders, quantity = excluded.quantity, amount = excluded.amount")
            .bind::<Array<BigInt>, _>(products)
            .bind::<Array<BigInt>, _>(minutes),
        )
        .execute(connection)
        .await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let changed = events.iter().filter_map(|event| {
            let product = product_of(&event.event)?;
            Some(Effect::ProductChanged { product, version: event.version })
        });
        changed.collect()
    }
}
