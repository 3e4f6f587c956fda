//! Sales over time, as types.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::types::moment;
use crate::products::types::{Money, Product};
use plaza_domain::analytics::{self, Range};

/// Sales of one product, or of all products of a seller, in one window of time.
#[derive(Debug, Clone, SimpleObject)]
pub struct SalesWindow {
    /// Start of the window, inclusive, in UTC.
    starts_at: DateTime<Utc>,
    /// Orders that were not refunded; an order of several products is counted once for each of
    /// them.
    orders: i64,
    /// Units sold that were not returned.
    units: i64,
    /// Revenue from those units.
    revenue: Money,
}

/// Sales over time in one currency. Units that buyers returned are left out of the window in which
/// they were sold.
#[derive(Debug, Clone, SimpleObject)]
pub struct SalesSeries {
    /// Start of the first window, inclusive, in UTC.
    from: DateTime<Utc>,
    /// End of the last window, exclusive, in UTC.
    to: DateTime<Utc>,
    /// Orders of all windows, counted as in `SalesWindow.orders`.
    orders: i64,
    /// Units sold in all windows.
    units: i64,
    /// Revenue of all windows.
    revenue: Money,
    /// Units sold in these windows that were returned since.
    returned_units: i64,
    /// Amount refunded for the returned units.
    refunded: Money,
    /// Every window, oldest first, including windows without sales.
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

/// A product and its sales over the requested windows.
#[derive(Debug, Clone, SimpleObject)]
pub struct TopProduct {
    /// The product; null if it cannot be loaded, with the error beside it.
    pub(super) product: Option<async_graphql::Result<Product>>,
    /// Number of orders that were not refunded.
    pub(super) orders: i64,
    /// Number of units that were not returned.
    pub(super) units: i64,
    /// Revenue from those units, in the product's currency.
    pub(super) revenue: Money,
}
