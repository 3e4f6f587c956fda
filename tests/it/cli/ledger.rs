//! The ledger: clean when all is well, and each kind of damage seen.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use clap::ValueEnum;
use plaza::cli::ledger::{Check, Cursors, Scope, Stores, Wound, apply, hourly, wound};
use plaza::domain::timelines;
use plaza::ids::UserId;
use serde_json::json;

use crate::app::{Person, TestApp, with_app};
use crate::graphql::images;
use crate::wait;

/// All laws, to what has just happened too.
async fn checks(app: &TestApp) -> Vec<Check> {
    let stores = Stores::open(&app.app.config).await.expect("the servers");
    let mut scope = Scope { settled: Duration::ZERO, ..Scope::whole() };
    apply(&stores, &mut scope).await.expect("the servers")
}

fn clean(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.waiting == 0 && check.wrong == 0)
}

/// The names of the laws that do not hold.
fn broken(checks: &[Check]) -> BTreeSet<&'static str> {
    let broken = checks.iter().filter(|check| check.waiting > 0 || check.wrong > 0);
    broken.map(|check| check.name).collect()
}

async fn settle(app: &TestApp, what: &str) {
    app.until(what, async || clean(&checks(app).await)).await;
}

/// Runs a statement on every shard; how many rows it changed.
async fn change(app: &TestApp, statement: &str) -> i64 {
    app.count(&format!("WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed"))
        .await
}

