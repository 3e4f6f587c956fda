//! Products, and orders of them that have ended: most are confirmed.

use std::ops::Range;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::rows::{Row, Rows, Table};
use super::world::{Made, World, sequence};
use super::{numbered, words};
use plaza_base::ids::{Id, ProductId, UserId, compose};

const PRODUCTS: Table = Table {
    name: "products",
    columns: "id, seller_id, title, description, price_amount, price_currency, stock, version",
    taken: "true",
};
const ORDERS: Table = Table {
    name: "orders",
    columns: "id, buyer_id, status, total_amount, total_currency, version, reason",
    taken: "true",
};
const CHANGES: Table =
    Table { name: "order_changes", columns: "order_id, version, status, at", taken: "true" };
const LINES: Table = Table {
    name: "order_lines",
    columns: "order_id, product_id, quantity, unit_amount",
    taken: "true",
};
const PAYMENTS: Table = Table {
    name: "payments",
    columns: "order_id, amount, currency, status, reference",
    taken: "true",
};
const RESERVATIONS: Table = Table {
    name: "reservations",
    columns: "order_id, product_id, quantity, amount, status, sold_at",
    taken: "true",
};

/// How an order has ended.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Confirmed,
    Cancelled,
    Refunded,
    Rejected,
}

impl Ending {
    /// The first orders, which are the first person's, end in each way; later ones are confirmed
    /// but for one in ten.
    fn of(number: u64, random: &mut StdRng) -> Self {
        const FIRST: [Ending; 4] =
            [Ending::Refunded, Ending::Rejected, Ending::Cancelled, Ending::Confirmed];
        let drawn = match random.random_range(0..100_u32) {
            0..4 => Self::Cancelled,
            4..8 => Self::Refunded,
            8..10 => Self::Rejected,
            _ => Self::Confirmed,
        };
        usize::try_from(number).ok().and_then(|number| FIRST.get(number).copied()).unwrap_or(drawn)
    }

    /// The states that are kept of it, the one it is in last.
    fn states(self) -> &'static [&'static str] {
        match self {
            Self::Confirmed => &["CONFIRMED"],
            Self::Cancelled => &["CANCELLED"],
            Self::Refunded => &["CONFIRMED", "REFUNDED"],
            Self::Rejected => &["REJECTED"],
        }
    }

    /// What became of the payment; `None`: nobody paid.
    fn payment(self) -> Option<&'static str> {
        match self {
            Self::Confirmed => Some("CAPTURED"),
            Self::Refunded => Some("REFUNDED"),
            Self::Cancelled | Self::Rejected => None,
        }
    }

    /// What became of the units.
    fn reservation(self) -> &'static str {
        match self {
            Self::Confirmed => "SOLD",
            Self::Refunded => "RETURNED",
            Self::Cancelled | Self::Rejected => "RELEASED",
        }
    }
}

/// No value, in COPY's text.
const NULL: &str = "\\N";
/// From a sale to its refund: less than what is left of seeded time after the last order.
const REFUNDED_AFTER: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// A product that can be ordered.
struct Offer {
    id: ProductId,
    seller: UserId,
    amount: i64,
    /// For what else is to be drawn of it.
    random: StdRng,
}

impl World {
    /// The `number`th product.
    fn offer(&self, number: u64) -> Option<Offer> {
        let mut random = numbered(self.seed, "products", number);
        let seller = self.people.choose(&mut random).copied()?;
        let id =
            compose(self.moment(number, self.plan.products), seller.bucket(), sequence(number));
        let amount = i64::from(random.random_range(2..200_u32)) * 100 - 1;
        Some(Offer { id: ProductId::from_i64(id), seller, amount, random })
    }

    /// Products.
    pub(super) fn make_products(&self, numbers: Range<u64>) -> Made {
        let mut rows = Rows::new(PRODUCTS);
        for mut offer in numbers.filter_map(|number| self.offer(number)) {
            let (title, description) = words::product(&mut offer.random);
            let stock = offer.random.random_range(3..60);
            let row =
                Row::default().plain(offer.id.as_i64()).plain(offer.seller.as_i64()).text(&title);
            let row = row.text(&description).plain(offer.amount).plain("EUR").plain(stock).plain(0);
            rows.add(&self.map, offer.id.bucket(), row);
        }
        Made { rows: vec![rows], people: Vec::new() }
    }

    /// Orders: on the buyer's shard, but for the reservations, which lie beside the product.
    pub(super) fn make_orders(&self, numbers: Range<u64>) -> Made {
        let (mut orders, mut lines, mut payments) =
            (Rows::new(ORDERS), Rows::new(LINES), Rows::new(PAYMENTS));
        let (mut reservations, mut changes) = (Rows::new(RESERVATIONS), Rows::new(CHANGES));
        for number in numbers {
            let mut random = numbered(self.seed, "orders", number);
            let chosen = random.random_range(0..self.plan.products.max(1));
            let (drawn, quantity) =
                (self.people.choose(&mut random).copied(), random.random_range(1..=3_i64));
            let ending = Ending::of(number, &mut random);
            let buyer = if number < 4 { self.people.first().copied() } else { drawn };
            let (Some(buyer), Some(offer)) = (buyer, self.offer(chosen)) else { continue };
            let at = self.moment(number, self.plan.orders);
            let id = compose(at, buyer.bucket(), sequence(number));
            let ended = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default();
            let sold_at = match ending.payment() {
                Some(_) => ended.to_rfc3339(),
                None => NULL.to_owned(),
            };
            let (total, product) = (offer.amount * quantity, offer.id.as_i64());
            let states = ending.states();
            let reason = match ending {
                Ending::Rejected => "PAYMENT_DECLINED",
                Ending::Confirmed | Ending::Cancelled | Ending::Refunded => NULL,
            };
            orders.add(
                &self.map,
                buyer.bucket(),
                Row::default()
                    .plain(id)
                    .plain(buyer.as_i64())
                    .plain(states.last().copied().unwrap_or_default())
                    .plain(total)
                    .plain("EUR")
                    .plain(states.len() - 1)
                    .plain(reason),
            );
            lines.add(
                &self.map,
                buyer.bucket(),
                Row::default().plain(id).plain(product).plain(quantity).plain(offer.amount),
            );
            if let Some(status) = ending.payment() {
                let paid = Row::default()
                    .plain(id)
                    .plain(total)
                    .plain("EUR")
                    .plain(status)
                    .plain(format!("sim-{id}"));
                payments.add(&self.map, buyer.bucket(), paid);
            }
            let sold = Row::default()
                .plain(id)
                .plain(product)
                .plain(quantity)
                .plain(total)
                .plain(ending.reservation())
                .plain(&sold_at);
            reservations.add(&self.map, offer.id.bucket(), sold);
            for (version, status) in (0_i32..).zip(states) {
                let at = (ended + REFUNDED_AFTER * version).to_rfc3339();
                let change = Row::default().plain(id).plain(version).plain(status).plain(at);
                changes.add(&self.map, buyer.bucket(), change);
            }
        }
        Made { rows: vec![reservations, payments, lines, changes, orders], people: Vec::new() }
    }
}
