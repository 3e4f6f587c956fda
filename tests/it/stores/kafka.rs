//! Reading the event log.

use std::sync::Arc;
use std::time::Duration;

use plaza::protocol::routing::Topic;
use plaza::stores::kafka::consumer::EventConsumer;
use plaza::stores::kafka::producer::{EventProducer, Message};
use plaza::stores::kafka::views::ViewProducer;

use crate::app::with_roles;

/// Events trickle in while the reader keeps giving up waiting: whatever moment it gives up at, it
/// must not lose what it had begun to take.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_waiting_loses_nothing() {
    const EVENTS: usize = 400;
    with_roles(&[], async |app| {
        let config = &app.app.config.kafka;
        let consumer = Arc::new(EventConsumer::new(config, "test", &[Topic::Users]).unwrap());
        let asking = Arc::clone(&consumer);
        let partitions = tokio::task::spawn_blocking(move || asking.partitions(crate::wait::LIMIT))
            .await
            .unwrap()
            .unwrap();
        consumer
            .assign(&partitions.into_iter().map(|partition| (partition, 0)).collect::<Vec<_>>())
            .unwrap();
        let producer = EventProducer::new(config).unwrap();
        let write = async {
            for number in 0..EVENTS {
                let payload = number.to_string();
                producer
                    .publish(&[Message {
                        topic: Topic::Users.name(),
                        key: "one",
                        payload: &payload,
                    }])
                    .await
                    .unwrap();
            }
        };
        let read = async {
            let mut seen: Vec<usize> = Vec::new();
            while seen.len() < EVENTS {
                let records = consumer.batch(1_000, Duration::from_micros(700)).await.unwrap();
                seen.extend(records.iter().map(|record| {
                    std::str::from_utf8(&record.payload).unwrap().parse::<usize>().unwrap()
                }));
                assert!(
                    seen.iter().enumerate().all(|(place, number)| place == *number),
                    "lost one before {:?}",
                    seen.last()
                );
            }
        };
        let both = futures_util::future::join(write, read);
        tokio::time::timeout(crate::wait::LIMIT, both).await.expect("every event arrives");
    })
    .await;
}

/// With Kafka away views go into a queue in memory until it is full, and are dropped and counted
/// from then on; whoever tells of one never waits.
#[test]
fn views_are_dropped_and_counted_when_kafka_is_away() {
    use plaza::ids::{Id, PostId, UserId};
    let config = serde_json::json!({ "brokers": "127.0.0.1:1", "topic_prefix": "unavailable" });
    let config: plaza::config::KafkaConfig = serde_json::from_value(config).unwrap();
    let producer = ViewProducer::new(&config).unwrap();
    let view = plaza::protocol::views::View {
        post_id: PostId::from_i64(1),
        author_id: UserId::from_i64(2),
        viewer: 3,
        at_ms: 4,
    };
    let taken = (0..250_000).filter(|_| producer.offer(&view)).count();
    assert!((1..250_000).contains(&taken), "{taken} were taken");
    assert!(producer.fates().dropped() >= 250_000 - u64::try_from(taken).unwrap());
    assert_eq!(producer.fates().acknowledged(), 0);
}
