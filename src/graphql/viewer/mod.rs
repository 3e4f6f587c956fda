//! Who asks, and what only they may see.

pub mod queries;
pub mod types;
