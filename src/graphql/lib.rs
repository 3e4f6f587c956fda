//! The GraphQL surface: parses, asks the domain, maps. A noun's folder holds its types, its queries and its mutations.

pub mod analytics;
pub mod comments;
pub mod connection;
pub mod context;
pub mod cost;
pub mod cursors;
pub mod document;
pub mod error;
pub mod explain;
pub mod guard;
pub mod ids;
pub mod images;
pub mod loaders;
pub mod node;
pub mod notifications;
pub mod orders;
pub mod output;
pub mod payload;
pub mod posts;
pub mod products;
pub mod references;
pub mod schema;
pub mod search;
pub mod subscriptions;
pub mod users;
pub mod viewer;
