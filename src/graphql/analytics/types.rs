//! Series of figures, as types.

use std::sync::Arc;

use async_graphql::{Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::domain::analytics::{self, Range, Size};
use crate::domain::posts::Post as PostRow;
use crate::domain::products::Product as ProductRow;
use crate::graphql::context::Scope;
use crate::graphql::error::{ErrorCode, fault};
use crate::graphql::posts::types::Post;
use crate::graphql::products::types::{Money, Product};
use crate::ids::UserId;

use super::sales::{SalesSeries, TopProduct};

/// How long the windows of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum WindowSize {
    /// A minute; minutes are kept for three hours.
    Minute,
    /// An hour; hours are kept for eight days.
    Hour,
    /// A day, UTC; days are kept for ever.
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

/// Views of a window.
#[derive(Debug, Clone, SimpleObject)]
pub struct ViewWindow {
    /// When it begins.
    starts_at: DateTime<Utc>,
    /// How many views.
    views: i64,
    /// By how many different people, estimated: the standard error is 2.3 %, and a few dozen are counted to the person or nearly so.
    viewers: i64,
}

/// Views over time.
#[derive(Debug, Clone, SimpleObject)]
pub struct ViewSeries {
    /// When the first window begins.
    from: DateTime<Utc>,
    /// When the last one ends.
    to: DateTime<Utc>,
    /// Views of all windows.
    views: i64,
    /// Different people over all windows, estimated as `viewers` is.
    reach: i64,
    /// Every window, oldest first, also those without views.
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

/// What an author is told about a post.
#[derive(Debug, Clone)]
pub struct PostAnalytics {
    row: Arc<PostRow>,
    scope: Arc<Scope>,
}

impl PostAnalytics {
    /// Of a post, when the viewer is its author or an administrator.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub async fn of(row: &Arc<PostRow>, scope: &Arc<Scope>) -> async_graphql::Result<Self> {
        analytics::require_owner(&scope.op, row.author_id).await.map_err(|error| fault(&error))?;
        Ok(Self { row: Arc::clone(row), scope: Arc::clone(scope) })
    }
}

/// What an author is told about a post.
#[Object]
impl PostAnalytics {
    /// Views of the post: how often, by how many.
    async fn views(
        &self,
        #[graphql(desc = "How long each window is.")] size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.")] last: i32,
        #[graphql(desc = "A moment in the last window; now when left out.")] to: Option<
            DateTime<Utc>,
        >,
    ) -> Option<async_graphql::Result<ViewSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::views_of_post(&self.scope.op, &self.row, range).await;
            Ok(ViewSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }
}

/// A post and how often it was viewed.
#[derive(Debug, Clone, SimpleObject)]
pub struct TopPost {
    /// The post.
    post: Option<async_graphql::Result<Post>>,
    /// How many views.
    views: i64,
}

/// What a seller is told about a product.
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
        Ok(Self { row: Arc::clone(row), scope: Arc::clone(scope) })
    }
}

/// What a seller is told about a product.
#[Object]
impl ProductAnalytics {
    /// Sales of the product.
    async fn sales(
        &self,
        #[graphql(desc = "How long each window is.")] size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.")] last: i32,
        #[graphql(desc = "A moment in the last window; now when left out.")] to: Option<
            DateTime<Utc>,
        >,
    ) -> Option<async_graphql::Result<SalesSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::sales_of_product(&self.scope.op, &self.row, range).await;
            Ok(SalesSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }
}

/// What a person is told about all that is theirs.
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

/// What a person is told about all that is theirs.
#[Object]
impl ViewerAnalytics {
    /// Views of all the viewer's posts: how often, by how many.
    async fn views(
        &self,
        #[graphql(desc = "How long each window is.")] size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.")] last: i32,
        #[graphql(desc = "A moment in the last window; now when left out.")] to: Option<
            DateTime<Utc>,
        >,
    ) -> Option<async_graphql::Result<ViewSeries>> {
        let found = async {
            let range = range(&self.scope, size, last, to)?;
            let series = analytics::views_of_author(&self.scope.op, self.user, range).await;
            Ok(ViewSeries::new(range, series.map_err(|error| fault(&error))?))
        };
        Some(found.await)
    }

    /// The viewer's posts with the most views, most first.
    async fn top_posts(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "How long each window is.", default_with = "WindowSize::Day")]
        size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.", default = 30)] last: i32,
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

    /// Sales of all the viewer's products, a series for each currency in which there were some.
    async fn sales(
        &self,
        #[graphql(desc = "How long each window is.")] size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.")] last: i32,
        #[graphql(desc = "A moment in the last window; now when left out.")] to: Option<
            DateTime<Utc>,
        >,
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

    /// The viewer's products of which the most pieces were sold, most first.
    async fn top_products(
        &self,
        #[graphql(desc = "How many, 1 to 100.")] first: i32,
        #[graphql(desc = "How long each window is.", default_with = "WindowSize::Day")]
        size: WindowSize,
        #[graphql(desc = "How many windows, 1 to 100.", default = 30)] last: i32,
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
