//! Where a shard's servers are, and which of them is the primary. A process finds that out by
//! itself: when the primary cannot be connected to, is a replica, or is suspected, every address of
//! the shard is asked, and the one that takes writes with the highest timeline is the primary. Its
//! connections lead there from then on; nobody restarts anything or changes a configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::identity::{Standing, check_identity};
use super::map_in_use::asked;
use super::routing::ShardIndex;
use super::target::{Target, driven};
use crate::StoreError;
use plaza_config::{PostgresConfig, ShardUrls};

/// The primary's seat; replica n has seat n + 1.
pub(super) const PRIMARY: usize = 0;
/// How long an address may take to say what it is.
const ANSWER: Duration = Duration::from_secs(1);
/// The least time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// One shard's addresses, in the order of its configuration, and the seats that they have.
#[derive(Debug)]
pub struct Addresses {
    shard: ShardIndex,
    targets: Vec<Target>,
    /// The address at each seat.
    seats: Vec<AtomicUsize>,
    /// Sent to whenever seats have changed.
    changed: watch::Sender<()>,
    /// The highest timeline of a primary that this process has seen.
    timeline: AtomicI64,
    suspected: AtomicBool,
    looked: Mutex<Option<Instant>>,
    /// How long a connection may take to be opened.
    pub(super) patience: Duration,
}

impl Addresses {
    /// Those of a configuration, of which the first is the primary until it turns out otherwise.
    ///
    /// # Errors
    /// A URL that is none.
    pub(super) fn new(
        shard: ShardIndex,
        urls: &ShardUrls,
        patience: Duration,
    ) -> Result<Arc<Self>, StoreError> {
        let urls = std::iter::once(&urls.primary).chain(&urls.replicas);
        let targets = urls.map(Target::parse).collect::<Result<Vec<_>, _>>()?;
        // An alarm on its growth would else miss the first.
        metrics::counter!("plaza_primary_moves_total", "shard" => shard.0.to_string()).increment(0);
        Ok(Arc::new(Self {
            shard,
            seats: (0..targets.len()).map(AtomicUsize::new).collect(),
            targets,
            changed: watch::Sender::new(()),
            timeline: AtomicI64::default(),
            suspected: AtomicBool::default(),
            looked: Mutex::default(),
            patience,
        }))
    }

