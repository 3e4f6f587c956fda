//! Buckets moved between shards: everything is there afterwards, once, and nothing else.

use plaza::app::App;
use plaza::clock::Clock;
use plaza::stores::postgres::ShardIndex;
use plaza::stores::postgres::identity::WrongShard;
use plaza::stores::postgres::migrations::{ensure_map, load_map};
use plaza::stores::postgres::moving::{OWN, deal, keep_out, moved_tables};
use plaza::stores::postgres::strangers::{Strangers, strangers};
use serde_json::json;

use crate::app::{Person, TestApp, with_app, with_server};
use crate::template::session;

/// Rows of the tables that belong to buckets, over all shards.
async fn rows(app: &TestApp) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in [
        "users",
        "handle_claims",
        "email_claims",
        "posts",
        "post_counts",
        "likes",
        "comments",
        "follows",
        "followers",
        "orders",
        "payments",
    ] {
        counts.push((table, app.count(&format!("SELECT count(*) FROM {table}")).await));
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_known_to_the_mover() {
    with_app(async |app| {
        let known: Vec<String> = moved_tables().chain(OWN.iter().copied()).map(|table| format!("'{table}'")).collect();
        let forgotten = format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ({})",
            known.join(",")
        );
        assert_eq!(app.count(&forgotten).await, 0, "a table that moving buckets would leave behind: name it in stores/postgres/moving.rs");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_emptied_and_filled_again_and_nothing_is_lost() {
    with_app(async |app| {
        let people =
            futures_util::future::join_all((0..12).map(|number| async move { app.sign_up(&format!("person{number}")).await })).await;
        let mut posts = Vec::new();
        for pair in people.windows(2) {
            app.follow(&pair[0], &pair[1]).await;
            posts.push(app.post(&pair[1], "moves").await);
        }
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { id } userErrors { code } } }";
        for post in &posts {
            app.ask(&people[0], like, json!({ "id": post })).await;
        }
        app.until("everything is sent and counted", async || {
            let unsent = app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await;
            let counted = app.count("SELECT count(*) FROM post_counts WHERE like_count = 1").await;
            unsent == 0 && counted == 11
        })
        .await;
        let before = rows(app).await;
        let (domain, config) = (&app.app.domain, &app.app.config.postgres);
        let three = deal(config, 3, |_, _| ()).await.unwrap();
        assert!(three.rows > 0 && three.map.buckets_of(3).is_empty());
        assert_eq!(rows(app).await, before);
        assert_eq!(load_map(&domain.cluster).await.unwrap(), three.map);

        // A process that starts now works by the new map.
        app.beside_another_server(async |url| {
            let query = "query($id: ID!) { node(id: $id) { ... on Post { text likeCount author { id } } } }";
            for (post, person) in posts.iter().zip(&people[1..]) {
                let asked = json!({ "query": query, "variables": { "id": post } });
                app.until("the post is read where it is now", async || {
                    let answer = app.http().post(url).json(&asked).send().await.expect("an answer");
                    let answer: serde_json::Value = answer.json().await.expect("JSON");
                    let node = &answer["data"]["node"];
                    node["text"] == "moves" && node["likeCount"] == 1 && node["author"]["id"] == person.id.as_str()
                })
                .await;
            }
        })
        .await;

        // Back again, as if shard 3 were new: it is told the map in force, and gets its share.
        app.execute("DELETE FROM shard_maps WHERE version = 1").await;
        assert_eq!(ensure_map(config).await.unwrap(), 2);
        let four = deal(config, 4, |_, _| ()).await.unwrap();
        assert_eq!((four.map.version, four.map.buckets_of(3).len(), rows(app).await), (3, 256, before.clone()));
        // Once more moves nothing: so is finished what broke off after the map was in force.
        let again = deal(config, 4, |_, _| ()).await.unwrap();
        assert_eq!((again.rows, again.map, rows(app).await), (0, four.map, before));
    })
    .await;
}

/// Rows of every table there is, shard by shard.
async fn rows_by_shard(app: &TestApp) -> Vec<Vec<(String, i64)>> {
    let tables = moved_tables().chain(OWN.iter().copied());
    let counts: Vec<String> =
        tables.map(|table| format!("SELECT '{table}', count(*) FROM {table}")).collect();
    let query = format!("{} ORDER BY 1", counts.join(" UNION ALL "));
    let mut shards = Vec::new();
    for urls in &app.app.config.postgres.shards {
        let rows = session(&urls.primary).await.query(&query, &[]).await.unwrap();
        shards.push(rows.iter().map(|row| (row.get(0), row.get(1))).collect());
    }
    shards
}

/// By the map alone every row of both would be a stranger where it is.
#[tokio::test(flavor = "multi_thread")]
async fn shards_whose_addresses_are_exchanged_or_who_do_not_know_themselves_are_not_dealt_out() {
    with_server(async |app| {
        ensure_map(&app.app.config.postgres).await.unwrap();
        let people = (0..12).map(|number| async move {
            let person = app.sign_up(&format!("person{number}")).await;
            app.post(&person, "stays").await;
        });
        futures_util::future::join_all(people).await;
        let before = rows_by_shard(app).await;
        let users = before.iter().flatten().filter(|row| row.0 == "users" && row.1 > 0);
        assert!(users.count() > 1, "{before:?}");
        let mut config = app.app.config.postgres.clone();
        config.shards.swap(0, 1);
        for shards in [4, 3] {
            let refused = deal(&config, shards, |_, _| ()).await.unwrap_err();
            let wrong = refused.downcast_ref::<WrongShard>();
            assert_eq!(wrong, Some(&WrongShard::Exchanged { entry: 0, shard: 1 }), "{refused:#}");
            assert_eq!(rows_by_shard(app).await, before);
        }
        config.shards.swap(0, 1);
        let last = session(&config.shards[3].primary).await;
        last.batch_execute("DELETE FROM shard_identity").await.unwrap();
        let refused = deal(&config, 3, |_, _| ()).await.unwrap_err();
        let wrong = refused.downcast_ref::<WrongShard>();
        assert_eq!(wrong, Some(&WrongShard::Unknown { entry: 3 }), "{refused:#}");
        ensure_map(&config).await.unwrap();
        assert_eq!(rows_by_shard(app).await, before);
    })
    .await;
}

const MOVING: &str = "SELECT count(*) FROM shard_maps WHERE moving_since IS NOT NULL";

/// What a server answers each of these people who posts something.
async fn codes(app: &TestApp, people: &[Person]) -> Vec<String> {
    let post = "mutation { postCreate(input: {text: \"meanwhile\"}) { userErrors { code } } }";
    let asked = people.iter().map(async |person| {
        let authorization = format!("Bearer {}", person.token);
        let answer = app.send(&[("authorization", &authorization)], post, json!({})).await;
        let code = &answer.body["errors"][0]["extensions"]["code"];
        code.as_str().unwrap_or("OK").to_owned()
    });
    futures_util::future::join_all(asked).await
}

/// Whoever starts while buckets are moved, or has read the old map just before, is refused, before
/// and after the new map is in force; who starts then works by it, and nothing that was
/// acknowledged is lost.
#[tokio::test(flavor = "multi_thread")]
async fn who_starts_while_buckets_are_moved_is_refused_and_nothing_acknowledged_is_lost() {
    with_server(async |app| {
        let config = app.app.config.as_ref();
        ensure_map(&config.postgres).await.unwrap();
        let people =
            (0..12).map(|number| async move { app.sign_up(&format!("person{number}")).await });
        let people = futures_util::future::join_all(people).await;
        let written = "SELECT count(*) FROM posts WHERE text = 'meanwhile'";
        let refused = vec!["SHARD_UNAVAILABLE"; people.len()];

        // It has read the map, and has written nothing yet.
        app.beside_another_server(async |url| {
            let early = app.at(url.to_owned());
            let starting = App::build(config.clone(), Clock::System).await.unwrap();
            let held = session(&config.postgres.shards[0].primary).await;
            held.batch_execute("BEGIN; LOCK TABLE users IN SHARE MODE").await.unwrap();
            let meanwhile = async {
                app.until("buckets are being moved", async || app.count(MOVING).await == 4).await;
                let error = App::build(config.clone(), Clock::System).await.unwrap_err();
                assert!(error.to_string().contains("buckets are being moved"), "{error:#}");
                assert_eq!(codes(&early, &people).await, refused);
                for index in starting.domain.cluster.indexes() {
                    let shard = starting.domain.cluster.shard(index).unwrap();
                    assert!(shard.direct().await.is_err_and(|error| error.is_transient()));
                }
                assert!(!starting.domain.cluster.map_is_old().is_cancelled());
                held.batch_execute("COMMIT").await.unwrap();
            };
            let dealt = Box::pin(deal(&config.postgres, 3, |_, _| ()));
            let (three, ()) = futures_util::future::join(dealt, Box::pin(meanwhile)).await;
            assert_eq!((three.unwrap().map.version, app.count(MOVING).await), (2, 0));

            assert_eq!(codes(&early, &people).await, refused);
            let shard = starting.domain.cluster.shard(ShardIndex(3)).unwrap();
            assert!(shard.direct().await.is_err_and(|error| error.is_transient()));
            let old = starting.domain.cluster.map_is_old();
            assert!(old.is_cancelled(), "it is to start again");
            assert_eq!(app.count(written).await, 0);
        })
        .await;

        app.beside_another_server(async |url| {
            let newer = app.at(url.to_owned());
            assert_eq!(codes(&newer, &people).await, vec!["OK"; people.len()]);
        })
        .await;
        assert_eq!(app.count(written).await, 12);
        let rows = strangers(&config.postgres).await.unwrap();
        let wrong: Vec<&Strangers> = rows.iter().filter(|row| row.strangers > 0).collect();
        assert!(wrong.is_empty() && rows.iter().any(|row| row.rows > 0), "{wrong:?}");
    })
    .await;
}

/// Nobody may be connected who has not seen that buckets are moved; then nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_not_moved_while_somebody_is_connected() {
    with_server(async |app| {
        let config = &app.app.config.postgres;
        ensure_map(config).await.unwrap();
        app.sign_up("ann").await;
        let refused = keep_out(config).await.unwrap_err().to_string();
        assert!(refused.contains("stop every role first"), "{refused}");
        assert_eq!(app.count(MOVING).await, 0);
        assert_eq!(load_map(&app.app.domain.cluster).await.unwrap().version, 1);
    })
    .await;
}
