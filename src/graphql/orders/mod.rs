//! Orders.

pub mod mutations;
pub mod queries;
pub mod types;
