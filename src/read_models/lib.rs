//! The CQRS read side: a file holds a table, the projection that fills it from events, and the
//! queries that read it.
pub mod blocked_by;
pub mod follow_requests;
pub mod followers;
pub mod lag;
pub mod notifications;
pub mod post_counts;
pub mod product_sales;
pub mod profile_counts;
pub mod projection;
pub mod projector;
pub mod sales_windows;
pub mod shares;
pub mod sketch;
pub mod users;
pub mod view_windows;

use self::projection::Projection;
use plaza_config::FeedConfig;

/// Every projection there is.
pub fn all(feed: &FeedConfig) -> Vec<Box<dyn Projection>> {
    vec![
        Box::new(followers::Followers { pull_from: feed.pull_from, push_below: feed.push_below }),
        Box::new(post_counts::PostCounts),
        Box::new(profile_counts::ProfileCounts),
        Box::new(product_sales::ProductSales),
        Box::new(blocked_by::BlockedBy),
        Box::new(notifications::Notifications),
        Box::new(shares::Shares),
        Box::new(users::Users),
    ]
}

/// A sorted list without repeats.
fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().collect::<std::collections::BTreeSet<T>>().into_iter().collect()
}
