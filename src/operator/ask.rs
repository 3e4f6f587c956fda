//! Asks every part, all at once.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    LedgerSnapshot, OutboxSnapshot, PoolSnapshot, PrimarySnapshot, Probe, ProcessSnapshot,
    ProjectionSnapshot, QueueSnapshot, RedisSnapshot, ReplicaSnapshot, ShardSnapshot, Snapshot,
    answer_of,
};
use crate::traffic::History;
use plaza_app::App;
use plaza_outbox::Sink;
use plaza_protocol::routing::Topic;
use plaza_read_models::lag::ends;
use plaza_read_models::readers;
use plaza_stores::StoreError;
use plaza_stores::kafka::ANSWERS_WITHIN;
use plaza_stores::kafka::consumer::{EventConsumer, Partition};
use plaza_stores::postgres::ledger::runs::{self, Report};
use plaza_stores::postgres::projections::{Reached, reached};
use plaza_stores::postgres::{Shard, health, outbox, position};
use plaza_stores::rabbitmq::{connect, depths};
use plaza_telemetry::process;

pub(super) async fn everything(app: &App, history: &History) -> Snapshot {
    let cluster = &app.domain.cluster;
    let all_shards: Vec<&Shard> =
        cluster.indexes().filter_map(|index| cluster.shard(index).ok()).collect();
    let mut pools: Vec<PoolSnapshot> =
        all_shards.iter().flat_map(|shard| shard.pool_states()).map(pool).collect();
    pools.push(pool(("redis".to_owned(), app.domain.redis.state().1)));
    let shards = futures_util::future::join_all(all_shards.into_iter().map(shard));
    let (shards, redis, rabbitmq, kafka) = tokio::join!(
        shards,
        answer_of(redis(app)),
        answer_of(rabbitmq(app)),
        answer_of(kafka(app))
    );
    let (shards, of_shards): (Vec<ShardSnapshot>, Vec<Kept>) = shards.into_iter().unzip();
    let (of_shards, reports): (Vec<Vec<Reached>>, Vec<Option<Report>>) =
        of_shards.into_iter().map(|kept| (kept.reached, kept.ledger)).unzip();
    let of_shards: Vec<Reached> = of_shards.into_iter().flatten().collect();
    let ledger = reports.into_iter().flatten().max_by_key(|report| report.began_at);
    let kafka = match kafka {
        Probe::Ok(ends) => Probe::Ok(projections(&readers(&app.config.feed), &ends, &of_shards)),
        Probe::Unavailable(why) => Probe::Unavailable(why),
    };
    let of_kernel = process::read().unwrap_or_default();
    let now = app.domain.clock.now();
    Snapshot {
        at: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        version: env!("CARGO_PKG_VERSION"),
        process: ProcessSnapshot {
            ready: app.tasks.is_ready(),
            pid: std::process::id(),
            resident_bytes: of_kernel.resident_bytes,
            open_files: of_kernel.open_fds,
            most_files: of_kernel.max_fds,
            up_s: f64::from(u32::try_from(now.timestamp()).unwrap_or_default())
                - of_kernel.started_s,
        },
        traffic: history.snapshot(),
        prometheus_url: app.config.telemetry.prometheus_url.clone(),
        shards,
        pools,
        redis,
        rabbitmq,
        kafka,
        ledger: ledger.map(|report| LedgerSnapshot::of(report, now)),
    }
}

/// What a shard keeps of the whole system.
#[derive(Default)]
struct Kept {
    reached: Vec<Reached>,
    ledger: Option<Report>,
}

fn pool((name, state): (String, plaza_stores::pool_state::PoolState)) -> PoolSnapshot {
    PoolSnapshot {
        name,
        open: state.open,
        idle: state.idle,
        most: state.most,
        waiting: state.waiting,
    }
}

