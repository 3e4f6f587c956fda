//! A shard's part of a batch, and where everything stands after it: decided without a server.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Located;
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::projections::Position;

/// Where a process stands with a projection.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// The first offset of each partition not read yet.
    pub read: BTreeMap<Partition, i64>,
    /// The first offset of each partition whose side effects have not happened.
    pub effects: BTreeMap<Partition, i64>,
    /// The offset of each partition that every shard has stored as read, with its effects run.
    pub level: BTreeMap<Partition, i64>,
    /// Partitions of which no more can be put aside: they cannot go on until some of it is decided
    /// about.
    pub parked: HashSet<Partition>,
    /// The shards whose events are applied.
    pub writing: BTreeSet<ShardIndex>,
}

impl Progress {
    /// Where to begin, given what these shards have stored: at each partition's lowest offset whose
    /// effects may not have happened.
    pub(super) fn stored(
        partitions: &[Partition],
        shards: impl IntoIterator<Item = (ShardIndex, Vec<Position>)>,
    ) -> Self {
        let (writing, shards): (BTreeSet<_>, Vec<_>) = shards.into_iter().unzip();
        let mut progress = Self { writing, ..Self::default() };
        for partition in partitions {
            let at = |position: &&Position| {
                position.topic == partition.topic && position.partition == partition.number
            };
            let lowest = shards
                .iter()
                .map(|shard| shard.iter().find(at).map_or(0, |position| position.effects_offset))
                .min();
            progress.effects.insert(partition.clone(), lowest.unwrap_or_default());
            progress.read.insert(partition.clone(), lowest.unwrap_or_default());
        }
        progress
    }

    /// Where to begin to read.
    pub(super) fn starts(&self) -> Vec<(Partition, i64)> {
        self.effects.iter().map(|(partition, offset)| (partition.clone(), *offset)).collect()
    }

    /// The offsets that a shard with these events moves to: of their partitions, or of all that are
    /// not where they belong.
    pub(super) fn next_of(&self, events: &[&Located], level: bool) -> BTreeMap<Partition, i64> {
        let moved: BTreeSet<&Partition> = match level {
            true => {
                let is_moved = |at: &&Partition| self.level.get(*at) != self.read.get(*at);
                self.read.keys().filter(is_moved).collect()
            }
            false => events.iter().map(|located| &located.partition).collect(),
        };
        let next = moved.into_iter().filter_map(|at| Some((at.clone(), *self.read.get(at)?)));
        next.collect()
    }

    /// A partition ends at an offset: no shard may store later that it has been read further.
    pub(super) fn ends_at(&mut self, partition: &Partition, offset: i64) {
        self.read.entry(partition.clone()).and_modify(|read| *read = offset.min(*read));
    }

    /// The effects of all that was read have run.
    pub(super) fn effects_ran(&mut self) {
        self.effects = self.read.clone();
    }
}

/// A shard's events of a batch, by the offsets that it has stored.
pub(super) struct Part<'a> {
    /// Those that it is past: an earlier run has applied them, and may not have run their effects.
    pub repeated: Vec<&'a Located>,
    /// The others.
    pub new: Vec<&'a Located>,
}

impl<'a> Part<'a> {
    /// Sorts a shard's events out by the positions that it holds, locked.
    pub(super) fn of(events: &[&'a Located], held: &[Position]) -> Self {
        let held: BTreeMap<(&str, i32), i64> =
            held.iter().map(|p| ((p.topic.as_str(), p.partition), p.next_offset)).collect();
        let is_past = |located: &&Located| {
            let at = (located.partition.topic, located.partition.number);
            held.get(&at).is_some_and(|next| located.offset < *next)
        };
        let (repeated, new) = events.iter().copied().partition(is_past);
        Self { repeated, new }
    }
}

/// The positions that are stored beside a shard's events: `next`, but where a partition ends; and
/// how far effects have run, which is never beyond that.
pub(super) fn positions(
    mut next: BTreeMap<Partition, i64>,
    effects: &BTreeMap<Partition, i64>,
    ends: &[(Partition, i64, String)],
) -> Vec<Position> {
    for (partition, offset, _) in ends {
        next.insert(partition.clone(), *offset);
    }
    let position = |(partition, next_offset): (Partition, i64)| {
        let ran = effects.get(&partition).copied().unwrap_or_default();
        Position {
            topic: partition.topic.to_owned(),
            partition: partition.number,
            next_offset,
            effects_offset: ran.min(next_offset),
        }
    };
    next.into_iter().map(position).collect()
}

#[cfg(test)]
mod simulation;
