//! The rules, one file per noun. Every function takes the [`Operation`] first: who asks, how fresh,
//! until when. Nothing here knows GraphQL, HTTP or a queue; nothing below knows a rule.

pub mod analytics;
pub mod audience;
pub mod batches;
pub mod blocks;
pub mod cache_trust;
mod cached;
pub mod comments;
pub mod effects;
pub mod error;
pub mod explain;
pub mod follow_requests;
pub mod follows;
pub mod hashtags;
pub mod identity;
pub mod images;
pub mod likes;
pub mod limits;
pub mod live;
pub mod moderation;
pub mod mutation;
pub mod notifications;
pub mod operation;
pub mod orders;
pub mod page;
pub mod payments;
pub mod policy;
pub mod posts;
pub mod products;
pub mod profile_counts;
pub mod purse;
pub mod references;
pub mod relations;
pub mod relations_batch;
pub mod search;
pub mod text;
pub mod threads;
pub mod timelines;
pub mod users;
pub mod views;

use std::sync::Arc;

pub use error::{DomainError, UserError, UserErrorCode};
pub use mutation::{Mutation, Tx, mutate, mutate_from, write};
pub use operation::{Operation, Viewer};
pub use page::{Fill, Page, PageRequest};

use plaza_base::clock::Clock;
use plaza_config::{FeedConfig, OrdersConfig};
use plaza_stores::objects::Objects;
use plaza_stores::postgres::{Cluster, ReadSession};
use plaza_stores::redis::Redis;

/// What the rules work with. Built once per process by `app.rs`.
#[derive(Clone)]
pub struct Domain {
    /// The shards.
    pub cluster: Arc<Cluster>,
    /// Cache, timelines and sessions' consistency tokens.
    pub redis: Redis,
    /// Time.
    pub clock: Clock,
    /// How timelines are kept.
    pub feed: FeedConfig,
    /// Where an order's saga runs.
    pub orders: OrdersConfig,
    /// Who takes payments.
    pub payments: Arc<dyn payments::PaymentProvider>,
    /// Files.
    pub objects: Objects,
    /// How images are taken and shown.
    pub images: Arc<images::Images>,
    /// Passwords and tokens.
    pub identity: Arc<identity::Identity>,
    /// Authors whose posts are pulled at read.
    pub pull_authors: timelines::PullAuthors,
    /// How often one user may do what.
    pub limits: limits::Limits,
    /// Where views of posts go.
    pub views: Arc<views::ViewLog>,
    /// What is their own of those who are delivered to, many at a time.
    pub viewer_batches: batches::ViewerBatches,
}

impl Domain {
    /// A session that reads from the primaries alone.
    pub fn primary(&self) -> ReadSession {
        ReadSession::primary(self.cluster.len())
    }
}

impl std::fmt::Debug for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Domain").field("shards", &self.cluster.len()).finish_non_exhaustive()
    }
}
