//! Taking payments: the provider, and its simulator.

use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;

use super::products::Money;
use crate::config::PaymentsConfig;
use crate::ids::{Id, OrderId};

/// What a provider said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// Taken; the provider's reference.
    Captured(String),
    /// Refused, and why.
    Declined(String),
}

/// Takes and gives back money. Both may be asked again for the same order and then do nothing more.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Takes the money. `Err`: not known, ask again later.
    async fn capture(&self, order: OrderId, amount: &Money) -> Result<PaymentOutcome, String>;
    /// Gives the money back, if it was taken. `Err`: not known, ask again later.
    async fn refund(&self, order: OrderId, amount: &Money) -> Result<(), String>;
}

/// The simulator: what it decides follows from the order's id alone; faults are injected by configuration.
#[derive(Debug, Clone)]
pub struct SimulatedPayments(pub PaymentsConfig);

impl SimulatedPayments {
    async fn answer(&self) -> Result<(), String> {
        if self.0.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.0.latency_ms)).await;
        }
        if rand::rng().random_range(0..1_000) < self.0.fail_permille {
            return Err("the provider does not answer".to_owned());
        }
        Ok(())
    }
}

/// A number from 0 to 999 that belongs to an order: its id, scrambled.
fn permille(order: OrderId) -> u16 {
    let scrambled = order.as_i64().unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u16::try_from(scrambled % 1_000).unwrap_or_default()
}

#[async_trait]
impl PaymentProvider for SimulatedPayments {
    async fn capture(&self, order: OrderId, _amount: &Money) -> Result<PaymentOutcome, String> {
        self.answer().await?;
        if permille(order) < self.0.decline_permille {
            return Ok(PaymentOutcome::Declined("the card was declined".to_owned()));
        }
        Ok(PaymentOutcome::Captured(format!("sim-{order}")))
    }

    async fn refund(&self, _order: OrderId, _amount: &Money) -> Result<(), String> {
        self.answer().await
    }
}
