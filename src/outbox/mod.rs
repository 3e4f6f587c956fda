//! The outbox: the only way a message leaves a mutation. Rows are written in the mutation's
//! transaction; the relay sends them.

pub mod relay;
pub mod wakes;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::sql_types::{Array, SmallInt, Text};
use diesel_async::RunQueryDsl;

use crate::protocol::envelope::{EventEnvelope, JobEnvelope};
use crate::protocol::events::Event;
use crate::protocol::jobs::Job;
use crate::protocol::routing::{queue_of, topic_of};
use crate::stores::StoreError;
use crate::stores::postgres::appended::appended;
use crate::stores::postgres::prepared::{prepared, sql};
use crate::stores::postgres::{Connection, ShardIndex};

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
    rows: Vec<(Sink, &'static str, String, String)>,
}

impl Messages {
    /// Messages from a transaction on `shard`.
    pub fn new(shard: ShardIndex, now: DateTime<Utc>, traceparent: Option<&str>) -> Self {
        Self { shard, now, traceparent: traceparent.map(str::to_owned), rows: Vec::new() }
    }

    /// An event; `version` is the aggregate's after it.
    #[must_use]
    pub fn event(mut self, event: Event, version: i64) -> Self {
        let subject = event.aggregate().to_string();
        let topic = topic_of(&event).name();
        let envelope = EventEnvelope {
            specversion: "1.0".to_owned(),
            id: format!("{subject}/{version}"),
            source: format!("/plaza/shards/{}", self.shard),
            time: self.now.to_rfc3339_opts(SecondsFormat::Millis, true),
            subject: subject.clone(),
            version,
            traceparent: self.traceparent.clone(),
            event,
        };
        self.rows.push((
            Sink::Kafka,
            topic,
            subject,
            serde_json::to_string(&envelope).unwrap_or_default(),
        ));
        self
    }

    /// A job; `id` must be the same whenever the same work is asked for (`order:12/process`).
    #[must_use]
    pub fn job(mut self, job: Job, id: String) -> Self {
        let queue = queue_of(&job).name();
        let envelope = JobEnvelope { id: id.clone(), traceparent: self.traceparent.clone(), job };
        self.rows.push((
            Sink::Rabbitmq,
            queue,
            id,
            serde_json::to_string(&envelope).unwrap_or_default(),
        ));
        self
    }

    /// Writes them. Call it inside the transaction, after the aggregate's row is locked: that is
    /// what makes order per key hold.
    ///
    /// # Errors
    /// The server's.
    pub async fn append(self, connection: &mut Connection) -> Result<(), StoreError> {
        let mut columns: (Vec<i16>, Vec<&str>, Vec<String>, Vec<String>) = Default::default();
        for (sink, topic, key, payload) in self.rows {
            columns.0.push(sink.code());
            columns.1.push(topic);
            columns.2.push(key);
            columns.3.push(payload);
        }
        prepared(
            sql("INSERT INTO outbox (sink, topic, key, payload)
                 SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[])")
            .bind::<Array<SmallInt>, _>(columns.0)
            .bind::<Array<Text>, _>(columns.1)
            .bind::<Array<Text>, _>(columns.2)
            .bind::<Array<Text>, _>(columns.3),
        )
        .execute(connection)
        .await?;
        appended();
        Ok(())
    }
}
