//! Records that cannot be read, or not be applied yet: put aside, so that they stop nobody else.
//!
//! What is no event, and an event of a type that this build does not know, is written to
//! `unreadable_records` before any shard's offset goes past it; an event whose aggregate lacks the
//! one before it in the transaction that passes it (`apply`). What waits is tried again when the
//! projection begins, when an operator asks, and when the aggregate has come further.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::classify::room;
use super::steps::{Outcome, Step, by_aggregate, failed, outcomes_without_shard, plan};
use super::{Effect, Located, Progress, Runner};
use plaza_protocol::envelope::{EventEnvelope, EventHead};
use plaza_stores::StoreError;
use plaza_stores::kafka::consumer::{Partition, Record};
use plaza_stores::postgres::projections::{self as rows, AggregateVersion};
use plaza_stores::postgres::unreadable_records::{self as aside, Open, Unreadable};
use plaza_stores::postgres::{Connection, ReadSession, ShardIndex, Transaction};

/// How often it is looked what waits, and what was decided about it.
const LOOK: Duration = Duration::from_secs(2);
/// The same where nothing waits: an operator may have a skipped record tried after all.
const IDLE: Duration = Duration::from_secs(30);
/// How long a transaction may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of what an event is about, at most.
const SUBJECT_BYTES: usize = 256;
/// Letters of why a record is put aside that are kept.
const REASON_LETTERS: usize = 500;

/// A record as an event, or why it is none that can be applied.
fn decode(record: &Record) -> Result<EventEnvelope, Unreadable> {
    let reason = match serde_json::from_slice::<EventEnvelope>(&record.payload) {
        Ok(event) if may_be(&event.subject, event.version) => return Ok(event),
        Ok(_) => "what it is about, or its version, cannot be".to_owned(),
        Err(error) => error.to_string(),
    };
    let head = serde_json::from_slice::<EventHead>(&record.payload).ok();
    let head = head.filter(|head| may_be(&head.subject, head.version));
    let reason = match &head {
        Some(head) => format!("an event of type {} that cannot be read: {reason}", head.kind),
        None => format!("no event: {reason}"),
    };
    let letters = reason.chars().filter(|letter| !letter.is_control());
    Err(Unreadable {
        topic: record.partition.topic,
        partition: record.partition.number,
        offset: record.offset,
        payload: record.payload.clone(),
        of: head.map(|head| (head.subject, head.version)),
        reason: letters.take(REASON_LETTERS).collect(),
    })
}

/// Whether a text and a number can be an aggregate and its version: PostgreSQL refuses some texts.
fn may_be(subject: &str, version: i64) -> bool {
    subject.len() <= SUBJECT_BYTES && !subject.contains(char::is_control) && version > 0
}

impl Runner {
    /// The events among records. What is none is put aside; where there is no room for that, the
    /// partition is parked.
    ///
    /// # Errors
    /// No shard can be reached to put something aside: nothing has gone past it.
    pub(super) async fn events(
        &self,
        records: Vec<Record>,
        progress: &mut Progress,
    ) -> anyhow::Result<Vec<Located>> {
        let mut events = Vec::with_capacity(records.len());
        let mut unreadable = Vec::new();
        let mut read: BTreeMap<Partition, i64> = BTreeMap::new();
        for record in records {
            if progress.parked.contains(&record.partition) {
                continue;
            }
            read.insert(record.partition.clone(), record.offset + 1);
            match decode(&record) {
                Ok(event) => events.push(Located {
                    partition: record.partition,
                    offset: record.offset,
                    event,
                }),
                Err(record) => unreadable.push(record),
            }
        }
        if !unreadable.is_empty() {
            for refused in Box::pin(self.put_aside(unreadable, progress)).await? {
                let Unreadable { topic, partition: number, offset, reason, .. } = refused;
                let partition = Partition { topic, number };
                if progress.parked.contains(&partition) {
                    continue;
                }
                events.retain(|event| event.partition != partition || event.offset < offset);
                read.insert(partition.clone(), offset);
                self.park(&mut progress.parked, &partition, offset, &reason);
            }
        }
        progress.read.extend(read);
        Ok(events)
    }

    /// Puts records aside on the first shard that answers; those for which there is no room, in
    /// order.
    async fn put_aside(
        &self,
        records: Vec<Unreadable>,
        progress: &Progress,
    ) -> Result<Vec<Unreadable>, StoreError> {
        let mut failed = None;
        for shard in &progress.writing {
            match self.put_aside_on(*shard, &records).await {
                Ok(refused) => return Ok(refused),
                Err(error) if error.is_transient() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| StoreError::unavailable("postgres", "no shard is written")))
    }

