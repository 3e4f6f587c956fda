//! Watching one order.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Order;
use crate::{Domain, DomainError, Operation, Viewer, live};
use plaza_base::ids::OrderId;
use plaza_stores::redis::pubsub::{Wakes, Watcher};

/// A watcher polls by itself so often: a wake may be lost with Redis.
const POLL: Duration = Duration::from_secs(5);

/// Delivers an order whenever its version has risen, until it is settled.
#[derive(Debug)]
pub struct OrderWatch {
    viewer: Viewer,
    id: OrderId,
    sent: Option<i64>,
    ended: bool,
    watcher: Watcher,
    seen: Wakes,
}

impl OrderWatch {
    /// Begins after a version, or with the order as it is. `None`: there is no such order of the
    /// viewer's.
    ///
    /// # Errors
    /// The order's shard is unavailable.
    pub async fn begin(
        domain: &Arc<Domain>,
        viewer: Viewer,
        id: OrderId,
        sent: Option<i64>,
    ) -> Result<Option<Self>, DomainError> {
        let mut watcher = domain.redis.watch(viewer.user_id).await;
        let seen = watcher.seen();
        let watch = Self { viewer, id, sent, ended: false, watcher, seen };
        Ok(watch.current(domain).await?.map(|_| watch))
    }

    /// As the primary has it.
    async fn current(&self, domain: &Arc<Domain>) -> Result<Option<Order>, DomainError> {
        let op = Operation::newest(domain, Some(self.viewer), Duration::from_secs(2));
        Ok(super::get_many(&op, &[self.id]).await?.remove(&self.id))
    }

    /// The order when it has changed; `None` once it was delivered settled.
    pub async fn next(&mut self, domain: &Arc<Domain>) -> Option<Order> {
        while !self.ended {
            let turn = domain.redis.turn().await;
            let current = self.current(domain).await;
            drop(turn);
            match current {
                Ok(Some(order)) => {
                    self.ended = order.status.is_settled();
                    if self.sent.is_none_or(|sent| order.version > sent) {
                        self.sent = Some(order.version);
                        live::seen(domain, self.viewer).await;
                        return Some(order);
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::debug!(%error, "an order cannot be watched for the moment");
                    tokio::time::sleep(live::RETRY).await;
                    continue;
                }
            }
            if !self.ended {
                live::rest(
                    &mut self.watcher,
                    &mut self.seen,
                    |wakes| wakes.orders,
                    Instant::now() + POLL,
                )
                .await;
            }
        }
        None
    }
}
