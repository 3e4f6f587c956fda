//! Sales over time, as types.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::types::moment;
use crate::domain::analytics::{self, Range};
use crate::graphql::products::types::{Money, Product};

/// Sales of a window.
#[derive(Debug, Clone, SimpleObject)]
pub struct SalesWindow {
    /// When it begins.
    starts_at: DateTime<Utc>,
    /// How many orders stand; one of several products counts for each.
    orders: i64,
    /// How many pieces stand.
    units: i64,
    /// For how much.
    revenue: Money,
}

/// Sales over time, in one currency. What buyers gave back is not in the windows it was sold in.
#[derive(Debug, Clone, SimpleObject)]
pub struct SalesSeries {
    /// When the first window begins.
    from: DateTime<Utc>,
    /// When the last one ends.
    to: DateTime<Utc>,
    /// Orders of all windows.
    orders: i64,
    /// Pieces of all windows.
    units: i64,
    /// For how much, all windows.
    revenue: Money,
    /// Pieces sold in these windows that came back.
    returned_units: i64,
    /// What was given back for them.
    refunded: Money,
    /// Every window, oldest first, also those without sales.
    windows: Vec<SalesWindow>,
}

impl SalesSeries {
    /// A series as a type.
    pub(super) fn new(range: Range, series: analytics::SalesSeries) -> Self {
        let currency = series.currency.as_str();
        let window = |window: &analytics::SalesWindow| SalesWindow {
            starts_at: moment(window.starts_at_s),
            orders: window.orders,
            units: window.units,
            revenue: Money::new(window.amount, currency),
        };
        Self {
            from: moment(range.from_s),
            to: moment(range.to_s),
            orders: series.windows.iter().map(|window| window.orders).sum(),
            units: series.windows.iter().map(|window| window.units).sum(),
            revenue: Money::new(series.windows.iter().map(|window| window.amount).sum(), currency),
            returned_units: series.returned_units,
            refunded: Money::new(series.refunded, currency),
            windows: series.windows.iter().map(window).collect(),
        }
    }
}

/// A product and what was sold of it.
#[derive(Debug, Clone, SimpleObject)]
pub struct TopProduct {
    /// The product.
    pub(super) product: Option<async_graphql::Result<Product>>,
    /// How many orders.
    pub(super) orders: i64,
    /// How many pieces.
    pub(super) units: i64,
    /// For how much.
    pub(super) revenue: Money,
}
