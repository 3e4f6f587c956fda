//! Events, sorted out by the versions that their aggregates have reached.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Located;
use plaza_base::seeded::{Bug, bug};
use plaza_protocol::envelope::EventEnvelope;
use plaza_stores::StoreError;
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::projections::{self as rows, AggregateVersion};
use plaza_stores::postgres::unreadable_records::{self as aside, Unreadable};

/// An aggregate's last version that was applied, and the identity of that event.
pub(super) type Held = (i64, Option<i64>);

/// Whether an event is another one than that which was applied under its version. Only the last
/// version's identity is kept: a history that was lost meets the next one there sooner or later.
fn conflicts(event: &EventEnvelope, (version, identity): Held) -> bool {
    let differ = event.identity.zip(identity).is_some_and(|(this, applied)| this != applied);
    event.version == version && differ
}

/// A shard's events, sorted out by their versions.
pub(super) struct Classified<'a> {
    /// Those to be applied, in order.
    pub apply: Vec<EventEnvelope>,
    /// Those that were applied before.
    pub repeated: Vec<&'a Located>,
    /// Those of them that are another event than the one that was applied.
    pub conflicts: Vec<&'a Located>,
    /// What the aggregates have reached then.
    pub versions: Vec<AggregateVersion>,
    /// Those whose aggregate lacks the event before them.
    pub aside: Vec<Unreadable>,
    /// Where a partition ends, since no more of it can be put aside, and what it ends at.
    pub gaps: Vec<(Partition, i64, String)>,
}

/// Sorts out new events by the versions that this shard has reached.
pub(super) async fn classified<'a>(
    connection: &mut Connection,
    projection: &str,
    new: &[&'a Located],
) -> Result<Classified<'a>, StoreError> {
    let aggregates: Vec<String> = new.iter().map(|located| located.event.subject.clone()).collect();
    let versions = rows::versions(connection, projection, &aggregates).await?;
    let held: HashMap<String, Held> =
        versions.into_iter().map(|v| (v.aggregate, (v.version, v.identity))).collect();
    let sorted = classify(new, &held, |_| i64::MAX);
    if sorted.aside.is_empty() {
        return Ok(sorted);
    }
    let open = aside::open_by_partition(connection, projection).await?;
    Ok(classify(new, &held, |partition| room(&open, partition.topic, partition.number)))
}

/// How many more records of a partition can be put aside, given those that are open.
pub(super) fn room(open: &BTreeMap<(String, i32), i64>, topic: &str, number: i32) -> i64 {
    let open = open.get(&(topic.to_owned(), number)).copied().unwrap_or_default();
    aside::OPEN_AT_MOST - open
}

/// Repeats are left out, the next versions applied; what comes after a gap is put aside. Where
/// there is no room for that the partition ends.
pub(super) fn classify<'a>(
    events: &[&'a Located],
    held: &HashMap<String, Held>,
    room: impl Fn(&Partition) -> i64,
) -> Classified<'a> {
    let mut classified = Classified {
        apply: Vec::new(),
        repeated: Vec::new(),
        conflicts: Vec::new(),
        versions: Vec::new(),
        aside: Vec::new(),
        gaps: Vec::new(),
    };
    // What they reach by these events.
    let mut reached: HashMap<&str, Held> = HashMap::new();
    let mut ended: HashSet<&Partition> = HashSet::new();
    let mut left: HashMap<&Partition, i64> = HashMap::new();
    for located in events.iter().copied() {
        let partition = &located.partition;
        if ended.contains(partition) {
            continue;
        }
        let (subject, version) = (&located.event.subject, located.event.version);
        let last = reached.get(subject.as_str()).or_else(|| held.get(subject));
        let last = last.copied().unwrap_or_default();
        let current = last.0;
        if version <= current && !bug(Bug::ProjectorIgnoresVersions) {
            classified.repeated.push(located);
            if conflicts(&located.event, last) {
                classified.conflicts.push(located);
            }
            continue;
        }
        if version > current + 1 && !bug(Bug::ProjectorIgnoresVersions) {
            let why = gap(subject, current, version);
            let left = left.entry(partition).or_insert_with(|| room(partition));
            match unreadable(located, &why) {
                Some(record) if *left > 0 => {
                    *left -= 1;
                    classified.aside.push(record);
                }
                _ => {
                    ended.insert(partition);
                    classified.gaps.push((partition.clone(), located.offset, why));
                }
            }
            continue;
        }
        reached.insert(subject, (version, located.event.identity));
        classified.apply.push(located.event.clone());
    }
    classified.versions = reached
        .into_iter()
        .map(|(aggregate, (version, identity))| AggregateVersion {
            aggregate: aggregate.to_owned(),
            version,
            identity,
        })
        .collect();
    classified
}