    /// Every address.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Which address has a seat.
    pub(super) fn at(&self, seat: usize) -> usize {
        self.seats.get(seat).map(|address| address.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// Ends when a seat has another address than this one.
    pub(super) async fn left(&self, seat: usize, address: usize) {
        let mut changed = self.changed.subscribe();
        // The sender is ours, so that it does not end.
        let _ = changed.wait_for(|()| self.at(seat) != address).await;
    }

    /// The highest timeline of a primary that was seen; 0 before the first.
    pub fn timeline(&self) -> i64 {
        self.timeline.load(Ordering::Acquire)
    }

    /// Something was seen that a shard's primary does not do: it is looked for before the next
    /// connection is opened.
    pub fn suspect(&self) {
        self.suspected.store(true, Ordering::Release);
    }

    pub(super) fn is_suspected(&self) -> bool {
        self.suspected.load(Ordering::Acquire)
    }

    /// Whether a server may be the primary, by what it says of itself: one that was failed over and
    /// came back has a timeline that was the primary's once.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn check(&self, standing: &Standing) -> Result<(), String> {
        if standing.timeline == 0 {
            return Err("it is a replica".to_owned());
        }
        let seen = self.timeline.fetch_max(standing.timeline, Ordering::AcqRel);
        if standing.timeline < seen {
            return Err(format!(
                "its timeline {} has ended: the shard's is {seen}",
                standing.timeline
            ));
        }
        Ok(())
    }

    /// Looks for the primary, unless it is another address than the one that was tried already, or
    /// has just been looked for; whether it is another one now. Of several callers one looks.
    pub(super) async fn look(&self, tried: usize) -> bool {
        if self.targets.len() < 2 {
            return false;
        }
        let mut looked = self.looked.lock().await;
        let is_due = looked.is_none_or(|at| at.elapsed() >= PAUSE);
        if is_due && self.at(PRIMARY) == tried {
            self.suspected.store(false, Ordering::Release);
            let answers = join_all(self.targets.iter().map(ask)).await;
            if let Some((address, timeline)) = choose(&answers, self.shard.0, self.timeline()) {
                self.timeline.fetch_max(timeline, Ordering::AcqRel);
                self.seat(address, timeline);
            }
            *looked = Some(Instant::now());
        }
        self.at(PRIMARY) != tried
    }

    /// Gives the primary's seat to an address, whose own the old one gets.
    fn seat(&self, address: usize, timeline: i64) {
        let old = self.at(PRIMARY);
        if old == address {
            return;
        }
        let seats = self.seats.iter().skip(1);
        for seat in seats.filter(|seat| seat.load(Ordering::Acquire) == address) {
            seat.store(old, Ordering::Release);
        }
        if let Some(primary) = self.seats.get(PRIMARY) {
            primary.store(address, Ordering::Release);
        }
        self.changed.send_replace(());
        metrics::counter!("plaza_primary_moves_total", "shard" => self.shard.0.to_string())
            .increment(1);
        tracing::warn!(
            shard = self.shard.0,
            address,
            timeline,
            "the primary is at another address"
        );
    }
}

/// Puts each shard's primary first in a configuration, where it is found at another place: for what
/// connects to addresses and not to a [`Cluster`](super::Cluster). A shard whose primary does not
/// answer stays as it is.
pub async fn arrange(config: &mut PostgresConfig) {
    let shards = config.shards.iter_mut().enumerate();
    join_all(shards.map(|(number, urls)| arrange_shard(number, urls))).await;
}

async fn arrange_shard(number: usize, urls: &mut ShardUrls) {
    let Ok(addresses) = Addresses::new(ShardIndex(number), urls, ANSWER) else { return };
    addresses.look(PRIMARY).await;
    let found = addresses.at(PRIMARY).checked_sub(1);
    if let Some(replica) = found.and_then(|replica| urls.replicas.get_mut(replica)) {
        std::mem::swap(replica, &mut urls.primary);
    }
}

/// What the server at an address says of itself; `None` without an answer.
async fn ask(target: &Target) -> Option<Standing> {
    tokio::time::timeout(ANSWER, async {
        let client = driven(target.connect().await.ok()?);
        asked(&client).await.ok()?.standing
    })
    .await
    .ok()
    .flatten()
}

/// Which address is the primary, and its timeline: it takes writes, and no server of the shard
/// knows of a later timeline than its own. Of several names of one server, the first.
fn choose(answers: &[Option<Standing>], shard: usize, seen: i64) -> Option<(usize, i64)> {
    let own = |standing: &Standing| check_identity(shard, standing.shard).is_ok();
    let theirs = answers.iter().flatten().filter(|standing| own(standing));
    let latest = theirs.map(|standing| standing.stored.max(standing.timeline)).max()?.max(seen);
    let answered = answers.iter().enumerate().filter_map(|(address, answer)| {
        answer.as_ref().filter(|standing| own(standing)).map(|s| (address, s.timeline))
    });
    answered.into_iter().find(|(_, timeline)| *timeline > 0 && *timeline == latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(timeline: i64, stored: i64) -> Option<Standing> {
        Some(Standing { shard: Some(0), timeline, stored })
    }

    const REPLICA: i64 = 0;

    #[test]
    fn the_primary_is_the_one_that_takes_writes_on_the_latest_timeline() {
        let found = |answers: &[Option<Standing>]| choose(answers, 0, 1);
        assert_eq!(found(&[standing(1, 1), standing(REPLICA, 1), None]), Some((0, 1)));
        assert_eq!(found(&[None, standing(2, 2), standing(REPLICA, 1)]), Some((1, 2)));
        // The old one is back.
        assert_eq!(found(&[standing(1, 1), standing(2, 2), standing(REPLICA, 2)]), Some((1, 2)));
        // The new one cannot be reached, and a replica of its knows that there is one.
        assert_eq!(found(&[standing(1, 1), None, standing(REPLICA, 2)]), None);
        assert_eq!(found(&[None, standing(REPLICA, 1), standing(REPLICA, 1)]), None);
        // A service and an instance behind it are one server.
        assert_eq!(found(&[standing(3, 3), standing(REPLICA, 3), standing(3, 3)]), Some((0, 3)));
        // What this process has seen counts, and another shard's servers do not.
        assert_eq!(choose(&[standing(1, 1), None], 0, 2), None);
        let foreign = Some(Standing { shard: Some(1), timeline: 9, stored: 9 });
        assert_eq!(found(&[standing(1, 1), foreign]), Some((0, 1)));
    }

    #[tokio::test]
    async fn the_address_of_the_old_primary_gets_the_seat_of_the_new_one() {
        let url = || "postgres://plaza:none@127.0.0.1:1/plaza".into();
        let urls = ShardUrls { primary: url(), replicas: vec![url(), url()] };
        let addresses = Addresses::new(ShardIndex(0), &urls, ANSWER).unwrap();
        let seats = || [0, 1, 2].map(|seat| addresses.at(seat));
        let left = addresses.left(PRIMARY, 0);
        tokio::join!(left, async { addresses.seat(2, 2) });
        assert_eq!(seats(), [2, 1, 0]);
        addresses.seat(2, 2);
        assert_eq!(seats(), [2, 1, 0]);
        addresses.seat(1, 3);
        assert_eq!(seats(), [1, 2, 0]);
        assert!(!addresses.look(1).await, "none answers");
        assert!(addresses.look(0).await, "another one than was tried");
    }

    #[test]
    fn a_timeline_that_has_ended_is_refused() {
        let urls = ShardUrls { primary: "postgres://a:b@h/d".into(), replicas: Vec::new() };
        let addresses = Addresses::new(ShardIndex(0), &urls, ANSWER).unwrap();
        let check = |timeline| addresses.check(&standing(timeline, timeline).unwrap()).is_ok();
        assert_eq!([1, 2, 2, 1, REPLICA, 3].map(check), [true, true, true, false, false, true]);
    }
}
