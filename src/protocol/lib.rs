//! What crosses processes: envelopes, events, jobs and where each is sent. Pure serde, versioned;
//! retired forms stay readable.

pub mod envelope;
pub mod events;
pub mod jobs;
pub mod routing;
pub mod views;
