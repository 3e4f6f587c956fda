//! The order of a saga's steps, without a shard or a provider. Each step may be done again, by this
//! worker or by another one at the same time.

use super::OrderStatus;
use plaza_base::ids::{Id, OrderId};
use plaza_base::seeded::{Bug, bug};

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Hold stock for every line, and say whether there was enough.
    Reserve,
    /// Take the money, and say whether it was.
    Capture,
    /// Sell what is held.
    Sell,
    /// Give back what is held.
    Release,
    /// Put back what was sold.
    TakeBack,
    /// Give the money back, if it was taken.
    Refund,
    /// Move the order to a state if that may follow, for a reason; and say where it is then.
    Move(OrderStatus, Option<&'static str>),
    /// Nothing.
    End,
}

/// An order on its way, as far as one run of its saga takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saga {
    step: Step,
    /// Where the order was when this run last saw it.
    status: OrderStatus,
}

impl Saga {
    /// Of an order that is in this state.
    pub(super) fn of(status: OrderStatus) -> Self {
        let step = match status {
            OrderStatus::Pending => Step::Reserve,
            OrderStatus::Reserved => Step::Capture,
            OrderStatus::Paid => Step::Sell,
            OrderStatus::Rejected | OrderStatus::Cancelled => Step::Release,
            OrderStatus::Refunding if bug(Bug::RefundKeepsStock) => Step::Refund,
            OrderStatus::Refunding => Step::TakeBack,
            OrderStatus::Confirmed | OrderStatus::Refunded => Step::End,
        };
        Self { step, status }
    }

    /// What is to be done next.
    pub(super) fn step(&self) -> Step {
        self.step
    }

    /// There was enough stock for every line, or there was not.
    pub(super) fn reserved(&mut self, is_enough: bool) {
        self.step = match is_enough {
            true => Step::Move(OrderStatus::Reserved, None),
            false => Step::Move(OrderStatus::Rejected, Some("OUT_OF_STOCK")),
        };
    }

    /// The money was taken, or refused.
    pub(super) fn captured(&mut self, is_taken: bool) {
        self.step = match is_taken {
            true => Step::Move(OrderStatus::Paid, None),
            false => Step::Move(OrderStatus::Rejected, Some("PAYMENT_DECLINED")),
        };
    }

    /// What of the others was to be done is done.
    pub(super) fn done(&mut self) {
        self.step = match (self.step, self.status) {
            (Step::Sell, _) => Step::Move(OrderStatus::Confirmed, None),
            // After the stock, which others wait for. Nothing says whether money was taken, so the
            // provider, who knows, is always asked.
            (Step::Release, OrderStatus::Cancelled) | (Step::TakeBack, _) => Step::Refund,
            (Step::Refund, OrderStatus::Refunding) => Step::Move(OrderStatus::Refunded, None),
            _ => Step::End,
        };
    }

    /// The order is in this state now, whether this run has moved it there or somebody else.
    pub(super) fn moved(&mut self, status: OrderStatus) {
        let ends =
            matches!(self.step, Step::Move(OrderStatus::Confirmed | OrderStatus::Refunded, _));
        *self = Self::of(status);
        if ends {
            self.step = Step::End;
        }
    }
}

/// What the provider knows an order's money by: the same at every attempt.
pub(super) fn payment_key(order: OrderId, nth_attempt: impl FnOnce() -> i64) -> OrderId {
    if bug(Bug::SagaPaysTwice) {
        return OrderId::from_i64(order.as_i64().wrapping_add(nth_attempt()));
    }
    order
}

#[cfg(test)]
mod simulation;
