//! Users.

pub mod mutations;
pub mod queries;
pub mod relations;
pub mod types;
