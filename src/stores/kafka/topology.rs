//! Topics.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::config::KafkaConfig;
use crate::protocol::routing::Topic;

/// The broker's name of a topic.
pub fn full_name(prefix: &str, topic: &str) -> String {
    format!("{prefix}.{topic}")
}

/// A client for administration.
///
/// # Errors
/// A configuration that librdkafka refuses.
pub fn admin(config: &KafkaConfig) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", &config.brokers).create()?)
}

/// Creates the topics that are not there.
///
/// # Errors
/// The broker is away, or refuses.
pub async fn ensure_topics(config: &KafkaConfig) -> anyhow::Result<()> {
    let names: Vec<String> = Topic::ALL.iter().map(|topic| full_name(&config.topic_prefix, topic.name())).collect();
    let topics: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(name, config.partitions, TopicReplication::Fixed(config.replication))
                // Read models are rebuilt from the first event, so none is ever dropped.
                .set("retention.ms", "-1")
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    for outcome in admin(config)?.create_topics(&topics, &options).await.context("kafka: cannot create topics")? {
        match outcome {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => anyhow::bail!("kafka: topic {topic}: {code}"),
        }
    }
    Ok(())
}
