//! The states of an order, and the only ways between them.

/// States of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Placed; the saga has not got far.
    Pending,
    /// All stock is held.
    Reserved,
    /// Paid: past cancelling.
    Paid,
    /// Done, until its buyer wants the money back.
    Confirmed,
    /// Not enough stock, or no payment.
    Rejected,
    /// By the buyer.
    Cancelled,
    /// The buyer wants the money back: pieces and money are on their way.
    Refunding,
    /// Given back, both.
    Refunded,
}

/// Every state with its stored name and the states that may follow.
const TABLE: [(OrderStatus, &str, &[OrderStatus]); 8] = {
    use OrderStatus::{
        Cancelled, Confirmed, Paid, Pending, Refunded, Refunding, Rejected, Reserved,
    };
    [
        (Pending, "PENDING", &[Reserved, Rejected, Cancelled]),
        (Reserved, "RESERVED", &[Paid, Rejected, Cancelled]),
        (Paid, "PAID", &[Confirmed]),
        (Confirmed, "CONFIRMED", &[Refunding]),
        (Rejected, "REJECTED", &[]),
        (Cancelled, "CANCELLED", &[]),
        (Refunding, "REFUNDING", &[Refunded]),
        (Refunded, "REFUNDED", &[]),
    ]
};

impl OrderStatus {
    /// As stored.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(status, _, _)| *status == self).map_or("", |(_, name, _)| name)
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(status, _, _)| *status)
    }

    /// The states that may follow.
    pub fn next(self) -> &'static [Self] {
        TABLE.iter().find(|(status, _, _)| *status == self).map_or(&[], |(_, _, next)| next)
    }

    /// Whether this one may follow.
    pub fn may_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }

    /// Whether nothing is under way: it stays so unless its buyer does something.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Confirmed | Self::Rejected | Self::Cancelled | Self::Refunded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_in_the_table_once_and_ends_somewhere() {
        for (status, name, next) in TABLE {
            assert_eq!(OrderStatus::from_name(name), Some(status));
            assert_eq!(status.name(), name);
            assert!(!next.contains(&status));
        }
        for (status, name, _) in TABLE.iter().filter(|(_, _, next)| next.is_empty()) {
            assert!(status.is_settled(), "nothing follows {name}, so nothing is under way");
        }
    }

    #[test]
    fn what_is_paid_cannot_be_cancelled() {
        assert!(!OrderStatus::Paid.next().contains(&OrderStatus::Cancelled));
    }

    #[test]
    fn money_is_given_back_once_and_only_of_what_was_confirmed() {
        let before: Vec<OrderStatus> = TABLE
            .iter()
            .filter(|(_, _, next)| next.contains(&OrderStatus::Refunding))
            .map(|(status, _, _)| *status)
            .collect();
        assert_eq!(before, [OrderStatus::Confirmed]);
        assert_eq!(OrderStatus::Refunding.next(), [OrderStatus::Refunded]);
    }
}
