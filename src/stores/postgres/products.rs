//! Product rows.

use diesel::sql_types::{Array, BigInt, Integer, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, ProductId, UserId};

/// A product as stored.
#[derive(Debug, Clone, QueryableByName)]
pub struct ProductRow {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: ProductId,
    /// Seller.
    #[diesel(sql_type = BigInt)]
    pub seller_id: UserId,
    /// Title.
    #[diesel(sql_type = Text)]
    pub title: String,
    /// Description.
    #[diesel(sql_type = Text)]
    pub description: String,
    /// Price of one, minor units.
    #[diesel(sql_type = BigInt)]
    pub price_amount: i64,
    /// ISO 4217.
    #[diesel(sql_type = Text)]
    pub price_currency: String,
    /// What is left.
    #[diesel(sql_type = Integer)]
    pub stock: i32,
    /// Rises with each change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: ProductId,
}

/// A row to be.
#[derive(Debug)]
pub struct NewRow<'a> {
    /// Seller.
    pub seller_id: UserId,
    /// Title.
    pub title: &'a str,
    /// Description.
    pub description: &'a str,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// Pieces.
    pub stock: i32,
}

/// Inserts a product; its id.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    bucket: Bucket,
    row: &NewRow<'_>,
) -> Result<ProductId, StoreError> {
    let inserted: IdRow = prepared(
        sql(
            "INSERT INTO products (id, seller_id, title, description, price_amount, price_currency,
                                   stock, stock_offered)
             VALUES (next_id($1), $2, $3, $4, $5, $6, $7, $7) RETURNING id",
        )
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(row.seller_id)
        .bind::<Text, _>(row.title)
        .bind::<Text, _>(row.description)
        .bind::<BigInt, _>(row.amount)
        .bind::<Text, _>(row.currency)
        .bind::<Integer, _>(row.stock),
    )
    .get_result(connection)
    .await?;
    Ok(inserted.id)
}

/// Rows by id.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    ids: &[ProductId],
) -> Result<Vec<ProductRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, seller_id, title, description, price_amount, price_currency, stock, version FROM products WHERE id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?)
}

/// This shard's newest products below an id.
///
/// # Errors
/// The server's.
pub async fn newest(
    connection: &mut Connection,
    below: i64,
    limit: i64,
) -> Result<Vec<ProductRow>, StoreError> {
    Ok(prepared(
        sql(
            "SELECT id, seller_id, title, description, price_amount, price_currency, stock, version
             FROM products WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind::<BigInt, _>(below)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// A part of the products of one currency, in the order of price and id.
#[derive(Debug, Clone, Copy)]
pub struct ByPrice<'a> {
    /// ISO 4217.
    pub currency: &'a str,
    /// The lowest price, minor units.
    pub min: i64,
    /// The highest price, minor units.
    pub max: i64,
    /// Whether the order is reversed.
    pub descending: bool,
    /// The price and id after which the part begins.
    pub beyond: (i64, i64),
    /// Most rows.
    pub limit: i64,
}

/// This shard's products of a currency by price.
///
/// # Errors
/// The server's.
pub async fn by_price(
    connection: &mut Connection,
    part: ByPrice<'_>,
) -> Result<Vec<ProductRow>, StoreError> {
    let statement = if part.descending {
        sql("SELECT id, seller_id, title, description, price_amount, price_currency, stock, version
             FROM products WHERE price_currency = $1 AND price_amount BETWEEN $2 AND $3
               AND (price_amount, id) < ($4, $5)
             ORDER BY price_amount DESC, id DESC LIMIT $6")
    } else {
        sql("SELECT id, seller_id, title, description, price_amount, price_currency, stock, version
             FROM products WHERE price_currency = $1 AND price_amount BETWEEN $2 AND $3
               AND (price_amount, id) > ($4, $5)
             ORDER BY price_amount, id LIMIT $6")
    };
    let (amount, id) = part.beyond;
    Ok(prepared(
        statement
            .bind::<Text, _>(part.currency)
            .bind::<BigInt, _>(part.min)
            .bind::<BigInt, _>(part.max)
            .bind::<BigInt, _>(amount)
            .bind::<BigInt, _>(id)
            .bind::<BigInt, _>(part.limit),
    )
    .load(connection)
    .await?)
}

/// A seller's products.
///
/// # Errors
/// The server's.
pub async fn by_seller(
    connection: &mut Connection,
    seller: UserId,
    keyset: Keyset,
) -> Result<Vec<ProductRow>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT id, seller_id, title, description, price_amount, price_currency, stock, version
             FROM products WHERE seller_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
    } else {
        sql("SELECT id, seller_id, title, description, price_amount, price_currency, stock, version
             FROM products WHERE seller_id = $1 AND id > $2 ORDER BY id LIMIT $3")
    };
    Ok(prepared(
        statement
            .bind::<BigInt, _>(seller)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?)
}

/// A product's stock and version after a change.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct StockRow {
    /// What is left.
    #[diesel(sql_type = Integer)]
    pub stock: i32,
    /// The new version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Takes from (negative) or gives back to (positive) the stock, and raises the version; `None` when
/// there is not enough.
///
/// # Errors
/// The server's.
pub async fn change_stock(
    connection: &mut Connection,
    id: ProductId,
    by: i32,
) -> Result<Option<StockRow>, StoreError> {
    Ok(prepared(
        sql("UPDATE products SET stock = stock + $2, version = version + 1 WHERE id = $1 AND stock + $2 >= 0 RETURNING stock, version")
            .bind::<BigInt, _>(id)
            .bind::<Integer, _>(by),
    )
    .get_result(connection)
    .await
    .optional()?)
}
