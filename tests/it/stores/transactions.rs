//! How transactions are sent: several statements in one message, and nobody else's answer for
//! whoever has the connection next.

use std::time::Duration;

use futures_util::{pin_mut, poll};
use plaza::ids::{Id, UserId};
use plaza::stores::StoreError;
use plaza::stores::postgres::commit::Last;
use plaza::stores::postgres::idempotency_keys::{self as keys, Answer, Key};
use plaza::stores::postgres::outbox::NewRows;
use plaza::stores::postgres::{Cluster, ShardIndex, Transaction};
use serde_json::json;
use tokio::time::Instant;

use crate::app::{TestApp, with_server};
use crate::template::session;

const SHARD: ShardIndex = ShardIndex(0);

/// One connection, which has prepared nothing yet.
fn narrow(app: &TestApp) -> Cluster {
    let mut config = app.app.config.postgres.clone();
    config.primary_pool = 1;
    Cluster::new(&config).unwrap()
}

fn key(name: &str) -> Key<'_> {
    Key { user: UserId::from_i64(7), name, operation: "postLike", payload_hash: b"x" }
}

fn message(topic: &'static str) -> NewRows {
    let mut rows = NewRows::default();
    rows.push(1, topic, "key".to_owned(), "{}".to_owned());
    rows
}

async fn reserved(cluster: &Cluster) -> Transaction {
    cluster.reserve(SHARD, Instant::now() + Duration::from_secs(30)).await.unwrap()
}

async fn count(app: &TestApp, query: &str) -> i64 {
    let primary = &app.app.config.postgres.shards[SHARD.0].primary;
    session(primary).await.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_together_is_one_transaction_and_two_waits() {
    with_server(async |app| {
        let cluster = narrow(app);
        // The first time all of them are prepared on the way, the second time none.
        for name in ["first", "second"] {
            let (trips, statements) = (cluster.trips(), cluster.statements());
            let transaction = reserved(&cluster).await;
            let taken = transaction.begin(keys::take(&transaction, &key(name))).await.unwrap();
            assert!(taken.unwrap());
            let (answer, messages) = (json!({ "value": name, "effects": {} }), message("posts"));
            let user = UserId::from_i64(7);
            let last = Last::Answer(Answer { user, name, answer: &answer, messages: &messages });
            let position = transaction.commit_with(last).await.unwrap();
            assert!(position.is_some());
            assert_eq!((cluster.trips() - trips, cluster.statements() - statements), (2, 5));
        }
        let together = "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM idempotency_keys UNION ALL SELECT xmin FROM outbox) AS rows";
        assert_eq!(count(app, together).await, 2, "each key is in its messages' transaction");
        let stored = "SELECT count(*) FROM idempotency_keys JOIN outbox ON true WHERE answer ->> 'value' IN ('first', 'second')";
        assert_eq!(count(app, stored).await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_statement_that_is_refused_takes_everything_back_and_is_known_to() {
    with_server(async |app| {
        let cluster = narrow(app);
        for name in ["first", "second"] {
            let transaction = reserved(&cluster).await;
            transaction.begin(keys::take(&transaction, &key(name))).await.unwrap().unwrap();
            // No text has such a character.
            let refused = transaction.commit_with(Last::Messages(&message("a\0"))).await;
            assert!(matches!(refused, Err(StoreError::Query(_))), "{refused:?}");
        }
        assert_eq!(count(app, "SELECT count(*) FROM idempotency_keys").await, 0);
        assert_eq!(count(app, "SELECT count(*) FROM outbox").await, 0);
        // The same connection, well.
        let again = reserved(&cluster).await;
        again.begin(keys::take(&again, &key("third"))).await.unwrap().unwrap();
        again.commit().await.unwrap();
        let ended = cluster.shard(SHARD).unwrap().connections_ended();
        assert_eq!(ended.map(|(_, ended)| ended).sum::<u64>(), 0);
        assert_eq!(count(app, "SELECT count(*) FROM idempotency_keys").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_amid_statements_leaves_no_answer_and_no_transaction_behind() {
    with_server(async |app| {
        let cluster = narrow(app);
        let first = reserved(&cluster).await;
        first.begin(std::future::ready(())).await.unwrap();
        first.commit().await.unwrap();
        for name in ["in its beginning", "in its end"] {
            let transaction = reserved(&cluster).await;
            let (one, other) = (key(name), key("another"));
            if name == "in its beginning" {
                let both = async {
                    futures_util::join!(
                        keys::take(&transaction, &one),
                        keys::take(&transaction, &other)
                    )
                };
                let left = transaction.begin(both);
                pin_mut!(left);
                assert!(poll!(&mut left).is_pending());
            } else {
                transaction.begin(keys::take(&transaction, &one)).await.unwrap().unwrap();
                let nothing = NewRows::default();
                let answer = json!({});
                let user = UserId::from_i64(7);
                let last = Last::Answer(Answer { user, name, answer: &answer, messages: &nothing });
                let left = transaction.commit_with(last);
                pin_mut!(left);
                assert!(poll!(&mut left).is_pending());
                continue;
            }
            drop(transaction);
            // Nobody waits for what they asked, and none of it is answered to anybody else.
            let next = reserved(&cluster).await;
            let taken = next.begin(keys::take(&next, &key("next"))).await.unwrap();
            assert!(taken.unwrap(), "{name}");
            next.rollback().await;
            app.until("nothing of it stays", async || {
                count(app, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'").await == 0
            })
            .await;
            assert_eq!(count(app, "SELECT count(*) FROM idempotency_keys").await, 0);
        }
        let next = reserved(&cluster).await;
        let found = next.begin(keys::lock(&next, UserId::from_i64(8), "nobody's")).await.unwrap();
        assert!(found.unwrap().is_none());
        next.commit().await.unwrap();
    })
    .await;
}
