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
    /// Done.
    Confirmed,
    /// Not enough stock, or no payment.
    Rejected,
    /// By the buyer.
    Cancelled,
}

/// Every state with its stored name and the states that may follow.
const TABLE: [(OrderStatus, &str, &[OrderStatus]); 6] = {
    use OrderStatus::{Cancelled, Confirmed, Paid, Pending, Rejected, Reserved};
    [
        (Pending, "PENDING", &[Reserved, Rejected, Cancelled]),
        (Reserved, "RESERVED", &[Paid, Rejected, Cancelled]),
        (Paid, "PAID", &[Confirmed]),
        (Confirmed, "CONFIRMED", &[]),
        (Rejected, "REJECTED", &[]),
        (Cancelled, "CANCELLED", &[]),
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

    /// Whether nothing may follow.
    pub fn is_end(self) -> bool {
        self.next().is_empty()
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
        assert!(OrderStatus::Confirmed.is_end() && !OrderStatus::Paid.is_end());
    }

    #[test]
    fn what_is_paid_cannot_be_cancelled() {
        assert!(!OrderStatus::Paid.next().contains(&OrderStatus::Cancelled));
    }
}
