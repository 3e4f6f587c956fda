//! Orders and their saga.
use std::collections::HashMap;
use super::{Domain, DomainError, Operation, Page, PageRequest};
use super::products::Money;
use crate::ids::{OrderId, ProductId, UserId};
/// States of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus { /// Placed, the saga has not got far.
    Pending, /// Stock is held.
    Reserved, /// Paid.
    Paid, /// Done.
    Confirmed, /// No stock or no payment.
    Rejected, /// By the buyer.
    Cancelled }
/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine { /// What.
    pub product_id: ProductId, /// How many.
    pub quantity: i32, /// Price of one, minor units, when placed.
    pub unit_amount: i64 }
/// An order.
#[derive(Debug, Clone)]
pub struct Order { /// Id.
    pub id: OrderId, /// Buyer.
    pub buyer_id: UserId, /// State.
    pub status: OrderStatus, /// Why rejected.
    pub reason: Option<String>, /// In product id order.
    pub lines: Vec<OrderLine>, /// Sum.
    pub total: Money }
/// Most lines in an order.
pub const MAX_LINES: usize = 50;
/// Most pieces in a line.
pub const MAX_QUANTITY: i32 = 1_000;
/// The viewer places an order of (product, quantity).
pub async fn place(op: &Operation, domain: &Domain, lines: &[(ProductId, i32)]) -> Result<OrderId, DomainError> { todo!() }
/// The viewer cancels an order that is not confirmed yet.
pub async fn cancel(op: &Operation, domain: &Domain, id: OrderId) -> Result<OrderId, DomainError> { todo!() }
/// The viewer's own orders by id; others' are left out.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[OrderId]) -> Result<HashMap<OrderId, Order>, DomainError> { todo!() }
/// The viewer's orders, newest first; cursor = order id.
pub async fn of_viewer(op: &Operation, domain: &Domain, page: PageRequest) -> Result<Page<Order>, DomainError> { todo!() }
/// The saga: brings an order as far as it goes; safe to run again at any point. Called by the job.
pub async fn process(op: &Operation, domain: &Domain, id: OrderId) -> Result<(), DomainError> { todo!() }
