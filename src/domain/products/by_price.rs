//! Products of all shards in the order of their price. Prices of two currencies have no order, so a
//! list is of one. Every shard gives its next rows; down to the last of those of a shard that may
//! have more, the merged list has no gap, and is cut there.

use std::collections::BTreeSet;

use super::{MAX_PRICE, Product};
use crate::page::{PARTS, grown};
use crate::{DomainError, Operation, policy};
use plaza_base::ids::Id;
use plaza_stores::postgres::products::{self as store, ByPrice};

/// Which products, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList {
    /// The currency of all their prices.
    pub currency: String,
    /// The lowest price, minor units.
    pub min: i64,
    /// The highest price, minor units.
    pub max: i64,
    /// Whether the highest price comes first.
    pub descending: bool,
}

/// A place in such a list: a price and, of one price, the product's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PricePlace {
    /// Minor units.
    pub amount: i64,
    /// The product.
    pub id: i64,
}

impl PricePlace {
    fn of(product: &Product) -> Self {
        Self { amount: product.price.amount, id: product.id.as_i64() }
    }

    /// Before the first product there can be.
    fn beginning(descending: bool) -> Self {
        let amount = if descending { MAX_PRICE + 1 } else { 0 };
        Self { amount, id: 0 }
    }
}

/// A page of such a list.
#[derive(Debug, Default)]
pub struct Priced {
    /// The products with their places, in order.
    pub items: Vec<(PricePlace, Product)>,
    /// Where to go on: the last item's place, unless the page ended before it was full.
    pub end: Option<PricePlace>,
    /// Whether anything comes after it.
    pub has_next: bool,
    /// The numbers of shards that did not answer: their products are missing.
    pub missing: BTreeSet<usize>,
}

/// A page of products that the viewer may see, by their price.
///
/// # Errors
/// No shard answered.
pub async fn by_price(
    op: &Operation,
    list: &PriceList,
    first: usize,
    after: Option<PricePlace>,
) -> Result<Priced, DomainError> {
    let mut page = Priced::default();
    let mut place = after.unwrap_or_else(|| PricePlace::beginning(list.descending));
    let mut rows = first + 1;
    for _ in 0..PARTS {
        let part = part(op, list, place, rows, &mut page.missing).await?;
        let is_last = part.len() < rows;
        let Some(end) = part.last().map(PricePlace::of) else {
            page.has_next = false;
            break;
        };
        place = end;
        let sellers = part.iter().map(|product| product.seller_id);
        let sellers = policy::passing(op, sellers, policy::voice_is_visible).await?;
        let seen = part.into_iter().filter(|product| sellers.contains(&product.seller_id));
        page.items.extend(seen.map(|product| (PricePlace::of(&product), product)));
        page.has_next = !is_last;
        if is_last || page.items.len() > first {
            break;
        }
        rows = grown(rows);
    }
    if page.items.len() > first {
        page.items.truncate(first);
        page.has_next = true;
        page.end = page.items.last().map(|(place, _)| *place);
    } else if page.has_next {
        page.end = Some(place);
    }
    Ok(page)
}

/// The next so many rows of all shards after a place; fewer, if that is all.
async fn part(
    op: &Operation,
    list: &PriceList,
    place: PricePlace,
    rows: usize,
    missing: &mut BTreeSet<usize>,
) -> Result<Vec<Product>, DomainError> {
    let asked = ByPrice {
        currency: &list.currency,
        min: list.min,
        max: list.max,
        descending: list.descending,
        beyond: (place.amount, place.id),
        limit: i64::try_from(rows).unwrap_or(i64::MAX),
    };
    let gathered = op
        .domain
        .cluster
        .scatter_all(&op.reads, async |connection| store::by_price(connection, asked).await)
        .await;
    let (found, unavailable) = gathered.answered()?;
    missing.extend(unavailable);
    let mut products: Vec<Product> = found.into_iter().flatten().map(Product::from).collect();
    products.sort_unstable_by_key(PricePlace::of);
    if list.descending {
        products.reverse();
    }
    products.truncate(rows);
    Ok(products)
}
