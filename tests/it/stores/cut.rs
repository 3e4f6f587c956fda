//! A cut of all shards, and what a shard needs after a restore to one.

use plaza::cli::ledger::{Check, verify};
use plaza::config::PostgresConfig;
use plaza::stores::postgres::cut::Cutter;
use plaza::stores::postgres::restoring::Restored;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{TestApp, config_file, with_app, with_server};
use crate::template::session;

/// The same databases as PostgreSQL's superuser: restore points are nobody else's to make. `None`
/// where a clone is older than that user.
fn as_superuser(app: &TestApp) -> Option<PostgresConfig> {
    let file = config_file().with_file_name("config").join("superuser-password");
    let password = std::fs::read_to_string(file).ok()?;
    let mut config = app.app.config.postgres.clone();
    for urls in &mut config.shards {
        let address = urls.primary.expose_secret().rsplit_once('@').unwrap().1.to_owned();
        urls.primary = format!("postgres://postgres:{}@{address}", password.trim()).into();
    }
    Some(config)
}

/// Transactions that wait for a lock of the outbox, over all shards.
async fn waiting(app: &TestApp) -> i64 {
    app.count(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_outboxes_are_held_mutations_wait_and_reads_do_not() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let mut holders = Vec::new();
        for urls in &app.app.config.postgres.shards {
            let holder = session(&urls.primary).await;
            holder.batch_execute("BEGIN; SELECT outbox_hold()").await.unwrap();
            holders.push(holder);
        }
        let posting = app.post(&ann, "held");
        let letting_go = async {
            app.until("the post waits", async || waiting(app).await == 1).await;
            let unsent = "SELECT count(*) FROM outbox WHERE sent_at IS NULL";
            assert!(app.count(unsent).await >= 1, "an outbox is read meanwhile");
            assert_eq!(app.count("SELECT count(*) FROM posts").await, 0);
            for holder in &holders {
                holder.batch_execute("COMMIT").await.unwrap();
            }
        };
        tokio::join!(posting, letting_go);
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_names_a_moment_of_every_shard_and_waits_for_nobody_for_long() {
    with_server(async |app| {
        let Some(config) = as_superuser(app) else { return };
        let cutter = Cutter::connect(&config).await.unwrap();
        let (made, at_ms) = cutter.cut("first", || 1_764_000_000_123).await.unwrap();
        assert_eq!((made.label.as_str(), at_ms), ("first@1764000000123", 1_764_000_000_123));
        assert_eq!(made.positions.len(), config.shards.len());
        let labelled = "SELECT count(*) FROM backup_cut
                        WHERE label = 'first@1764000000123' AND recorded_at IS NOT NULL";
        let shards = i64::try_from(config.shards.len()).unwrap();
        assert_eq!(app.count(labelled).await, shards);

        // A message that is being written holds up the cut, and the cut holds up nobody.
        let ann = app.sign_up("ann").await;
        let writer = session(&config.shards[0].primary).await;
        let write = "BEGIN;
            INSERT INTO outbox (sink, topic, key, payload) VALUES (1, 'x', 'x', '{}')";
        writer.batch_execute(write).await.unwrap();
        let beside = async {
            app.post(&ann, "beside it").await;
            writer.batch_execute("COMMIT").await.unwrap();
        };
        let (second, ()) = tokio::join!(cutter.cut("second", || 5), beside);
        assert_eq!(second.unwrap().0.label, "second@5");
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'outbox'::regclass
                    AND mode = 'ShareLock'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(app.count(held).await, 0);
    })
    .await;
}

async fn settle(app: &TestApp, what: &str) {
    let is_clean = |check: &Check| check.waiting == 0 && check.wrong == 0;
    app.until(what, async || {
        verify(&app.app.config).await.expect("the servers").iter().all(is_clean)
    })
    .await;
}

const SUMS: [&str; 4] = [
    "SELECT count(*) FROM notifications WHERE active",
    "SELECT coalesce(sum(like_count), 0)::bigint FROM post_counts",
    "SELECT coalesce(sum(stock), 0)::bigint FROM products",
    "SELECT coalesce(sum(amount), 0)::bigint FROM payments",
];

async fn sums(app: &TestApp) -> Vec<i64> {
    let mut sums = Vec::new();
    for query in SUMS {
        sums.push(app.count(query).await);
    }
    sums
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_after_a_restore_changes_nothing() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let post = app.post(&ann, "x").await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        app.ask(&bob, like, json!({ "id": post })).await;
        let offer = "mutation { productCreate(input: {title: \"t\", description: \"d\",
            price: {amount: \"100\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
        let product = app.ask(&ann, offer, json!({})).await.text("/productCreate/product/id");
        let order =
            "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 2}]})
            { order { id } } }";
        app.ask(&bob, order, json!({ "id": product })).await;
        app.until("the order is through", async || {
            app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 1
        })
        .await;
        settle(app, "all has arrived").await;
        let before = sums(app).await;
        assert_eq!(before[1..], [1, 7, 200]);

        let at = "WITH at AS (INSERT INTO backup_cut (label, at) VALUES ('x@1', now()) RETURNING 1)
                  SELECT count(*) FROM at";
        app.count(at).await;
        let sent = "SELECT count(*) FROM outbox WHERE sent_at IS NOT NULL AND sink =";
        let (events, jobs) =
            (app.count(&format!("{sent} 1")).await, app.count(&format!("{sent} 0")).await);
        let ahead_ms = app.app.domain.clock.now_ms() - 1;
        let mut again = (0, 0);
        for mut shard in Restored::connect(&app.app.config.postgres).await.unwrap() {
            let error = shard.ensure_at("x@1").await.unwrap_err().to_string();
            assert!(error.contains("plaza is at work"), "{error}");
            assert!(
                shard.ensure_at("x@2").await.unwrap_err().to_string().contains("at the cut x@1")
            );
            let prepared = shard.prepare(ahead_ms, ahead_ms).await.unwrap();
            assert!(!prepared.before);
            again = (again.0 + prepared.events, again.1 + prepared.jobs);
            assert!(shard.prepare(ahead_ms, ahead_ms).await.unwrap().before, "once");
        }
        // One job is the post's, which is not put on timelines again.
        assert_eq!(again, (events.unsigned_abs(), jobs.unsigned_abs() - 1));
        let epochs = "SELECT last_value FROM cache_epoch";
        assert!(app.count(epochs).await >= 4 * ahead_ms, "above every epoch there was");
        settle(app, "all has arrived again").await;
        assert_eq!(sums(app).await, before);
    })
    .await;
}
