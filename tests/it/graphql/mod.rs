//! The surface: a folder for each noun of the schema, as in src/graphql, and what concerns all of
//! them.

mod analytics;
mod bad_input;
mod comments;
pub mod cost;
mod cursors;
mod every_mutation;
mod every_path;
mod explain;
mod hidden_rows;
mod idempotency;
pub mod images;
mod notifications;
mod orders;
mod plans;
mod posts;
mod products;
mod read_your_writes;
mod references;
mod schema;
mod search;
mod specification;
pub mod statement_budgets;
mod users;
mod viewer;
mod whole_answers;
