//! Topics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::client;
use plaza_config::KafkaConfig;
use plaza_protocol::routing::Topic;

/// The broker's name of a topic.
pub fn full_name(prefix: &str, topic: &str) -> String {
    format!("{prefix}.{topic}")
}

/// A client for administration.
///
/// # Errors
/// A configuration that librdkafka refuses.
pub fn admin(config: &KafkaConfig) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    Ok(client(config).create()?)
}

/// How long a cluster may take until it makes topics: its brokers may still be joining it.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a broker may take to know of a topic that the cluster has made.
///
/// It makes a folder of each partition first: where disks stand still for seconds at a time, and
/// others make topics too, half a minute was not enough.
const KNOWN_WITHIN: Duration = Duration::from_secs(120);

/// Creates the topics that are not there, and waits until the broker knows all their partitions:
/// what starts next finds them.
///
/// # Errors
/// The broker is unavailable, or refuses.
pub async fn ensure_topics(config: &KafkaConfig) -> anyhow::Result<()> {
    let names: Vec<String> =
        Topic::ALL.iter().map(|topic| full_name(&config.topic_prefix, topic.name())).collect();
    let retention: Vec<String> =
        Topic::ALL.iter().map(|topic| topic.retention_ms().to_string()).collect();
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .zip(&retention)
        .map(|(name, retention)| {
            NewTopic::new(name, config.partitions, TopicReplication::Fixed(config.replication))
                .set("retention.ms", retention)
        })
        .collect();
    let admin = admin(config)?;
    let began = Instant::now();
    loop {
        match create(&admin, &topics).await? {
            None => break,
            Some((_, code)) if is_passing(code) && began.elapsed() < READY_WITHIN => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Some((topic, code)) => anyhow::bail!("kafka: topic {topic}: {code}"),
        }
    }
    let admin = Arc::new(admin);
    let began = Instant::now();
    for name in names {
        // A broker says that a topic is made before it knows it itself.
        while !knows(&admin, &name).await? {
            anyhow::ensure!(
                began.elapsed() < KNOWN_WITHIN,
                "kafka: topic {name} was made, but the broker does not know it"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Asks once for the topics to be made; the first that the cluster refused, if any.
async fn create(
    admin: &AdminClient<DefaultClientContext>,
    topics: &[NewTopic<'_>],
) -> anyhow::Result<Option<(String, RDKafkaErrorCode)>> {
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    let outcomes =
        admin.create_topics(topics, &options).await.context("kafka: cannot create topics")?;
    Ok(outcomes
        .into_iter()
        .filter_map(Result::err)
        .find(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists))
}

/// Whether the same request may be granted soon.
///
/// A controller that has not heard from enough brokers calls the replication factor invalid: so it
/// is while a broker starts, and after a pause of a broker longer than its session.
const fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::InvalidReplicationFactor
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::BrokerNotAvailable
    )
}

/// Whether the broker names a topic's partitions.
async fn knows(admin: &Arc<AdminClient<DefaultClientContext>>, name: &str) -> anyhow::Result<bool> {
    let (admin, name) = (Arc::clone(admin), name.to_owned());
    tokio::task::spawn_blocking(move || {
        let metadata = match admin.inner().fetch_metadata(Some(&name), Duration::from_secs(10)) {
            // A broker that is at work on others' topics answers late: it is asked again.
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut)) => {
                return Ok(false);
            }
            metadata => metadata.context("kafka: cannot read topics")?,
        };
        Ok(metadata
            .topics()
            .iter()
            .any(|topic| topic.name() == name && !topic.partitions().is_empty()))
    })
    .await?
}
