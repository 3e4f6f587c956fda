//! Order rows with their lines and payments; on the buyer's shard.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, OrderId, ProductId, UserId};

/// One line of an order, with the order's own columns.
#[derive(Debug, Clone, QueryableByName)]
pub struct OrderLineRow {
    /// Order.
    #[diesel(sql_type = BigInt)]
    pub id: OrderId,
    /// Buyer.
    #[diesel(sql_type = BigInt)]
    pub buyer_id: UserId,
    /// State's name.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// Why rejected.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// Sum, minor units.
    #[diesel(sql_type = BigInt)]
    pub total_amount: i64,
    /// ISO 4217.
    #[diesel(sql_type = Text)]
    pub total_currency: String,
    /// The order's version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// What.
    #[diesel(sql_type = BigInt)]
    pub product_id: ProductId,
    /// How many.
    #[diesel(sql_type = Integer)]
    pub quantity: i32,
    /// Price of one, minor units.
    #[diesel(sql_type = BigInt)]
    pub unit_amount: i64,
    /// What it was called when it was bought; `None` in lines from before titles were stored.
    #[diesel(sql_type = Nullable<Text>)]
    pub title: Option<String>,
}

/// A line to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// What.
    pub product: ProductId,
    /// How many.
    pub quantity: i32,
    /// Price of one, minor units.
    pub amount: i64,
    /// What it is called.
    pub title: String,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: OrderId,
}

/// Inserts a PENDING order of this sum, in minor units, with its lines; its id.
///
/// # Errors
/// The server's.
pub async fn insert(
    mut connection: &Connection,
    (bucket, buyer): (Bucket, UserId),
    (amount, currency): (i64, &str),
    lines: &[NewLine],
) -> Result<OrderId, StoreError> {
    let products: Vec<ProductId> = lines.iter().map(|line| line.product).collect();
    let quantities: Vec<i32> = lines.iter().map(|line| line.quantity).collect();
    let amounts: Vec<i64> = lines.iter().map(|line| line.amount).collect();
    let titles: Vec<&str> = lines.iter().map(|line| line.title.as_str()).collect();
    let row: IdRow = prepared(
        sql("WITH placed AS (
                 INSERT INTO orders (id, buyer_id, status, total_amount, total_currency)
                 VALUES (next_id($1), $2, 'PENDING', $3, $4) RETURNING id),
             written AS (
                 INSERT INTO order_lines (order_id, product_id, quantity, unit_amount, title)
                 SELECT placed.id, line.*
                 FROM placed, unnest($5::bigint[], $6::integer[], $7::bigint[], $8::text[]) AS line)
             SELECT id FROM placed")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(buyer)
        .bind::<BigInt, _>(amount)
        .bind::<Text, _>(currency)
        .bind::<Array<BigInt>, _>(products)
        .bind::<Array<Integer>, _>(quantities)
        .bind::<Array<BigInt>, _>(amounts)
        .bind::<Array<Text>, _>(titles),
    )
    .get_result(&mut connection)
    .await?;
    Ok(row.id)
}

/// Orders by id, a row a line, in product order.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[OrderId],
) -> Result<Vec<OrderLineRow>, StoreError> {
    Ok(prepared(
        sql("SELECT o.id, o.buyer_id, o.status, o.reason, o.total_amount, o.total_currency, o.version,
                    l.product_id, l.quantity, l.unit_amount, l.title
             FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.id = ANY($1) ORDER BY o.id, l.product_id")
        .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// A buyer's orders, a row a line.
///
/// # Errors
/// The server's.
pub async fn of_buyer(
    connection: &mut Connection,
    buyer: UserId,
    keyset: Keyset,
) -> Result<Vec<OrderLineRow>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT o.id, o.buyer_id, o.status, o.reason, o.total_amount, o.total_currency, o.version,
                    l.product_id, l.quantity, l.unit_amount, l.title
             FROM (SELECT * FROM orders WHERE buyer_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3) o
             JOIN order_lines l ON l.order_id = o.id ORDER BY o.id DESC, l.product_id")
    } else {
        sql("SELECT o.id, o.buyer_id, o.status, o.reason, o.total_amount, o.total_currency, o.version,
                    l.product_id, l.quantity, l.unit_amount, l.title
             FROM (SELECT * FROM orders WHERE buyer_id = $1 AND id > $2 ORDER BY id LIMIT $3) o
             JOIN order_lines l ON l.order_id = o.id ORDER BY o.id, l.product_id")
    };
    Ok(prepared(
        statement
            .bind::<BigInt, _>(buyer)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?)
}

/// What a change of state must know.
#[derive(Debug, Clone, QueryableByName)]
pub struct Locked {
    /// Buyer.
    #[diesel(sql_type = BigInt)]
    pub buyer_id: UserId,
    /// State's name.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// The order's version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Locks an order.
///
/// # Errors
/// The server's.
pub async fn lock(connection: &mut Connection, id: OrderId) -> Result<Option<Locked>, StoreError> {
    let rows: Vec<Locked> = prepared(
        sql("SELECT buyer_id, status, version FROM orders WHERE id = $1 FOR UPDATE")
            .bind::<BigInt, _>(id),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().next())
}

/// Sets a locked order's state, and writes the change into its history.
///
/// # Errors
/// The server's.
pub async fn set_status(
    connection: &mut Connection,
    id: OrderId,
    status: &str,
    reason: Option<&str>,
    version: i64,
) -> Result<(), StoreError> {
    prepared(
        sql("WITH moved AS (UPDATE orders SET status = $2, reason = coalesce($3, reason), version = $4 WHERE id = $1)
             INSERT INTO order_changes (order_id, version, status) VALUES ($1, $4, $2)")
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(status)
        .bind::<Nullable<Text>, _>(reason)
        .bind::<BigInt, _>(version),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A state that an order came to.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct ChangeRow {
    /// Which order.
    #[diesel(sql_type = BigInt)]
    pub order_id: OrderId,
    /// The state's name.
    #[diesel(sql_type = Text)]
    pub status: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
}

/// The states that orders came to after they were placed, in order of time.
///
/// # Errors
/// The server's.
pub async fn changes(
    connection: &mut Connection,
    ids: &[OrderId],
) -> Result<Vec<ChangeRow>, StoreError> {
    Ok(prepared(
        sql("SELECT order_id, status, at FROM order_changes WHERE order_id = ANY($1) ORDER BY order_id, version")
            .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// Writes down that an order's money was given back.
///
/// # Errors
/// The server's.
pub async fn refund_payment(connection: &mut Connection, order: OrderId) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE payments SET status = 'REFUNDED' WHERE order_id = $1").bind::<BigInt, _>(order),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down that the order is paid; once.
///
/// # Errors
/// The server's.
pub async fn insert_payment(
    connection: &mut Connection,
    order: OrderId,
    amount: i64,
    currency: &str,
    reference: &str,
) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO payments (order_id, amount, currency, status, reference) VALUES ($1, $2, $3, 'CAPTURED', $4) ON CONFLICT DO NOTHING")
            .bind::<BigInt, _>(order)
            .bind::<BigInt, _>(amount)
            .bind::<Text, _>(currency)
            .bind::<Text, _>(reference),
    )
    .execute(connection)
    .await?;
    Ok(())
}
