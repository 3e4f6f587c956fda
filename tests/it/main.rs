//! Tests against the real servers. The tree mirrors src/. Every test has databases, a vhost, topics and keys of its own.

mod app;
mod feeds;
mod graphql;
mod http;
mod jobs;
mod layers;
mod projections;
mod stores;
