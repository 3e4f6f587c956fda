//! Every case in which the protocol names a close code, and what else it says.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Heard, Socket};
use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let subscribe =
            |id: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": "subscription { homeUpdated { cursor } }" } });

        let mut early = Socket::open(app, &[]).await.unwrap();
        early.say(subscribe("1")).await;
        assert_eq!(early.closed().await, 4401, "subscribe before the acknowledgement");

        let mut forged = Socket::open(app, &[]).await.unwrap();
        forged.say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer nonsense" } })).await;
        assert_eq!(forged.closed().await, 4403, "a bad token");

        let mut silent = Socket::open(app, &[]).await.unwrap();
        assert_eq!(silent.closed().await, 4408, "no init");

        let mut twice = Socket::of(app, None).await;
        twice.say(json!({ "type": "connection_init" })).await;
        assert_eq!(twice.closed().await, 4429, "a second init");

        let mut same = Socket::of(app, Some(&ann)).await;
        same.say(subscribe("1")).await;
        same.say(subscribe("1")).await;
        assert_eq!(same.closed().await, 4409, "an id that is in use");

        for bad in ["{", "null", "{\"type\":\"nonsense\"}", "{\"id\":1,\"type\":\"subscribe\",\"payload\":{}}"] {
            let mut socket = Socket::of(app, None).await;
            socket.say_raw(Message::text(bad)).await;
            assert_eq!(socket.closed().await, 4400, "{bad}");
        }
        let mut binary = Socket::of(app, None).await;
        binary.say_raw(Message::binary(vec![1, 2, 3])).await;
        assert_eq!(binary.closed().await, 4400, "binary");
        let mut long = Socket::of(app, None).await;
        long.say_raw(Message::text(" ".repeat(70_000))).await;
        assert_eq!(long.closed().await, 4400, "a message of 70,000 bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_is_refused_to_foreign_pages_and_other_protocols() {
    with_server(async |app| {
        assert_eq!(Socket::open(app, &[("origin", "https://evil.example")]).await.err(), Some(403));
        assert!(Socket::open(app, &[("origin", "http://localhost:5173")]).await.is_ok());
        assert_eq!(
            Socket::open(app, &[("sec-websocket-protocol", "graphql-ws")]).await.err(),
            Some(400)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_of_every_kind_run_and_errors_are_errors() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let mut socket = Socket::of(app, Some(&ann)).await;
        socket.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
        assert_eq!(
            socket.hear().await,
            Heard::Message(json!({ "type": "pong", "payload": { "a": 1 } }))
        );

        socket.subscribe("q", "{ viewer { user { handle } } }", json!({})).await;
        assert_eq!(socket.next("q").await, json!({ "viewer": { "user": { "handle": "ann" } } }));
        assert_eq!(socket.hear().await, Heard::Message(json!({ "id": "q", "type": "complete" })));

        for (id, query, code) in [
            ("e1", "{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
            ("e2", "{", "GRAPHQL_PARSE_FAILED"),
            (
                "e3",
                &format!("{{echo(s:{}{})}}", "[".repeat(1_542), "]".repeat(1_542)),
                "QUERY_TOO_DEEP",
            ),
            ("e4", "subscription { homeUpdated(after: \"x\") { cursor } }", "BAD_USER_INPUT"),
        ] {
            socket.subscribe(id, query, json!({})).await;
            let Heard::Message(message) = socket.hear().await else {
                panic!("{query} closed the socket")
            };
            let errors = if message["type"] == "error" {
                &message["payload"]
            } else {
                &message["payload"]["errors"]
            };
            assert_eq!(
                (&message["id"], &errors[0]["extensions"]["code"]),
                (&json!(id), &json!(code)),
                "{message}"
            );
            if message["type"] == "next" {
                assert_eq!(
                    socket.hear().await,
                    Heard::Message(json!({ "id": id, "type": "complete" }))
                );
            }
        }

        // The same mutation twice, by the same key: one effect.
        let query =
            "mutation { postCreate(input: {text: \"x\", clientKey: \"once\"}) { post { id } } }";
        let mut posts: Vec<Value> = Vec::new();
        for id in ["m1", "m2"] {
            socket.subscribe(id, query, json!({})).await;
            posts.push(socket.next(id).await["postCreate"]["post"]["id"].clone());
            assert_eq!(
                socket.hear().await,
                Heard::Message(json!({ "id": id, "type": "complete" }))
            );
        }
        assert!(posts[0].is_string() && posts[0] == posts[1], "{posts:?}");
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 1);

        // What a client has completed says nothing more.
        socket.subscribe("s", "subscription { homeUpdated { cursor } }", json!({})).await;
        socket.say(json!({ "id": "s", "type": "complete" })).await;
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.hear().await, Heard::Message(json!({ "type": "pong" })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_reaches_its_socket() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let mut socket = Socket::of(app, Some(&ann)).await;
        app.ask(&ann, "mutation { logOut { loggedOut } }", json!({})).await;
        assert_eq!(socket.closed().await, 4403);

        // From another server this one hears of it by asking the shards.
        let bob = app.sign_up("bob").await;
        let mut socket = Socket::of(app, Some(&bob)).await;
        app.count("WITH ended AS (UPDATE sessions SET revoked_at = now() WHERE revoked_at IS NULL RETURNING 1) SELECT count(*) FROM ended")
            .await;
        plaza::domain::identity::revocations::refresh(&app.app.domain).await.unwrap();
        assert_eq!(socket.closed().await, 4403);
    })
    .await;
}
