//! Consumes every queue: runs jobs a number at a time, acknowledges what is done, retries what
//! failed, gives up what keeps failing.
//!
//! A failed job is published (confirmed) to a retry queue or to the dead-letter queue *before* its
//! delivery is acknowledged: a worker that dies in between leaves the job twice, never not at all,
//! and handlers may be run twice. A worker that hung, and wakes up after RabbitMQ has handed its
//! jobs to another one, publishes none of them (`is_ours`). A delivery that can be neither
//! acknowledged nor published would stay with this worker for as long as its connection lives, so
//! the worker connects anew: then all that it holds is delivered again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::{JobError, attempts, backup_age, depths, handle, old_notifications};
use plaza_base::clock::pause;
use plaza_base::ids::Bucket;
use plaza_config::Config;
use plaza_domain::{Domain, Operation};
use plaza_protocol::envelope::JobEnvelope;
use plaza_protocol::jobs::Job;
use plaza_protocol::routing::Queue;
use plaza_stores::StoreError;
use plaza_stores::postgres::{Connection, jobs as rows};
use plaza_stores::query::Work;
use plaza_stores::rabbitmq::publisher::{Message, Publisher};
use plaza_stores::rabbitmq::{connect_worker, topology, unavailable};
use plaza_telemetry::trace;

/// Jobs of one kind that run at the same time, where configuration does not say: each keeps its
/// store busy by itself.
const AT_ONCE: u16 = 16;

/// Jobs of a queue that run at the same time.
fn at_once(queue: Queue, config: &Config) -> u16 {
    match queue {
        Queue::Feed => AT_ONCE,
        // Most of an order's time is the payment provider's.
        Queue::Orders => config.rabbitmq.orders_at_once,
        // Images take memory and whole processors: as many as may be decoded, so that none waits
        // for its turn while its time runs.
        Queue::Images => {
            u16::try_from(config.media.parallel_decodes).unwrap_or(AT_ONCE).clamp(1, AT_ONCE)
        }
    }
}

/// How long one may take; far below the broker's own limit for an acknowledgement.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a job waits for its turn before it is put back.
const TURN: Duration = Duration::from_secs(1);
/// The header that says which attempt a delivery is, when it is not the first.
const ATTEMPT: &str = "x-plaza-attempt";
/// The header in which a dead job says why.
pub const CAUSE: &str = "x-plaza-cause";

/// Consumes until it is stopped; finishes the jobs in hand first. RabbitMQ unavailable: tries
/// again, for ever.
///
/// # Errors
/// None.
pub async fn run(
    domain: Arc<Domain>,
    config: Arc<Config>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    plaza_telemetry::metrics::register_worker();
    tokio::join!(
        work(&domain, &config, &stop),
        depths::record(Arc::clone(&config), stop.clone()),
        backup_age::record(&domain, stop.clone()),
        attempts::forget(Arc::clone(&domain), stop.clone()),
        old_notifications::forget(Arc::clone(&domain), config.notifications, stop.clone())
    );
    Ok(())
}

async fn work(domain: &Arc<Domain>, config: &Arc<Config>, stop: &CancellationToken) {
    let mut down = false;
    while !stop.is_cancelled() {
        match consume(domain, config, stop).await {
            Ok(()) => down = false,
            Err(error) => {
                if !down {
                    tracing::warn!(%error, "jobs wait");
                }
                down = true;
            }
        }
        pause(Duration::from_millis(500), stop).await;
    }
}

struct Context {
    domain: Arc<Domain>,
    /// Orders brought on at a time, by their shard: at most as many as there are connections to it,
    /// since the others would only wait for those.
    orders: Vec<Semaphore>,
    retry_delays_ms: Vec<u32>,
    publisher: Publisher,
    /// Of the connection by which jobs come.
    asking: Channel,
}

impl Context {
    /// Asks the broker by the connection by which jobs come: one that it has ended is not answered,
    /// and what came by it is another worker's.
    async fn is_ours(&self) -> Result<(), StoreError> {
        self.asking.basic_qos(1, BasicQosOptions::default()).await.map_err(unavailable)
    }
}

