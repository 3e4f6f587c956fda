//! Taking payments: the provider and its simulator.
use super::products::Money;
use crate::ids::OrderId;
/// What a provider said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentOutcome { /// Taken; the provider's reference.
    Captured(String), /// Refused, why.
    Declined(String) }
/// Takes and gives back money. Both are idempotent per order.
#[async_trait::async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Takes the money once. Err: try again later.
    async fn capture(&self, order: OrderId, amount: &Money) -> Result<PaymentOutcome, String>;
    /// Gives it back once. Err: try again later.
    async fn refund(&self, order: OrderId, amount: &Money, reference: &str) -> Result<(), String>;
}
/// The deterministic simulator with injectable faults.
#[derive(Debug, Clone)]
pub struct SimulatedPayments(pub crate::config::PaymentsConfig);
#[async_trait::async_trait]
impl PaymentProvider for SimulatedPayments {
    async fn capture(&self, order: OrderId, amount: &Money) -> Result<PaymentOutcome, String> { todo!() }
    async fn refund(&self, order: OrderId, amount: &Money, reference: &str) -> Result<(), String> { todo!() }
}
