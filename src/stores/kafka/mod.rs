//! Kafka: the log of events, and of views.

pub mod client;
pub mod consumer;
pub mod discard;
pub mod producer;
pub mod topology;
pub mod views;

use std::time::Duration;

/// How long a role waits for what Kafka says of its partitions: then it is unavailable.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The same for a command that asks once, and whose user waits for what it finds: a broker that
/// makes the topics of others answers late.
pub const ANSWERS_A_COMMAND_WITHIN: Duration = Duration::from_secs(60);
