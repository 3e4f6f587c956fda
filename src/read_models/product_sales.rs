//! Sales per product and minute.
use crate::stores::{StoreError, postgres::Connection};
/// A minute of a product's sales.
#[derive(Debug, Clone)]
pub struct SalesRow { /// Minute.
    pub minute: chrono::DateTime<chrono::Utc>, /// Orders.
    pub orders: i64, /// Pieces.
    pub quantity: i64, /// Minor units.
    pub amount: i64 }
/// Newest minutes first.
pub async fn latest(connection: &mut Connection, product: i64, limit: i64) -> Result<Vec<SalesRow>, StoreError> { todo!() }
