//! The event log from its first record to its end, as versions of aggregates.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::Check;
use super::aside::Aside;
use plaza_config::Config;
use plaza_protocol::envelope::{EventEnvelope, EventHead};
use plaza_protocol::events::Event;
use plaza_protocol::routing::Topic;
use plaza_stores::kafka::ANSWERS_A_COMMAND_WITHIN;
use plaza_stores::kafka::consumer::{EventConsumer, Partition, Record};

/// Records in one go.
const BATCH: usize = 10_000;
/// How long the broker may be silent in the middle of a log.
const SILENCE: Duration = ANSWERS_A_COMMAND_WITHIN;
/// The topics of events.
const EVENTS: [Topic; 7] = [
    Topic::Users,
    Topic::Edges,
    Topic::Blocks,
    Topic::Posts,
    Topic::References,
    Topic::Products,
    Topic::Orders,
];

/// What stands for an aggregate: its text would take ten times the memory.
fn short(aggregate: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    aggregate.hash(&mut hasher);
    hasher.finish()
}

/// Versions of one aggregate that the log holds without a gap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Whether it began with an event, and was not loaded with what it had.
    pub born: bool,
    /// Likes that its events leave it with.
    pub likes: i32,
    /// Comments that they leave it with.
    pub comments: i32,
}

impl Span {
    /// Takes what the next version's event adds.
    fn count(&mut self, event: &Event) {
        match event {
            Event::PostCreated { .. } => self.born = true,
            Event::PostLiked { .. } => self.likes += 1,
            Event::PostUnliked { .. } => self.likes -= 1,
            Event::PostCommented { .. } | Event::PostReplied { .. } => self.comments += 1,
            _ => {}
        }
    }
}

/// A topic's aggregates.
#[derive(Debug, Default)]
pub struct Aggregates(HashMap<u64, Span>);

