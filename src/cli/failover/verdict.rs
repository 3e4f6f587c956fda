//! What a supervisor makes of what it sees: the rules by which a primary is replaced, without a
//! server or a clock.

use std::time::Duration;

use plaza_stores::postgres::supervision::{Seen, name_of};

/// For how long a primary must not have answered.
const AWAY: Duration = Duration::from_secs(2);

/// The last primary that answered this supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPrimary {
    /// Which of the shard's servers.
    pub number: usize,
    /// Its timeline.
    pub timeline: i64,
    /// Whether every commit waited for one of the shard's other servers, and for nobody else: only
    /// then is it enough to take those away from it.
    pub is_fenceable: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is a primary: that one.
    Well(usize),
    /// Nothing yet.
    Wait(&'static str),
    /// Nothing, though there is no primary: a person has to look.
    Cannot(&'static str),
    /// The replicas leave this server, and the furthest of them takes its place.
    FailOver(usize),
}

/// The primary: of those that follow nobody the one with the latest timeline, if no other server is
/// on a later one.
pub fn primary(seen: &[Option<Seen>], last: Option<&LastPrimary>) -> Option<usize> {
    let latest = seen.iter().flatten().map(|seen| seen.timeline).max()?;
    let latest = latest.max(last.map_or(0, |last| last.timeline));
    seen.iter().position(|seen| {
        seen.as_ref().is_some_and(|seen| !seen.is_replica && seen.timeline == latest)
    })
}

/// Whether commits that wait for `names` are acknowledged by nobody once all of a primary's other
/// servers have left it.
pub fn is_fenceable(names: &str, primary: usize, servers: usize) -> bool {
    let others: Vec<String> = (0..servers).filter(|n| *n != primary).map(name_of).collect();
    let words = names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let counted = |word: &&str| word.parse::<u32>().is_err();
    let named: Vec<&str> = words
        .filter(|word| !word.is_empty() && !matches!(*word, "ANY" | "FIRST"))
        .filter(counted)
        .collect();
    !names.contains('*')
        && !named.is_empty()
        && named.iter().all(|name| others.iter().any(|other| other == name))
}

/// What is to be done about a shard whose servers are seen so, and whose primary has not answered
/// for so long.
pub fn verdict(seen: &[Option<Seen>], last: Option<&LastPrimary>, away: Duration) -> Verdict {
    if let Some(primary) = primary(seen, last) {
        return Verdict::Well(primary);
    }
    let fenced = |old: usize| {
        let mut others = seen.iter().enumerate().filter(|(number, _)| *number != old);
        others.all(|(_, seen)| seen.as_ref().is_some_and(Seen::is_fenced))
    };
    let Some(last) = last else {
        // Another supervisor has begun, which had seen the primary.
        let begun = (0..seen.len()).find(|old| fenced(*old));
        return begun.map_or(
            Verdict::Cannot("no primary has answered this supervisor yet"),
            Verdict::FailOver,
        );
    };
    if away < AWAY {
        return Verdict::Wait("the primary has just gone");
    }
    if !last.is_fenceable {
        return Verdict::Cannot("its commits waited for somebody else, or nobody");
    }
    let mut hear = false;
    for (number, seen) in seen.iter().enumerate() {
        match seen {
            _ if number == last.number => {}
            None => return Verdict::Cannot("a replica cannot be asked, and may still be with it"),
            Some(seen) if !seen.is_replica => return Verdict::Cannot("a replica is none any more"),
            Some(seen) => hear |= seen.hears,
        }
    }
    if hear {
        return Verdict::Wait("a replica hears the primary");
    }
    if seen.len() < 3 {
        return Verdict::Cannot("it has fewer than two replicas");
    }
    Verdict::FailOver(last.number)
}

/// Which of the replicas has most: the one to be promoted.
pub fn furthest(seen: &[(usize, Seen)]) -> Option<usize> {
    let furthest =
        |(number, seen): &&(usize, Seen)| (seen.timeline, seen.place, usize::MAX - number);
    seen.iter().max_by_key(furthest).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(is_replica: bool, timeline: i64) -> Option<Seen> {
        Some(Seen {
            is_replica,
            timeline,
            place: 100,
            hears: false,
            waits_for: String::new(),
            follows: "host=h port=2".to_owned(),
        })
    }

    fn replica() -> Option<Seen> {
        server(true, 1)
    }

    fn hearing() -> Option<Seen> {
        replica().map(|seen| Seen { hears: true, ..seen })
    }

    const LAST: LastPrimary = LastPrimary { number: 0, timeline: 1, is_fenceable: true };

    #[test]
    fn a_primary_is_replaced_when_neither_replica_hears_it_and_not_otherwise() {
        let after = |seen: &[Option<Seen>], seconds| {
            verdict(seen, Some(&LAST), Duration::from_secs(seconds))
        };
        assert_eq!(after(&[server(false, 1), hearing(), hearing()], 0), Verdict::Well(0));
        assert!(matches!(after(&[None, replica(), replica()], 1), Verdict::Wait(_)));
        assert_eq!(after(&[None, replica(), replica()], 2), Verdict::FailOver(0));
        // Only this supervisor is cut off from it.
        assert!(matches!(after(&[None, replica(), hearing()], 9), Verdict::Wait(_)));
        // The other replica may be with it, and acknowledge what it commits.
        assert!(matches!(after(&[None, None, replica()], 9), Verdict::Cannot(_)));
        assert!(matches!(after(&[None, replica()], 9), Verdict::Cannot(_)));
        let waits_for_nobody = LastPrimary { is_fenceable: false, ..LAST };
        let away = Duration::from_secs(9);
        let seen = [None, replica(), replica()];
        assert!(matches!(verdict(&seen, Some(&waits_for_nobody), away), Verdict::Cannot(_)));
        assert!(matches!(verdict(&seen, None, away), Verdict::Cannot(_)));
    }

    #[test]
    fn an_old_primary_that_is_back_is_none() {
        let new = LastPrimary { number: 1, timeline: 2, is_fenceable: true };
        let seen = [server(false, 1), server(false, 2), server(true, 2)];
        assert_eq!(verdict(&seen, Some(&new), Duration::ZERO), Verdict::Well(1));
        assert_eq!(verdict(&seen, None, Duration::ZERO), Verdict::Well(1));
        let seen = [server(false, 1), None, server(true, 2)];
        assert!(matches!(verdict(&seen, Some(&new), Duration::from_secs(9)), Verdict::Cannot(_)));
        assert!(matches!(verdict(&seen, None, Duration::ZERO), Verdict::Cannot(_)));
    }

    #[test]
    fn a_supervisor_goes_on_where_another_one_has_stopped() {
        let fenced = || replica().map(|seen| Seen { follows: "host=h port=1".into(), ..seen });
        let began = verdict(&[None, fenced(), fenced()], None, Duration::ZERO);
        assert_eq!(began, Verdict::FailOver(0));
        let half = verdict(&[None, fenced(), replica()], None, Duration::ZERO);
        assert!(matches!(half, Verdict::Cannot(_)));
    }

    #[test]
    fn only_a_primary_that_waits_for_its_replicas_alone_can_be_fenced() {
        let is = |names| is_fenceable(names, 0, 3);
        assert!(is("ANY 1 (r1, r2)") && is("FIRST 1 (r2)") && is("r1"));
        assert!(!is("") && !is("*") && !is("ANY 1 (*)") && !is("ANY 1 (r1, backup)"));
        assert!(!is("ANY 1 (r0, r2)") && is_fenceable("ANY 1 (r0, r2)", 1, 3));
    }

    #[test]
    fn the_one_with_most_is_promoted() {
        let with =
            |number, timeline, place| (number, Seen { place, ..server(true, timeline).unwrap() });
        assert_eq!(furthest(&[with(1, 1, 5), with(2, 1, 9)]), Some(2));
        assert_eq!(furthest(&[with(1, 1, 5), with(2, 1, 5)]), Some(1));
        assert_eq!(furthest(&[with(1, 2, 5), with(2, 1, 9)]), Some(1));
        assert_eq!(furthest(&[]), None);
    }
}
