//! Products.
use std::collections::HashMap;
use serde::{Deserialize, Serialize};
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::{ProductId, UserId};
/// Money: integer minor units with an ISO 4217 currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money { /// Minor units.
    pub amount: i64, /// Three capital letters.
    pub currency: String }
/// Currencies plaza trades in.
pub const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];
/// Something for sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product { /// Id.
    pub id: ProductId, /// Seller.
    pub seller_id: UserId, /// Title.
    pub title: String, /// Description.
    pub description: String, /// Price of one.
    pub price: Money, /// What is left.
    pub stock: i32, /// Rises with each change.
    pub version: i64 }
/// What the viewer offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewProduct { /// Title.
    pub title: String, /// Description.
    pub description: String, /// Price of one.
    pub price: Money, /// How many.
    pub stock: i32 }
/// The viewer offers a product.
pub async fn create(op: &Operation, domain: &Domain, new: NewProduct) -> Result<ProductId, DomainError> { todo!() }
/// Products by id, through the cache.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>, DomainError> { todo!() }
/// Newest products of all shards (scatter-gather); cursor = product id. Shards that failed are told by number; their rows are missing.
pub async fn newest(op: &Operation, domain: &Domain, page: PageRequest) -> Result<(Page<Product>, Vec<usize>), DomainError> { todo!() }
/// Sales of one product per minute, newest first, from the read model.
#[derive(Debug, Clone)]
pub struct SalesMinute { /// The minute.
    pub minute: chrono::DateTime<chrono::Utc>, /// Orders.
    pub orders: i64, /// Pieces.
    pub quantity: i64, /// Minor units.
    pub amount: i64 }
/// The seller's view of a product's sales, newest minute first, at most 60. Only the seller.
pub async fn sales(op: &Operation, domain: &Domain, id: ProductId) -> Result<Vec<SalesMinute>, DomainError> { todo!() }
