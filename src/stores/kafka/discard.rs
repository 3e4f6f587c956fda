//! Topics that begin anew: after a restore, what they hold is of another past.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ANSWERS_A_COMMAND_WITHIN;
use super::client::client;
use super::topology::{admin, full_name};
use plaza_config::KafkaConfig;
use plaza_protocol::routing::Topic;

/// How long a topic that was just made may be without a leader.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a cluster may take to delete its topics.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Our topics that are there, and how many records each has ever had.
///
/// # Errors
/// The broker is unavailable.
pub async fn records(config: &KafkaConfig) -> anyhow::Result<Vec<(String, i64)>> {
    let began = Instant::now();
    loop {
        let asked = config.clone();
        match tokio::task::spawn_blocking(move || ask(&asked)).await? {
            Err(error) if is_passing(&error) && began.elapsed() < READY_WITHIN => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            answer => return answer,
        }
    }
}

/// Whether the same question may be answered soon: a topic that was made a moment ago has no leader
/// yet.
fn is_passing(error: &anyhow::Error) -> bool {
    let code = match error.downcast_ref::<KafkaError>() {
        Some(KafkaError::MetadataFetch(code)) => *code,
        _ => return false,
    };
    matches!(
        code,
        RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

fn ask(config: &KafkaConfig) -> anyhow::Result<Vec<(String, i64)>> {
    let consumer: BaseConsumer =
        client(config).set("group.id", format!("{}.restore", config.topic_prefix)).create()?;
    // All that there are: to ask for one by its name may make it.
    let metadata = consumer.fetch_metadata(None, ANSWERS_A_COMMAND_WITHIN)?;
    let ours: Vec<String> =
        Topic::ALL.iter().map(|topic| full_name(&config.topic_prefix, topic.name())).collect();
    let mut found = Vec::new();
    for topic in metadata.topics().iter().filter(|topic| ours.iter().any(|our| our == topic.name()))
    {
        let mut records = 0;
        for partition in topic.partitions() {
            let bounds = consumer.fetch_watermarks(
                topic.name(),
                partition.id(),
                ANSWERS_A_COMMAND_WITHIN,
            )?;
            records += bounds.1;
        }
        found.push((topic.name().to_owned(), records));
    }
    Ok(found)
}

/// Deletes our topics with all their records, and waits until they are gone.
///
/// # Errors
/// The broker is unavailable, or refuses.
pub async fn delete_topics(config: &KafkaConfig) -> anyhow::Result<()> {
    let names: Vec<String> =
        Topic::ALL.iter().map(|topic| full_name(&config.topic_prefix, topic.name())).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let deleted = admin(config)?.delete_topics(&names, &options).await;
    for outcome in deleted.context("kafka: cannot delete topics")? {
        if let Err((topic, code)) = outcome {
            let is_gone = code == RDKafkaErrorCode::UnknownTopicOrPartition;
            anyhow::ensure!(is_gone, "kafka: topic {topic}: {code}");
        }
    }
    let began = Instant::now();
    loop {
        if records(config).await?.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < GONE_WITHIN, "kafka: the topics are still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
