//! The relay: takes messages out of each shard's outbox, in order, to RabbitMQ and Kafka.
//!
//! Exactly one relay works on a shard at a time: it holds a lease, by an advisory lock on a
//! connection of its own. One that hung sends nothing that it had not handed to a broker's client
//! before, and its marks name an epoch that is over. (Several, skipping each other's locked rows, turn the order per key around; a cursor over
//! the ids skips rows that commit late.) Each sink has a loop of its own, so that a broker that is
//! down holds up nothing else. A row is marked only after its broker has confirmed it; what was
//! confirmed but not marked is sent again, and readers skip repeats.
//!
//! Nothing is sent before a replica has it: what a failover would undo must not be known to the
//! world.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Sink;
use super::confirmed;
use super::wakes::Wakes;
use plaza_base::clock::pause;
use plaza_config::{Config, KafkaConfig, RabbitmqConfig};
use plaza_stores::StoreError;
use plaza_stores::kafka::producer::{self, EventProducer};
use plaza_stores::postgres::leader::Lease;
use plaza_stores::postgres::outbox::{self as rows, Backlog, OutboxRow};
use plaza_stores::postgres::pool::PooledConnection;
use plaza_stores::postgres::{Cluster, Connection, Shard, ShardIndex, leases};
use plaza_stores::rabbitmq::publisher::{self, Publisher};
use plaza_stores::redis::Redis;
use plaza_telemetry::trace;

/// Messages in flight at a time, per shard and sink.
const WINDOW: i64 = 500;
/// While messages come without a pause, they are sent no more often than this: those that came
/// together share a confirmation and a mark.
const PACE: Duration = Duration::from_millis(40);
/// How often it is recorded how much waits.
const MEASURE: Duration = Duration::from_secs(5);
/// How often a sink that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Relays every shard's outbox until it is stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(
    cluster: Arc<Cluster>,
    redis: Redis,
    config: Arc<Config>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    plaza_telemetry::metrics::register_relay();
    let wakes = Arc::new(Wakes::new(cluster.len()));
    let shards = cluster.indexes().map(|index| {
        let (cluster, wakes, config, stop) =
            (Arc::clone(&cluster), Arc::clone(&wakes), Arc::clone(&config), stop.clone());
        async move {
            let Ok(shard) = cluster.shard(index) else { return };
            while !stop.is_cancelled() {
                if let Err(error) = Box::pin(relay_shard(shard, &wakes, &config, &stop)).await {
                    tracing::warn!(shard = index.0, %error, "the relay begins again");
                }
                pause(RETRY, &stop).await;
            }
        }
    });
    tokio::join!(futures_util::future::join_all(shards), wakes.hear(&redis, &stop)).1
}

