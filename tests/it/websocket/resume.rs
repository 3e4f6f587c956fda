//! Subscriptions: what is told, and what is told after an absence.

use serde_json::{Value, json};

use super::{Heard, Socket};
use crate::app::with_app;

const HOME: &str = "subscription($after: String) { homeUpdated(after: $after) { cursor node { text author { handle } } } }";

fn text(event: &Value) -> &str {
    event["homeUpdated"]["node"]["text"].as_str().unwrap_or_else(|| panic!("{event}"))
}

fn cursor(event: &Value) -> Value {
    event["homeUpdated"]["cursor"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_arrive_and_what_was_missed_comes_once_and_in_order() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.until("the follow is known", async || {
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;

        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", HOME, json!({})).await;
        app.until("the home is watched", async || streams(app).await == 1).await;
        app.post(&ann, "one").await;
        let first = socket.next("1").await;
        assert_eq!(
            (text(&first), &first["homeUpdated"]["node"]["author"]["handle"]),
            ("one", &json!("ann"))
        );
        drop(socket);

        for text in ["two", "three", "four"] {
            app.post(&ann, text).await;
        }
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", HOME, json!({ "after": cursor(&first) })).await;
        let mut seen = Vec::new();
        let mut last = Value::Null;
        for _ in 0..3 {
            let event = socket.next("1").await;
            seen.push(text(&event).to_owned());
            // Posts that follow each other this closely may be fanned out in another order, and the
            // feed is told from a post on.
            if text(&event) == "four" {
                last = cursor(&event);
            }
        }
        seen.sort();
        assert_eq!(seen, ["four", "three", "two"], "each once");

        // Redis comes back empty: the feed tells what the stream has lost.
        drop(socket);
        app.post(&ann, "five").await;
        let newest = "{ viewer { home(first: 1) { nodes { text } } } }";
        app.until("fanned out", async || {
            app.ask(&bob, newest, json!({})).await.at_or_null("/viewer/home/nodes/0/text") == "five"
        })
        .await;
        forget(app).await;
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", HOME, json!({ "after": last })).await;
        assert_eq!(text(&socket.next("1").await), "five");
        app.post(&ann, "six").await;
        assert_eq!(text(&socket.next("1").await), "six");
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(
            socket.hear().await,
            Heard::Message(json!({ "type": "pong" })),
            "nothing comes twice"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_emptied_under_a_watched_home_is_noticed_at_the_next_post() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.until("the follow is known", async || {
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;
        let mut sockets = [Socket::of(app, Some(&bob)).await, Socket::of(app, Some(&bob)).await];
        for socket in &mut sockets {
            socket.subscribe("1", HOME, json!({})).await;
        }
        app.until("the home is watched", async || streams(app).await == 1).await;
        app.post(&ann, "before").await;
        for socket in &mut sockets {
            assert_eq!(text(&socket.next("1").await), "before");
        }
        forget(app).await;
        let began = std::time::Instant::now();
        for posted in ["one", "two", "three"] {
            app.post(&ann, posted).await;
        }
        for socket in &mut sockets {
            let mut seen = Vec::new();
            for _ in 0..3 {
                seen.push(text(&socket.next("1").await).to_owned());
            }
            seen.sort();
            assert_eq!(seen, ["one", "three", "two"], "each once");
        }
        assert!(began.elapsed() < crate::wait::LIMIT, "heard after {:?}", began.elapsed());
    })
    .await;
}

async fn connection(app: &crate::app::TestApp) -> redis::aio::MultiplexedConnection {
    let url = secrecy::ExposeSecret::expose_secret(&app.app.config.redis.url);
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn keys(app: &crate::app::TestApp, pattern: &str) -> Vec<String> {
    let pattern = format!("{}:{pattern}", app.app.config.redis.key_prefix);
    redis::cmd("KEYS").arg(pattern).query_async(&mut connection(app).await).await.unwrap()
}

pub async fn streams(app: &crate::app::TestApp) -> usize {
    keys(app, "live:*").await.len()
}

/// Entries of all streams: the one that opens each, and the posts that have come to it.
pub async fn entries(app: &crate::app::TestApp) -> usize {
    let mut all = 0;
    for key in keys(app, "live:*").await {
        let held: usize =
            redis::cmd("XLEN").arg(key).query_async(&mut connection(app).await).await.unwrap();
        all += held;
    }
    all
}

/// Deletes everything in Redis.
async fn forget(app: &crate::app::TestApp) {
    forget_keys(app, "*").await;
}

/// Deletes the streams of live posts: what they would have said is told from the feed.
pub async fn forget_streams(app: &crate::app::TestApp) {
    forget_keys(app, "live:*").await;
}

async fn forget_keys(app: &crate::app::TestApp, pattern: &str) {
    let keys = keys(app, pattern).await;
    let _: i64 =
        redis::cmd("DEL").arg(&keys).query_async(&mut connection(app).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_told_to_its_end() {
    with_app(async |app| {
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let offer =
            "mutation { productCreate(input: {title: \"Lamp\", description: \"\", price: {amount: \"5\", currency: \"EUR\"}, stock: 1})
            { product { id } } }";
        let product = app.ask(&seller, offer, json!({})).await.text("/productCreate/product/id");
        let place = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
        let order = app.ask(&buyer, place, json!({ "id": product })).await.text("/orderPlace/order/id");
        let watch = "subscription($id: ID!, $after: String) { orderUpdated(orderId: $id, after: $after) { cursor node { status } } }";

        let mut socket = Socket::of(app, Some(&buyer)).await;
        socket.subscribe("1", watch, json!({ "id": order })).await;
        let mut last = Value::Null;
        loop {
            match socket.hear().await {
                Heard::Message(message) if message["type"] == "next" => last = message["payload"]["data"]["orderUpdated"].clone(),
                Heard::Message(message) => {
                    assert_eq!(message, json!({ "id": "1", "type": "complete" }));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(last["node"]["status"], "CONFIRMED");
        socket.subscribe("2", watch, json!({ "id": order, "after": last["cursor"] })).await;
        assert_eq!(socket.hear().await, Heard::Message(json!({ "id": "2", "type": "complete" })), "nothing has changed since");

        let mut other = Socket::of(app, Some(&seller)).await;
        other.subscribe("1", watch, json!({ "id": order })).await;
        let Heard::Message(refused) = other.hear().await else { panic!("closed") };
        assert!(refused.to_string().contains("there is no such order"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_arrive_and_are_listed() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let query =
            "subscription($after: String) { notificationReceived(after: $after) { cursor node { kind actor { handle } post { text } } } }";
        let post = app.post(&ann, "hello").await;
        let mut socket = Socket::of(app, Some(&ann)).await;
        // From the very first: `v1:notification:0`.
        socket.subscribe("1", query, json!({ "after": "djE6bm90aWZpY2F0aW9uOjA" })).await;
        app.follow(&bob, &ann).await;
        let first = socket.next("1").await["notificationReceived"].clone();
        assert_eq!((&first["node"]["kind"], &first["node"]["actor"]["handle"]), (&json!("FOLLOWED"), &json!("bob")));
        drop(socket);

        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        let unlike = "mutation($id: ID!) { postUnlike(input: {postId: $id}) { userErrors { code } } }";
        let comment = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"hi\"}) { userErrors { code } } }";
        for query in [like, unlike, like, comment] {
            app.ask(&bob, query, json!({ "id": post })).await;
        }
        // Taken back and given again it is a new like: before all is projected, both may be sent.
        app.until("all is projected", async || {
            app.count("SELECT count(*) FROM notifications WHERE kind = 'COMMENTED' OR (kind = 'LIKED' AND version = 4)").await == 2
        })
        .await;
        let mut socket = Socket::of(app, Some(&ann)).await;
        socket.subscribe("1", query, json!({ "after": first["cursor"] })).await;
        for kind in ["LIKED", "COMMENTED"] {
            let event = socket.next("1").await["notificationReceived"]["node"].clone();
            assert_eq!((&event["kind"], &event["post"]["text"]), (&json!(kind), &json!("hello")));
        }
        let listed = app.ask(&ann, "{ viewer { notifications(first: 10) { nodes { kind } } } }", json!({})).await;
        assert_eq!(listed.at("/viewer/notifications/nodes"), json!([{ "kind": "COMMENTED" }, { "kind": "LIKED" }, { "kind": "FOLLOWED" }]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_what_they_may_no_longer_see() {
    with_app(async |app| {
        let (ann, bob, cy) =
            (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("cyd").await);
        app.follow(&bob, &ann).await;
        app.follow(&bob, &cy).await;
        app.until("the follows are known", async || {
            app.count("SELECT count(*) FROM followers WHERE active").await == 2
        })
        .await;
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", HOME, json!({})).await;
        app.until("the home is watched", async || streams(app).await == 1).await;
        app.post(&ann, "before").await;
        let before = socket.next("1").await;
        assert_eq!(text(&before), "before");

        let block =
            "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&ann, block, json!({ "id": bob.id })).await;
        app.until("bob has heard", async || {
            app.ask(&bob, "{ user(handle: \"ann\") { id } }", json!({})).await.at("/user").is_null()
        })
        .await;
        app.post(&ann, "hidden").await;
        app.post(&cy, "shown").await;
        assert_eq!(text(&socket.next("1").await), "shown");

        // Nor with a cursor from before, nor from the feed when the stream is lost.
        for lose in [false, true] {
            if lose {
                forget(app).await;
            }
            let mut socket = Socket::of(app, Some(&bob)).await;
            socket.subscribe("1", HOME, json!({ "after": cursor(&before) })).await;
            assert_eq!(text(&socket.next("1").await), "shown");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_home_feed_says_from_where_to_listen() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.until("the follow is known", async || {
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;
        let page = "{ viewer { home(first: 5) { edges { cursor node { text } } } } }";
        let until_newest = async |text: &str| {
            app.until("it is in the feed", async || {
                app.ask(&bob, page, json!({})).await.at_or_null("/viewer/home/edges/0/node/text")
                    == text
            })
            .await;
        };
        app.post(&ann, "one").await;
        until_newest("one").await;
        app.post(&ann, "two").await;
        until_newest("two").await;
        let head = app.ask(&bob, page, json!({})).await.at("/viewer/home/edges/0/cursor");
        // Written after the page was read, and before anybody listens.
        app.post(&ann, "three").await;
        until_newest("three").await;

        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", HOME, json!({ "after": head })).await;
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(text(&socket.next("1").await).to_owned());
        }
        assert_eq!(
            heard,
            ["one", "two", "three"],
            "what is newer, and what may have come to the feed after the page although it is older"
        );
        app.post(&ann, "four").await;
        assert_eq!(text(&socket.next("1").await), "four");
    })
    .await;
}
