//! Jobs: run again without harm, retried, given up.

use std::time::Duration;

use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use plaza::config::Config;
use plaza::domain::{Tx, orders, timelines, write};
use plaza::ids::{Id, OrderId, PostId, UserId};
use plaza::protocol::jobs::Job;
use plaza::stores::postgres::ShardIndex;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{
    Person, TestApp, base_config, with_app, with_config, with_roles, with_roles_and_config,
};
use crate::operate::process::Process;
use crate::stores::own_redis::OwnRedis;
use crate::template::session;

pub async fn enqueue(app: &TestApp, job: Job, id: &str) {
    let op = app.app.internal(Duration::from_secs(5));
    write(&op, ShardIndex(0), async |tx: &mut Tx| {
        tx.enqueue(job, id.to_owned());
        Ok(())
    })
    .await
    .expect("enqueued");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_twice_does_its_work_once() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let post = app.post(&ann, "once").await;
        app.until("bob has it", async || app.home(&bob, 20).await == ["once"]).await;
        let (_, post) = plaza::graphql::ids::parse_any(&post).unwrap();
        let (_, author) = plaza::graphql::ids::parse_any(&ann.id).unwrap();
        for _ in 0..3 {
            let op = app.app.internal(Duration::from_secs(5));
            timelines::fan_out(&op, PostId::from_i64(post), UserId::from_i64(author)).await.expect("fanned out");
        }
        assert_eq!(app.home(&bob, 20).await, ["once"]);

        let offer =
            "mutation { productCreate(input: {title: \"x\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) {
            product { id } userErrors { code } } }";
        let product = app.ask(&ann, offer, json!({})).await.text("/productCreate/product/id");
        let place =
            "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 2}]}) { order { id } userErrors { code } } }";
        let order = app.ask(&bob, place, json!({ "id": product })).await.text("/orderPlace/order/id");
        let (_, order) = plaza::graphql::ids::parse_any(&order).unwrap();
        let run = || async {
            let op = app.app.internal(Duration::from_secs(5));
            orders::process(&op, OrderId::from_i64(order)).await
        };
        // At the same time as the worker, and as each other.
        let _ = futures_util::future::join_all((0..4).map(|_| run())).await;
        app.until("it is confirmed", async || app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 1).await;
        run().await.expect("an order that has ended is left alone");
        assert_eq!(app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await, 7);
        assert_eq!(app.count("SELECT coalesce(sum(quantity), 0)::bigint FROM reservations WHERE status = 'SOLD'").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_keeps_failing_ends_in_the_dead_letters_and_holds_up_nobody() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        // There is no such order.
        enqueue(
            app,
            Job::OrderProcess { order_id: OrderId::from_i64(4_242) },
            "order:4242/process",
        )
        .await;
        app.post(&ann, "others go on").await;
        app.until("others go on", async || app.home(&bob, 20).await == ["others go on"]).await;
        let connection =
            plaza::stores::rabbitmq::connect(&app.app.config.rabbitmq.url, "test").await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let queue =
            plaza::stores::rabbitmq::topology::dead_queue(plaza::protocol::routing::Queue::Orders);
        let dead = async || {
            channel
                .basic_get(queue.as_str().into(), lapin::options::BasicGetOptions::default())
                .await
                .unwrap()
        };
        let found = tokio::sync::Mutex::new(None);
        app.until("it is dead", async || {
            let mut found = found.lock().await;
            if found.is_none() {
                *found = dead().await;
            }
            found.is_some()
        })
        .await;
        let message = found.into_inner().unwrap();
        let headers = message.delivery.properties.headers().clone().unwrap();
        let Some(lapin::types::AMQPValue::LongString(cause)) = headers.inner().get("x-plaza-cause")
        else {
            panic!("no cause: {headers:?}")
        };
        let cause = String::from_utf8_lossy(cause.as_bytes());
        assert!(cause.contains("there is no order"), "{cause}");
        assert_eq!(
            app.count("SELECT coalesce(sum(attempts), 0)::bigint FROM job_attempts").await,
            3,
            "the first and one after each of two delays"
        );
    })
    .await;
}

/// Runs a statement on every primary.
async fn on_every_shard(app: &TestApp, statements: &str) {
    for urls in &app.app.config.postgres.shards {
        let (client, connection) =
            tokio_postgres::connect(urls.primary.expose_secret(), tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::task::spawn(connection);
        client.batch_execute(statements).await.unwrap();
    }
}

/// A sequence is raised even by a transaction that comes to nothing: so it can be seen that
/// somebody tried.
const REFUSE: &str = "CREATE SEQUENCE tried;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('tried'); RAISE EXCEPTION 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR DELETE ON job_attempts FOR EACH STATEMENT EXECUTE FUNCTION refuse()";
const TRIED: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tried";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_failures_cannot_be_counted_is_tried_again_and_not_held() {
    with_app(async |app| {
        on_every_shard(app, REFUSE).await;
        // There is no such order.
        enqueue(
            app,
            Job::OrderProcess { order_id: OrderId::from_i64(4_343) },
            "order:4343/process",
        )
        .await;
        app.until("it is tried again", async || app.count(TRIED).await >= 2).await;
        on_every_shard(app, "DROP TRIGGER refuse ON job_attempts").await;
        app.until("its failures are counted", async || {
            app.count("SELECT coalesce(sum(attempts), 0)::bigint FROM job_attempts").await == 3
        })
        .await;
    })
    .await;
}

/// Counts attempts that failed, also of jobs that have ended since.
const COUNT_FAILURES: &str = "CREATE SEQUENCE failed;
    CREATE FUNCTION count_failure() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM nextval('failed'); RETURN NEW; END $$;
    CREATE TRIGGER count_failure BEFORE INSERT OR UPDATE ON job_attempts FOR EACH ROW EXECUTE FUNCTION count_failure()";
