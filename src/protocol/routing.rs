//! Where each message goes: the queues of jobs and the topics of events, in one place.

use super::events::{Aggregate, Event};
use super::jobs::Job;

/// A RabbitMQ queue; its retry and dead-letter queues are named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Fan-out to timelines, and follows that many had asked for.
    Feed,
    /// The order saga.
    Orders,
    /// Images to be processed, and to be deleted.
    Images,
}

impl Queue {
    /// All of them: what the topology declares and the worker consumes.
    pub const ALL: [Self; 3] = [Self::Feed, Self::Orders, Self::Images];

    /// Its name at the broker.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "plaza.feed",
            Self::Orders => "plaza.orders",
            Self::Images => "plaza.images",
        }
    }

    /// The queue of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.name() == name)
    }
}

/// A Kafka topic; the broker's name for it has the configured prefix in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// User aggregates.
    Users,
    /// Follow edges.
    Edges,
    /// Who blocks whom.
    Blocks,
    /// Posts.
    Posts,
    /// What refers to something on another shard: reposts, quotes, mentions, answers, granted
    /// requests to follow.
    References,
    /// Products.
    Products,
    /// Orders.
    Orders,
    /// Views of posts: telemetry, not events.
    Views,
}

impl Topic {
    /// All of them: what `plaza migrate` creates.
    pub const ALL: [Self; 8] = [
        Self::Users,
        Self::Edges,
        Self::Blocks,
        Self::Posts,
        Self::References,
        Self::Products,
        Self::Orders,
        Self::Views,
    ];

    /// Its name, without the prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Edges => "edges",
            Self::Blocks => "blocks",
            Self::Posts => "posts",
            Self::References => "references",
            Self::Products => "products",
            Self::Orders => "orders",
            Self::Views => "views",
        }
    }

    /// How long its records are kept, in milliseconds; -1: for ever. Read models are rebuilt from
    /// the first event; telemetry is only ever read on.
    pub fn retention_ms(self) -> i64 {
        match self {
            Self::Views => 3 * 24 * 3_600 * 1_000,
            _ => -1,
        }
    }
}

/// The queue a job waits in.
pub fn queue_of(job: &Job) -> Queue {
    match job {
        Job::FeedFanOut { .. } | Job::FeedResumePush { .. } | Job::FollowRequestsGrant { .. } => {
            Queue::Feed
        }
        Job::OrderProcess { .. } => Queue::Orders,
        Job::ImageProcess { .. } | Job::ImageDelete { .. } => Queue::Images,
    }
}

/// The topic an event is published to.
pub fn topic_of(event: &Event) -> Topic {
    match event.aggregate() {
        Aggregate::User(_) => Topic::Users,
        Aggregate::Edge(..) => Topic::Edges,
        Aggregate::Block(..) => Topic::Blocks,
        Aggregate::Post(_) => Topic::Posts,
        Aggregate::Share(..)
        | Aggregate::Mention(..)
        | Aggregate::Answer(..)
        | Aggregate::Acceptance(..) => Topic::References,
        Aggregate::Product(_) => Topic::Products,
        Aggregate::Order(_) => Topic::Orders,
    }
}
