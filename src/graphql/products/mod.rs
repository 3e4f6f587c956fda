//! Products and their sales.

pub mod mutations;
pub mod queries;
pub mod types;
