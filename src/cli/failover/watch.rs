//! What a supervisor remembers of a shard, and the order of the steps by which it replaces a
//! primary, without a server or a clock.

use std::time::Duration;

use tokio::time::Instant;

use super::verdict::{LastPrimary, Verdict, furthest, is_fenceable, verdict};
use plaza_stores::postgres::conninfo::address_of;
use plaza_stores::postgres::supervision::Seen;

/// Within what time of the fence a replica is promoted, or not at all.
const PROMOTED: Duration = Duration::from_secs(12);
/// For how long the same fence must have stood beside a primary that is well until it is taken
/// down: longer than another supervisor needs that has put it up and promotes now.
const ABANDONED: Duration = Duration::from_secs(30);

/// What a supervisor has seen of a shard.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<LastPrimary>,
    away_since: Option<Instant>,
    /// Whom the fenced replicas follow, which names the fence, and since when that has been so.
    fence: Option<(Vec<String>, Instant)>,
}

impl Watch {
    /// The last primary that answered.
    pub fn last(&self) -> Option<&LastPrimary> {
        self.last.as_ref()
    }

    /// What is to be done about a shard whose servers are seen so at this moment.
    pub fn look(&mut self, seen: &[Option<Seen>], now: Instant) -> Verdict {
        let away = self.away_since.map(|since| now.duration_since(since)).unwrap_or_default();
        let verdict = verdict(seen, self.last.as_ref(), away);
        match verdict {
            Verdict::Well(primary) => {
                self.away_since = None;
                self.remember(seen, primary);
            }
            Verdict::Wait(_) | Verdict::Cannot(_) => {
                self.away_since.get_or_insert(now);
            }
            Verdict::FailOver(_) => {}
        }
        verdict
    }

    /// A primary was seen.
    pub fn remember(&mut self, seen: &[Option<Seen>], primary: usize) {
        let Some(Some(found)) = seen.get(primary) else { return };
        let is_fenceable = is_fenceable(&found.waits_for, primary, seen.len());
        self.last = Some(LastPrimary { number: primary, timeline: found.timeline, is_fenceable });
    }

    /// The primary is another one.
    pub fn replaced(&mut self) {
        self.away_since = None;
    }

    /// Whether nobody else can be about to promote one of the replicas: a fenced one is let be for
    /// a while, unless that has happened already. One that is fenced once more is let be anew.
    pub fn may_bring_together(
        &mut self,
        seen: &[Option<Seen>],
        primary: usize,
        now: Instant,
    ) -> bool {
        let timeline = seen.get(primary).and_then(Option::as_ref).map(|seen| seen.timeline);
        let fenced: Vec<&Seen> = seen.iter().flatten().filter(|seen| seen.is_fenced()).collect();
        if fenced.iter().all(|seen| timeline.is_some_and(|timeline| seen.timeline < timeline)) {
            self.fence = None;
            return true;
        }
        let names: Vec<String> = fenced.iter().map(|seen| seen.follows.clone()).collect();
        if let Some((held, since)) = &self.fence
            && *held == names
        {
            return now.duration_since(*since) > ABANDONED;
        }
        self.fence = Some((names, now));
        false
    }
}

/// Replicas that are to follow the primary: those that follow nobody, or another server of the
/// shard. As long as a server is not seen, none is that may have been told to follow that one: it
/// may be the primary by now, and whoever acknowledges another one's commits would have them lost.
/// A replica of an earlier timeline than the primary's is of before that one's promotion.
pub fn astray(seen: &[Option<Seen>], primary: usize, addresses: &[(String, u16)]) -> Vec<usize> {
    let leads = addresses.get(primary);
    let timeline = seen.get(primary).and_then(Option::as_ref).map_or(0, |seen| seen.timeline);
    let all_seen = seen.iter().all(Option::is_some);
    let is_astray = |seen: &Seen| {
        let follows = address_of(&seen.follows);
        let elsewhere =
            follows.is_some_and(|address| Some(&address) != leads && addresses.contains(&address));
        let is_known = all_seen || seen.timeline < timeline;
        seen.is_replica && !seen.hears && (seen.is_fenced() || elsewhere) && is_known
    };
    let astray = seen.iter().enumerate().filter(|(_, seen)| seen.as_ref().is_some_and(is_astray));
    astray.map(|(number, _)| number).collect()
}

