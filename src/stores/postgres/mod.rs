//! The shards. `cluster` is the way in: it knows every shard's primary and replicas; `routing` says
//! which shard an id is on; `transaction` is the only way to write; the nouns' files hold the SQL,
//! one query a function, each on a connection it is given.

pub mod appended;
pub mod blocks;
pub mod claims;
pub mod cluster;
pub mod comments;
pub mod commit_breaker;
pub mod entities;
pub mod epoch;
pub mod follows;
pub mod hashtags;
pub mod health;
pub mod id_clock;
pub mod idempotency_keys;
pub mod identity;
pub mod images;
pub mod indexes;
pub mod jobs;
pub mod keyset;
pub mod leader;
pub mod ledger;
pub mod likes;
pub mod migrations;
pub mod moving;
pub mod notification_settings;
pub mod orders;
pub mod outbox;
pub mod outbox_partitions;
pub mod pool;
pub mod position;
pub mod posts;
pub mod prepared;
pub mod products;
pub mod projections;
pub mod replicas;
pub mod reposts;
pub mod reservations;
pub mod routing;
pub mod scatter;
pub mod search;
pub mod session;
pub mod sessions;
pub mod shard;
mod sweep;
pub mod target;
pub mod timelines;
pub mod transaction;
pub mod users;

pub use cluster::Cluster;
pub use pool::Connection;
pub use prepared::prepared;
pub use routing::{ShardIndex, ShardMap};
pub use session::ReadSession;
pub use shard::Shard;
pub use transaction::Transaction;
