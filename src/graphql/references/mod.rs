//! What texts refer to: mentions and hashtags.

pub mod queries;
pub mod types;
