//! Comments.

pub mod mutations;
pub mod types;
