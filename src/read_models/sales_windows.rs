//! Sales in windows: what product_sales holds by the minute, summed for a product or for all
//! products of a seller; with what came back since.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use plaza_base::ids::{ProductId, UserId};
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::prepared::{prepared, sql};

/// A window with sales in one currency.
#[derive(Debug, Clone, QueryableByName)]
pub struct SalesWindowRow {
    /// ISO 4217.
    #[diesel(sql_type = Text)]
    pub currency: String,
    /// When it begins, Unix seconds.
    #[diesel(sql_type = BigInt)]
    pub starts_at: i64,
    /// Orders that stand, counted once for each of the products.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    /// Pieces that stand.
    #[diesel(sql_type = BigInt)]
    pub quantity: i64,
    /// For how much, minor units.
    #[diesel(sql_type = BigInt)]
    pub amount: i64,
    /// Pieces sold in this window that have come back since.
    #[diesel(sql_type = BigInt)]
    pub returned_quantity: i64,
    /// What was given back for them, minor units.
    #[diesel(sql_type = BigInt)]
    pub returned_amount: i64,
}

/// The windows of `size_s` seconds in which something of this seller's was sold, from one Unix
/// second to before another. With a product, of it alone.
///
/// # Errors
/// The server's.
pub async fn of_seller(
    connection: &mut Connection,
    seller: UserId,
    product: Option<ProductId>,
    size_s: i64,
    (from, to): (i64, i64),
) -> Result<Vec<SalesWindowRow>, StoreError> {
    Ok(prepared(
        sql("SELECT p.price_currency AS currency, (extract(epoch FROM s.minute)::bigint / $3) * $3 AS starts_at,
                    sum(s.orders)::bigint AS orders, sum(s.quantity)::bigint AS quantity, sum(s.amount)::bigint AS amount,
                    sum(s.returned_quantity)::bigint AS returned_quantity, sum(s.returned_amount)::bigint AS returned_amount
             FROM products p CROSS JOIN LATERAL (
                 SELECT minute, orders, quantity, amount, 0 AS returned_quantity, 0 AS returned_amount FROM product_sales
                 WHERE product_id = p.id AND minute >= to_timestamp($4) AND minute < to_timestamp($5)
                 UNION ALL SELECT sold_at, 0, 0, 0, quantity, amount FROM reservations
                 WHERE product_id = p.id AND status = 'RETURNED' AND sold_at >= to_timestamp($4) AND sold_at < to_timestamp($5)
             ) s
             WHERE p.seller_id = $1 AND ($2::bigint IS NULL OR p.id = $2)
             GROUP BY 1, 2")
        .bind::<BigInt, _>(seller)
        .bind::<diesel::sql_types::Nullable<BigInt>, _>(product)
        .bind::<BigInt, _>(size_s)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(to),
    )
    .load(connection)
    .await?)
}

/// A product and what was sold of it.
#[derive(Debug, Clone, QueryableByName)]
pub struct TopRow {
    /// Product.
    #[diesel(sql_type = BigInt)]
    pub product_id: ProductId,
    /// ISO 4217.
    #[diesel(sql_type = Text)]
    pub currency: String,
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

/// A seller's products of which the most units were sold from one Unix second to before another,
/// most first.
///
/// # Errors
/// The server's.
pub async fn top_products(
    connection: &mut Connection,
    seller: UserId,
    (from, to): (i64, i64),
    limit: i64,
) -> Result<Vec<TopRow>, StoreError> {
    Ok(prepared(
        sql(
            "SELECT p.id AS product_id, p.price_currency AS currency, sum(s.orders)::bigint AS orders, sum(s.quantity)::bigint AS quantity,
                    sum(s.amount)::bigint AS amount
             FROM products p JOIN product_sales s ON s.product_id = p.id
             WHERE p.seller_id = $1 AND s.minute >= to_timestamp($2) AND s.minute < to_timestamp($3)
             GROUP BY p.id, p.price_currency HAVING sum(s.quantity) > 0 ORDER BY sum(s.quantity) DESC, p.id DESC LIMIT $4",
        )
        .bind::<BigInt, _>(seller)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(to)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}
