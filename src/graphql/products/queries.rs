//! Finding products.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::types::Product;
use crate::connection::{Connection, Edge, PageInfo, first_of};
use crate::context::{Scope, query_scope};
use crate::cursors::{List, numbers};
use crate::error::{ErrorCode, add_missing, fault};
use crate::ids::argument;
use plaza_domain::products::{self, CURRENCIES, MAX_PRICE, Money, PriceList, PricePlace, Priced};

/// Order of a list of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ProductOrder {
    /// Newest product first, whatever it costs.
    Newest,
    /// Lowest price first; needs `price`.
    PriceAscending,
    /// Highest price first; needs `price`.
    PriceDescending,
}

/// Prices of one currency: amounts of two currencies have no order.
#[derive(Debug, InputObject)]
pub struct ProductPriceInput {
    /// Currency code of ISO 4217: EUR, USD, GBP or JPY.
    currency: String,
    /// Lowest price in integer minor units, as a string of digits; no limit by default.
    min: Option<String>,
    /// Highest price in integer minor units, as a string of digits; no limit by default.
    max: Option<String>,
}

fn refused(message: String) -> async_graphql::Error {
    ErrorCode::BadUserInput.error(message)
}

/// An end of a range of prices, or what stands for none.
fn bound(name: &str, given: Option<&str>, none: i64) -> async_graphql::Result<i64> {
    let Some(given) = given else { return Ok(none) };
    Money::amount_of(given).filter(|amount| *amount >= 0).ok_or_else(|| {
        refused(format!("`price.{name}` must be a whole number of minor units, in digits"))
    })
}

/// The list that is asked for; `None` for that of the newest.
fn price_list(
    order: ProductOrder,
    price: Option<&ProductPriceInput>,
) -> async_graphql::Result<Option<PriceList>> {
    let Some(price) = price else {
        if order == ProductOrder::Newest {
            return Ok(None);
        }
        return Err(refused("an order by price needs `price` with a currency".to_owned()));
    };
    if order == ProductOrder::Newest {
        let message = "products with `price` come in an order by price: set `orderBy`";
        return Err(refused(message.to_owned()));
    }
    if !CURRENCIES.contains(&price.currency.as_str()) {
        return Err(refused(format!("`price.currency` must be one of {}", CURRENCIES.join(", "))));
    }
    Ok(Some(PriceList {
        currency: price.currency.clone(),
        min: bound("min", price.min.as_deref(), 0)?,
        max: bound("max", price.max.as_deref(), MAX_PRICE)?,
        descending: order == ProductOrder::PriceDescending,
    }))
}

/// A page of a list by price; its cursors are good for the same list.
async fn by_price(
    ctx: &Context<'_>,
    scope: &std::sync::Arc<Scope>,
    asked: &PriceList,
    first: i32,
    after: Option<&str>,
) -> async_graphql::Result<Connection<Product>> {
    let first = first_of(first)?;
    let PriceList { currency, min, max, descending } = asked;
    let of = format!("{currency} {min} {max} {descending}");
    let list = List::new(scope, "Query.products", of);
    let read = |place: &[u8]| {
        let [amount, id] = numbers(place)?;
        (amount > 0 && id > 0).then_some(PricePlace { amount, id })
    };
    let after = list.open(after, read, |_| None)?;
    let found = products::by_price(&scope.op, asked, first, after).await;
    let Priced { items, end, has_next, missing } = found.map_err(|error| fault(&error))?;
    add_missing(ctx, "products", missing);
    let cursor = |place: PricePlace| list.numbers(&[place.amount, place.id]);
    let edge =
        |(place, product)| Edge { cursor: cursor(place), node: Product::new(product, scope) };
    let edges: Vec<Edge<Product>> = items.into_iter().map(edge).collect();
    let last = edges.last().map(|edge| edge.cursor.clone());
    Ok(Connection {
        page_info: PageInfo {
            has_next_page: has_next,
            has_previous_page: after.is_some(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: end.map(cursor).or(last),
        },
        nodes: edges.iter().map(|edge| edge.node.clone()).collect(),
        edges,
    })
}

/// Queries about products.
#[derive(Debug, Default)]
pub struct ProductQueries;

#[Object]
impl ProductQueries {
    /// Returns a product; null if it does not exist or the viewer may not see it.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the product; `BAD_USER_INPUT` for an id of another type.")]
        id: ID,
    ) -> Option<async_graphql::Result<Product>> {
        let found = async { Product::load(&query_scope(ctx)?, argument(&id)?).await };
        found.await.transpose()
    }

    /// Products, newest first, or those of one currency by their price. If a shard is unavailable,
    /// the rest is returned with a `SHARD_UNAVAILABLE` error beside it.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Maximum number of items to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(
            desc = "Cursor of the edge to start after, from the same list; omit it for the first page."
        )]
        after: Option<String>,
        #[graphql(
            desc = "Order of the list; by price only together with `price`.",
            default_with = "ProductOrder::Newest"
        )]
        order_by: ProductOrder,
        #[graphql(
            desc = "Currency and range of the prices, for an order by price; omit it for the newest."
        )]
        price: Option<ProductPriceInput>,
    ) -> Option<async_graphql::Result<Connection<Product>>> {
        let found = async {
            let scope = query_scope(ctx)?;
            if let Some(asked) = price_list(order_by, price.as_ref())? {
                return by_price(ctx, &scope, &asked, first, after.as_deref()).await;
            }
            let list = List::new(&scope, "Query.products", "");
            let request = list.page(first, after.as_deref())?;
            let (page, missing) =
                products::newest(&scope.op, request).await.map_err(|error| fault(&error))?;
            add_missing(ctx, "products", missing);
            Ok(list.connection(page.map(|product| Product::new(product, &scope)), request))
        };
        Some(found.await)
    }
}
