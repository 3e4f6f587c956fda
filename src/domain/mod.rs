//! The rules, one file per noun. Every function takes the [`Operation`] first: who asks, how fresh, until when. Nothing here
//! knows GraphQL, HTTP or a queue; nothing below knows a rule.

pub mod blocks;
pub mod comments;
pub mod effects;
pub mod error;
pub mod explain;
pub mod follows;
pub mod hashtags;
pub mod idempotency;
pub mod identity;
pub mod likes;
pub mod live;
pub mod moderation;
pub mod notifications;
pub mod operation;
pub mod orders;
pub mod page;
pub mod payments;
pub mod policy;
pub mod posts;
pub mod products;
pub mod profile_counts;
pub mod references;
pub mod relations;
pub mod shares;
pub mod text;
pub mod timelines;
pub mod users;

use std::sync::Arc;

pub use error::{DomainError, UserError, UserErrorCode};
pub use operation::{Operation, Viewer};
pub use page::{Page, PageRequest};

use crate::clock::Clock;
use crate::config::FeedConfig;
use crate::stores::postgres::Cluster;
use crate::stores::redis::Redis;

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
    /// Who takes payments.
    pub payments: Arc<dyn payments::PaymentProvider>,
    /// Passwords and tokens.
    pub identity: Arc<identity::Identity>,
    /// Authors whose posts are pulled at read.
    pub pull_authors: timelines::PullAuthors,
}

impl std::fmt::Debug for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Domain").field("shards", &self.cluster.len()).finish_non_exhaustive()
    }
}
