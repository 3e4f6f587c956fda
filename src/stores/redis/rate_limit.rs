//! Buckets of points: what somebody may ask for in a while, on all servers together.

use std::time::{Duration, Instant};

use moka::sync::Cache;
use parking_lot::Mutex;
use std::sync::Arc;

use super::Redis;
use crate::StoreError;

/// How much a bucket holds, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Points it holds when full.
    pub capacity: u64,
    /// Points restored a second.
    pub per_second: u64,
}

/// How a bucket stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the cost was taken.
    pub taken: bool,
    /// Points left.
    pub left: u64,
}

impl Standing {
    pub(super) fn of((taken, left): (bool, i64)) -> Self {
        Self { taken, left: u64::try_from(left).unwrap_or_default() }
    }
}

impl Bucket {
    /// One server's part of it.
    fn shared_by(self, servers: u64) -> Self {
        Self {
            capacity: self.capacity.div_ceil(servers),
            per_second: self.per_second.div_ceil(servers),
        }
    }

    /// How long until so many points are there again.
    pub fn until(&self, points: u64, left: u64) -> Duration {
        let missing = points.min(self.capacity).saturating_sub(left);
        Duration::from_millis(missing.saturating_mul(1_000).div_ceil(self.per_second.max(1)))
    }
}

/// The buckets of this process alone: what bounds requests while Redis is unavailable.
#[derive(Debug)]
pub struct LocalBuckets {
    servers: u64,
    held: Cache<String, Arc<Mutex<(f64, Instant)>>>,
}

impl LocalBuckets {
    /// Those of one of so many servers.
    pub fn of_one_of(servers: u64) -> Self {
        Self {
            servers: servers.max(1),
            held: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_secs(900))
                .build(),
        }
    }

    /// Takes a cost from a bucket of this process.
    pub fn take(&self, who: &str, bucket: Bucket, cost: u64, back: u64) -> Standing {
        Standing::of(self.change(who, bucket, cost, i64::try_from(back).unwrap_or(i64::MAX)))
    }

    fn change(&self, who: &str, bucket: Bucket, cost: u64, back: i64) -> (bool, i64) {
        // What is unavailable is unavailable for every server: together they give what one bucket
        // would.
        let bucket = bucket.shared_by(self.servers);
        let points = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let capacity = points(bucket.capacity);
        let held =
            self.held.get_with_by_ref(who, || Arc::new(Mutex::new((capacity, Instant::now()))));
        let mut held = held.lock();
        let restored = held.1.elapsed().as_secs_f64() * points(bucket.per_second);
        let back = points(back.unsigned_abs()).copysign(if back < 0 { -1.0 } else { 1.0 });
        let mut left = (held.0 + restored + back).min(capacity);
        let taken = left >= points(cost);
        if taken {
            left -= points(cost);
        }
        *held = (left, Instant::now());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            reason = "a few times a u32's largest"
        )]
        let left = left as i64;
        (taken, left)
    }
}

impl Redis {
    /// Takes a cost from the bucket that all servers share, giving back what was paid too much
    /// before; while Redis is unavailable, from this process's own, so that the limit stays closed.
    pub async fn take_points(&self, who: &str, bucket: Bucket, cost: u64, back: u64) -> Standing {
        match self.take_shared(who, bucket, cost, back).await {
            Ok(standing) => standing,
            Err(_) => self.inner.local_buckets.take(who, bucket, cost, back),
        }
    }

    /// Takes from a bucket what was used beyond what was paid, whatever it holds: who owes waits
    /// until the bucket has filled that far again. Answers how long that is; zero: nothing is owed.
    pub async fn owe_points(&self, who: &str, bucket: Bucket, points: u64) -> Duration {
        let points = i64::try_from(points).unwrap_or(i64::MAX);
        let left = match self.change_shared(who, bucket, 0, -points).await {
            Ok((_, left)) => left,
            Err(_) => self.inner.local_buckets.change(who, bucket, 0, -points).1,
        };
        let owed = left.min(0).unsigned_abs();
        Duration::from_millis(owed.saturating_mul(1_000).div_ceil(bucket.per_second.max(1)))
    }

    async fn take_shared(
        &self,
        who: &str,
        bucket: Bucket,
        cost: u64,
        back: u64,
    ) -> Result<Standing, StoreError> {
        let back = i64::try_from(back).unwrap_or(i64::MAX);
        self.change_shared(who, bucket, cost, back).await.map(Standing::of)
    }

    /// Whether the cost was taken, and the points left, below 0 where some are owed.
    async fn change_shared(
        &self,
        who: &str,
        bucket: Bucket,
        cost: u64,
        back: i64,
    ) -> Result<(bool, i64), StoreError> {
        let mut script = self.inner.scripts.rate_limit.prepare_invoke();
        script
            .key(self.inner.keys.rate_limit(who))
            .arg(bucket.capacity)
            .arg(bucket.per_second.max(1))
            .arg(cost)
            .arg(back);
        let (taken, left): (i64, i64) =
            self.inner.pool.run(async |connection| script.invoke_async(connection).await).await?;
        Ok((taken == 1, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Bucket = Bucket { capacity: 10, per_second: 1 };

    #[test]
    fn a_bucket_gives_what_it_holds_and_takes_back() {
        let buckets = LocalBuckets::of_one_of(1);
        assert_eq!(buckets.take("a", SLOW, 8, 0), Standing { taken: true, left: 2 });
        assert!(!buckets.take("a", SLOW, 8, 0).taken);
        assert_eq!(buckets.take("b", SLOW, 10, 0), Standing { taken: true, left: 0 });
        assert!(buckets.take("a", SLOW, 8, 7).taken);
    }

    #[test]
    fn who_owes_waits_until_the_bucket_has_filled_that_far() {
        let buckets = LocalBuckets::of_one_of(1);
        buckets.change("a", SLOW, 0, -15);
        assert!(!buckets.take("a", SLOW, 1, 0).taken);
        assert!(buckets.take("a", SLOW, 1, 6).taken);
    }

    #[test]
    fn servers_that_are_alone_give_together_what_one_bucket_would() {
        let servers: Vec<LocalBuckets> = (0..5).map(|_| LocalBuckets::of_one_of(5)).collect();
        let taken = servers
            .iter()
            .map(|server| (0..10).filter(|_| server.take("a", SLOW, 1, 0).taken).count());
        assert_eq!(taken.sum::<usize>(), 10);
    }

    #[test]
    fn it_says_when_to_come_back() {
        assert_eq!(SLOW.until(8, 2), Duration::from_secs(6));
        assert_eq!(SLOW.until(80, 2), Duration::from_secs(8), "more than it holds is never there");
        assert_eq!(SLOW.until(1, 2), Duration::ZERO);
    }
}
