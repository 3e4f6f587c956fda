//! The CQRS read side: a file holds a table, the projection that fills it from events, and the
//! queries that read it.
pub mod blocked_by;
pub mod exclusive;
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
pub mod view_windows;
