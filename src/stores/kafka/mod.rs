//! Kafka: the log of events.

pub mod consumer;
pub mod producer;
pub mod topology;
