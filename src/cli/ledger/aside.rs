//! Records that projections have put aside, and what was decided about them.

use std::collections::{BTreeMap, HashMap};

use super::Check;
use plaza_config::Config;
use plaza_read_models::all;
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::unreadable_records::{self as rows, Place, RecordAside, State, merged};

/// Versions of aggregates that a projection has skipped, and whether it goes on behind each though
/// versions before it are missing.
pub type Skipped<'a> = HashMap<&'a str, BTreeMap<i64, bool>>;

/// What every projection has put aside.
#[derive(Debug)]
pub struct Aside {
    records: BTreeMap<Place, RecordAside>,
    /// By topic, who reads it.
    readers: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Aside {
    /// What there is now.
    ///
    /// # Errors
    /// The server's.
    pub async fn read(config: &Config, shards: &mut [Connection]) -> anyhow::Result<Self> {
        let mut found = Vec::new();
        for shard in shards {
            found.extend(rows::all(shard).await?);
        }
        let mut readers: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
        for projection in all(&config.feed) {
            for topic in projection.topics() {
                readers.entry(topic.name()).or_default().push(projection.name());
            }
        }
        Ok(Self { records: merged(found), readers })
    }

    /// The records of one place in the log, for each projection that has it aside.
    fn at<'a>(
        &'a self,
        partition: &'a Partition,
        offset: i64,
    ) -> impl Iterator<Item = &'a RecordAside> + 'a {
        self.readers.get(partition.topic).into_iter().flatten().filter_map(move |projection| {
            self.records.get(&Place {
                projection: (*projection).to_owned(),
                topic: partition.topic.to_owned(),
                partition: partition.number,
                offset,
            })
        })
    }

    /// Whether every projection that reads the topic has the record aside.
    pub fn is_known_to_all(&self, partition: &Partition, offset: i64) -> bool {
        let readers = self.readers.get(partition.topic).map_or(0, Vec::len);
        self.at(partition, offset).count() == readers
    }

    /// Whether it was decided that a record is no version of its aggregate.
    pub fn is_left_out(&self, partition: &Partition, offset: i64) -> bool {
        let mut records = self.at(partition, offset).peekable();
        records.peek().is_some()
            && records.all(|record| record.state == State::Skipped && !record.over_gap)
    }

    /// Whether it was decided that a record's aggregate goes on there though versions are missing.
    pub fn goes_over(&self, partition: &Partition, offset: i64) -> bool {
        self.at(partition, offset).any(|record| record.over_gap && !record.state.is_open())
    }

    /// The versions that a projection has skipped.
    pub fn skipped(&self, projection: &str) -> Skipped<'_> {
        let mut skipped = Skipped::new();
        let of_it = |record: &&RecordAside| {
            record.place.projection == projection && record.state == State::Skipped
        };
        for record in self.records.values().filter(of_it) {
            if let (Some(aggregate), Some(version)) = (&record.aggregate, record.version) {
                skipped.entry(aggregate).or_default().insert(version, record.over_gap);
            }
        }
        skipped
    }

    /// The law: what waits is named and has not arrived, what was skipped is named.
    pub fn check(&self, records: i64) -> Check {
        let mut check = Check::of("aside", "records put aside were decided about");
        check.checked = records;
        let open = || self.records.values().filter(|record| record.state.is_open());
        check.waiting = i64::try_from(open().count()).unwrap_or(i64::MAX);
        let skipped = || self.records.values().filter(|record| record.state == State::Skipped);
        let example =
            open().next().map(|record| format!("{} waits ({})", record.place, record.reason));
        check.example = example.or_else(|| {
            let (first, all) = (skipped().next()?, skipped().count());
            let by = first.decided_by.as_deref().unwrap_or("unknown");
            Some(format!("{} was skipped by {by} ({}), one of {all}", first.place, first.reason))
        });
        check
    }
}

/// Which version an aggregate has reached that has applied so many, given what was skipped.
pub fn reached(applied: i64, skipped: Option<&BTreeMap<i64, bool>>) -> i64 {
    let mut reached = applied;
    for (version, goes_over) in skipped.into_iter().flatten() {
        if *version == reached + 1 || (*goes_over && *version > reached) {
            reached = *version;
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_reached_when_it_is_next_or_goes_over_a_gap() {
        let skipped = BTreeMap::from([(3, false), (4, false), (9, false), (12, true)]);
        assert_eq!(reached(2, Some(&skipped)), 12);
        let skipped = BTreeMap::from([(3, false), (9, false)]);
        assert_eq!(reached(2, Some(&skipped)), 3);
        assert_eq!(reached(1, Some(&skipped)), 1, "the second one is missing");
        assert_eq!((reached(9, Some(&skipped)), reached(0, None)), (9, 0));
    }
}
