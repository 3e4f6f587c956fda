//! An order, as a type.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, SubsecRound, Utc};

use crate::context::Scope;
use crate::ids::global;
use crate::loaders::{OrderHistory, ProductTitle};
use crate::output;
use crate::products::types::{Money, Product};
use plaza_base::ids::{Id, OrderId};
use plaza_domain::orders::{Order as Row, OrderLine as LineRow};

/// State of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plaza_domain::orders::OrderStatus")]
pub enum OrderStatus {
    /// Placed; stock is not reserved yet.
    Pending,
    /// All units are reserved in stock.
    Reserved,
    /// Paid; the order cannot be cancelled any more.
    Paid,
    /// Complete, unless the buyer requests a refund.
    Confirmed,
    /// Stock was insufficient or the payment was declined; `reason` is the cause.
    Rejected,
    /// Cancelled by its buyer.
    Cancelled,
    /// A refund is in progress: units and money are being returned.
    Refunding,
    /// Refunded: the units are in stock again and the buyer has the money.
    Refunded,
}

/// A line of an order.
#[derive(Debug, Clone)]
pub struct OrderLine {
    row: LineRow,
    currency: String,
    scope: Arc<Scope>,
}

/// A line of an order.
#[Object]
impl OrderLine {
    /// Title of the product at the time of the order, 1 to 120 characters. It remains when
    /// `product` is no longer visible.
    async fn title(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        let title = match &self.row.title {
            Some(title) => title.clone(),
            // Of an order from before titles were stored. Products are not renamed.
            None => self.scope.loaders.get_or_default::<ProductTitle>(self.row.product_id).await?,
        };
        output::text(ctx, &title)?;
        Ok(title)
    }

    /// The product that was bought; null if the viewer may no longer see it, because its seller
    /// blocks them or is suspended.
    async fn product(&self) -> Option<async_graphql::Result<Product>> {
        Product::load(&self.scope, self.row.product_id).await.transpose()
    }

    /// Number of units bought, 1 to 1,000.
    async fn quantity(&self) -> i32 {
        self.row.quantity
    }

    /// Price of one unit at the time of the order.
    async fn unit_price(&self) -> Money {
        Money::new(self.row.unit_amount, &self.currency)
    }
}

/// A change of an order's state.
#[derive(Debug, Clone, SimpleObject)]
pub struct OrderChange {
    /// State that the order changed to.
    status: OrderStatus,
    /// Time of the change.
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
    /// A shard that is unavailable.
    pub async fn load(scope: &Arc<Scope>, id: OrderId) -> async_graphql::Result<Option<Self>> {
        Ok(scope.loaders.get::<Row>(id).await?.map(|row| Self::new(row, scope)))
    }
}

/// An order, visible only to its buyer.
#[Object]
impl Order {
    /// Global id of the order.
    pub async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Current state of the order.
    async fn status(&self) -> OrderStatus {
        self.row.status.into()
    }

    /// States that may follow the current one: with CANCELLED among them the order can be
    /// cancelled, with REFUNDING it can be refunded.
    async fn next_statuses(&self) -> Vec<OrderStatus> {
        self.row
            .next_statuses(self.scope.op.domain.clock.now())
            .into_iter()
            .map(OrderStatus::from)
            .collect()
    }

    /// Whether processing is complete: the state changes only by an action of the buyer.
    async fn is_settled(&self) -> bool {
        self.row.status.is_settled()
    }

    /// Time until which a refund can be requested; null unless the order is CONFIRMED.
    async fn refundable_until(&self) -> Option<DateTime<Utc>> {
        self.row.refundable_until().map(|until| until.trunc_subsecs(3))
    }

    /// State changes in chronological order; the first is PENDING.
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

    /// Cause of a rejection, OUT_OF_STOCK or PAYMENT_DECLINED; null unless the order is REJECTED.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    /// Lines of the order, at most 50.
    async fn lines(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<OrderLine>> {
        let line = |row: &LineRow| OrderLine {
            row: row.clone(),
            currency: self.row.total.currency.clone(),
            scope: Arc::clone(&self.scope),
        };
        output::list(ctx, self.row.lines.iter().map(line).collect())
    }

    /// Sum of all lines.
    async fn total(&self) -> Money {
        Money::from(&self.row.total)
    }

    /// Time at which the order was placed.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.id.created_at()
    }
}
