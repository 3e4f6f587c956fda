//! plaza: a social platform with a marketplace, served as one GraphQL API.
//!
//! The top level is the way data flows. A request enters by [`http`], is resolved by [`graphql`],
//! which asks [`domain`] for everything; a mutation writes rows and messages ([`outbox`]) in one
//! transaction on one shard ([`stores`]). The relay hands the messages to RabbitMQ, whose jobs
//! ([`jobs`]) go back into the domain, and to Kafka, whose events fill the [`read_models`].
//! [`protocol`] is what crosses processes. [`operator`] is what operators see, [`telemetry`] what a
//! process says of itself. [`app`] puts a process together, [`lifecycle`] starts and stops it,
//! [`cli`] is the command line.
//!
//! Each folder but `cli` is a crate of its own, so that an arrow that may not be drawn does not
//! compile. They are joined here under their names, for the command line, the tests and the load
//! generator.

pub mod cli;

pub use plaza_app as app;
pub use plaza_app::lifecycle;
pub use plaza_base::{clock, ids};
pub use plaza_config as config;
pub use plaza_domain as domain;
pub use plaza_graphql as graphql;
pub use plaza_http as http;
pub use plaza_jobs as jobs;
pub use plaza_operator as operator;
pub use plaza_outbox as outbox;
pub use plaza_protocol as protocol;
pub use plaza_read_models as read_models;
pub use plaza_seeding as seeding;
pub use plaza_stores as stores;
pub use plaza_telemetry as telemetry;
