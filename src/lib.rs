//! plaza: a social platform with a marketplace, served as one GraphQL API.
//!
//! The top level is the way data flows. A request enters by [`http`], is resolved by [`graphql`],
//! which asks [`domain`] for everything; a mutation writes rows and messages ([`outbox`]) in one
//! transaction on one shard ([`stores`]). The relay hands the messages to RabbitMQ, whose jobs
//! ([`jobs`]) go back into the domain, and to Kafka, whose events fill the [`read_models`].
//! [`protocol`] is what crosses processes. [`operator`] is what operators see, [`telemetry`] what a
//! process says of itself. [`app`] puts a process together, [`lifecycle`] starts and stops it,
//! [`cli`] is the command line.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod jobs;
pub mod lifecycle;
pub mod operator;
pub mod outbox;
pub mod protocol;
pub mod read_models;
pub mod seeding;
pub mod stores;
pub mod telemetry;
