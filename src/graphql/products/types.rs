//! A product, as a type.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::analytics::types::ProductAnalytics;
use crate::context::Scope;
use crate::error::fault;
use crate::ids::global;
use crate::output;
use crate::users::types::User;
use plaza_base::ids::{Id, ProductId};
use plaza_domain::products::{self, Money as DomainMoney, Product as Row};

/// An amount of money in one currency.
#[derive(Debug, Clone, SimpleObject)]
pub struct Money {
    /// Amount in integer minor units (cents), as a string: amounts exceed the number range of some
    /// clients.
    pub(crate) amount: String,
    /// Currency code of ISO 4217: EUR, USD, GBP or JPY.
    pub(crate) currency: String,
    /// Number of decimal digits of the currency (ISO 4217): 2 for EUR, where 1234 means 12.34; 0
    /// for JPY.
    pub(crate) decimals: i32,
}

impl Money {
    /// So many minor units of a currency.
    pub fn new(amount: i64, currency: &str) -> Self {
        let known = iso_currency::Currency::from_code(currency);
        let decimals = known.and_then(iso_currency::Currency::exponent).unwrap_or(2);
        Self {
            amount: amount.to_string(),
            currency: currency.to_owned(),
            decimals: i32::from(decimals),
        }
    }
}

impl From<&DomainMoney> for Money {
    fn from(money: &DomainMoney) -> Self {
        Self::new(money.amount, &money.currency)
    }
}

/// Sales of a product in one minute.
#[derive(Debug, Clone, SimpleObject)]
pub struct ProductSales {
    /// Start of the minute, in UTC.
    minute: DateTime<Utc>,
    /// Number of orders with the product.
    orders: i64,
    /// Number of units sold.
    quantity: i64,
    /// Revenue from those units.
    revenue: Money,
}

/// A product.
#[derive(Debug, Clone)]
pub struct Product {
    row: Arc<Row>,
    scope: Arc<Scope>,
}

impl Product {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row: Arc::new(row), scope: Arc::clone(scope) }
    }

    /// A product by id, through the loader.
    ///
    /// # Errors
    /// A shard that is unavailable.
    pub async fn load(scope: &Arc<Scope>, id: ProductId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }

    /// What one costs.
    pub fn money(&self) -> &DomainMoney {
        &self.row.price
    }
}

/// A product for sale.
#[Object]
impl Product {
    /// Global id of the product.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Seller of the product; null if the viewer may not see them.
    async fn seller(&self) -> Option<async_graphql::Result<User>> {
        User::load(&self.scope, self.row.seller_id).await.transpose()
    }

    /// Title: one line of 1 to 120 characters, at least one of them visible.
    async fn title(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.title)
    }

    /// Description of up to 4,000 characters; may be empty.
    async fn description(&self, ctx: &Context<'_>) -> async_graphql::Result<&str> {
        output::text(ctx, &self.row.description)
    }

    /// Price of one unit.
    async fn price(&self) -> Money {
        Money::from(&self.row.price)
    }

    /// Number of units available, without those reserved for pending orders.
    async fn stock(&self) -> i32 {
        self.row.stock
    }

    /// Time at which the product was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }

    /// Sales in the latest minutes with sales, newest first, at most 60; `FORBIDDEN` for other users.
    async fn sales(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Vec<ProductSales>>> {
        let sales = products::sales(&self.scope.op, &self.row).await.map_err(|error| fault(&error));
        Some(sales.and_then(|minutes| {
            let of = |minute: products::SalesMinute| ProductSales {
                minute: minute.minute,
                orders: minute.orders,
                quantity: minute.quantity,
                revenue: Money::new(minute.amount, &self.row.price.currency),
            };
            output::list(ctx, minutes.into_iter().map(of).collect())
        }))
    }

    /// Sales over time, for its seller and administrators; `FORBIDDEN` for other users.
    async fn analytics(&self) -> Option<async_graphql::Result<ProductAnalytics>> {
        Some(ProductAnalytics::of(&self.row, &self.scope).await)
    }
}