impl Aggregates {
    /// What the log holds of an aggregate.
    pub fn get(&self, aggregate: &str) -> Option<Span> {
        self.0.get(&short(aggregate)).copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the next event of the log, one that cannot be read as none; false when a version is
    /// missing before it.
    fn take(&mut self, aggregate: &str, version: i64, event: Option<&Event>) -> bool {
        let unknown = Span { first: version, last: version - 1, ..Span::default() };
        let span = self.0.entry(short(aggregate)).or_insert(unknown);
        let follows = version <= span.last + 1;
        if version == span.last + 1 {
            span.last = version;
            match event {
                Some(event) => span.count(event),
                // What it adds is not known.
                None => span.born = false,
            }
        }
        follows
    }

    /// Goes on with an event although versions before it are missing.
    fn take_over_gap(&mut self, aggregate: &str, version: i64) {
        if let Some(span) = self.0.get_mut(&short(aggregate)) {
            span.last = version.max(span.last);
            span.born = false;
        }
    }

    /// Whether versions are missing before this one.
    fn has_gap_before(&self, aggregate: &str, version: i64) -> bool {
        self.get(aggregate).is_some_and(|span| version > span.last + 1)
    }
}

/// The whole log.
#[derive(Debug)]
pub struct Log {
    /// By topic, without the prefix.
    pub topics: BTreeMap<&'static str, Aggregates>,
    /// Where it ended when it was read.
    pub ends: BTreeMap<Partition, i64>,
    /// Versions of an aggregate follow each other.
    pub order: Check,
    /// What is put aside was decided about.
    pub aside: Check,
}

impl Log {
    /// Takes the next record of its partition.
    fn take(&mut self, record: &Record, aside: &Aside) {
        self.order.checked += 1;
        self.aside.checked += 1;
        let (at, offset) = (&record.partition, record.offset);
        let event = serde_json::from_slice::<EventEnvelope>(&record.payload);
        if let Err(error) = &event
            && !aside.is_known_to_all(at, offset)
        {
            let place = format!("{}/{}/{offset}", at.topic, at.number);
            self.aside.waiting += 1;
            self.aside.example.get_or_insert_with(|| format!("{place} is no event ({error})"));
        }
        let of = match event {
            Ok(event) => Some((event.subject, event.version, Some(event.event))),
            Err(_) => serde_json::from_slice::<EventHead>(&record.payload)
                .ok()
                .map(|head| (head.subject, head.version, None)),
        };
        let Some((subject, version, event)) = of else { return };
        let topic = self.topics.entry(at.topic).or_default();
        if !topic.has_gap_before(&subject, version) {
            topic.take(&subject, version, event.as_ref());
        } else if aside.goes_over(at, offset) {
            topic.take_over_gap(&subject, version);
        } else if !aside.is_left_out(at, offset) {
            self.order.wrong(|| format!("before {subject} version {version}"));
        }
    }
}

/// Where every partition ends now.
///
/// # Errors
/// The broker is unavailable.
pub async fn ends(config: &Config) -> anyhow::Result<BTreeMap<Partition, i64>> {
    let consumer = EventConsumer::new(&config.kafka, "ledger", &EVENTS)?;
    tokio::task::spawn_blocking(move || {
        consumer
            .partitions(ANSWERS_A_COMMAND_WITHIN)?
            .into_iter()
            .map(|partition| {
                Ok((partition.clone(), consumer.end_of(&partition, ANSWERS_A_COMMAND_WITHIN)?))
            })
            .collect()
    })
    .await?
}

/// Reads it all, given what projections have put aside of it.
///
/// # Errors
/// The broker is unavailable, or fell silent.
pub async fn read(config: &Config, aside: &Aside) -> anyhow::Result<Log> {
    let ends = ends(config).await?;
    let consumer = Arc::new(EventConsumer::new(&config.kafka, "ledger", &EVENTS)?);
    let mut open: BTreeMap<Partition, i64> =
        ends.iter().filter(|(_, end)| **end > 0).map(|(at, end)| (at.clone(), *end)).collect();
    consumer.assign(&open.keys().map(|partition| (partition.clone(), 0)).collect::<Vec<_>>())?;
    let mut log = Log {
        topics: BTreeMap::new(),
        ends,
        order: Check::of("log", "versions of an aggregate follow each other in Kafka"),
        aside: aside.check(0),
    };
    for topic in EVENTS {
        log.topics.insert(topic.name(), Aggregates::default());
    }
    while !open.is_empty() {
        let records = consumer.batch(BATCH, SILENCE).await?;
        anyhow::ensure!(
            !records.is_empty(),
            "kafka sent nothing for {} s, before the end of its log",
            SILENCE.as_secs()
        );
        for record in records {
            log.take(&record, aside);
            if open.get(&record.partition).is_some_and(|end| record.offset + 1 >= *end) {
                open.remove(&record.partition);
            }
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::{CommentId, Id, PostId, UserId};

    #[test]
    fn every_topic_of_events_is_read() {
        let forgotten = Topic::ALL
            .into_iter()
            .filter(|topic| *topic != Topic::Views && !EVENTS.contains(topic));
        assert_eq!(forgotten.count(), 0);
    }

    #[test]
    fn a_missing_version_is_seen_and_a_repeat_is_not_taken_for_one() {
        let mut aggregates = Aggregates::default();
        let (post_id, user_id) = (PostId::from_i64(1), UserId::from_i64(2));
        let like = Event::PostLiked { post_id, user_id };
        let taken =
            [1, 2, 2, 1, 3, 5, 4].map(|version| aggregates.take("post:1", version, Some(&like)));
        assert_eq!(taken, [true, true, true, true, true, false, true]);
        // What was loaded without events begins where its events begin.
        assert!(
            aggregates.take("post:2", 7, Some(&like)) && aggregates.take("post:2", 8, Some(&like))
        );
        let span = aggregates.get("post:2").unwrap();
        assert_eq!((span.first, span.last, span.born, span.likes), (7, 8, false, 2));
        assert_eq!((aggregates.get("post:3"), aggregates.len()), (None, 2));
    }

    #[test]
    fn likes_and_comments_are_counted_by_each_version_once() {
        let mut aggregates = Aggregates::default();
        let (post_id, author_id) = (PostId::from_i64(1), UserId::from_i64(2));
        let user_id = author_id;
        let comment_id = CommentId::from_i64(3);
        for (version, event) in [
            (1, Event::PostCreated { post_id, author_id }),
            (2, Event::PostLiked { post_id, user_id }),
            (2, Event::PostLiked { post_id, user_id }),
            (3, Event::PostCommented { post_id, comment_id, author_id }),
            (4, Event::PostUnliked { post_id, user_id }),
        ] {
            assert!(aggregates.take("post:1", version, Some(&event)));
        }
        let span = aggregates.get("post:1").unwrap();
        assert!(span.born);
        assert_eq!((span.likes, span.comments), (0, 1));
    }
}
