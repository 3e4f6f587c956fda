//! Notifications of the viewer.

pub mod groups;
pub mod mutations;
pub mod preferences;
pub mod types;
