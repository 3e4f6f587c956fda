//! A batch, written: each shard's part in one transaction, with the versions and the offsets.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::super::projection::Effect;
use super::aside::say;
use super::{Located, Progress, Runner};
use plaza_protocol::envelope::EventEnvelope;
use plaza_stores::StoreError;
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::projections::{self as rows, AggregateVersion, Position};
use plaza_stores::postgres::unreadable_records::{self as aside, Unreadable};
use plaza_stores::postgres::{Connection, ShardIndex};

/// How long a batch's transactions may take.
const DEADLINE: Duration = Duration::from_secs(10);

impl Runner {
    /// Writes a batch, each shard's part in one transaction. With `level`, shards that got nothing
    /// move their offsets too, where those are not where they belong. A shard that is unavailable,
    /// or whose clock refuses ids, is written no more, unless it is the only one.
    pub(super) async fn apply(
        &self,
        batch: &[Located],
        progress: &mut Progress,
        level: bool,
    ) -> anyhow::Result<Batch> {
        let mut by_shard: BTreeMap<ShardIndex, Vec<&Located>> = BTreeMap::new();
        if level {
            by_shard.extend(progress.writing.iter().map(|index| (*index, Vec::new())));
        }
        for located in batch {
            let target = self.projection.target(located.event.event.aggregate());
            let Some(bucket) = target else { continue };
            let shard = self.cluster.shard_of(bucket);
            if progress.writing.contains(&shard) {
                by_shard.entry(shard).or_default().push(located);
            }
        }
        let (read, effects) = (&progress.read, &progress.effects);
        let mut writes = Vec::new();
        for (shard, events) in &by_shard {
            let of_events = || {
                events.iter().map(|located| &located.partition).collect::<BTreeSet<&Partition>>()
            };
            let moved = if level {
                read.keys()
                    .filter(|partition| progress.level.get(*partition) != read.get(*partition))
                    .collect()
            } else {
                of_events()
            };
            let next = moved
                .into_iter()
                .filter_map(|partition| Some((partition.clone(), *read.get(partition)?)))
                .collect();
            writes.push(async move {
                (*shard, self.apply_to_shard(*shard, events, next, effects).await)
            });
        }
        let applied = futures_util::future::join_all(writes).await;
        if level {
            progress.level = effects.clone();
        }
        let (mut effects, mut gaps, mut failed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (shard, result) in applied {
            match result {
                Ok(applied) => {
                    effects.extend(applied.effects);
                    gaps.extend(applied.gaps);
                }
                Err(error) if is_one_shards(&error) && progress.writing.len() > 1 => {
                    let projection = self.projection.name();
                    tracing::warn!(projection, shard = shard.0, %error, "goes on without a shard");
                    progress.writing.remove(&shard);
                    failed.insert(shard);
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (partition, offset, why) in gaps {
            // No shard may store later that this partition has been read further.
            progress.read.entry(partition.clone()).and_modify(|read| *read = offset.min(*read));
            if !progress.parked.contains(&partition) {
                self.park(&mut progress.parked, &partition, offset, &why);
            }
        }
        effects.sort_unstable();
        effects.dedup();
        Ok(Batch { effects, failed })
    }

    /// Applies a shard's events and moves its offsets to `next`. Events that an earlier run has
    /// applied have their effects once more.
    async fn apply_to_shard(
        &self,
        shard: ShardIndex,
        events: &[&Located],
        next: BTreeMap<Partition, i64>,
        effects: &BTreeMap<Partition, i64>,
    ) -> Result<Applied, StoreError> {
        let name = self.projection.name();
        self.cluster
            .write_outbox(
                shard,
                Instant::now() + DEADLINE,
                async |connection| -> Result<_, StoreError> {
                    let (topics, numbers): (Vec<&str>, Vec<i32>) =
                        next.keys().map(|partition| (partition.topic, partition.number)).unzip();
                    let held = rows::lock_positions_in(connection, name, &topics, &numbers).await?;
                    let held: HashMap<(&str, i32), i64> = held
                        .iter()
                        .map(|p| ((p.topic.as_str(), p.partition), p.next_offset))
                        .collect();
                    let past = |located: &Located| {
                        let at = (located.partition.topic, located.partition.number);
                        held.get(&at).is_some_and(|next| located.offset < *next)
                    };
                    let (repeated, new): (Vec<&Located>, Vec<&Located>) =
                        events.iter().copied().partition(|located| past(located));
                    let mut next = next.clone();
                    let mut applied =
                        Applied { effects: self.effects_of(&repeated), gaps: Vec::new() };
                    if !new.is_empty() {
                        let classified = classified(connection, name, &new).await?;
                        if !classified.apply.is_empty() {
                            let committed = self
                                .projection
                                .commit(connection, shard, &classified.apply)
                                .await?;
                            applied.effects.extend(committed);
                            rows::store_versions(connection, name, &classified.versions).await?;
                        }
                        if !classified.aside.is_empty() {
                            let records: Vec<&Unreadable> = classified.aside.iter().collect();
                            aside::put_aside(connection, name, &records).await?;
                            say(name, &records);
                        }
                        for (partition, offset, _) in &classified.gaps {
                            next.insert(partition.clone(), *offset);
                        }
                        applied.effects.extend(self.effects_of(&classified.repeated));
                        self.report(&classified.conflicts);
                        applied.gaps = classified.gaps;
                    }
                    let positions: Vec<Position> = next
                        .iter()
                        .map(|(partition, next_offset)| Position {
                            topic: partition.topic.to_owned(),
                            partition: partition.number,
                            next_offset: *next_offset,
                            effects_offset: effects
                                .get(partition)
                                .copied()
                                .unwrap_or_default()
                                .min(*next_offset),
                        })
                        .collect();
                    rows::move_positions(connection, name, &positions).await?;
                    Ok(applied)
                },
            )
            .await
    }

    /// Events that are no repeats, though their versions are applied: of a history of the shard
    /// that was lost, or what that one was taken for.
    fn report(&self, conflicts: &[&Located]) {
        let projection = self.projection.name();
        for located in conflicts {
            metrics::counter!("plaza_projection_conflicts_total", "projection" => projection)
                .increment(1);
            tracing::error!(
                projection,
                topic = located.partition.topic,
                partition = located.partition.number,
                offset = located.offset,
                event = located.event.id,
                identity = located.event.identity,
                "another event has this version already"
            );
        }
    }

    fn effects_of(&self, repeated: &[&Located]) -> Vec<Effect> {
        if repeated.is_empty() {
            return Vec::new();
        }
        let events: Vec<EventEnvelope> =
            repeated.iter().map(|located| located.event.clone()).collect();
        self.projection.effects(&events)
    }
}

/// Whether a failure is one shard's and passes by itself: the others go on without it. A clock that
/// is behind refuses whatever needs an id, for as long as it is.
fn is_one_shards(error: &StoreError) -> bool {
    error.is_transient() || matches!(error, StoreError::Clock(_))
}

/// What became of a batch.
pub(super) struct Batch {
    /// What is to be told.
    pub effects: Vec<Effect>,
    /// Shards that were unavailable, or whose clock refused ids.
    pub failed: BTreeSet<ShardIndex>,
}

/// What became of a shard's events.
struct Applied {
    effects: Vec<Effect>,
    /// The partitions in which a version is missing and no more can be put aside, where, and which.
    gaps: Vec<(Partition, i64, String)>,
}

/// An aggregate's last version that was applied, and the identity of that event.
type Held = (i64, Option<i64>);

/// Whether an event is another one than that which was applied under its version. Only the last
/// version's identity is kept: a history that was lost meets the next one there sooner or later.
fn conflicts(event: &EventEnvelope, (version, identity): Held) -> bool {
    let differ = event.identity.zip(identity).is_some_and(|(this, applied)| this != applied);
    event.version == version && differ
}

/// A shard's events, sorted out by their versions.
struct Classified<'a> {
    apply: Vec<EventEnvelope>,
    /// Those that were applied before.
    repeated: Vec<&'a Located>,
    /// Those of them that are another event than the one that was applied.
    conflicts: Vec<&'a Located>,
    versions: Vec<AggregateVersion>,
    /// Those whose aggregate lacks the event before them.
    aside: Vec<Unreadable>,
    /// Where a partition ends, since no more of it can be put aside, and what it ends at.
    gaps: Vec<(Partition, i64, String)>,
}

/// Sorts out new events by the versions that this shard has reached.
async fn classified<'a>(
    connection: &mut Connection,
    projection: &str,
    new: &[&'a Located],
) -> Result<Classified<'a>, StoreError> {
    let aggregates: Vec<String> = new.iter().map(|located| located.event.subject.clone()).collect();
    let versions = rows::versions(connection, projection, &aggregates).await?;
    let held: HashMap<String, Held> =
        versions.into_iter().map(|v| (v.aggregate, (v.version, v.identity))).collect();
    let sorted = classify(new, held.clone(), |_| i64::MAX);
    if sorted.aside.is_empty() {
        return Ok(sorted);
    }
    let open = aside::open_by_partition(connection, projection).await?;
    Ok(classify(new, held, |partition| room(&open, partition.topic, partition.number)))
}

/// How many more records of a partition can be put aside, given those that are open.
pub(super) fn room(open: &BTreeMap<(String, i32), i64>, topic: &str, number: i32) -> i64 {
    let open = open.get(&(topic.to_owned(), number)).copied().unwrap_or_default();
    aside::OPEN_AT_MOST - open
}

/// Repeats are left out, the next versions applied; what comes after a gap is put aside. Where
/// there is no room for that the partition ends.
fn classify<'a>(
    events: &[&'a Located],
    mut held: HashMap<String, Held>,
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
    let mut changed: HashSet<String> = HashSet::new();
    let mut ended: HashSet<&Partition> = HashSet::new();
    let mut left: HashMap<&Partition, i64> = HashMap::new();
    for located in events {
        let partition = &located.partition;
        if ended.contains(partition) {
            continue;
        }
        let (subject, version) = (&located.event.subject, located.event.version);
        let last = held.get(subject).copied().unwrap_or_default();
        let current = last.0;
        if version <= current {
            classified.repeated.push(located);
            if conflicts(&located.event, last) {
                classified.conflicts.push(located);
            }
            continue;
        }
        if version > current + 1 {
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
        held.insert(subject.clone(), (version, located.event.identity));
        changed.insert(subject.clone());
        classified.apply.push(located.event.clone());
    }
    classified.versions = changed
        .into_iter()
        .map(|aggregate| {
            let (version, identity) = held.get(&aggregate).copied().unwrap_or_default();
            AggregateVersion { aggregate, version, identity }
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
        let classified = classify(&events, held, |_| 1);
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
        let classified = classify(&events, HashMap::from([("b".to_owned(), (2, None))]), |_| 0);
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
        let found = |held| {
            let classified = classify(&events, held, |_| 0);
            let offsets = |of: &[&Located]| of.iter().map(|l| l.offset).collect::<Vec<_>>();
            (offsets(&classified.conflicts), offsets(&classified.repeated))
        };
        assert_eq!(found(held), (vec![1, 6], vec![0, 1, 2, 3, 5, 6]));
        // What was applied before events had identities is compared with nothing.
        let old = HashMap::from([("a".to_owned(), (2, None))]);
        assert_eq!(found(old).0, [6]);
    }
}
