//! Series of metrics, as types.

use std::sync::Arc;

use async_graphql::{Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::context::Scope;
use crate::error::{ErrorCode, fault};
use crate::posts::types::Post;
use crate::products::types::{Money, Product};
use plaza_base::ids::UserId;
use plaza_domain::analytics::{self, Range, Size};
use plaza_domain::posts::Post as PostRow;
use plaza_domain::products::Product as ProductRow;

use super::sales::{SalesSeries, TopProduct};

/// Length of each window of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum WindowSize {
    /// One minute; kept for three hours.
    Minute,
    /// One hour; kept for eight days.
    Hour,
    /// One day in UTC; kept without limit.
    Day,
}

impl From<WindowSize> for Size {
    fn from(size: WindowSize) -> Self {
        match size {
            WindowSize::Minute => Self::Minute,
            WindowSize::Hour => Self::Hour,
            WindowSize::Day => Self::Day,
        }
    }
}

/// A moment from Unix seconds.
pub(super) fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The range that arguments ask for.
///
/// # Errors
/// One that there is not.
pub(super) fn range(
    scope: &Scope,
    size: WindowSize,
    last: i32,
    to: Option<DateTime<Utc>>,
) -> async_graphql::Result<Range> {
    Range::last(last, size.into(), to, scope.op.domain.clock.now()).map_err(|error| fault(&error))
}

/// How many of a list, as an argument says.
///
/// # Errors
/// Not 1 to 100.
fn bounded(first: i32) -> async_graphql::Result<usize> {
    let count = usize::try_from(first).ok().filter(|count| (1..=100).contains(count));
    count.ok_or_else(|| ErrorCode::BadUserInput.error("`first` must be 1 to 100"))
}

/// Views in one window of time.
#[derive(Debug, Clone, SimpleObject)]
pub struct ViewWindow {
    /// Start of the window, inclusive, in UTC.
    starts_at: DateTime<Utc>,
    /// Number of views in the window.
    views: i64,
    /// Estimated number of distinct viewers: the standard error is 2.3 %, and up to a few dozen
    /// viewers the count is exact or nearly so.
    viewers: i64,
}

/// Views over time, with totals.
#[derive(Debug, Clone, SimpleObject)]
pub struct ViewSeries {
    /// Start of the first window, inclusive, in UTC.
    from: DateTime<Utc>,
    /// End of the last window, exclusive, in UTC.
    to: DateTime<Utc>,
    /// Number of views in all windows.
    views: i64,
    /// Estimated number of distinct viewers over all windows, with the error of
    /// `ViewWindow.viewers`.
    reach: i64,
    /// Every window, oldest first, including windows without views.
    windows: Vec<ViewWindow>,
}

impl ViewSeries {
    fn new(range: Range, series: analytics::ViewSeries) -> Self {
        let window = |window: analytics::ViewWindow| ViewWindow {
            starts_at: moment(window.starts_at_s),
            views: window.views,
            viewers: window.viewers,
        };
        Self {
            from: moment(range.from_s),
            to: moment(range.to_s),
            views: series.views,
            reach: series.reach,
            windows: series.windows.into_iter().map(window).collect(),
        }
    }
}

/// Analytics of a post, for its author and administrators.
#[derive(Debug, Clone)]
pub struct PostAnalytics {
    row: PostRow,
    scope: Arc<Scope>,
}

impl PostAnalytics {
    /// Of a post, when the viewer is its author or an administrator.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn of(row: &PostRow, scope: &Arc<Scope>) -> async_graphql::Result<Self> {
        analytics::require_owner(&scope.op, row.author_id).await.map_err(|error| fault(&error))?;
        Ok(Self { row: row.clone(), scope: Arc::clone(scope) })
    }
}

/// Analytics of a post, for its author and administrators.
#[Object]
impl PostAnalytics {
    /// Views of the post over the last windows. `BAD_USER_INPUT` if the range is out of bounds or
    /// no longer kept.
    async fn views(
        &self,
        #[graphql(desc = "Length of each window.")] size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.")] last: i32,
        #[graphql(
            desc = "A time within the last window; defaults to now, and must not be in the future."
        )]
        to: Option<DateTime<Utc>>,
    ) -> Option<async_graphql::Result<ViewSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::views_of_post(&self.scope.op, &self.row, range).await;
            Ok(ViewSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }
}

/// A post and its number of views over the requested windows.
#[derive(Debug, Clone, SimpleObject)]
pub struct TopPost {
    /// The post; null if it was deleted or the viewer may not see it.
    post: Option<async_graphql::Result<Post>>,
    /// Number of views of the post.
    views: i64,
}

