//! The ledger: clean when all is well, and each kind of damage seen.

use plaza::cli::ledger::{Check, verify};
use serde_json::json;

use crate::app::{TestApp, with_app};

async fn checks(app: &TestApp) -> Vec<Check> {
    verify(&app.app.config).await.expect("the servers")
}

fn clean(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.waiting == 0 && check.wrong == 0)
}

async fn settle(app: &TestApp, what: &str) {
    app.until(what, async || clean(&checks(app).await)).await;
}

/// Runs a statement on every shard; how many rows it changed.
async fn change(app: &TestApp, statement: &str) -> i64 {
    app.count(&format!("WITH changed AS ({statement} RETURNING 1) SELECT count(*) FROM changed"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_is_clean_and_every_kind_of_damage_is_seen() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let post = app.post(&ann, "x").await;
        app.ask(&bob, "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }", json!({ "id": post })).await;
        // What counts are added up from: each way there and back.
        let again = "mutation($post: ID!, $ann: ID!) {
            undone: postUnlike(input: {postId: $post}) { userErrors { code } }
            redone: postLike(input: {postId: $post}) { userErrors { code } }
            commentCreate(input: {postId: $post, text: \"c\"}) { userErrors { code } }
            postRepost(input: {postId: $post}) { userErrors { code } }
            left: userUnfollow(input: {userId: $ann}) { userErrors { code } }
            back: userFollow(input: {userId: $ann}) { userErrors { code } } }";
        let done = app.ask(&bob, again, json!({ "post": post, "ann": ann.id })).await;
        assert_eq!(done.body.get("errors"), None, "{}", done.body);
        let offer = "mutation { productCreate(input: {title: \"t\", description: \"d\", price: {amount: \"100\", currency: \"EUR\"}, stock: 9}) {
            product { id } } }";
        let product = app.ask(&ann, offer, json!({})).await.text("/productCreate/product/id");
        let order = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 2}]}) { order { id } } }";
        app.ask(&bob, order, json!({ "id": product })).await;
        app.ask(&bob, "mutation($id: ID!) { postViewsRecord(input: {postIds: [$id]}) { recorded } }", json!({ "id": post })).await;
        app.until("the order is through", async || app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 1).await;
        app.until("the view is counted", async || app.count("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals").await == 1).await;
        settle(app, "the ledger is clean").await;
        assert!(checks(app).await.iter().all(|check| check.checked > 0 || check.law.starts_with("versions of")), "{:#?}", checks(app).await);

        // What is planted, what takes it away again, and the law that must see it.
        for (damage, repair, law) in [
            (
                "UPDATE post_counts SET like_count = like_count + 1",
                "UPDATE post_counts SET like_count = like_count - 1",
                "likes and comments of posts equal their rows",
            ),
            (
                "UPDATE user_counts SET post_count = 5 WHERE post_count = 1",
                "UPDATE user_counts SET post_count = 1 WHERE post_count = 5",
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
            let found = checks(app).await;
            let seen = found.iter().find(|check| check.law == law).unwrap_or_else(|| panic!("no law {law} in {found:#?}"));
            assert!(seen.wrong > 0 && seen.example.is_some(), "{damage}: {found:#?}");
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
            let found = checks(app).await;
            assert!(found.iter().any(|check| check.law == law && check.waiting > 0), "{damage}: {found:#?}");
            assert!(change(app, repair).await > 0, "{repair}");
            settle(app, law).await;
        }
    })
    .await;
}