/// What is said of an event whose aggregate lacks the one before it.
pub(super) fn gap(subject: &str, current: i64, version: i64) -> String {
    format!("{subject} is at {current}, then came {version}")
}

/// An event, to be put aside; `None` for one that is too large to be kept whole.
fn unreadable(located: &Located, why: &str) -> Option<Unreadable> {
    let payload = serde_json::to_vec(&located.event).ok()?;
    (payload.len() <= aside::KEPT_BYTES).then(|| Unreadable {
        topic: located.partition.topic,
        partition: located.partition.number,
        offset: located.offset,
        payload,
        of: Some((located.event.subject.clone(), located.event.version)),
        reason: why.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::{Id, PostId, UserId};
    use plaza_protocol::events::Event;

    fn located(offset: i64, subject: &str, version: i64) -> Located {
        Located {
            partition: Partition { topic: "posts", number: 0 },
            offset,
            event: EventEnvelope {
                specversion: "1.0".into(),
                id: format!("{subject}/{version}"),
                source: String::new(),
                time: String::new(),
                subject: subject.into(),
                version,
                identity: None,
                traceparent: None,
                event: Event::PostCreated {
                    post_id: PostId::from_i64(1),
                    author_id: UserId::from_i64(1),
                },
            },
        }
    }

    fn events() -> [Located; 6] {
        [
            located(0, "a", 1),
            located(1, "b", 3),
            located(2, "a", 1),
            located(3, "a", 2),
            located(4, "a", 4),
            located(5, "b", 4),
        ]
    }

    #[test]
    fn repeats_are_skipped_and_what_comes_after_a_gap_is_put_aside_alone() {
        let events = events();
        let events: Vec<&Located> = events.iter().collect();
        let held = HashMap::from([("b".to_owned(), (2, None))]);
        let classified = classify(&events, &held, |_| 1);
        let applied: Vec<&str> = classified.apply.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(applied, ["a/1", "b/3", "a/2", "b/4"]);
        let aside: Vec<i64> = classified.aside.iter().map(|record| record.offset).collect();
        assert_eq!((aside, classified.gaps.len()), (vec![4], 0));
        assert!(classified.conflicts.is_empty());
        assert_eq!(classified.aside[0].of, Some(("a".to_owned(), 4)));
    }

    #[test]
    fn a_gap_ends_a_partition_of_which_no_more_can_be_put_aside() {
        let events = events();
        let events: Vec<&Located> = events.iter().collect();
        let classified = classify(&events, &HashMap::from([("b".to_owned(), (2, None))]), |_| 0);
        let applied: Vec<&str> = classified.apply.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(applied, ["a/1", "b/3", "a/2"]);
        let ends: Vec<i64> = classified.gaps.iter().map(|(_, offset, _)| *offset).collect();
        assert_eq!((ends, classified.aside.len()), (vec![4], 0));
    }

    #[test]
    fn an_event_of_another_history_is_told_from_a_repeat_by_its_identity() {
        let of = |offset, version, identity| {
            let mut located = located(offset, "a", version);
            located.event.identity = identity;
            located
        };
        let events = [
            of(0, 2, Some(20)),
            of(1, 2, Some(21)),
            of(2, 2, None),
            of(3, 1, Some(11)),
            of(4, 3, Some(30)),
            of(5, 3, Some(30)),
            of(6, 3, Some(31)),
        ];
        let events: Vec<&Located> = events.iter().collect();
        let held = HashMap::from([("a".to_owned(), (2, Some(20)))]);
        let found = |held: &HashMap<String, Held>| {
            let classified = classify(&events, held, |_| 0);
            let offsets = |of: &[&Located]| of.iter().map(|l| l.offset).collect::<Vec<_>>();
            (offsets(&classified.conflicts), offsets(&classified.repeated))
        };
        assert_eq!(found(&held), (vec![1, 6], vec![0, 1, 2, 3, 5, 6]));
        // What was applied before events had identities is compared with nothing.
        let old = HashMap::from([("a".to_owned(), (2, None))]);
        assert_eq!(found(&old).0, [6]);
    }
}
