//! Jobs against what they were to do. RabbitMQ keeps no list of what it was given: a job is lost
//! when its effect is missing, its message was sent and its queues are empty.

use super::check::Check;
use super::scope::{Scope, Stores};
use plaza_config::Config;
use plaza_outbox::Sink;
use plaza_protocol::routing::Queue;
use plaza_stores::postgres::ledger::homes as rows;
use plaza_stores::postgres::{Connection, outbox};
use plaza_stores::rabbitmq::connect;
use plaza_stores::rabbitmq::depths::{Depth, depths};

/// Orders and other work of one shard that are named.
const NAMED: i64 = 1_000;

/// Jobs that have not been done.
#[derive(Debug)]
pub(super) struct Pending {
    depths: Vec<Depth>,
    /// Jobs in the outboxes.
    unsent: i64,
}

impl Pending {
    /// Asks the shards, then the broker: what was sent in between is counted by one of them.
    async fn read(config: &Config, shards: &mut [Connection]) -> anyhow::Result<Self> {
        let mut unsent = 0;
        for shard in shards {
            unsent += outbox::backlog(shard, Sink::Rabbitmq.code()).await?.unsent;
        }
        let broker = connect(&config.rabbitmq.url, "plaza ledger").await?;
        // Without queues there is no job: no worker has run yet.
        let depths = depths(&broker, &config.rabbitmq.retry_delays_ms).await.unwrap_or_default();
        let _closed = broker.close(200, "seen".into()).await;
        Ok(Self { depths, unsent })
    }

    fn of(&self, queue: Queue) -> (i64, i64) {
        let depth = self.depths.iter().find(|depth| depth.queue == queue);
        let waits = depth.map_or(0, |depth| i64::from(depth.waiting) + i64::from(depth.retry));
        (waits + self.unsent, depth.map_or(0, |depth| i64::from(depth.dead)))
    }

    /// Whether jobs of a queue wait anywhere.
    pub(super) fn is_busy(&self, queue: Queue) -> bool {
        self.of(queue).0 > 0
    }
}

/// Applies the laws of jobs; with what has not been done.
pub(super) async fn apply(
    stores: &Stores,
    scope: &Scope,
    shards: &mut [Connection],
) -> anyhow::Result<(Pending, [Check; 2])> {
    let pending = Pending::read(&stores.config, shards).await?;
    let orders = orders(scope, stores, shards, &pending).await?;
    let effects = effects(scope, stores, shards, &pending).await?;
    Ok((pending, [orders, effects]))
}

/// Every order has ended, but for those whose job was given up.
async fn orders(
    scope: &Scope,
    stores: &Stores,
    shards: &mut [Connection],
    pending: &Pending,
) -> anyhow::Result<Check> {
    let mut check = Check::of("orders", "orders have ended, or lie in the dead letters");
    let before = scope.unsettled_from(&stores.clock);
    let mut open = Vec::new();
    for shard in shards {
        open.extend(rows::open_orders(shard, before, NAMED).await?);
    }
    let (waits, dead) = pending.of(Queue::Orders);
    check.checked = i64::try_from(open.len())?;
    check.waiting = (check.checked - dead).max(0);
    if let Some(first) = open.first().filter(|_| check.waiting > 0) {
        check.example =
            Some(format!("{first}, one of {}; jobs: {dead} dead, {waits} queued", check.checked));
    }
    if waits == 0 && dead == 0 {
        check.suspects = open;
    }
    Ok(check)
}

/// What other jobs were to do is done.
async fn effects(
    scope: &Scope,
    stores: &Stores,
    shards: &mut [Connection],
    pending: &Pending,
) -> anyhow::Result<Check> {
    let mut check = Check::of("jobs", "jobs that were sent have had their effect");
    let before = scope.unsettled_from(&stores.clock);
    let after = scope.sample_from(&stores.clock);
    let push_below = stores.config.feed.push_below;
    for shard in shards {
        for undone in rows::left_undone(shard, (after, before), push_below).await? {
            check.checked += 1;
            check.suspect(undone);
        }
    }
    let busy = |queue| pending.is_busy(queue) || pending.of(queue).1 > 0;
    if busy(Queue::Feed) || busy(Queue::Images) {
        check.suspects.clear();
    }
    Ok(check)
}
