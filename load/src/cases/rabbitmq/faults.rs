//! A provider that fails, is down, and comes back; and what was lost by it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::shop::{Market, Shop};
use super::{orders, until_ended};
use crate::cases::outcome::{Pair, say};
use crate::client::Client;
use crate::report::Latencies;
use crate::truth::Truth;

/// How long the provider is down.
pub const DOWN: Duration = Duration::from_secs(4);
/// How long until every job must have ended or be dead-lettered.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the faults left.
#[derive(Debug, Default)]
pub struct Faults {
    /// Orders that the provider never makes sense of, in thousandths.
    pub poison: u64,
    /// Orders in the rows.
    pub placed: usize,
    /// Requests that failed.
    pub failed: Pair<usize>,
    /// Requests.
    pub asked: Pair<usize>,
    /// Orders that were acknowledged and are not in the rows.
    pub missing: usize,
    /// Orders that have not ended and are not dead-lettered with a cause.
    pub unexplained: usize,
    /// Dead letters.
    pub dead: usize,
    /// Their causes.
    pub causes: BTreeSet<String>,
    /// Orders that have not ended after the dead letters were replayed.
    pub after_replay: i64,
    /// Seconds until every job had ended or was dead-lettered.
    pub drained_s: f64,
}

fn ended(status: &str) -> bool {
    matches!(status, "CONFIRMED" | "REJECTED" | "CANCELLED")
}

/// The parts of the experiment.
pub struct Experiment<'a> {
    /// The rows.
    pub truth: &'a Truth,
    /// The buyers.
    pub market: &'a std::sync::Arc<Market>,
    /// Starts workers.
    pub shop: &'a Shop,
    /// The server that leaves the saga to a worker.
    pub after: &'a Client,
    /// Orders a second.
    pub rate: f64,
    /// Shorter.
    pub quick: bool,
}

impl Experiment<'_> {
    fn length(&self) -> Duration {
        Duration::from_secs(if self.quick { 6 } else { 12 })
    }

    async fn orders(&self, client: &Client, length: Duration, seed: u64) -> Latencies {
        orders(client, self.market, self.rate, length, seed).await
    }

    /// The provider fails one attempt in five and some orders for good; then it is down; then it is
    /// well again.
    ///
    /// # Errors
    /// The servers'.
    pub async fn run(&self) -> anyhow::Result<Faults> {
        // Enough orders to be seen.
        let poison = if self.quick { 100 } else { 10 };
        let mut faults = Faults { poison, ..Faults::default() };
        self.inside(&mut faults).await?;
        let since = self.truth.newest_order().await?;
        let dead_before = self.shop.dead().await?;
        self.market.acknowledged.lock().await.clear();
        self.outside(&mut faults).await?;
        let worker = self.shop.worker(0, poison).await?;
        say(&format!("the provider is well again, but for {poison} orders in a thousand"))?;
        let latencies = self.orders(self.after, self.length() / 2, 34).await;
        faults.count(&latencies);
        let started = Instant::now();
        let dead = self.settled(since, &dead_before).await?;
        faults.drained_s = started.elapsed().as_secs_f64();
        self.compare(since, &dead, &mut faults).await?;
        worker.end().await?;
        say(&format!("replaying {} dead letters, the provider well", dead.len()))?;
        let worker = self.shop.worker(0, 0).await?;
        self.shop.replay(dead.keys()).await?;
        let (_, left) = until_ended(self.truth, since, 0, Duration::from_secs(60)).await?;
        faults.after_replay = left;
        worker.end().await?;
        Ok(faults)
    }

    /// What the buyers see of a failing provider where the saga is inside the request.
    async fn inside(&self, faults: &mut Faults) -> anyhow::Result<()> {
        let failing = self.shop.inside(4_194, 200).await?;
        let warm = Duration::from_secs(3);
        orders(&failing.client, self.market, self.rate.min(20.0), warm, 30).await;
        let inside = self.orders(&failing.client, self.length(), 31).await.measured(1.0)?;
        (faults.asked.before, faults.failed.before) = (inside.requests, inside.failed);
        failing.end().await
    }

    /// What they see where a worker does it: while the provider fails, then while it is down.
    async fn outside(&self, faults: &mut Faults) -> anyhow::Result<()> {
        let poison = faults.poison;
        say(&format!(
            "the provider fails one attempt in five, and {poison} orders in a thousand for good"
        ))?;
        let worker = self.shop.worker(200, poison).await?;
        faults.count(&self.orders(self.after, self.length(), 32).await);
        worker.end().await?;
        say("the provider is down")?;
        let worker = self.shop.worker(1_000, poison).await?;
        faults.count(&self.orders(self.after, DOWN, 33).await);
        worker.end().await
    }

    /// Waits until nothing is left but what is dead-lettered: every job's attempts come to an end.
    async fn settled(
        &self,
        since: i64,
        dead_before: &BTreeMap<i64, String>,
    ) -> anyhow::Result<BTreeMap<i64, String>> {
        let started = Instant::now();
        loop {
            let mut dead = self.shop.dead().await?;
            dead.retain(|id, _| !dead_before.contains_key(id));
            let count = i64::try_from(dead.len())?;
            let (_, left) = until_ended(self.truth, since, count, Duration::from_secs(2)).await?;
            if left <= count || started.elapsed() > PATIENCE {
                return Ok(dead);
            }
        }
    }

    /// What was acknowledged against the rows.
    async fn compare(
        &self,
        since: i64,
        dead: &BTreeMap<i64, String>,
        faults: &mut Faults,
    ) -> anyhow::Result<()> {
        let rows = self.truth.orders_since(since).await?;
        let acknowledged = self.market.acknowledged.lock().await;
        let explained = |id: &i64| dead.get(id).is_some_and(|cause| !cause.is_empty());
        let open = rows.iter().filter(|(id, status)| !ended(status) && !explained(id));
        faults.unexplained = open.count();
        faults.placed = rows.len();
        faults.missing = acknowledged.iter().filter(|id| !rows.contains_key(id)).count();
        faults.dead = dead.len();
        faults.causes = dead.values().cloned().collect();
        Ok(())
    }
}

impl Faults {
    fn count(&mut self, latencies: &Latencies) {
        self.asked.after += latencies.requests();
        self.failed.after += latencies.failed;
    }

    /// Orders that were acknowledged and are not there, or for whose state there is no cause.
    pub fn lost(&self) -> usize {
        self.missing + self.unexplained
    }
}