/// Analytics of a product, for its seller and administrators.
#[derive(Debug, Clone)]
pub struct ProductAnalytics {
    row: Arc<ProductRow>,
    scope: Arc<Scope>,
}

impl ProductAnalytics {
    /// Of a product, when the viewer is its seller or an administrator.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn of(row: &Arc<ProductRow>, scope: &Arc<Scope>) -> async_graphql::Result<Self> {
        analytics::require_owner(&scope.op, row.seller_id).await.map_err(|error| fault(&error))?;
        Ok(Self { row: row.clone(), scope: Arc::clone(scope) })
    }
}

/// Analytics of a product, for its seller and administrators.
#[Object]
impl ProductAnalytics {
    /// Sales of the product over the last windows. `BAD_USER_INPUT` if the range is out of bounds
    /// or no longer kept.
    async fn sales(
        &self,
        #[graphql(desc = "Length of each window.")] size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.")] last: i32,
        #[graphql(
            desc = "A time within the last window; defaults to now, and must not be in the future."
        )]
        to: Option<DateTime<Utc>>,
    ) -> Option<async_graphql::Result<SalesSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::sales_of_product(&self.scope.op, &self.row, range).await;
            Ok(SalesSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }
}

/// Analytics of all posts and products of the viewer.
#[derive(Debug, Clone)]
pub struct ViewerAnalytics {
    user: UserId,
    scope: Arc<Scope>,
}

impl ViewerAnalytics {
    /// Of the viewer.
    pub fn of(user: UserId, scope: &Arc<Scope>) -> Self {
        Self { user, scope: Arc::clone(scope) }
    }
}

/// Analytics of all posts and products of the viewer.
#[Object]
impl ViewerAnalytics {
    /// Views of all the viewer's posts over the last windows. `BAD_USER_INPUT` if the range is out
    /// of bounds or no longer kept.
    async fn views(
        &self,
        #[graphql(desc = "Length of each window.")] size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.")] last: i32,
        #[graphql(
            desc = "A time within the last window; defaults to now, and must not be in the future."
        )]
        to: Option<DateTime<Utc>>,
    ) -> Option<async_graphql::Result<ViewSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::views_of_author(&self.scope.op, self.user, range).await;
            Ok(ViewSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }

    /// The viewer's posts with the most views over the last windows, most viewed first.
    async fn top_posts(
        &self,
        #[graphql(desc = "Maximum number of posts to return, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "Length of each window.", default_with = "WindowSize::Day")]
        size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.", default = 30)] last: i32,
    ) -> Option<async_graphql::Result<Vec<TopPost>>> {
        let found = async {
            let (range, first) = (range(&self.scope, size, last, None)?, bounded(first)?);
            let rows = analytics::top_posts(&self.scope.op, self.user, range, first).await;
            let posts = rows.map_err(|error| fault(&error))?.into_iter().map(|row| async move {
                TopPost {
                    post: Post::load(&self.scope, row.post_id).await.transpose(),
                    views: row.views,
                }
            });
            Ok(futures_util::future::join_all(posts).await)
        };
        Some(found.await)
    }

    /// Sales of all the viewer's products, one series for each currency with sales.
    async fn sales(
        &self,
        #[graphql(desc = "Length of each window.")] size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.")] last: i32,
        #[graphql(
            desc = "A time within the last window; defaults to now, and must not be in the future."
        )]
        to: Option<DateTime<Utc>>,
    ) -> Option<async_graphql::Result<Vec<SalesSeries>>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::sales_of_seller(&self.scope.op, self.user, range).await;
            Ok(series
                .map_err(|error| fault(&error))?
                .into_iter()
                .map(|series| SalesSeries::new(range, series))
                .collect())
        };
        Some(found.await)
    }

    /// The viewer's products with the most units sold over the last windows, best selling first.
    async fn top_products(
        &self,
        #[graphql(desc = "Maximum number of products to return, 1 to 100.", default = 20)]
        first: i32,
        #[graphql(desc = "Length of each window.", default_with = "WindowSize::Day")]
        size: WindowSize,
        #[graphql(desc = "Number of windows, 1 to 100.", default = 30)] last: i32,
    ) -> Option<async_graphql::Result<Vec<TopProduct>>> {
        let found = async {
            let (range, first) = (range(&self.scope, size, last, None)?, bounded(first)?);
            let rows = analytics::top_products(&self.scope.op, self.user, range, first).await;
            let products = rows.map_err(|error| fault(&error))?.into_iter().map(|row| async move {
                TopProduct {
                    product: Product::load(&self.scope, row.product_id).await.transpose(),
                    orders: row.orders,
                    units: row.quantity,
                    revenue: Money::new(row.amount, &row.currency),
                }
            });
            Ok(futures_util::future::join_all(products).await)
        };
        Some(found.await)
    }
}
