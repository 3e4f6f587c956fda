//! The wrapping of an event (CloudEvents 1.0, structured JSON) and of a job.

use serde::{Deserialize, Serialize};

use super::events::Event;
use super::jobs::Job;

/// An event as it lies in Kafka. `aggregate` and `version` are what order and completeness are
/// checked by: the versions of one aggregate are 1, 2, 3 .. with nothing left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventEnvelope {
    /// CloudEvents version: `1.0`.
    pub specversion: String,
    /// Unique: `aggregate/version`.
    pub id: String,
    /// The shard that committed it: `/plaza/shards/2`.
    pub source: String,
    /// When it was committed, RFC 3339.
    pub time: String,
    /// What it is about: `post:123`, `edge:1:2`. Also the Kafka key.
    pub subject: String,
    /// The aggregate's version after this event.
    pub version: i64,
    /// A number below 2^53 that was drawn when it was written. Two events with one `id` and two
    /// identities are of two histories of a shard, of which one was lost; an event sent twice has
    /// the one it had. None in events of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<i64>,
    /// W3C trace context of the request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
}

/// What every event says of itself, also one whose type or data this build does not know.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventHead {
    /// What it is about.
    pub subject: String,
    /// The aggregate's version after it.
    pub version: i64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A job as it lies in RabbitMQ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEnvelope {
    /// Unique: what attempts are counted by.
    pub id: String,
    /// W3C trace context of the request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// `job` and `args`.
    #[serde(flatten)]
    pub job: Job,
}
