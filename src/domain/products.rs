//! Products.

mod by_price;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::{
    DomainError, Fill, Mutation, Operation, Page, PageRequest, UserError, UserErrorCode, mutate,
    policy, text,
};
use plaza_base::ids::{Id, ProductId, UserId};
use plaza_protocol::events::Event;
use plaza_read_models::product_sales;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::products::{self as store, ProductRow};
use plaza_stores::redis::cache::Cached;

pub use by_price::{PriceList, PricePlace, Priced, by_price};
pub use plaza_read_models::product_sales::SalesRow as SalesMinute;

/// Money: integer minor units with an ISO 4217 currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// Three capital letters.
    pub currency: String,
}

impl Money {
    /// An amount as it is written: in the digits that it is printed in, no others, without a sign
    /// or zeros before it.
    pub fn amount_of(text: &str) -> Option<i64> {
        text.parse().ok().filter(|amount: &i64| amount.to_string() == text)
    }
}

/// Currencies plaza trades in.
pub const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "JPY"];
/// The highest price of one piece, minor units.
pub const MAX_PRICE: i64 = 1_000_000_000_000;
/// The largest stock.
pub const MAX_STOCK: i32 = 1_000_000;
/// How many minutes of sales are shown.
const SALES_MINUTES: i64 = 60;

/// Something for sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Id.
    pub id: ProductId,
    /// Seller.
    pub seller_id: UserId,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Price of one.
    pub price: Money,
    /// What is left.
    pub stock: i32,
    /// Rises with each change.
    pub version: i64,
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            id: row.id,
            seller_id: row.seller_id,
            title: row.title,
            description: row.description,
            price: Money { amount: row.price_amount, currency: row.price_currency },
            stock: row.stock,
            version: row.version,
        }
    }
}

impl Cached for Product {
    type Key = ProductId;
    const KIND: &'static str = "product";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

/// What the viewer offers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewProduct {
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Price of one.
    pub price: Money,
    /// How many.
    pub stock: i32,
}

fn checked(mut new: NewProduct) -> Result<NewProduct, DomainError> {
    let mut errors = Vec::new();
    match text::checked("title", &new.title, text::PRODUCT_TITLE) {
        Ok(title) => new.title = title,
        Err(error) => errors.push(error),
    }
    match text::checked("description", &new.description, text::PRODUCT_DESCRIPTION) {
        Ok(description) => new.description = description,
        Err(error) => errors.push(error),
    }
    if !(1..=MAX_PRICE).contains(&new.price.amount) {
        errors.push(UserError::field(
            UserErrorCode::Invalid,
            "price",
            format!("the amount must be 1 to {MAX_PRICE} minor units"),
        ));
    }
    if !CURRENCIES.contains(&new.price.currency.as_str()) {
        errors.push(UserError::field(
            UserErrorCode::Invalid,
            "price",
            format!("the currency must be one of {}", CURRENCIES.join(", ")),
        ));
    }
    if !(0..=MAX_STOCK).contains(&new.stock) {
        errors.push(UserError::field(
            UserErrorCode::Invalid,
            "stock",
            format!("must be 0 to {MAX_STOCK}"),
        ));
    }
    if errors.is_empty() { Ok(new) } else { Err(DomainError::Rejected(errors)) }
}

/// The viewer offers a product.
///
/// # Errors
/// Fields out of bounds; the viewer's shard is unavailable.
pub async fn create(op: &Operation, new: NewProduct) -> Result<ProductId, DomainError> {
    let seller = op.require_viewer()?.user_id;
    let new = checked(new)?;
    mutate(
        op,
        Mutation {
            name: "productCreate",
            user: seller,
            shard: op.domain.cluster.shard_of_id(seller),
            input: &new,
        },
        async { Ok(()) },
        async |tx, ()| {
            let row = store::NewRow {
                seller_id: seller,
                title: &new.title,
                description: &new.description,
                amount: new.price.amount,
                currency: &new.price.currency,
                stock: new.stock,
            };
            let id = store::insert(tx, seller.bucket(), &row).await?;
            tx.emit(Event::ProductCreated { product_id: id, seller_id: seller }, 1);
            Ok(id)
        },
    )
    .await
}

impl Load for Product {
    async fn load(
        connection: &mut Connection,
        ids: &[ProductId],
    ) -> Result<Vec<(ProductId, Self)>, StoreError> {
        let rows = store::get_many(connection, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, Self::from(row))).collect())
    }
}

/// Products by id, through the cache; those that do not exist, or whose seller the viewer may not
/// see, are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Product>, DomainError> {
    visible(op, cached::get(op, ids).await?).await
}