/// Works on one shard for as long as it has the lock.
async fn relay_shard(
    shard: &Shard,
    wakes: &Wakes,
    config: &Config,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut lock = shard.direct().await?;
    let lease = tokio::select! {
        lease = Lease::take(&mut lock, leases::RELAY) => lease?,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(shard = shard.index.0, epoch = lease.epoch, "relaying");
    for sink in Sink::ALL {
        confirmed::record(shard.index, sink, Duration::ZERO);
    }
    let lost = stop.child_token();
    let _cancel = lost.clone().drop_guard();
    let ended = tokio::select! {
        result = lease.keep(&mut lock) => result,
        result = measure(shard, stop) => result,
        result = to_rabbitmq((shard, &lease), wakes, &config.rabbitmq, &lost) => result,
        result = to_kafka((shard, &lease), wakes, &config.kafka, &lost) => result,
    };
    // Whoever takes over records it from here on.
    for sink in Sink::ALL {
        set_backlog(&Backlog::default(), shard.index, sink);
        confirmed::record(shard.index, sink, Duration::ZERO);
    }
    ended
}

/// Records how much waits until it is stopped, by a connection of its own: counting takes a while
/// where much does, and the lock's has to be heard.
async fn measure(shard: &Shard, stop: &CancellationToken) -> Result<(), StoreError> {
    let mut connection = shard.direct().await?;
    while !stop.is_cancelled() {
        record_backlog(&mut connection, shard.index).await?;
        pause(MEASURE, stop).await;
    }
    Ok(())
}

/// How much waits for each broker, and for how long already: the lag that operators watch.
async fn record_backlog(connection: &mut Connection, shard: ShardIndex) -> Result<(), StoreError> {
    for sink in Sink::ALL {
        set_backlog(&rows::backlog(connection, sink.code()).await?, shard, sink);
    }
    Ok(())
}

/// Sets the metrics of what waits for a broker.
fn set_backlog(backlog: &Backlog, shard: ShardIndex, sink: Sink) {
    let unsent = u32::try_from(backlog.unsent).unwrap_or(u32::MAX);
    metrics::gauge!("plaza_outbox_unsent", "shard" => shard.0.to_string(), "sink" => sink.name())
        .set(unsent);
    metrics::gauge!("plaza_outbox_lag_seconds", "shard" => shard.0.to_string(), "sink" => sink.name()).set(backlog.oldest_s);
}

/// The traceparent alone of an envelope.
#[derive(Deserialize)]
struct Carrier {
    traceparent: Option<String>,
}

/// Begins a span for each message that a sampled trace has caused; they end with the list.
fn sending(rows: &[OutboxRow], sink: Sink) -> Vec<trace::Span> {
    if !trace::is_exporting() {
        return Vec::new();
    }
    let begin = |row: &OutboxRow| {
        let carrier: Carrier = serde_json::from_str(&row.payload).ok()?;
        let mut span =
            trace::of_message(carrier.traceparent.as_deref(), trace::Kind::Producer, || {
                format!("send {}", row.topic).into()
            });
        span.set("messaging.system", || sink.name().into());
        span.set("messaging.destination.name", || row.topic.clone().into());
        span.set("messaging.message.id", || row.key.clone().into());
        Some(span)
    };
    rows.iter().filter_map(begin).collect()
}

/// When an outbox is polled.
#[derive(Default)]
struct Polls {
    /// How often in a row nothing was there.
    idle: u32,
    /// When the last messages were found, unless there were more of them than fit a window.
    found: Option<Instant>,
}

/// The next messages, which a replica has; nothing when it is time to stop.
async fn next(
    connection: &mut PooledConnection,
    (shard, sink): (&Shard, Sink),
    polls: &mut Polls,
    wakes: &Wakes,
    stop: &CancellationToken,
) -> Result<Option<Vec<OutboxRow>>, StoreError> {
    if let Some(found) = polls.found.take() {
        pause(PACE.saturating_sub(found.elapsed()), stop).await;
        // At once, when it has been woken again meanwhile.
        wakes.next(shard.index, sink, polls.idle, stop).await;
    }
    loop {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let unsent = rows::unsent(connection, sink.code(), WINDOW).await?;
        if !unsent.is_empty() {
            polls.idle = 0;
            let more = i64::try_from(unsent.len()).is_ok_and(|found| found >= WINDOW);
            polls.found = (!more).then(Instant::now);
            let confirmed = confirmed::wait(connection, (shard, sink), stop).await?;
            return Ok(confirmed.then_some(unsent));
        }
        polls.idle = polls.idle.saturating_add(1);
        wakes.next(shard.index, sink, polls.idle, stop).await;
    }
}

/// The ids that may be marked: those that were confirmed, up to each key's first that was not.
fn markable(unsent: &[OutboxRow], confirmed: &[bool]) -> Vec<i64> {
    let mut held_back: HashSet<&str> = HashSet::new();
    let mut ids = Vec::with_capacity(unsent.len());
    for (row, confirmed) in unsent.iter().zip(confirmed) {
        if *confirmed && !held_back.contains(row.key.as_str()) {
            ids.push(row.id);
        } else {
            held_back.insert(&row.key);
        }
    }
    ids
}

/// When the first of them was written.
fn oldest(rows: &[OutboxRow]) -> DateTime<Utc> {
    rows.iter().map(|row| row.created_at).min().unwrap_or_default()
}

fn count(sink: &'static str, sent: usize) {
    metrics::counter!("plaza_outbox_sent_total", "sink" => sink)
        .increment(u64::try_from(sent).unwrap_or_default());
}

async fn to_rabbitmq(
    (shard, lease): (&Shard, &Lease),
    wakes: &Wakes,
    config: &RabbitmqConfig,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut connection = shard.direct().await?;
    rows::disable_sync_commit(&mut connection).await?;
    let mut publisher: Option<Publisher> = None;
    let (mut polls, mut down) = (Polls::default(), false);
    while let Some(unsent) =
        next(&mut connection, (shard, Sink::Rabbitmq), &mut polls, wakes, stop).await?
    {
        lease.check()?;
        let spans = sending(&unsent, Sink::Rabbitmq);
        let sent = async {
            let connected = match publisher.take() {
                Some(connected) => connected,
                None => Publisher::connect(&config.url, &config.retry_delays_ms).await?,
            };
            let messages: Vec<publisher::Message<'_>> = unsent
                .iter()
                .map(|row| publisher::Message {
                    queue: &row.topic,
                    id: &row.key,
                    payload: row.payload.as_bytes(),
                })
                .collect();
            let publishing =
                tokio::time::timeout(Duration::from_secs(10), connected.publish(&messages)).await;
            let confirmed = publishing
                .map_err(|_| StoreError::unavailable("rabbitmq", "no confirm in 10 s"))??;
            Ok::<_, StoreError>((connected, confirmed))
        };
        let sent = sent.await;
        drop(spans);
        match sent {
            Ok((connected, confirmed)) => {
                if down {
                    tracing::info!(shard = shard.index.0, "rabbitmq is back");
                }
                down = false;
                publisher = Some(connected);
                let ids = markable(&unsent, &confirmed);
                rows::mark_sent(&mut connection, lease.epoch, &ids, oldest(&unsent)).await?;
                count("rabbitmq", ids.len());
                if ids.is_empty() {
                    pause(RETRY, stop).await;
                }
            }
            Err(error) => {
                if !down {
                    tracing::warn!(shard = shard.index.0, %error, "jobs wait in the outbox");
                }
                down = true;
                pause(RETRY, stop).await;
            }
        }
    }
    Ok(())
}

async fn to_kafka(
    (shard, lease): (&Shard, &Lease),
    wakes: &Wakes,
    config: &KafkaConfig,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let mut connection = shard.direct().await?;
    rows::disable_sync_commit(&mut connection).await?;
    let mut producer = EventProducer::new(config)?;
    let mut polls = Polls::default();
    while let Some(unsent) =
        next(&mut connection, (shard, Sink::Kafka), &mut polls, wakes, stop).await?
    {
        let messages: Vec<producer::Message<'_>> = unsent
            .iter()
            .map(|row| producer::Message {
                topic: &row.topic,
                key: &row.key,
                payload: &row.payload,
            })
            .collect();
        lease.check()?;
        let spans = sending(&unsent, Sink::Kafka);
        let sent = tokio::select! {
            sent = producer.publish(&messages) => sent,
            () = stop.cancelled() => {
                producer.abandon();
                return Ok(());
            }
        };
        drop(spans);
        match sent {
            Ok(()) => {
                let ids: Vec<i64> = unsent.iter().map(|row| row.id).collect();
                rows::mark_sent(&mut connection, lease.epoch, &ids, oldest(&unsent)).await?;
                count("kafka", ids.len());
            }
            Err(error) => {
                tracing::warn!(shard = shard.index.0, %error, "events wait in the outbox");
                producer.abandon();
                producer = EventProducer::new(config)?;
                pause(RETRY, stop).await;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, key: &str) -> OutboxRow {
        OutboxRow {
            id,
            topic: "posts".into(),
            key: key.into(),
            payload: String::new(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn nothing_of_a_key_is_marked_after_one_that_was_not_confirmed() {
        let rows = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "b")];
        assert_eq!(markable(&rows, &[true, false, true, true]), [1, 3]);
    }
}