async fn consume(
    domain: &Arc<Domain>,
    config: &Arc<Config>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let connection = connect_worker(&config.rabbitmq.url, "plaza worker").await?;
    let context = Arc::new(Context {
        domain: Arc::clone(domain),
        orders: (0..domain.cluster.len())
            .map(|_| Semaphore::new(usize::try_from(config.postgres.primary_pool).unwrap_or(1)))
            .collect(),
        retry_delays_ms: config.rabbitmq.retry_delays_ms.clone(),
        publisher: Publisher::connect(&config.rabbitmq.url, &config.rabbitmq.retry_delays_ms)
            .await?,
        asking: connection.create_channel().await.map_err(unavailable)?,
    });
    let mut consumers = Vec::new();
    for queue in Queue::ALL {
        let channel = connection.create_channel().await.map_err(unavailable)?;
        let at_once = at_once(queue, config);
        channel
            .basic_qos(config.rabbitmq.prefetch.max(at_once), BasicQosOptions::default())
            .await
            .map_err(unavailable)?;
        let consumer = channel
            .basic_consume(
                queue.name().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(unavailable)?;
        consumers.push(consume_queue(Arc::clone(&context), queue, (consumer, at_once), stop));
    }
    tracing::info!("working");
    futures_util::future::try_join_all(consumers).await?;
    Ok(())
}

async fn consume_queue(
    context: Arc<Context>,
    queue: Queue,
    (mut consumer, at_once): (lapin::Consumer, u16),
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let permits = Arc::new(Semaphore::new(usize::from(at_once)));
    let mut running = tokio::task::JoinSet::new();
    let unsettled = CancellationToken::new();
    let ended = loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break Ok(()) };
        let delivery = tokio::select! {
            delivery = consumer.next() => delivery,
            () = unsettled.cancelled() => break Err(StoreError::unavailable("rabbitmq", "a job could not be settled")),
            () = stop.cancelled() => break Ok(()),
        };
        match delivery {
            Some(Ok(delivery)) => {
                let (context, unsettled) = (Arc::clone(&context), unsettled.clone());
                running.spawn(async move {
                    if !take(&context, queue, delivery).await {
                        unsettled.cancel();
                    }
                    drop(permit);
                });
            }
            Some(Err(error)) => break Err(unavailable(error)),
            None => break Err(StoreError::unavailable("rabbitmq", "the consumer was cancelled")),
        }
        while running.try_join_next().is_some() {}
    };
    while running.join_next().await.is_some() {}
    ended
}

/// Runs one delivery to its acknowledgement; whether it came that far. When not (the connection
/// to RabbitMQ ended), it will be delivered again.
async fn take(context: &Context, queue: Queue, delivery: Delivery) -> bool {
    let settled = match serde_json::from_slice::<JobEnvelope>(&delivery.data) {
        Ok(envelope) => {
            let mut span =
                trace::of_message(envelope.traceparent.as_deref(), trace::Kind::Consumer, || {
                    envelope.job.name().into()
                });
            span.set("messaging.system", || "rabbitmq".into());
            span.set("messaging.destination.name", || queue.name().into());
            span.set("messaging.message.id", || envelope.id.clone().into());
            span.run(run_job(context, queue, &envelope, &delivery)).await
        }
        Err(error) => {
            give_up(context, queue, &delivery, &format!("cannot be read: {error}"), 1).await
        }
    };
    match settled {
        Ok(()) => {
            if let Err(error) = delivery.acker.ack(BasicAckOptions::default()).await {
                tracing::debug!(%error, "not acknowledged: it will come again");
                return false;
            }
            true
        }
        Err(error) => {
            tracing::warn!(queue = queue.name(), %error, "a job could not be settled: it will come again");
            false
        }
    }
}

/// The turn of a job of which not all can be brought on at once; `None`: it needs none.
///
/// # Errors
/// In words, when none came free in time: whoever waits for a shard that stands still holds one of
/// the queue's places, and jobs of other shards stand behind it.
async fn turn<'a>(context: &'a Context, job: &Job) -> Result<Option<SemaphorePermit<'a>>, String> {
    let Job::OrderProcess { order_id } = job else { return Ok(None) };
    let shard = context.domain.cluster.shard_of_id(*order_id);
    let Some(turns) = context.orders.get(shard.0) else { return Ok(None) };
    // Without delays there is nowhere to put a job back to.
    let limit = if context.retry_delays_ms.is_empty() { Duration::MAX } else { TURN };
    match tokio::time::timeout(limit, turns.acquire()).await {
        Ok(turn) => Ok(turn.ok()),
        Err(_) => Err(format!("no turn on shard {shard} within {} s", TURN.as_secs())),
    }
}

/// Puts a job back that could not begin for want of something of ours: that is no attempt.
async fn put_back(
    context: &Context,
    queue: Queue,
    (envelope, delivery): (&JobEnvelope, &Delivery),
    cause: &str,
) -> Result<(), StoreError> {
    let job = envelope.job.name();
    metrics::counter!("plaza_jobs_total", "queue" => queue.name(), "job" => job, "outcome" => "retry").increment(1);
    tracing::debug!(job = envelope.id, cause, "a job waits");
    match context.retry_delays_ms.first() {
        Some(delay) => retry(context, queue, delivery, *delay, 0).await,
        None => give_up(context, queue, delivery, cause, 1).await,
    }
}

/// Runs a job's handler, for as long as one may take.
async fn work_off(context: &Context, envelope: &JobEnvelope) -> Result<(), JobError> {
    let mut op = Operation::internal(&context.domain, TIMEOUT);
    op.traceparent.clone_from(&envelope.traceparent);
    let work = AssertUnwindSafe(handle(&op, &envelope.job)).catch_unwind();
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(JobError::Retry("panicked".to_owned())),
        Err(_) => Err(JobError::Retry(format!("not done after {} s", TIMEOUT.as_secs()))),
    }
}