    async fn put_aside_on(
        &self,
        shard: ShardIndex,
        records: &[Unreadable],
    ) -> Result<Vec<Unreadable>, StoreError> {
        let name = self.projection.name();
        let putting = async |connection: &mut Connection| -> Result<_, StoreError> {
            let open = aside::open_by_partition(connection, name).await?;
            let (taken, refused) = dealt(records, |topic, number| room(&open, topic, number));
            aside::put_aside(connection, name, &taken).await?;
            say(name, &taken);
            self.put_aside.notify_one();
            Ok(refused.into_iter().cloned().collect::<Vec<_>>())
        };
        self.cluster.write_unread(shard, Instant::now() + DEADLINE, putting).await
    }

    /// Records what waits and tries it again when that may help; ends when a partition that is
    /// parked may find room.
    pub(super) async fn tend(&self) {
        let _recorded = Recorded(self.projection.name());
        let mut tried: Option<Option<OpenOnShards>> = None;
        loop {
            let before = self.open().await;
            if before.is_some() && tried.as_ref() != Some(&before) {
                self.try_again().await;
                let after = self.open().await;
                let fewer = records(&after) < records(tried.as_ref().unwrap_or(&before));
                tried = Some(after);
                if fewer && self.parked.load(Ordering::Relaxed) > 0 {
                    return;
                }
            }
            // Where nothing waits, nothing can be decided about either.
            let pause = if records(&before) == 0 { IDLE } else { LOOK };
            let _ = timeout(pause, self.put_aside.notified()).await;
        }
    }

    /// What is open on each shard that answers, as it is recorded; `None` when none does.
    async fn open(&self) -> Option<OpenOnShards> {
        let name = self.projection.name();
        let session = ReadSession::primary(self.cluster.len());
        let mut found = Vec::new();
        for shard in self.cluster.indexes() {
            let read = async |connection: &mut Connection| aside::open(connection, name).await;
            if let Ok(open) = self.cluster.read(&session, shard, read).await {
                found.push((shard, open));
            }
        }
        let found = (!found.is_empty()).then_some(found);
        record_waiting(name, records(&found));
        found
    }

    /// Tries everything that waits, an aggregate at a time.
    async fn try_again(&self) {
        let name = self.projection.name();
        let session = ReadSession::primary(self.cluster.len());
        let mut found = Vec::new();
        for shard in self.cluster.indexes() {
            let read = async |connection: &mut Connection| aside::to_try(connection, name).await;
            found.extend(self.cluster.read(&session, shard, read).await.unwrap_or_default());
        }
        let (aggregates, unread) = by_aggregate(aside::merged(found).into_values());
        self.tried(&unread).await;
        for steps in aggregates.into_values() {
            let Some((shard, _)) = steps.iter().find_map(|step| self.target_of(step)) else {
                self.tried(&outcomes_without_shard(&steps)).await;
                continue;
            };
            match self.take_steps(shard, &steps).await {
                Ok((effects, outcomes)) => {
                    self.tell(&effects).await;
                    self.tried(&outcomes).await;
                }
                Err(error) => {
                    tracing::warn!(projection = name, shard = shard.0, %error, "still aside");
                    self.tried(&failed(&steps, &error)).await;
                }
            }
        }
    }

    fn target_of<'a>(&self, step: &'a Step) -> Option<(ShardIndex, &'a EventEnvelope)> {
        let event = step.event.as_ref().ok()?;
        let bucket = self.projection.target(event.event.aggregate())?;
        Some((self.cluster.shard_of(bucket), event))
    }

    /// Applies what can be applied of an aggregate's records on its shard, in one transaction.
    async fn take_steps(
        &self,
        shard: ShardIndex,
        steps: &[Step],
    ) -> Result<(Vec<Effect>, Vec<Outcome>), StoreError> {
        let name = self.projection.name();
        let work = async |connection: &mut Transaction| -> Result<_, StoreError> {
            // A batch that goes on with the aggregate waits, or is waited for.
            let at: Vec<(&str, i32)> =
                steps.iter().map(|s| (s.place.topic.as_str(), s.place.partition)).collect();
            let (topics, numbers): (Vec<&str>, Vec<i32>) = at.into_iter().unzip();
            rows::lock_positions_in(connection, name, &topics, &numbers).await?;
            let subject = steps.first().map(|step| step.subject.clone()).unwrap_or_default();
            let held = rows::versions(connection, name, std::slice::from_ref(&subject)).await?;
            let held = held.first().map_or(0, |held| held.version);
            let taken = plan(steps, held);
            let mut effects = self.projection.effects(&taken.repeated);
            if !taken.apply.is_empty() {
                effects.extend(self.projection.commit(connection, shard, &taken.apply).await?);
            }
            if taken.version > held {
                let last = taken.apply.last().filter(|event| event.version == taken.version);
                let reached = AggregateVersion {
                    aggregate: subject,
                    version: taken.version,
                    identity: last.and_then(|event| event.identity),
                };
                rows::store_versions(connection, name, &[reached]).await?;
            }
            Ok((effects, taken.outcomes))
        };
        self.cluster.write_outbox(shard, Instant::now() + DEADLINE, work).await
    }

    /// Stores what became of records on every shard; one that is away has them tried again.
    async fn tried(&self, outcomes: &[Outcome]) {
        if outcomes.is_empty() {
            return;
        }
        for shard in self.cluster.indexes() {
            let store = async |connection: &mut Connection| -> Result<(), StoreError> {
                aside::tried(connection, outcomes).await
            };
            if let Err(error) =
                self.cluster.write_unread(shard, Instant::now() + DEADLINE, store).await
            {
                tracing::debug!(shard = shard.0, %error, "not told what became of a record");
            }
        }
    }
}

