//! Views of posts: telemetry. A view is no event of a mutation: it has no row, no outbox message
//! and no idempotency key. It is handed to a bounded queue in memory that goes to Kafka in batches;
//! with Kafka unavailable, or the queue full, it is dropped and counted, and no request ever waits.
//! From Kafka's acknowledgement on none is lost and none counts twice.

#[cfg(feature = "case-studies")]
pub mod at_once;

use std::sync::OnceLock;
use std::time::Duration;

use super::{DomainError, Operation, UserErrorCode, posts};
use plaza_base::ids::PostId;
use plaza_config::network::client_network;
use plaza_config::{KafkaConfig, ViewsConfig};
use plaza_protocol::views::View;
use plaza_stores::kafka::views::ViewProducer;

/// Views that one request may record.
pub const AT_ONCE: usize = 100;
/// An hour, in milliseconds.
const HOUR_MS: i64 = 3_600_000;
/// How long the end of a process waits for Kafka to acknowledge what is in the queue.
const FLUSH: Duration = Duration::from_secs(5);

/// Where views go.
#[derive(Debug)]
pub struct ViewLog {
    #[cfg(feature = "case-studies")]
    counted: plaza_config::ViewsCounted,
    once_an_hour: bool,
    config: KafkaConfig,
    /// Connected with the first view: most processes record none.
    producer: OnceLock<ViewProducer>,
}

impl ViewLog {
    /// Connects to nothing yet.
    pub fn new(views: &ViewsConfig, kafka: &KafkaConfig) -> Self {
        Self {
            #[cfg(feature = "case-studies")]
            counted: views.counted,
            once_an_hour: views.once_an_hour,
            config: kafka.clone(),
            producer: OnceLock::new(),
        }
    }

    fn producer(&self) -> Result<&ViewProducer, DomainError> {
        if let Some(producer) = self.producer.get() {
            return Ok(producer);
        }
        let made = ViewProducer::new(&self.config)
            .map_err(|error| DomainError::Internal(format!("the log of views: {error:#}")))?;
        Ok(self.producer.get_or_init(|| made))
    }

    /// Hands views to the queue; how many it took.
    ///
    /// # Errors
    /// A configuration that no producer can be made from.
    pub fn offer(&self, views: &[View]) -> Result<usize, DomainError> {
        let producer = self.producer()?;
        Ok(views.iter().filter(|view| producer.offer(view)).count())
    }

    /// Waits until Kafka has what was taken, for a while: for the end of a process. Blocks: call it
    /// off the runtime's threads.
    pub fn flush(&self) {
        if let Some(producer) = self.producer.get()
            && let Err(error) = producer.flush(FLUSH)
        {
            tracing::warn!(%error, dropped = producer.fates().dropped(), "views are left behind");
        }
    }
}

/// The viewer, as far as counting users goes; the anonymous are one at each address (IPv6: /64),
/// since whatever else they say of themselves is theirs to choose.
fn viewer_hash(op: &Operation) -> u64 {
    let name = match op.viewer {
        Some(viewer) => format!("user:{}", viewer.user_id),
        None => {
            format!("nobody:{}", op.address.map(client_network).unwrap_or_default())
        }
    };
    op.domain.identity.pseudonym(name.as_bytes())
}

/// The viewer, or somebody anonymous, was shown these posts. Those they may not see, and their own,
/// are not counted; a post counts once a viewer and hour. How many views were taken.
///
/// # Errors
/// No post, or more than [`AT_ONCE`]; a shard that is unavailable and none of whose posts is
/// cached.
pub async fn record(op: &Operation, ids: &[PostId]) -> Result<usize, DomainError> {
    if !(1..=AT_ONCE).contains(&ids.len()) {
        let message = format!("must have 1 to {AT_ONCE} ids, has {}", ids.len());
        return Err(DomainError::rejected(UserErrorCode::Invalid, "postIds", message));
    }
    let (viewer, at_ms) = (viewer_hash(op), op.domain.clock.now_ms());
    let found = posts::originals(op, posts::get_many(op, ids).await?).await?;
    let seen = found
        .into_values()
        .filter(|post| op.viewer.is_none_or(|viewer| viewer.user_id != post.author_id));
    let mut views: Vec<View> = seen
        .map(|post| View { post_id: post.id, author_id: post.author_id, viewer, at_ms })
        .collect();
    if op.domain.views.once_an_hour && !views.is_empty() {
        let posts: Vec<PostId> = views.iter().map(|view| view.post_id).collect();
        // While Redis is unavailable each is counted: telemetry is promised no more.
        if let Ok(first) = op.domain.redis.first_views(viewer, at_ms / HOUR_MS, &posts).await {
            let mut first = first.into_iter();
            views.retain(|_| first.next().unwrap_or(true));
        }
    }
    #[cfg(feature = "case-studies")]
    if op.domain.views.counted == plaza_config::ViewsCounted::ByTheRequest {
        return at_once::count(op, &views).await;
    }
    op.domain.views.offer(&views)
}