async fn run_job(
    context: &Context,
    queue: Queue,
    envelope: &JobEnvelope,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let _turn = match turn(context, &envelope.job).await {
        Ok(turn) => turn,
        Err(cause) => return put_back(context, queue, (envelope, delivery), &cause).await,
    };
    let started = tokio::time::Instant::now();
    let result = work_off(context, envelope).await;
    let name = envelope.job.name();
    metrics::histogram!("plaza_job_seconds", "queue" => queue.name(), "job" => name.clone())
        .record(started.elapsed().as_secs_f64());
    let count = |outcome| {
        metrics::counter!("plaza_jobs_total", "queue" => queue.name(), "job" => name, "outcome" => outcome).increment(1)
    };
    match result {
        Ok(()) => {
            count("ok");
            tracing::debug!(
                job = envelope.id,
                took_ms = started.elapsed().as_secs_f64() * 1_000.0,
                "a job is done"
            );
            if is_repeat(delivery) {
                let forgotten = on_its_shard(context, &envelope.id, async |connection| {
                    rows::forget_attempts(connection, &envelope.id).await
                });
                if let Err(error) = forgotten.await {
                    tracing::warn!(job = envelope.id, %error, "a job is done, and its failures are not forgotten");
                }
            }
            Ok(())
        }
        Err(JobError::Fail(cause)) => {
            count("dead");
            give_up(context, queue, delivery, &cause, 1).await
        }
        Err(JobError::Wait(cause)) => put_back(context, queue, (envelope, delivery), &cause).await,
        Err(JobError::Retry(cause)) => {
            let counted = on_its_shard(context, &envelope.id, async |connection| {
                rows::count_attempt(connection, &envelope.id, &cause).await
            });
            let failed = match counted.await {
                Ok(failed) => failed,
                // Its shard is unavailable, perhaps for the same reason that the job failed: that
                // uses up none of its attempts.
                Err(error) => {
                    tracing::warn!(job = envelope.id, cause, %error, "a job failed, and that cannot be counted");
                    return match context.retry_delays_ms.first() {
                        Some(delay) => retry(context, queue, delivery, *delay, 0).await,
                        None => give_up(context, queue, delivery, &cause, 1).await,
                    };
                }
            };
            let delay = usize::try_from(failed)
                .ok()
                .and_then(|failed| context.retry_delays_ms.get(failed.saturating_sub(1)));
            tracing::warn!(job = envelope.id, failed, cause, retry_in_ms = delay, "a job failed");
            count(if delay.is_some() { "retry" } else { "dead" });
            match delay {
                Some(delay) => retry(context, queue, delivery, *delay, failed).await,
                None => give_up(context, queue, delivery, &cause, failed).await,
            }
        }
    }
}

/// Attempts of a job are counted on the shard that its id hashes to.
async fn on_its_shard<T, F>(context: &Context, job: &str, work: F) -> Result<T, StoreError>
where
    T: Send,
    F: Work<Connection, T, StoreError>,
{
    let cluster = &context.domain.cluster;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    cluster.write_unread(cluster.shard_of(Bucket::of_text(job)), deadline, work).await
}

fn is_repeat(delivery: &Delivery) -> bool {
    delivery
        .properties
        .headers()
        .as_ref()
        .is_some_and(|headers| headers.inner().contains_key(ATTEMPT))
}

fn id_of(delivery: &Delivery) -> String {
    delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
}

async fn retry(
    context: &Context,
    queue: Queue,
    delivery: &Delivery,
    delay_ms: u32,
    failed: i32,
) -> Result<(), StoreError> {
    let (name, id) = (topology::retry_queue(queue, delay_ms), id_of(delivery));
    let message = Message { queue: &name, id: &id, payload: &delivery.data };
    context.is_ours().await?;
    context.publisher.publish_with(&message, &[(ATTEMPT, AMQPValue::LongInt(failed + 1))]).await
}

async fn give_up(
    context: &Context,
    queue: Queue,
    delivery: &Delivery,
    cause: &str,
    failed: i32,
) -> Result<(), StoreError> {
    let (name, id) = (topology::dead_queue(queue), id_of(delivery));
    context.is_ours().await?;
    tracing::error!(job = id, queue = queue.name(), cause, "a job is dead");
    metrics::counter!("plaza_jobs_dead_total", "queue" => queue.name()).increment(1);
    let message = Message { queue: &name, id: &id, payload: &delivery.data };
    let headers = [
        (CAUSE, AMQPValue::LongString(cause.into())),
        ("x-plaza-queue", AMQPValue::LongString(queue.name().into())),
        (ATTEMPT, AMQPValue::LongInt(failed)),
    ];
    context.publisher.publish_with(&message, &headers).await
}
