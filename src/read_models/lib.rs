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
use plaza_protocol::routing::Topic;

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

/// Whoever reads events, by name, and from which topics: the projections, and what folds views.
pub fn readers(feed: &FeedConfig) -> Vec<(&'static str, &'static [Topic])> {
    let projections = all(feed);
    let of_events = projections.iter().map(|projection| (projection.name(), projection.topics()));
    let of_views: (&str, &[Topic]) = (view_windows::projector::NAME, &[Topic::Views]);
    of_events.chain([of_views]).collect()
}

/// A sorted list without repeats.
fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().collect::<std::collections::BTreeSet<T>>().into_iter().collect()
}

#[cfg(test)]
mod sample {
    use plaza_protocol::envelope::EventEnvelope;
    use plaza_protocol::events::Event;

    /// An event as it comes from Kafka.
    pub fn event(event: Event, version: i64) -> EventEnvelope {
        EventEnvelope {
            specversion: "1.0".into(),
            id: String::new(),
            source: String::new(),
            identity: None,
            time: "2026-11-28T12:00:00Z".into(),
            subject: event.aggregate().to_string(),
            version,
            traceparent: None,
            event,
        }
    }
}
