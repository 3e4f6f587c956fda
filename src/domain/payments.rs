//! Taking payments: the provider, and its simulator.

use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;

use super::products::Money;
use plaza_base::ids::{Id, OrderId};
use plaza_config::PaymentsConfig;

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
    /// Gives the money back, if it was taken, and takes none for this order afterwards: a worker
    /// that was frozen before its capture may come to it when the order has long been cancelled,
    /// and die. `Err`: not known, ask again later.
    async fn refund(&self, order: OrderId, amount: &Money) -> Result<(), String>;
}

/// The simulator: what it decides follows from the order's id alone; faults are injected by
/// configuration.
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
        let place = permille(order);
        if place.saturating_add(self.0.poison_permille) >= 1_000 {
            return Err("the provider cannot make sense of this order".to_owned());
        }
        if place < self.0.decline_permille {
            return Ok(PaymentOutcome::Declined("the card was declined".to_owned()));
        }
        Ok(PaymentOutcome::Captured(format!("sim-{order}")))
    }

    async fn refund(&self, _order: OrderId, _amount: &Money) -> Result<(), String> {
        self.answer().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_happens_to_an_order_is_the_same_at_every_attempt() {
        let payments = SimulatedPayments(PaymentsConfig {
            decline_permille: 300,
            poison_permille: 200,
            ..PaymentsConfig::default()
        });
        let total = Money { amount: 1, currency: "EUR".into() };
        let (mut declined, mut poisonous) = (0, 0);
        for id in 1..=1_000 {
            let order = OrderId::from_i64(id << 22);
            let outcome = payments.capture(order, &total).await;
            assert_eq!(payments.capture(order, &total).await, outcome);
            declined += i32::from(matches!(outcome, Ok(PaymentOutcome::Declined(_))));
            poisonous += i32::from(outcome.is_err());
        }
        assert!(
            (250..350).contains(&declined) && (150..250).contains(&poisonous),
            "{declined} declined, {poisonous} poisonous"
        );
    }

    #[tokio::test]
    async fn a_provider_that_is_down_answers_nobody() {
        let payments =
            SimulatedPayments(PaymentsConfig { fail_permille: 1_000, ..PaymentsConfig::default() });
        let total = Money { amount: 1, currency: "EUR".into() };
        assert!(payments.capture(OrderId::from_i64(1), &total).await.is_err());
        assert!(payments.refund(OrderId::from_i64(1), &total).await.is_err());
    }
}
