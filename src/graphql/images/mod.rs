//! Images.

pub mod mutations;
pub mod types;