/// What products are called, whoever asks; those that do not exist are left out.
///
/// # Errors
/// A shard that is unavailable.
pub async fn titles_of(
    op: &Operation,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, String>, DomainError> {
    let found = cached::get(op, ids).await?;
    Ok(found.into_iter().map(|(id, product): (_, Product)| (id, product.title)).collect())
}

/// Products by id that the viewer may see, from the primaries, past every cache: for whatever
/// decides a write.
///
/// # Errors
/// A shard that is unavailable.
pub async fn current(
    op: &Operation,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Product>, DomainError> {
    let primary = op.primary();
    let found = cached::load(&op.domain, &primary, ids.iter().copied()).await?;
    visible(op, found.into_iter().collect()).await
}

/// Those whose seller the viewer may see.
async fn visible(
    op: &Operation,
    mut products: HashMap<ProductId, Product>,
) -> Result<HashMap<ProductId, Product>, DomainError> {
    let sellers = products.values().map(|product| product.seller_id);
    let sellers = policy::passing(op, sellers, policy::voice_is_visible).await?;
    products.retain(|_, product| sellers.contains(&product.seller_id));
    Ok(products)
}

/// Who sells these products, whoever asks.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn sellers_of(
    op: &Operation,
    ids: &[ProductId],
) -> Result<Vec<UserId>, DomainError> {
    let found = cached::load::<Product>(&op.domain, &op.reads, ids.iter().copied()).await?;
    Ok(found.into_iter().map(|(_, product)| product.seller_id).collect())
}

/// The newest products of all shards that the viewer may see; cursor = product id. The numbers of
/// shards that did not answer come along: their products are missing.
///
/// # Errors
/// No shard answered.
pub async fn newest(
    op: &Operation,
    page: PageRequest,
) -> Result<(Page<Product>, Vec<usize>), DomainError> {
    let (mut fill, mut missing) = (Fill::new(page), BTreeSet::new());
    while let Some(part) = fill.next_part() {
        let below = part.after.unwrap_or(i64::MAX);
        let gathered = op
            .domain
            .cluster
            .scatter_all(&op.reads, async |connection| {
                store::newest(connection, below, part.rows()).await
            })
            .await;
        let (found, unavailable) = gathered.answered()?;
        missing.extend(unavailable);
        let rows = found.into_iter().flatten();
        let mut rows: Vec<(i64, Product)> =
            rows.map(|row| (row.id.as_i64(), Product::from(row))).collect();
        rows.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        let mut page = Page::from_rows(rows, part.first);
        let sellers = policy::passing(
            op,
            page.items.iter().map(|(_, product)| product.seller_id),
            policy::voice_is_visible,
        )
        .await?;
        page.items.retain(|(_, product)| sellers.contains(&product.seller_id));
        fill.add(page);
    }
    Ok((fill.page(), missing.into_iter().collect()))
}

/// A seller's products, newest first, from either end; cursor = product id. None if the viewer may
/// not see the seller's products.
///
/// # Errors
/// The seller's shard is unavailable.
pub async fn by_seller(
    op: &Operation,
    seller: UserId,
    page: PageRequest,
) -> Result<Page<Product>, DomainError> {
    if !policy::passes(op, seller, policy::voice_is_visible).await? {
        return Ok(Page::default());
    }
    let shard = op.domain.cluster.shard_of_id(seller);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::by_seller(connection, seller, page.newest_first()).await
        })
        .await?;
    let rows = rows.into_iter().map(|row| (row.id.as_i64(), Product::from(row))).collect();
    Ok(Page::from_rows(rows, page.first))
}

/// The seller's view of a product's sales, newest minute first, at most an hour of minutes.
///
/// # Errors
/// Not the viewer's product; its shard is unavailable.
pub async fn sales(op: &Operation, product: &Product) -> Result<Vec<SalesMinute>, DomainError> {
    let viewer = op.require_viewer()?;
    if viewer.user_id != product.seller_id {
        return Err(DomainError::Forbidden);
    }
    let (id, shard) = (product.id, op.domain.cluster.shard_of_id(product.id));
    Ok(op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            product_sales::latest(connection, id, SALES_MINUTES).await
        })
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_what_it_is_printed_as() {
        for amount in [0, 1, 9, 10, 100, -5, i64::MAX, i64::MIN] {
            assert_eq!(Money::amount_of(&amount.to_string()), Some(amount));
        }
        for bad in [
            "",
            "+100",
            "0100",
            "00",
            "-0",
            " 100",
            "100 ",
            "1_000",
            "1,000",
            "1e3",
            "1.0",
            "0x64",
            "\u{ff11}\u{ff10}\u{ff10}",
            "\u{661}\u{660}",
            "9223372036854775808",
            "100\0",
        ] {
            assert_eq!(Money::amount_of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_field_out_of_bounds_is_reported_at_once() {
        let new = NewProduct {
            title: String::new(),
            description: "x".repeat(4_001),
            price: Money { amount: 0, currency: "XXX".into() },
            stock: -1,
        };
        let Err(DomainError::Rejected(errors)) = checked(new) else { panic!("accepted") };
        assert_eq!(errors.len(), 5);
    }
}
