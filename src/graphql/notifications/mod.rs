//! What the viewer is told of.

pub mod groups;
pub mod mutations;
pub mod preferences;
pub mod types;
