//! A process that hangs without dying is replaced by the one that stands by.

use plaza::cli::roles::Role;
use plaza::stores::rabbitmq;

use super::process::Process;
use crate::app::{with_roles, with_server};
use crate::jobs::{offer, order};

const UNSENT: &str = "SELECT count(*) FROM outbox WHERE sent_at IS NULL";

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_hangs_is_replaced() {
    with_server(async |app| {
        let shards = app.app.domain.cluster.len();
        let first = Process::of_role(app, "relay");
        app.until("one relays for every shard", async || first.says("relaying") == shards).await;
        let second = Process::of_role(app, "relay");
        let ann = app.sign_up("ann").await;
        app.until("all is sent", async || app.count(UNSENT).await == 0).await;
        first.freeze();
        app.post(&ann, "while it hangs").await;
        app.until("the other has taken over", async || app.count(UNSENT).await == 0).await;
        assert!(second.says("relaying") > 0);

        // It wakes up, finds that it relays no more, and stands by.
        app.until("the other relays for all", async || second.says("relaying") == shards).await;
        first.thaw();
        let ended = async || first.says("the relay begins again") >= shards;
        app.until("it has lost every lease", ended).await;
        app.post(&ann, "beside it").await;
        app.until("all is sent", async || app.count(UNSENT).await == 0).await;
        let epochs = "SELECT count(*) FROM leases WHERE name = 'relay' AND epoch = 2";
        assert_eq!(app.count(epochs).await, i64::try_from(shards).unwrap(), "nobody since");
        second.kill().await;
        app.post(&ann, "without the other").await;
        app.until("it has taken over", async || app.count(UNSENT).await == 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_hangs_is_replaced() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let _relay = Process::of_role(app, "relay");
        let first = Process::of_role(app, "projector");
        let followers = "SELECT count(*) FROM followers";
        app.follow(&ann, &bob).await;
        app.until("it projects", async || app.count(followers).await == 1).await;
        let second = Process::of_role(app, "projector");
        first.freeze();
        app.follow(&bob, &ann).await;
        app.until("the other has taken over", async || app.count(followers).await == 2).await;

        first.thaw();
        app.until("it has lost its leases", async || first.says("begins again") > 0).await;
        second.kill().await;
        let cid = app.sign_up("cid").await;
        app.follow(&cid, &ann).await;
        app.until("it has taken over", async || app.count(followers).await == 3).await;
    })
    .await;
}

/// By the broker's own heartbeat it takes two minutes until a connection is given up.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_rabbitmq_ask_for_a_heartbeat() {
    with_server(async |app| {
        let url = &app.app.config.rabbitmq.url;
        let connection = rabbitmq::connect(url, "test").await.unwrap();
        assert_eq!(connection.configuration().heartbeat(), 10);
        let workers = rabbitmq::connect_worker(url, "test").await.unwrap();
        assert_eq!(workers.configuration().heartbeat(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_is_replaced() {
    with_roles(&[Role::Server, Role::Relay], async |app| {
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let product = offer(app, &seller).await;
        let first = Process::start_role(app, "worker", &[]).await;
        let second = Process::start_role(app, "worker", &[]).await;
        for worker in [&first, &second] {
            app.until("it takes jobs", async || worker.says("working") > 0).await;
        }
        first.freeze();
        for _ in 0..20 {
            order(app, &buyer, &product).await;
        }
        app.until("all are confirmed", async || {
            app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 20
        })
        .await;

        // It wakes up with jobs that others have done.
        first.thaw();
        app.until("it is handed jobs again", async || first.says("working") > 1).await;
        for _ in 0..5 {
            order(app, &buyer, &product).await;
        }
        app.until("all are confirmed", async || {
            app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 25
        })
        .await;
        let paid = "SELECT count(*) FROM payments WHERE status = 'CAPTURED'";
        assert_eq!(app.count(paid).await, app.count("SELECT count(*) FROM payments").await);
        assert_eq!(app.count(paid).await, 25);
    })
    .await;
}
