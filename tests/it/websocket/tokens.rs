//! A socket lives as long as its access token, or as the one that came after it.

use std::time::Duration;

use plaza::cli::roles::Role;
use serde_json::json;

use super::{Heard, Socket};
use crate::app::{Person, TestApp, with_roles_and_config, with_server};

const VIEWER: &str = "{ viewer { user { handle } } }";

async fn refreshed(app: &TestApp, token: &str) -> (String, String) {
    let query = "mutation($t: String!) { sessionRefresh(input: {refreshToken: $t}) { accessToken refreshToken } }";
    let next = app.ask_anonymously(query, json!({ "t": token })).await;
    (next.text("/sessionRefresh/accessToken"), next.text("/sessionRefresh/refreshToken"))
}

async fn entered(app: &TestApp, handle: &str) -> (String, String) {
    let query = format!(
        "mutation {{ logIn(input: {{handle: \"{handle}\", password: \"correct horse\"}}) {{ accessToken refreshToken }} }}"
    );
    let entered = app.ask_anonymously(&query, json!({})).await;
    (entered.text("/logIn/accessToken"), entered.text("/logIn/refreshToken"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_token_and_not_with_its_next_one() {
    with_roles_and_config(
        &[Role::Server],
        |config| config.auth.access_ttl_s = 10,
        async |app| {
            let ann = app.sign_up("ann").await;
            let (access, refresh) = entered(app, "ann").await;
            let person = Person { token: access, ..ann.clone() };
            let (mut left, mut kept) =
                (Socket::of(app, Some(&person)).await, Socket::of(app, Some(&person)).await);
            kept.subscribe("s", "subscription { homeUpdated { cursor } }", json!({})).await;
            let bring = |token: &str| json!({ "type": "ping", "payload": { "authorization": format!("Bearer {token}") } });
            // One socket is given a new token each second, until the other one has ended.
            let mut refresh = refresh;
            {
                let mut ended = std::pin::pin!(left.closed());
                while let Err(_elapsed) =
                    tokio::time::timeout(Duration::from_secs(1), &mut ended).await.map(|code| {
                        assert_eq!(code, 4403, "its token has ended");
                    })
                {
                    let (access, next) = refreshed(app, &refresh).await;
                    refresh = next;
                    kept.say(bring(&access)).await;
                    let Heard::Message(pong) = kept.hear().await else { panic!("closed") };
                    assert!(pong["type"] == "pong" && pong["payload"]["authorizedUntil"].is_string(), "{pong}");
                    assert!(!pong.to_string().contains(&access), "the token goes back to nobody");
                }
            }
            kept.subscribe("q", VIEWER, json!({})).await;
            assert_eq!(kept.next("q").await, json!({ "viewer": { "user": { "handle": "ann" } } }));
            assert_eq!(kept.hear().await, Heard::Message(json!({ "id": "q", "type": "complete" })));
            assert_eq!(kept.closed().await, 4403, "its last token has ended too");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_of_the_same_session() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (another, _) = entered(app, "ann").await;
        for token in [&bob.token, &another, &"x.y.z".to_owned(), &String::new()] {
            let mut socket = Socket::of(app, Some(&ann)).await;
            let payload = json!({ "authorization": format!("Bearer {token}") });
            socket.say(json!({ "type": "ping", "payload": payload })).await;
            assert_eq!(socket.closed().await, 4403, "{token}");
        }
        // Nobody does not become somebody on the way.
        let mut nobody = Socket::of(app, None).await;
        let payload = json!({ "authorization": format!("Bearer {}", ann.token) });
        nobody.say(json!({ "type": "ping", "payload": payload })).await;
        assert_eq!(nobody.closed().await, 4403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_means_to_be_somebody_is_not_taken_for_nobody() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let bearer = format!("Bearer {}", ann.token);
        for payload in [
            json!({ "authorization": bearer }),
            json!({ "Authorization": bearer }),
            json!({ "headers": { "authorization": bearer } }),
            json!({ "headers": { "Authorization": bearer, "x-lang": "en" } }),
            json!({ "token": ann.token }),
            json!({ "authToken": bearer }),
        ] {
            let mut socket = Socket::open(app, &[]).await.unwrap();
            socket.say(json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(socket.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
            socket.subscribe("q", VIEWER, json!({})).await;
            let told = socket.next("q").await;
            assert_eq!(told, json!({ "viewer": { "user": { "handle": "ann" } } }), "{payload}");
        }
        for (payload, code) in [
            (json!({ "authToken": "nonsense" }), 4403),
            (json!({ "headers": { "authorization": "nonsense" } }), 4403),
            (json!({ "authorization": "" }), 4403),
            (json!({ "x-hasura-admin-secret": "x" }), 4400),
            (json!({ "headers": { "x-api-key": "x" } }), 4400),
            (json!({ "token": ann.token, "authToken": "another" }), 4400),
        ] {
            let mut socket = Socket::open(app, &[]).await.unwrap();
            socket.say(json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(socket.closed().await, code, "{payload}");
        }
    })
    .await;
}
