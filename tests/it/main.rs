//! Tests against the real servers. The tree mirrors src/. Every test has databases, a vhost, topics
//! and keys of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that finds something else than it must has failed, and says so by panicking"
)]

mod app;
mod cli;
mod clients;
mod commands;
mod containers;
mod edge;
mod event_streams;
mod execution;
mod fuzz;
mod graphql;
mod hostile;
mod http;
mod jobs;
mod kubernetes;
mod kustomize;
mod layers;
mod local;
mod operate;
mod pages;
mod pasted;
mod projections;
mod snapshots;
mod stores;
mod template;
mod wait;
mod websocket;

use graphql::images;
