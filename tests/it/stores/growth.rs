//! What grows: docs/operations.md names all of it, with who deletes from it; and what has a bound
//! is held to it.

use std::collections::BTreeSet;

use plaza::ids::{Bucket, compose};
use plaza::jobs::old_notifications::sweep;
use plaza::protocol::routing::{Queue, Topic};

use crate::app::with_app;
use crate::layers::source;
use crate::template::session;

/// The names in the first column of the table that begins so.
fn listed(table: &str) -> BTreeSet<String> {
    let path = source().parent().unwrap().join("docs/operations.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("\n## What grows\n").nth(1).expect("a section");
    let rows = section.split(&format!("| {table} |")).nth(1).expect("a table");
    let rows = rows.split("\n\n").next().unwrap();
    let first = rows.lines().filter_map(|row| row.strip_prefix("| `")?.split(" | ").next());
    first
        .flat_map(|names| names.split('`').step_by(2))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_listed_with_its_bound() {
    with_app(async |app| {
        let client = session(&app.app.config.postgres.shards[0].primary).await;
        let query = "SELECT table_name::text FROM information_schema.tables
                     WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
                       AND table_name !~ '^outbox_[0-9]{8}$'";
        let tables = client.query(query, &[]).await.unwrap();
        let tables: BTreeSet<String> = tables.iter().map(|row| row.get(0)).collect();
        let mut expected = listed("tables");
        if !tables.contains("seeded_chunks") {
            expected.remove("seeded_chunks");
        }
        assert_eq!(tables, expected, "docs/operations.md, What grows");
    })
    .await;
}

#[test]
fn every_topic_and_every_queue_is_listed() {
    let topics: BTreeSet<String> = Topic::ALL.iter().map(|topic| topic.name().to_owned()).collect();
    assert_eq!(topics, listed("topics in Kafka"));
    let queues = Queue::ALL.iter().map(|queue| queue.name().to_owned());
    let queues: BTreeSet<String> =
        queues.chain(["*.retry.*", "*.dead"].map(str::to_owned)).collect();
    assert_eq!(queues, listed("queues in RabbitMQ"));
}

#[test]
fn every_family_of_keys_is_listed() {
    let keys = std::fs::read_to_string(source().join("stores/redis/keys.rs")).unwrap();
    let families: BTreeSet<String> = keys
        .split("format!(\"{}:")
        .skip(1)
        .filter_map(|rest| rest.split([':', '"']).next())
        .map(str::to_owned)
        .collect();
    assert!(families.len() > 10, "{families:?}");
    assert_eq!(families, listed("keys in Redis"));
}

#[tokio::test(flavor = "multi_thread")]
async fn read_notifications_are_deleted_and_unread_ones_stay_up_to_a_number() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let user: plaza::ids::UserId = plaza::graphql::ids::parse(&ann.id).unwrap();
        let clock = &app.app.domain.clock;
        let id = |days: i64, number: u16| {
            compose(clock.now_ms() - days * 86_400_000, Bucket::new(0), number)
        };
        // Of each age, from 200 days to today.
        let mut rows = String::new();
        for (days, number) in [(200, 1), (200, 2), (100, 3), (50, 4), (20, 5), (0, 6)] {
            rows.push_str(&format!(
                "INSERT INTO notifications (id, user_id, kind, actor_id, subject_id)
                 SELECT {}, {user}, 'COMMENTED', 1, {number} FROM users WHERE id = {user};",
                id(days, number)
            ));
        }
        app.execute(&rows).await;
        let left =
            async || app.count("SELECT count(*) FROM notifications WHERE kind = 'COMMENTED'").await;
        let mut config = app.app.config.notifications;
        assert_eq!(sweep(&app.app.domain.cluster, config, clock).await.unwrap(), 0, "unread");
        assert_eq!(left().await, 6);

        // Up to the one that is 50 days old.
        app.execute(&format!(
            "INSERT INTO notification_settings (user_id, read_up_to)
             SELECT id, {} FROM users WHERE id = {user}",
            id(50, 4)
        ))
        .await;
        assert_eq!(sweep(&app.app.domain.cluster, config, clock).await.unwrap(), 3);
        assert_eq!(left().await, 3, "those of 50, 20 and 0 days");

        config.most = 1;
        assert_eq!(sweep(&app.app.domain.cluster, config, clock).await.unwrap(), 1);
        assert_eq!(left().await, 2, "one that is older than eight days, and today's");
        assert_eq!(sweep(&app.app.domain.cluster, config, clock).await.unwrap(), 0);
    })
    .await;
}