/// Logs what is put aside, and why.
pub(super) fn say(projection: &'static str, records: &[&Unreadable]) {
    for Unreadable { topic, partition, offset, reason, .. } in records {
        tracing::error!(projection, topic, partition, offset, reason, "put aside");
    }
}

/// What is open, shard by shard; `None` when none answers.
type OpenOnShards = Vec<(ShardIndex, Open)>;

/// How many records are open.
fn records(open: &Option<OpenOnShards>) -> i64 {
    open.iter().flatten().map(|(_, open)| open.waiting + open.asked).sum()
}

/// Who does not run the projection any more has nothing aside: another process may run it.
struct Recorded(&'static str);

impl Drop for Recorded {
    fn drop(&mut self) {
        record_waiting(self.0, 0);
    }
}

fn record_waiting(projection: &'static str, records: i64) {
    metrics::gauge!("plaza_projection_records_aside", "projection" => projection)
        .set(u32::try_from(records).unwrap_or(u32::MAX));
}

/// Deals records out into those that there is room for and those that there is not; behind the
/// first of these no other one of its partition is taken.
fn dealt(
    records: &[Unreadable],
    room: impl Fn(&str, i32) -> i64,
) -> (Vec<&Unreadable>, Vec<&Unreadable>) {
    let mut left: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let has_room = |record: &&Unreadable| {
        let left = match left.entry((record.topic, record.partition)) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(empty) => empty.insert(room(record.topic, record.partition)),
        };
        *left -= 1;
        *left >= 0
    };
    records.iter().partition(has_room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &str) -> Record {
        let partition = Partition { topic: "posts", number: 3 };
        Record { partition, offset: 7, payload: payload.into() }
    }

    #[test]
    fn an_event_of_an_unknown_type_says_what_it_is_about_and_no_event_says_nothing() {
        let unknown =
            r#"{"type": "post.pinned.v1", "subject": "post:1", "version": 4, "data": {}}"#;
        let aside = decode(&record(unknown)).unwrap_err();
        assert_eq!((aside.offset, aside.of), (7, Some(("post:1".to_owned(), 4))));
        assert!(aside.reason.starts_with("an event of type post.pinned.v1"), "{}", aside.reason);
        let version_of_none = r#"{"type": "post.pinned.v1", "subject": "post:1", "version": 0}"#;
        let subject_of_none = r#"{"type": "post.pinned.v1", "subject": "\u0000", "version": 1}"#;
        let none = ["\u{0}\u{1}", "{}", r#"{"subject": "post:1"}"#];
        for nothing in none.into_iter().chain([version_of_none, subject_of_none]) {
            let aside = decode(&record(nothing)).unwrap_err();
            assert_eq!((aside.of, aside.payload), (None, nothing.as_bytes().to_vec()));
        }
    }

    #[test]
    fn behind_what_there_is_no_room_for_nothing_is_put_aside() {
        let at = |offset, partition| Unreadable {
            topic: "posts",
            partition,
            offset,
            payload: Vec::new(),
            of: None,
            reason: String::new(),
        };
        let records = [at(1, 0), at(2, 0), at(3, 0), at(1, 1)];
        let (taken, refused) = dealt(&records, |_, partition| i64::from(1 - partition));
        let offsets = |records: Vec<&Unreadable>| -> Vec<(i32, i64)> {
            records.iter().map(|record| (record.partition, record.offset)).collect()
        };
        assert_eq!(offsets(taken), [(0, 1)]);
        assert_eq!(offsets(refused), [(0, 2), (0, 3), (1, 1)]);
    }
}