/// On connections of its own: full pools are what an operator wants to see.
async fn shard(shard: &Shard) -> (ShardSnapshot, Kept) {
    let primary = answer_of(async {
        let mut connection = shard.direct().await?;
        let state = health::server_state(&mut connection).await?;
        let lsn = position::primary_lsn(&connection).await?;
        let mut waiting = Vec::new();
        for sink in Sink::ALL {
            let backlog = outbox::backlog(&mut connection, sink.code()).await?;
            waiting.push(OutboxSnapshot {
                sink: sink.name(),
                unsent: backlog.unsent,
                oldest_s: backlog.oldest_s,
            });
        }
        let reached = reached(&mut connection).await?;
        // A schema that is older than this version has no such table.
        let ledger = runs::last(&mut connection).await.unwrap_or_default();
        let waits = state.sees_standbys && !state.synchronous_standby_names.is_empty();
        let synchronous = waits.then_some(state.synchronous_standbys);
        let kept = Kept { reached, ledger };
        Ok::<_, StoreError>((PrimarySnapshot { synchronous, outbox: waiting }, lsn, kept))
    });
    let replicas =
        futures_util::future::join_all(shard.probes().map(|(name, probe, state)| async move {
            let replayed = answer_of(async {
                let mut connection = probe
                    .open()
                    .await
                    .map_err(|error| StoreError::unavailable(name.to_owned(), error))?;
                position::replayed_lsn(&mut connection).await
            });
            (name.to_owned(), replayed.await, state.lag_bytes().map(|_| state.is_serving()))
        }));
    // The replicas answer while the primary does: what they have is not older than what it says by
    // more than that.
    let (primary, replicas) = tokio::join!(primary, replicas);
    let lsn = match &primary {
        Probe::Ok((_, lsn, _)) => Some(*lsn),
        Probe::Unavailable(_) => None,
    };
    let replicas = replicas.into_iter().map(|(name, replayed, serves)| ReplicaSnapshot {
        name,
        lag_bytes: match (replayed, lsn) {
            (Probe::Ok(replayed), Some(lsn)) => Probe::Ok(position::bytes_behind(lsn, replayed)),
            (Probe::Ok(_), None) => Probe::Unavailable(
                "answers; how far it is behind, only its primary knows".to_owned(),
            ),
            (Probe::Unavailable(why), _) => Probe::Unavailable(why),
        },
        serves,
    });
    let replicas = replicas.collect();
    let (primary, kept) = match primary {
        Probe::Ok((sight, _, kept)) => (Probe::Ok(sight), kept),
        Probe::Unavailable(why) => (Probe::Unavailable(why), Kept::default()),
    };
    (ShardSnapshot { shard: shard.index.0, replicas, primary }, kept)
}

async fn redis(app: &App) -> Result<RedisSnapshot, StoreError> {
    let began = Instant::now();
    let memory = app.domain.redis.memory().await?;
    let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
    Ok(RedisSnapshot {
        took_ms,
        used_bytes: memory.used_bytes,
        max_bytes: memory.max_bytes,
        evicted: memory.evicted,
    })
}

async fn rabbitmq(app: &App) -> Result<Vec<QueueSnapshot>, StoreError> {
    let connection = connect(&app.config.rabbitmq.url, "plaza operator").await?;
    let depths = depths::depths(&connection, &app.config.rabbitmq.retry_delays_ms).await?;
    let _closed = connection.close(200, "seen".into()).await;
    let sight = |depth: depths::Depth| QueueSnapshot {
        queue: depth.queue.name(),
        waiting: depth.waiting,
        retry: depth.retry,
        dead: depth.dead,
        consumers: depth.consumers,
    };
    Ok(depths.into_iter().map(sight).collect())
}

/// The end of every partition of every topic.
async fn kafka(app: &App) -> anyhow::Result<Vec<(Partition, i64)>> {
    let consumer = Arc::new(EventConsumer::new(&app.config.kafka, "operator", &Topic::ALL)?);
    let asking = Arc::clone(&consumer);
    let partitions =
        tokio::task::spawn_blocking(move || asking.partitions(ANSWERS_WITHIN)).await??;
    let ends = ends(&consumer, partitions).await;
    // A client ends on a thread that waits for its connections.
    tokio::task::spawn_blocking(move || drop(consumer)).await?;
    ends
}

/// How far each projection is behind the ends. The shard that is furthest in a partition has seen
/// everything below: the others got nothing in between.
fn projections(
    readers: &[(&'static str, &'static [Topic])],
    ends: &[(Partition, i64)],
    reached: &[Reached],
) -> Vec<ProjectionSnapshot> {
    let sight = |(name, topics): &(&'static str, &'static [Topic])| {
        let of_topics = ends
            .iter()
            .filter(|(partition, _)| topics.iter().any(|topic| topic.name() == partition.topic));
        let (mut behind, mut events) = (0, 0);
        for (partition, end) in of_topics {
            let here = |at: &&Reached| {
                at.projection == *name
                    && at.topic == partition.topic
                    && at.partition == partition.number
            };
            let next =
                reached.iter().filter(here).map(|at| at.next_offset).max().unwrap_or_default();
            behind += (end - next).max(0);
            events += end;
        }
        ProjectionSnapshot { projection: name, behind, events }
    };
    readers.iter().map(sight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_config::FeedConfig;

    #[test]
    fn the_shard_that_is_furthest_says_how_far_a_projection_has_come() {
        let feed = FeedConfig::default();
        let ends: Vec<(Partition, i64)> = [("posts", 0, 10), ("posts", 1, 5), ("orders", 0, 7)]
            .map(|(topic, number, end)| (Partition { topic, number }, end))
            .into();
        let reached: Vec<Reached> = [
            ("post_counts", 0, 4),
            ("post_counts", 0, 9),
            ("post_counts", 1, 6),
            ("another", 0, 10),
        ]
        .map(|(projection, partition, next_offset)| Reached {
            projection: projection.into(),
            topic: "posts".into(),
            partition,
            next_offset,
        })
        .into();
        let seen = projections(&readers(&feed), &ends, &reached);
        let counts = seen.iter().find(|sight| sight.projection == "post_counts").unwrap();
        assert_eq!((counts.behind, counts.events), (1, 15));
    }
}