const FAILED: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM failed";

/// A product, 99 in stock.
pub async fn offer(app: &TestApp, seller: &Person) -> String {
    let offer =
        "mutation { productCreate(input: {title: \"x\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 99}) {
        product { id } } }";
    app.ask(seller, offer, json!({})).await.text("/productCreate/product/id")
}

/// Orders one of it.
pub async fn order(app: &TestApp, buyer: &Person, product: &str) {
    let place = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } userErrors { code } } }";
    app.ask(buyer, place, json!({ "id": product })).await.text("/orderPlace/order/id");
}

/// Waiting for a connection of ours, or for the row of what everybody buys, is no failed attempt.
#[tokio::test(flavor = "multi_thread")]
async fn more_orders_than_connections_wait_and_none_fails() {
    let few = |config: &mut Config| {
        config.postgres.primary_pool = 2;
        config.postgres.checkout_timeout_ms = 1_000;
        // Placing waits behind the sagas for one of two connections, on whatever machine.
        config.server.deadline_ms = 60_000;
    };
    with_config(few, async |app| {
        on_every_shard(app, COUNT_FAILURES).await;
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let product = offer(app, &seller).await;
        for _ in 0..40 {
            order(app, &buyer, &product).await;
        }
        app.until("all are confirmed", async || {
            app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 40
        })
        .await;
        assert_eq!(app.count(FAILED).await, 0, "attempts that failed");
    })
    .await;
}

/// More orders of a shard that stands still than a worker brings on at a time, and after them one
/// of another shard: it is not to wait until each of them has had its turn.
#[tokio::test(flavor = "multi_thread")]
async fn orders_of_a_shard_that_stands_still_hold_up_those_of_no_other() {
    with_roles(&[Role::Server, Role::Relay], async |app| {
        let [still, moving] = [ShardIndex(0), ShardIndex(1)];
        let seller = app.sign_up_on(moving, "seller").await;
        let product = offer(app, &seller).await;
        for (shard, buyer, orders) in [(still, "still", 10), (moving, "moving", 1)] {
            let buyer = app.sign_up_on(shard, buyer).await;
            for _ in 0..orders {
                order(app, &buyer, &product).await;
            }
            app.until("their jobs are sent", async || {
                app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0
            })
            .await;
        }
        let shards = &app.app.config.postgres.shards;
        let holder = session(&shards[still.0].primary).await;
        let lock = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE";
        holder.batch_execute(lock).await.unwrap();

        let mut config = app.app.config.as_ref().clone();
        config.rabbitmq.orders_at_once = 2;
        // A turn on each shard.
        config.postgres.primary_pool = 1;
        // A statement is to stand still for as long as a job may take.
        config.postgres.query_timeout_ms = 60_000;
        let worker = App::build(config, Clock::System).await.unwrap();
        start_without_ports(&worker, Role::Worker);
        let other = session(&shards[moving.0].primary).await;
        let confirmed = "SELECT count(*) FROM orders WHERE status = 'CONFIRMED'";
        app.until("the other shard's is confirmed", async || {
            other.query_one(confirmed, &[]).await.unwrap().get::<_, i64>(0) == 1
        })
        .await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        app.until("all are confirmed", async || app.count(confirmed).await == 11).await;
        worker.tasks.drain().await.unwrap();
    })
    .await;
}

/// How many times a worker has ended an attempt of a fan-out so.
async fn fan_outs(worker: &Process, outcome: &str) -> usize {
    let figures = worker.figures().await;
    let of_it = figures.lines().filter(|line| {
        line.starts_with("plaza_jobs_total{")
            && line.contains("job=\"feed.fan_out.v1\"")
            && line.contains(&format!("outcome=\"{outcome}\""))
    });
    of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

/// A worker alone is cut off from Redis, for more tries than a job has attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_fan_out_that_waits_for_redis_uses_up_no_attempt_and_arrives_when_redis_is_back() {
    let redis = OwnRedis::start().await;
    let (wire, url) = (redis.wire().await, redis.url());
    let roles = [Role::Server, Role::Relay, Role::Projector];
    let own = |config: &mut Config| config.redis.url = url.into();
    with_roles_and_config(&roles, own, async |app| {
        let cut_off = [("PLAZA_REDIS__URL", wire.url.as_str()), ("PLAZA_REDIS__TIMEOUT_MS", "250")];
        let worker = Process::start_role(app, "worker", &cut_off).await;
        on_every_shard(app, COUNT_FAILURES).await;
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.post(&ann, "before").await;
        // From here on bob's timeline is there, and has what is pushed to it.
        app.until("bob has it", async || app.home(&bob, 20).await == ["before"]).await;
        app.until("it is pushed", async || fan_outs(&worker, "ok").await >= 1).await;

        wire.hang(true);
        let tried = fan_outs(&worker, "retry").await;
        app.post(&ann, "meanwhile").await;
        // The worker has its delays from the servers' configuration.
        let attempts = base_config().rabbitmq.retry_delays_ms.len() + 1;
        app.until("it is tried more often than a job has attempts", async || {
            fan_outs(&worker, "retry").await > tried + attempts
        })
        .await;
        assert_eq!(app.count("SELECT count(*) FROM job_attempts").await, 0);
        let pushed = fan_outs(&worker, "ok").await;
        wire.hang(false);
        app.until("it is pushed", async || fan_outs(&worker, "ok").await > pushed).await;
        app.until("bob has it", async || app.home(&bob, 20).await == ["meanwhile", "before"]).await;
        assert_eq!(app.count(FAILED).await, 0, "attempts that failed");
        assert_eq!(fan_outs(&worker, "dead").await, 0);
        worker.end().await;
    })
    .await;
}