/// What is to be done next to put a replica in a primary's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make every other server follow nobody: from then on nobody acknowledges the old one's
    /// commits.
    Fence,
    /// See how the servers are.
    See,
    /// Make this one ready.
    Prepare(usize),
    /// Promote this one.
    Promote(usize),
    /// Nothing: why not.
    GiveUp(&'static str),
}

/// A primary's replacement, step by step. A step that fails ends it: the next round goes on from
/// what is then.
#[derive(Debug)]
pub struct Replacement {
    old: usize,
    began: Instant,
    step: Step,
}

impl Replacement {
    /// Of this server, from now on.
    pub fn of(old: usize, now: Instant) -> Self {
        Self { old, began: now, step: Step::Fence }
    }

    /// What is to be done next.
    pub fn step(&self, now: Instant) -> Step {
        match self.step {
            Step::Promote(_) if now.duration_since(self.began) >= PROMOTED => {
                Step::GiveUp("it took too long: not promoted")
            }
            step => step,
        }
    }

    /// Every other server follows nobody.
    pub fn fenced(&mut self) {
        self.step = Step::See;
    }

    /// The servers are so: the one with most is promoted, if all of them can be compared, and
    /// nobody else has promoted one or has it follow somebody.
    pub fn seen(&mut self, seen: &[Option<Seen>]) {
        let others = seen.iter().enumerate().filter(|(number, _)| *number != self.old);
        let others = others.map(|(number, seen)| Some((number, seen.clone()?)));
        self.step = match others.collect::<Option<Vec<_>>>() {
            None => Step::GiveUp("a replica has gone meanwhile"),
            Some(others) if !others.iter().all(|(_, seen)| seen.is_fenced()) => {
                Step::GiveUp("a replica is not fenced any more")
            }
            Some(others) => match furthest(&others) {
                None => Step::GiveUp("it has no replica"),
                Some(new) => Step::Prepare(new),
            },
        };
    }

    /// The one that is to be promoted is ready.
    pub fn prepared(&mut self) {
        if let Step::Prepare(new) = self.step {
            self.step = Step::Promote(new);
        }
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(is_replica: bool, port: u16) -> Option<Seen> {
        Some(Seen {
            is_replica,
            timeline: 1,
            place: 100,
            hears: false,
            waits_for: String::new(),
            follows: format!("host=h port={port}"),
        })
    }

    fn after(seen: &[Option<Seen>]) -> Step {
        let now = Instant::now();
        let mut replacement = Replacement::of(0, now);
        assert_eq!(replacement.step(now), Step::Fence);
        replacement.fenced();
        assert_eq!(replacement.step(now), Step::See);
        replacement.seen(seen);
        replacement.step(now)
    }

    #[test]
    fn nobody_is_promoted_unless_every_other_server_is_a_fenced_replica() {
        let fenced = || server(true, 1);
        assert_eq!(after(&[None, fenced(), fenced()]), Step::Prepare(1));
        assert!(matches!(after(&[None, None, fenced()]), Step::GiveUp(_)));
        // Another supervisor was quicker: it has promoted one, and had the other one follow it.
        assert!(matches!(after(&[None, fenced(), server(false, 1)]), Step::GiveUp(_)));
        assert!(matches!(after(&[None, server(true, 12), fenced()]), Step::GiveUp(_)));
    }

    #[test]
    fn a_fence_that_is_put_up_anew_stands_for_as_long_again() {
        let (mut watch, began) = (Watch::default(), Instant::now());
        let named = |name: &str| {
            let fence = server(true, 1)
                .map(|seen| Seen { follows: format!("host=h port=1 {name}"), ..seen });
            [server(false, 0), fence, server(true, 10)]
        };
        let mut may = |name, seconds| {
            watch.may_bring_together(&named(name), 0, began + Duration::from_secs(seconds))
        };
        assert!(!may("a=1", 0) && !may("a=1", 20));
        assert!(!may("a=2", 25) && !may("a=2", 50));
        assert!(may("a=2", 56));
    }
}
