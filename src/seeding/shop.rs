//! Products, and confirmed orders of them.

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
    columns: "id, buyer_id, status, total_amount, total_currency, version",
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
            let (Some(buyer), Some(offer)) =
                (self.people.choose(&mut random).copied(), self.offer(chosen))
            else {
                continue;
            };
            let at = self.moment(number, self.plan.orders);
            let id = compose(at, buyer.bucket(), sequence(number));
            let sold_at =
                chrono::DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339();
            let quantity = random.random_range(1..=3_i64);
            let (total, product) = (offer.amount * quantity, offer.id.as_i64());
            orders.add(
                &self.map,
                buyer.bucket(),
                Row::default()
                    .plain(id)
                    .plain(buyer.as_i64())
                    .plain("CONFIRMED")
                    .plain(total)
                    .plain("EUR")
                    .plain(0),
            );
            lines.add(
                &self.map,
                buyer.bucket(),
                Row::default().plain(id).plain(product).plain(quantity).plain(offer.amount),
            );
            let paid = Row::default()
                .plain(id)
                .plain(total)
                .plain("EUR")
                .plain("CAPTURED")
                .plain(format!("sim-{id}"));
            payments.add(&self.map, buyer.bucket(), paid);
            let sold = Row::default()
                .plain(id)
                .plain(product)
                .plain(quantity)
                .plain(total)
                .plain("SOLD")
                .plain(&sold_at);
            reservations.add(&self.map, offer.id.bucket(), sold);
            changes.add(
                &self.map,
                buyer.bucket(),
                Row::default().plain(id).plain(0).plain("CONFIRMED").plain(&sold_at),
            );
        }
        Made { rows: vec![reservations, payments, lines, changes, orders], people: Vec::new() }
    }
}
