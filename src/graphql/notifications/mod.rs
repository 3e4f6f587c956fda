//! What the viewer is told of.

pub mod types;
