//! An order, as a type.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};

use crate::domain::orders::{Order as Row, OrderLine as LineRow};
use crate::graphql::context::Scope;
use crate::graphql::ids::global;
use crate::graphql::loaders::{OrderHistory, ProductTitle};
use crate::graphql::products::types::{Money, Product};
use crate::ids::{Id, OrderId};

/// The states of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::orders::OrderStatus")]
pub enum OrderStatus {
    /// Placed.
    Pending,
    /// All stock is held for it.
    Reserved,
    /// Paid; it cannot be cancelled any more.
    Paid,
    /// Done, unless its buyer gives it back.
    Confirmed,
    /// There was not enough stock, or no payment; `reason` says which.
    Rejected,
    /// Cancelled by the buyer.
    Cancelled,
    /// Its buyer gives it back: pieces and money are on their way.
    Refunding,
    /// Given back: the pieces are in stock again, the money is the buyer's again.
    Refunded,
}

/// One line of an order.
#[derive(Debug, Clone)]
pub struct OrderLine {
    row: LineRow,
    currency: String,
    scope: Arc<Scope>,
}

/// One line of an order.
#[Object]
impl OrderLine {
    /// What the product was called when it was bought, 1 to 120 characters: it stays when `product` can no longer be seen.
    async fn title(&self) -> async_graphql::Result<String> {
        if let Some(title) = &self.row.title {
            return Ok(title.clone());
        }
        // Of an order from before titles were stored. Products are not renamed.
        Ok(self.scope.loaders.get::<ProductTitle>(self.row.product_id).await?.unwrap_or_default())
    }

    /// The product that was bought; null when the viewer may no longer see it, because its seller blocks them or is suspended.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        Product::load(&self.scope, self.row.product_id).await.transpose()
    }

    /// How many.
    async fn quantity(&self) -> i32 {
        self.row.quantity
    }

    /// What one cost when the order was placed.
    async fn unit_price(&self) -> Money {
        Money::new(self.row.unit_amount, &self.currency)
    }
}

/// A state that an order came to.
#[derive(Debug, Clone, SimpleObject)]
pub struct OrderChange {
    /// Which.
    status: OrderStatus,
    /// When.
    at: DateTime<Utc>,
}

/// An order of the viewer's.
#[derive(Debug, Clone)]
pub struct Order {
    row: Arc<Row>,
    scope: Arc<Scope>,
}

impl Order {
    /// A row as a type.
    pub fn new(row: Row, scope: &Arc<Scope>) -> Self {
        Self { row: Arc::new(row), scope: Arc::clone(scope) }
    }

    /// An order of the viewer's by id, through the loader.
    ///
    /// # Errors
    /// A shard that is away.
    pub async fn load(scope: &Arc<Scope>, id: OrderId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }
}

/// An order; only its buyer sees it.
#[Object]
impl Order {
    /// The global id.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// How far it has come.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// The states that may follow now: CANCELLED among them says that it can be cancelled, REFUNDING that it can be given back.
    async fn next_statuses(&self) -> Vec<OrderStatus> {
        self.row
            .next_statuses(self.scope.op.domain.clock.now())
            .into_iter()
            .map(OrderStatus::from)
            .collect()
    }

    /// Whether nothing is under way: it stays as it is unless its buyer does something.
    async fn is_settled(&self) -> bool {
        self.row.status.is_settled()
    }

    /// Until when it can be given back, when it is CONFIRMED.
    async fn refundable_until(&self) -> Option<DateTime<Utc>> {
        self.row.refundable_until().map(|until| until.trunc_subsecs(3))
    }

    /// The states it came to, in order of time; the first is PENDING.
    async fn history(&self) -> Option<async_graphql::Result<Vec<OrderChange>>> {
        let changes = self.scope.loaders.get::<OrderHistory>(self.row.id).await.transpose()?;
        Some(changes.map(|changes| {
            changes
                .iter()
                .map(|change| OrderChange {
                    status: change.status.into(),
                    at: change.at.trunc_subsecs(3),
                })
                .collect()
        }))
    }

    /// Why it was rejected: OUT_OF_STOCK or PAYMENT_DECLINED.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    /// What was bought.
    async fn lines(&self) -> Vec<OrderLine> {
        let line = |row: &LineRow| OrderLine {
            row: row.clone(),
            currency: self.row.total.currency.clone(),
            scope: Arc::clone(&self.scope),
        };
        self.row.lines.iter().map(line).collect()
    }

    /// What it costs together.
    async fn total(&self) -> Money {
        Money::from(&self.row.total)
    }

    /// When it was placed.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }
}
