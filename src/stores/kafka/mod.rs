//! Kafka: the log of events, and of views.

pub mod client;
pub mod consumer;
pub mod producer;
pub mod topology;
pub mod views;