/// Waits until the laws that do not hold are these, and each names an example.
async fn until_broken(app: &TestApp, what: &str, laws: &[&'static str]) {
    let laws: BTreeSet<&'static str> = laws.iter().copied().collect();
    let last = Mutex::new(BTreeSet::new());
    let seen = wait::holds(async || {
        let found = checks(app).await;
        let named = found.iter().all(|check| check.wrong == 0 || check.example.is_some());
        assert!(named, "{what}: {found:#?}");
        last.lock().unwrap().clone_from(&broken(&found));
        broken(&found) == laws
    });
    assert!(seen.await, "{what}: {:?} do not hold, not {laws:?}", last.lock().unwrap());
}

/// Something of each kind that the ledger compares: bob, who follows ann, likes, shares and buys
/// what she posts and sells, and has it in his home.
async fn scene(app: &TestApp) -> (Person, Person) {
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    app.follow(&bob, &ann).await;
    app.until("ann's shard knows bob", async || {
        app.count("SELECT count(*) FROM followers WHERE active").await == 1
    })
    .await;
    app.home(&bob, 10).await;
    let image = images::ready(app, &ann, "a picture", "POST").await;
    let write = "mutation($ids: [ID!]!) { postCreate(input: {text: \"x\", imageIds: $ids}) {
        post { id } } }";
    let post = app.ask(&ann, write, json!({ "ids": [image] })).await.text("/postCreate/post/id");
    // What counts are added up from: each way there and back.
    let again = "mutation($post: ID!, $ann: ID!) {
        done: postLike(input: {postId: $post}) { userErrors { code } }
        undone: postUnlike(input: {postId: $post}) { userErrors { code } }
        redone: postLike(input: {postId: $post}) { userErrors { code } }
        commentCreate(input: {postId: $post, text: \"c\"}) { userErrors { code } }
        postRepost(input: {postId: $post}) { userErrors { code } }
        left: userUnfollow(input: {userId: $ann}) { userErrors { code } }
        back: userFollow(input: {userId: $ann}) { userErrors { code } } }";
    let done = app.ask(&bob, again, json!({ "post": post, "ann": ann.id })).await;
    assert_eq!(done.body.get("errors"), None, "{}", done.body);
    let offer = "mutation { productCreate(input: {title: \"t\", description: \"d\",
        price: {amount: \"100\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
    let product = app.ask(&ann, offer, json!({})).await.text("/productCreate/product/id");
    let order = "mutation($id: ID!) {
        orderPlace(input: {lines: [{productId: $id, quantity: 2}]}) { order { id } } }";
    app.ask(&bob, order, json!({ "id": product })).await;
    let view = "mutation($id: ID!) { postViewsRecord(input: {postIds: [$id]}) { recorded } }";
    app.ask(&bob, view, json!({ "id": post })).await;
    app.until("the order is through", async || {
        app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 1
    })
    .await;
    app.until("the view is counted", async || {
        app.count("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals").await == 1
    })
    .await;
    settle(app, "the ledger is clean").await;
    // A timeline from after all that, and a post that was pushed to it.
    app.home(&bob, 10).await;
    app.post(&ann, "y").await;
    settle(app, "the post is everywhere").await;
    (ann, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_is_clean_and_every_kind_of_damage_is_seen() {
    with_app(async |app| {
        scene(app).await;
        let whole = checks(app).await;
        let unused = ["avatars", "jobs", "orders"];
        let compared = |check: &Check| check.checked > 0 || unused.contains(&check.name)
            || check.name == "projections" || check.name == "versions";
        assert!(whole.iter().all(compared), "{whole:#?}");

        // What is planted, what takes it away again, and the law that must see it.
        for (damage, repair, law) in [
            (
                "UPDATE post_counts SET like_count = like_count + 1",
                "UPDATE post_counts SET like_count = like_count - 1",
                "likes and comments of posts equal their rows",
            ),
            (
                "UPDATE user_counts SET post_count = 5 WHERE post_count = 2",
                "UPDATE user_counts SET post_count = 2 WHERE post_count = 5",
                "posts and follows of people equal their rows",
            ),
            (
                "UPDATE product_sales SET amount = amount * 2",
                "UPDATE product_sales SET amount = amount / 2",
                "sales of products by the minute equal their rows",
            ),
            (
                "INSERT INTO followers (followee_id, follower_id, follow_id, active) SELECT 1, 2, 3, true FROM follows",
                "DELETE FROM followers WHERE followee_id = 1",
                "follows are the same on both sides",
            ),
            (
                // An event applied that nobody sent: one applied twice.
                "UPDATE projection_versions SET version = version + 1 WHERE projection = 'post_counts'",
                "UPDATE projection_versions SET version = version - 1 WHERE projection = 'post_counts'",
                "versions of post_counts are the log's newest",
            ),
            (
                "UPDATE posts SET version = version + 1",
                "UPDATE posts SET version = version - 1",
                "versions of rows are the log's newest",
            ),
            (
                // Marked as sent, and never sent: lost.
                "INSERT INTO outbox (sink, topic, key, payload, sent_at) SELECT 1, 'posts', 'post:77', '{\"version\": 1}', now() FROM posts",
                "DELETE FROM outbox WHERE key = 'post:77'",
                "events marked as sent are in Kafka",
            ),
            (
                "UPDATE view_totals SET counted = counted + 1 WHERE counted = 1",
                "UPDATE view_totals SET counted = counted - 1 WHERE counted = 2",
                "records of views are counted, late or unreadable, each once",
            ),
            (
                // On every shard, and so on three that it does not belong to.
                "INSERT INTO handle_claims (handle, user_id) VALUES ('stranger', 1)",
                "DELETE FROM handle_claims WHERE handle = 'stranger'",
                "rows are on the shards of their buckets",
            ),
            (
                "UPDATE view_windows SET views = views + 1 WHERE kind = 1",
                "UPDATE view_windows SET views = views - 1 WHERE kind = 1",
                "views in windows are those counted",
            ),
        ] {
            assert!(change(app, damage).await > 0, "{damage}");
            // A replica may not have it yet.
            app.until(law, async || {
                let found = checks(app).await;
                let seen = found.iter().find(|check| check.law == law);
                let seen = seen.unwrap_or_else(|| panic!("no law {law} in {found:#?}"));
                seen.wrong > 0 && seen.example.is_some()
            })
            .await;
            assert!(change(app, repair).await > 0, "{repair}");
            settle(app, law).await;
        }
        // What is not wrong but has not arrived: an order nobody works on, an event not applied.
        for (damage, repair, law) in [
            (
                "UPDATE orders SET status = 'PENDING'",
                "UPDATE orders SET status = 'CONFIRMED'",
                "orders have ended, or lie in the dead letters",
            ),
            (
                "UPDATE projection_versions SET version = version - 1 WHERE projection = 'notifications'",
                "UPDATE projection_versions SET version = version + 1 WHERE projection = 'notifications'",
                "versions of notifications are the log's newest",
            ),
        ] {
            assert!(change(app, damage).await > 0, "{damage}");
            app.until(law, async || {
                checks(app).await.iter().any(|check| check.law == law && check.waiting > 0)
            })
            .await;
            assert!(change(app, repair).await > 0, "{repair}");
            settle(app, law).await;
        }
    })
    .await;
}

/// Tables that wounds change.
const WOUNDED: [&str; 13] = [
    "payments",
    "orders",
    "products",
    "product_sales",
    "notifications",
    "likes",
    "comments",
    "post_counts",
    "user_counts",
    "share_counts",
    "followers",
    "posts",
    "images",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_wound_breaks_its_laws_and_no_other() {
    with_app(async |app| {
        let (ann, bob) = scene(app).await;
        let stores = Stores::open(&app.app.config).await.expect("the servers");
        let mut save = "CREATE SCHEMA saved;".to_owned();
        let mut heal = String::new();
        for table in WOUNDED {
            save.push_str(&format!("CREATE TABLE saved.{table} AS TABLE {table};"));
            heal.push_str(&format!("DELETE FROM {table};"));
            heal.push_str(&format!("INSERT INTO {table} SELECT * FROM saved.{table};"));
        }
        app.execute(&save).await;
        // The last one, since nothing brings a file back.
        let (mut wounds, last): (Vec<Wound>, Vec<Wound>) =
            Wound::value_variants().iter().partition(|wound| **wound != Wound::File);
        wounds.extend(last);
        for kind in wounds {
            let damaged = wound(&stores, kind).await.unwrap_or_else(|error| panic!("{error}"));
            until_broken(app, &format!("{kind:?}: {damaged}"), kind.breaks()).await;
            if kind == Wound::File {
                break;
            }
            app.execute(&heal).await;
            for person in [&ann, &bob] {
                let user: UserId = plaza::graphql::ids::parse(&person.id).unwrap();
                timelines::forget(&app.app.domain, user).await.expect("redis");
                app.home(person, 10).await;
            }
            settle(app, &format!("healed: {kind:?}")).await;
        }
        app.execute("DROP SCHEMA saved CASCADE").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_itself_reads_a_part_and_the_next_one_goes_on_there() {
    with_app(async |app| {
        scene(app).await;
        let mut config = app.app.config.as_ref().clone();
        config.ledger.rows = 1;
        let stores = Stores::open(&config).await.expect("the servers");
        let report = hourly::once(&stores, Cursors::default()).await.expect("a run");
        assert!(report.laws.iter().all(|law| law.broken == 0), "{report:#?}");
        let checked = |report: &plaza::stores::postgres::ledger::runs::Report, name: &str| {
            report.laws.iter().find(|law| law.name == name).map(|law| law.checked)
        };
        let shards = i64::try_from(config.postgres.shards.len()).unwrap();
        assert!(checked(&report, "post_counts").is_some_and(|checked| checked <= shards));
        assert!(!report.cursors.is_empty(), "there is more than one row of something");
        // Through all of it, a row at a time, until every law begins anew.
        let mut last = report;
        for _ in 0..20 {
            let cursors = Cursors(last.cursors.clone());
            last = hourly::once(&stores, cursors).await.expect("a run");
            if last.cursors.keys().all(|key| !key.starts_with("post_counts/")) {
                break;
            }
        }
        assert!(last.cursors.keys().all(|key| !key.starts_with("post_counts/")), "{last:#?}");

        wound(&stores, Wound::Stock).await.expect("a product");
        config.ledger.rows = 1_000;
        let stores = Stores::open(&config).await.expect("the servers");
        app.until("the run finds it", async || {
            let report = hourly::once(&stores, Cursors::default()).await.expect("a run");
            let law = report.laws.iter().find(|law| law.name == "stock").unwrap();
            law.broken == 1 && law.example.as_ref().is_some_and(|name| name.contains("product"))
        })
        .await;
    })
    .await;
}
