//! The relay: takes messages out of each shard's outbox, in order, to RabbitMQ and Kafka.
//!
//! Exactly one relay works on a shard at a time: it holds a lease, by an advisory lock on a
//! connection of its own. (Several, skipping each other's locked rows, turn the order per key
//! around; a cursor over the ids skips rows that commit late.) One that hung sends nothing that it
//! had not handed to a broker's client before, and its marks name an epoch that is over. Each sink
//! has a loop of its own, so that a broker that is down holds up nothing else. A row is marked only
//! after its broker has confirmed it; what was confirmed but not marked is sent again, and readers
//! skip repeats.
//!
//! Nothing is sent before a replica has it: what a failover would undo must not be known to the
//! world.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Sink;
use super::broker::{Broker, Sent};
use super::confirmed;
use super::sending::{Sending, Step};
use super::wakes::Wakes;
use plaza_base::clock::pause;
use plaza_config::Config;
use plaza_stores::StoreError;
use plaza_stores::postgres::leader::Lease;
use plaza_stores::postgres::outbox::{self as rows, Backlog, OutboxRow};
use plaza_stores::postgres::pool::PooledConnection;
use plaza_stores::postgres::{Cluster, Connection, Shard, ShardIndex, leases};
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
    let mut jobs = Broker::rabbitmq(&config.rabbitmq);
    let lease = tokio::select! {
        lease = Lease::take(&mut lock, leases::RELAY) => lease?,
        never = stand_by(&mut jobs) => match never {},
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
        result = send((shard, &lease), wakes, jobs, &lost) => result,
        result = send((shard, &lease), wakes, Broker::kafka(&config.kafka), &lost) => result,
    };
    // Whoever takes over records it from here on.
    for sink in Sink::ALL {
        set_backlog(&Backlog::default(), shard.index, sink);
        confirmed::record(shard.index, sink, Duration::ZERO);
    }
    ended
}

/// Has a connection to RabbitMQ ready for when another relay is gone.
async fn stand_by(jobs: &mut Broker<'_>) -> Infallible {
    jobs.connect().await;
    pending().await
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
fn spans(rows: &[OutboxRow], sink: Sink) -> Vec<trace::Span> {
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

/// The next messages; nothing when it is time to stop.
async fn next(
    connection: &mut PooledConnection,
    (shard, sink): (&Shard, Sink),
    polls: &mut Polls,
    wakes: &Wakes,
    stop: &CancellationToken,
) -> Result<Vec<OutboxRow>, StoreError> {
    if let Some(found) = polls.found.take() {
        pause(PACE.saturating_sub(found.elapsed()), stop).await;
        // At once, when it has been woken again meanwhile.
        wakes.next(shard.index, sink, polls.idle, stop).await;
    }
    while !stop.is_cancelled() {
        let unsent = rows::unsent(connection, sink.code(), WINDOW).await?;
        if !unsent.is_empty() {
            polls.idle = 0;
            let more = i64::try_from(unsent.len()).is_ok_and(|found| found >= WINDOW);
            polls.found = (!more).then(Instant::now);
            return Ok(unsent);
        }
        polls.idle = polls.idle.saturating_add(1);
        wakes.next(shard.index, sink, polls.idle, stop).await;
    }
    Ok(Vec::new())
}

fn count(sink: Sink, sent: usize) {
    metrics::counter!("plaza_outbox_sent_total", "sink" => sink.name())
        .increment(u64::try_from(sent).unwrap_or_default());
}

/// Sends a shard's messages to one broker, step by step, until it is stopped.
async fn send(
    (shard, lease): (&Shard, &Lease),
    wakes: &Wakes,
    mut broker: Broker<'_>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let sink = broker.sink();
    let mut connection = shard.direct().await?;
    rows::disable_sync_commit(&mut connection).await?;
    let (mut polls, mut sending) = (Polls::default(), Sending::default());
    loop {
        match sending.step() {
            Step::Read => {
                let unsent = next(&mut connection, (shard, sink), &mut polls, wakes, stop).await?;
                if unsent.is_empty() {
                    return Ok(());
                }
                sending.read(unsent);
            }
            Step::Confirm => {
                if !confirmed::wait(&mut connection, (shard, sink), stop).await? {
                    return Ok(());
                }
                sending.confirmed();
            }
            Step::Send => {
                lease.check()?;
                let spans = spans(sending.rows(), sink);
                let sent = broker.send(shard.index, sending.rows(), stop).await?;
                drop(spans);
                match sent {
                    Sent::Confirmed(confirmed) => sending.sent(&confirmed),
                    Sent::Failed => {
                        sending.failed();
                        pause(RETRY, stop).await;
                    }
                    Sent::Stopped => return Ok(()),
                }
            }
            Step::Mark(ids) => {
                rows::mark_sent(&mut connection, lease.epoch, &ids, sending.oldest()).await?;
                count(sink, ids.len());
                if ids.is_empty() {
                    pause(RETRY, stop).await;
                }
                sending.marked();
            }
        }
    }
}
