//! Reservations: stock held for an order, on the product's shard.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Timestamptz};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{OrderId, ProductId, UserId};

/// A reservation that has changed state.
#[derive(Debug, Clone, QueryableByName)]
pub struct Reservation {
    /// Of which product.
    #[diesel(sql_type = BigInt)]
    pub product_id: ProductId,
    /// How many.
    #[diesel(sql_type = Integer)]
    pub quantity: i32,
    /// For how much, minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
}

/// Makes a HELD reservation; false when the order has one of this product, in whatever state.
///
/// # Errors
/// The server's.
pub async fn hold(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
    quantity: i32,
    amount: i64,
) -> Result<bool, StoreError> {
    let inserted = prepared(
        sql("INSERT INTO reservations (order_id, product_id, quantity, amount, status) VALUES ($1, $2, $3, $4, 'HELD')
             ON CONFLICT DO NOTHING")
        .bind::<BigInt, _>(order)
        .bind::<BigInt, _>(product)
        .bind::<Integer, _>(quantity)
        .bind::<BigInt, _>(amount),
    )
    .execute(connection)
    .await?;
    Ok(inserted == 1)
}

/// What an order has bought of a product, whether it was returned since or not.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct SoldRow {
    /// By which order.
    #[diesel(sql_type = BigInt)]
    pub order_id: OrderId,
    /// Of which product.
    #[diesel(sql_type = BigInt)]
    pub product_id: ProductId,
    /// How many.
    #[diesel(sql_type = Integer)]
    pub quantity: i32,
}

/// What orders have bought of a seller, on the seller's shard; by product within an order.
///
/// # Errors
/// The server's.
pub async fn sold_by(
    connection: &mut Connection,
    seller: UserId,
    orders: &[OrderId],
) -> Result<Vec<SoldRow>, StoreError> {
    Ok(prepared(
        sql("SELECT r.order_id, r.product_id, r.quantity FROM reservations r JOIN products p ON p.id = r.product_id
             WHERE r.order_id = ANY($1) AND r.status IN ('SOLD', 'RETURNED') AND p.seller_id = $2 ORDER BY r.product_id")
        .bind::<Array<BigInt>, _>(orders)
        .bind::<BigInt, _>(seller),
    )
    .load(connection)
    .await?)
}

#[derive(QueryableByName)]
struct ReleasedRow {
    #[diesel(sql_type = Bool)]
    is_released: bool,
}

/// Whether a reservation is RELEASED.
///
/// # Errors
/// The server's; there is none.
pub async fn is_released(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
) -> Result<bool, StoreError> {
    let row: ReleasedRow = prepared(
        sql("SELECT status = 'RELEASED' AS is_released FROM reservations WHERE order_id = $1 AND product_id = $2")
            .bind::<BigInt, _>(order)
            .bind::<BigInt, _>(product),
    )
    .get_result(connection)
    .await?;
    Ok(row.is_released)
}

/// Moves the order's reservation of a product from HELD to RELEASED; nothing when it is not HELD.
///
/// # Errors
/// The server's.
pub async fn release(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
) -> Result<Option<Reservation>, StoreError> {
    let rows: Vec<Reservation> = prepared(
        sql("UPDATE reservations SET status = 'RELEASED' WHERE order_id = $1 AND product_id = $2 AND status = 'HELD'
             RETURNING product_id, quantity, amount")
        .bind::<BigInt, _>(order)
        .bind::<BigInt, _>(product),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().next())
}

/// A sold piece that came back.
#[derive(Debug, Clone, QueryableByName)]
pub struct Returned {
    /// How many.
    #[diesel(sql_type = Integer)]
    pub quantity: i32,
    /// For how much they were sold, minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// When they were sold.
    #[diesel(sql_type = Timestamptz)]
    pub sold_at: DateTime<Utc>,
}

/// Moves the order's reservation of a product from SOLD to RETURNED; nothing when it is not SOLD.
///
/// # Errors
/// The server's.
pub async fn take_back(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
) -> Result<Option<Returned>, StoreError> {
    let rows: Vec<Returned> = prepared(
        sql("UPDATE reservations SET status = 'RETURNED' WHERE order_id = $1 AND product_id = $2 AND status = 'SOLD'
             RETURNING quantity, amount, sold_at")
        .bind::<BigInt, _>(order)
        .bind::<BigInt, _>(product),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().next())
}

/// Leaves a mark that the order gets nothing of this product, so that a reservation that comes late
/// finds it.
///
/// # Errors
/// The server's.
pub async fn refuse(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
    quantity: i32,
    amount: i64,
) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO reservations (order_id, product_id, quantity, amount, status) VALUES ($1, $2, $3, $4, 'RELEASED')
             ON CONFLICT DO NOTHING")
        .bind::<BigInt, _>(order)
        .bind::<BigInt, _>(product)
        .bind::<Integer, _>(quantity)
        .bind::<BigInt, _>(amount),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the order's reservation of a product from HELD to SOLD; nothing when it is not HELD.
///
/// # Errors
/// The server's.
pub async fn sell(
    connection: &mut Connection,
    order: OrderId,
    product: ProductId,
    at: DateTime<Utc>,
) -> Result<Option<Reservation>, StoreError> {
    let rows: Vec<Reservation> = prepared(
        sql("UPDATE reservations SET status = 'SOLD', sold_at = $3 WHERE order_id = $1 AND product_id = $2 AND status = 'HELD'
             RETURNING product_id, quantity, amount")
        .bind::<BigInt, _>(order)
        .bind::<BigInt, _>(product)
        .bind::<Timestamptz, _>(at),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().next())
}
