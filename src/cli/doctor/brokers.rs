//! Redis, RabbitMQ and Kafka.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::Wrong;
use plaza_config::{KafkaConfig, RabbitmqConfig, RedisConfig, redacted};
use plaza_protocol::routing::Topic;
use plaza_stores::kafka::topology::full_name;
use plaza_stores::rabbitmq as store;
use plaza_stores::redis::probe::probe;

/// Whether a client said that the host's name means nothing.
pub(super) fn unknown_host(said: &str) -> bool {
    [
        "lookup address",
        "Name or service not known",
        "No address associated",
        "nodename nor servname",
    ]
    .iter()
    .any(|words| said.contains(words))
}

pub(super) async fn redis(config: &RedisConfig, timeout: Duration) -> Result<String, Wrong> {
    let state = probe(&config.url, timeout / 2).await.map_err(|error| {
        let said = error.to_string();
        let refused = ["WRONGPASS", "NOAUTH", "AuthenticationFailed", "authentication"]
            .iter()
            .any(|word| said.contains(word));
        let remedy = if refused {
            "correct the user or password in redis.url"
        } else if unknown_host(&said) {
            "correct the host in redis.url: no machine has that name"
        } else {
            "start it (locally: `make up`), or correct redis.url"
        };
        Wrong::new(format!("{}: {said}", redacted(&config.url)), remedy)
    })?;
    if state.persists == Some(true) {
        return Err(Wrong::new(
            "it keeps data on disk: after a crash it would come back with timelines that lack what was appended since",
            "set `save \"\"` and `appendonly no`",
        ));
    }
    Ok("answers".to_owned())
}

pub(super) async fn rabbitmq(config: &RabbitmqConfig) -> Result<String, Wrong> {
    let connection = store::connect(&config.url, "plaza doctor").await.map_err(|error| {
        let said = error.to_string();
        let remedy = if said.contains("ACCESS_REFUSED") || said.contains("ACCESS-REFUSED") {
            "correct the user or password in rabbitmq.url"
        } else if said.contains("NOT_ALLOWED") || said.contains("NOT-ALLOWED") {
            "create the vhost and let the user in, or correct rabbitmq.url"
        } else if unknown_host(&said) {
            "correct the host in rabbitmq.url: no machine has that name"
        } else {
            "start it (locally: `make up`), or correct rabbitmq.url"
        };
        Wrong::new(format!("{}: {said}", redacted(&config.url)), remedy)
    })?;
    if let Err(error) = connection.close(200, "bye".into()).await {
        tracing::debug!(%error, "the connection did not close in order");
    }
    Ok("lets us in".to_owned())
}

pub(super) async fn kafka(config: &KafkaConfig, timeout: Duration) -> Result<String, Wrong> {
    // Its client only ever says that a broker is not there.
    for broker in config.brokers.split(',') {
        if let Err(error) = tokio::net::lookup_host(broker.trim()).await {
            return Err(Wrong::new(
                format!("{broker}: {error}"),
                "correct the host in kafka.brokers: no machine has that name",
            ));
        }
    }
    let (asked, brokers) = (config.clone(), config.brokers.clone());
    let metadata = tokio::task::spawn_blocking(move || {
        let client: rdkafka::consumer::BaseConsumer =
            plaza_stores::kafka::client::client(&asked).create()?;
        let metadata = client.fetch_metadata(None, timeout)?;
        let held = |topic: &Topic| {
            let name = full_name(&asked.topic_prefix, topic.name());
            metadata
                .topics()
                .iter()
                .any(|held| held.name() == name && !held.partitions().is_empty())
        };
        let missing: Vec<String> = Topic::ALL
            .iter()
            .filter(|topic| !held(topic))
            .map(|topic| full_name(&asked.topic_prefix, topic.name()))
            .collect();
        Ok::<_, rdkafka::error::KafkaError>((metadata.brokers().len(), missing))
    })
    .await;
    match metadata {
        Ok(Ok((count, missing))) if missing.is_empty() => {
            Ok(format!("brokers: {count}, topics: {}", Topic::ALL.len()))
        }
        Ok(Ok((_, missing))) => {
            Err(Wrong::new(format!("no topic {}", missing.join(", ")), "run `plaza migrate`"))
        }
        Ok(Err(error)) => Err(Wrong::new(
            format!("{brokers}: {error}"),
            "start it (locally: `make up`), or correct kafka.brokers",
        )),
        Err(error) => Err(Wrong::new(error, "this is plaza's own fault: report it")),
    }
}
