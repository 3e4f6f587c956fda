//! What a process that hung can do when it wakes up, and what it holds meanwhile.

use diesel_async::SimpleAsyncConnection;
use plaza::outbox::Sink;
use plaza::stores::StoreError;
use plaza::stores::postgres::projections::{self, Position};
use plaza::stores::postgres::{ShardIndex, leases, outbox};
use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_marks_nothing_after_another_one_has_begun() {
    with_server(async |app| {
        let shard = app.app.domain.cluster.shard(ShardIndex(1)).unwrap();
        let mut connection = shard.direct().await.unwrap();
        let old = leases::begin(&mut connection, leases::RELAY).await.unwrap();
        let new = leases::begin(&mut connection, leases::RELAY).await.unwrap();
        assert_eq!(new, old + 1);

        let kafka = Sink::Kafka.code();
        let mut message = outbox::NewRows::default();
        message.push(kafka, "posts", "post:1".to_owned(), "{}".to_owned());
        outbox::insert(&connection, &message).await.unwrap();
        let unsent = outbox::unsent(&mut connection, kafka, 10).await.unwrap();
        let ids: Vec<i64> = unsent.iter().map(|row| row.id).collect();
        let since = unsent[0].created_at;
        let refused = outbox::mark_sent(&mut connection, old, &ids, since).await;
        assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
        assert_eq!(outbox::unsent(&mut connection, kafka, 10).await.unwrap().len(), ids.len());
        outbox::mark_sent(&mut connection, new, &ids, since).await.unwrap();
        assert!(outbox::unsent(&mut connection, kafka, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_moves_no_offset_after_another_process_has_begun() {
    with_server(async |app| {
        let shard = app.app.domain.cluster.shard(ShardIndex(1)).unwrap();
        let mut connection = shard.direct().await.unwrap();
        let lease = leases::of_projection("likes");
        let old = leases::begin(&mut connection, &lease).await.unwrap();
        let new = leases::begin(&mut connection, &lease).await.unwrap();
        let to = |next_offset| {
            let topic = "posts".to_owned();
            vec![Position { topic, partition: 3, next_offset, effects_offset: next_offset }]
        };
        let refused = projections::move_positions(&mut connection, ("likes", old), &to(9)).await;
        assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
        assert!(projections::positions(&mut connection, "likes").await.unwrap().is_empty());
        for next in [7, 5] {
            projections::move_positions(&mut connection, ("likes", new), &to(next)).await.unwrap();
        }
        let held = projections::positions(&mut connection, "likes").await.unwrap();
        assert_eq!(held[0].next_offset, 7, "never back");
    })
    .await;
}

/// A process that hangs within a transaction cannot end it; its server does.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_process_has_locked_that_hangs_are_let_go() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let cluster = &app.app.domain.cluster;
        let id: plaza::ids::UserId = plaza::graphql::ids::parse(&ann.id).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut hanging = cluster.begin(cluster.shard_of_id(id), deadline).await.unwrap();
        let lock = "UPDATE users SET bio = 'of one that hangs' WHERE handle = 'ann'";
        hanging.batch_execute(lock).await.unwrap();
        let change = "mutation { profileUpdate(input: {bio: \"later\"}) { userErrors { code } } }";
        // It waits for the row, and gets it.
        app.ask(&ann, change, json!({})).await;
        assert!(hanging.commit_unread().await.is_err());
        let bio = "SELECT count(*) FROM users WHERE bio = 'later'";
        assert_eq!(app.count(bio).await, 1);
    })
    .await;
}
