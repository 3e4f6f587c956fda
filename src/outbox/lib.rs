//! The outbox: the only way a message leaves a mutation. Rows are written in the mutation's
//! transaction; the relay sends them.

mod broker;
mod confirmed;
pub mod relay;
mod sending;
pub mod wakes;

use chrono::{DateTime, SecondsFormat, Utc};

use plaza_protocol::envelope::{EventEnvelope, JobEnvelope};
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_protocol::routing::{queue_of, topic_of};
use plaza_stores::StoreError;
use plaza_stores::postgres::outbox::{self, NewRows};
use plaza_stores::postgres::{ShardIndex, Transaction};

/// Numbers below this one are exact in every reader of JSON.
const EXACT: i64 = 1 << 53;

/// Where a row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink {
    /// A job for RabbitMQ.
    Rabbitmq,
    /// An event for Kafka.
    Kafka,
}

impl Sink {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Rabbitmq, Self::Kafka];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Kafka => "kafka",
        }
    }

    /// As stored.
    pub fn code(self) -> i16 {
        match self {
            Self::Rabbitmq => 0,
            Self::Kafka => 1,
        }
    }
}

/// Messages of one transaction, appended together in one statement.
#[derive(Debug)]
pub struct Messages {
    shard: ShardIndex,
    now: DateTime<Utc>,
    traceparent: Option<String>,
    rows: NewRows,
}

impl Messages {
    /// Messages from a transaction on `shard`.
    pub fn new(shard: ShardIndex, now: DateTime<Utc>, traceparent: Option<&str>) -> Self {
        let traceparent = traceparent.map(str::to_owned);
        Self { shard, now, traceparent, rows: NewRows::default() }
    }

    /// Adds an event; `version` is the aggregate's after it.
    pub fn event(&mut self, event: Event, version: i64) {
        let subject = event.aggregate().to_string();
        let topic = topic_of(&event).name();
        let envelope = EventEnvelope {
            specversion: "1.0".to_owned(),
            id: format!("{subject}/{version}"),
            source: format!("/plaza/shards/{}", self.shard),
            time: self.now.to_rfc3339_opts(SecondsFormat::Millis, true),
            subject: subject.clone(),
            version,
            identity: Some(rand::random_range(0..EXACT)),
            traceparent: self.traceparent.clone(),
            event,
        };
        let payload = serde_json::to_string(&envelope).unwrap_or_default();
        self.rows.push(Sink::Kafka.code(), topic, subject, payload);
    }

    /// Adds a job; `id` must be the same whenever the same work is asked for (`order:12/process`).
    pub fn job(&mut self, job: Job, id: String) {
        let queue = queue_of(&job).name();
        let envelope = JobEnvelope { id: id.clone(), traceparent: self.traceparent.clone(), job };
        let payload = serde_json::to_string(&envelope).unwrap_or_default();
        self.rows.push(Sink::Rabbitmq.code(), queue, id, payload);
    }

    /// The rows, for a statement that writes them beside something else; its transaction is to say
    /// so to the relay ([`Transaction::appended`]).
    pub fn take_rows(&mut self) -> NewRows {
        std::mem::take(&mut self.rows)
    }

    /// Writes them, none too. Call it inside the transaction, after the aggregate's row is locked:
    /// that is what makes order per key hold.
    ///
    /// # Errors
    /// The server's.
    pub async fn append(self, transaction: &mut Transaction) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        outbox::insert(transaction, &self.rows).await?;
        transaction.appended();
        Ok(())
    }
}
