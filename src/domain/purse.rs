//! What the events of a subscription are paid from. Each costs what its selection costs; several
//! are paid for at a time, since one post may be an event of a hundred thousand sockets. While the
//! bucket is empty the stream waits, and goes on from where it was: events wait in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plaza_stores::redis::Redis;
use plaza_stores::redis::rate_limit::{Bucket, Standing};

/// Most events that are paid for at a time.
const AT_ONCE: u64 = 20;
/// What is paid for at a time is at most this part of what the bucket holds.
const PART: u64 = 20;

/// How long an empty bucket is left alone at least.
const SOON: Duration = Duration::from_millis(20);

/// Points that payers paid and did not use, by payer, until their next request.
pub type Refunds = moka::sync::Cache<String, u64>;

/// Holds points for a payer's next request: in one step with what others of theirs hold or take at
/// the same time.
pub fn hold(refunds: &Refunds, payer: &str, unused: u64) {
    refunds
        .entry_by_ref(payer)
        .and_upsert_with(|held| held.map_or(0, moka::Entry::into_value).saturating_add(unused));
}

/// Takes what is held for a payer, in one step too, which a removal of the cache is not.
pub fn take_held(refunds: &Refunds, payer: &str) -> u64 {
    let taken = refunds.entry_by_ref(payer).and_compute_with(|_| moka::ops::compute::Op::Remove);
    match taken {
        moka::ops::compute::CompResult::Removed(held) => held.into_value(),
        _ => 0,
    }
}

/// One subscription's.
#[derive(Debug)]
pub struct Purse {
    redis: Redis,
    refunds: Refunds,
    payer: Arc<str>,
    bucket: Bucket,
    /// Points of an event.
    event: u64,
    /// Events that are paid for and have not come.
    paid: AtomicU64,
    /// Points that were paid for what has happened so far.
    covered: AtomicU64,
}

/// Events of so many points that are paid for at a time.
pub fn events_at_once(bucket: Bucket, event: u64) -> u64 {
    (bucket.capacity / PART / event.max(1)).clamp(1, AT_ONCE)
}

impl Purse {
    /// One in which so many events are paid for, and as many points as one costs for the beginning.
    pub fn new(
        redis: &Redis,
        refunds: &Refunds,
        payer: &Arc<str>,
        bucket: Bucket,
        event: u64,
        paid: u64,
    ) -> Self {
        Self {
            redis: redis.clone(),
            refunds: refunds.clone(),
            payer: Arc::clone(payer),
            bucket,
            event,
            paid: AtomicU64::new(paid),
            covered: AtomicU64::new(event),
        }
    }

    /// How many points of the work done so far, in all, were not paid for; they count as paid from
    /// here on. What a stream reads through and does not show is work too.
    pub fn owed(&self, worked: u64) -> u64 {
        worked.saturating_sub(self.covered.fetch_max(worked, Ordering::Relaxed))
    }

    /// Pays for the next event, before it is waited for: as long as that cannot be paid, none is
    /// delivered.
    pub async fn pay(&self) {
        self.covered.fetch_add(self.event, Ordering::Relaxed);
        if self.paid.load(Ordering::Relaxed) > 0 {
            self.paid.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        // Seldom: a subscription at rest is not to keep room for it.
        Box::pin(self.pay_more()).await;
    }

    /// Pays for this event and some to come.
    async fn pay_more(&self) {
        let mut events = events_at_once(self.bucket, self.event);
        loop {
            let cost = events.saturating_mul(self.event);
            match self.redis.take_points(&self.payer, self.bucket, cost, 0).await {
                Standing { taken: true, .. } => {
                    self.paid.store(events - 1, Ordering::Relaxed);
                    return;
                }
                Standing { left, .. } if events == 1 => {
                    metrics::counter!("plaza_rate_limited_total", "payer" => "viewer").increment(1);
                    tokio::time::sleep(self.bucket.until(self.event, left).max(SOON)).await;
                }
                Standing { .. } => events = 1,
            }
        }
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        let unused = self.paid.load(Ordering::Relaxed).saturating_mul(self.event);
        if unused > 0 {
            hold(&self.refunds, &self.payer, unused);
        }
    }
}
