//! Access tokens that are no longer good, the form in which that is said, and sessions by their
//! ids.

use base64::Engine;
use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp, with_app, with_server};

const STRICT: &str = "application/graphql-response+json";

/// A request with a token of any kind.
async fn with_token(app: &TestApp, token: &str, query: &str) -> Answer {
    app.send(&[("authorization", token)], query, json!({})).await
}

/// A token of this person's session that ended long ago.
fn ended(app: &TestApp, person: &Person) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let (head, body) = {
        let mut parts = person.token.split('.');
        (parts.next().unwrap(), parts.next().unwrap())
    };
    let json = |part: &str| -> Value {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let (head, mut claims) = (json(head), json(body));
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() - 86_400);
    let header =
        Header { kid: head["kid"].as_str().map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    let pem = std::fs::read(&app.app.config.auth.signing_key_file).unwrap();
    format!(
        "Bearer {}",
        encode(&header, &claims, &EncodingKey::from_ed_pem(&pem).unwrap()).unwrap()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_who_they_are_needs_no_good_token_beside() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let log_in = "mutation { logIn(input: {handle: \"ann\", password: \"correct horse\"}) { refreshToken viewer { user { handle } } userErrors { code } } }";
        let dead = [ended(app, &ann), "Bearer x.y.z".to_owned(), "nonsense".to_owned(),
            "Basic eDp5".to_owned(), String::new()];
        for (number, token) in dead.iter().enumerate() {
            let entered = with_token(app, token, log_in).await;
            assert_eq!(entered.text("/logIn/viewer/user/handle"), "ann", "{token}");
            let refresh = format!(
                "mutation R {{ __typename ...f }} fragment f on Mutation {{ ... {{ sessionRefresh(input: {{refreshToken: \"{}\"}}) {{ userErrors {{ code }} }} }} }}",
                entered.text("/logIn/refreshToken")
            );
            let refreshed = with_token(app, token, &refresh).await;
            assert_eq!(refreshed.at("/sessionRefresh/userErrors"), json!([]), "{token}");
            let sign_up = format!(
                "mutation {{ signUp(input: {{handle: \"new_{number}\", email: \"new{number}@example.org\", password: \"correct horse\", displayName: \"N\"}}) {{ userErrors {{ code }} }} }}"
            );
            let made = with_token(app, token, &sign_up).await;
            assert_eq!(made.at("/signUp/userErrors"), json!([]), "{token}");
            // Anything else beside it, and it is refused whole.
            for other in [
                "{ viewer { user { id } } }",
                "{ __typename }",
                "mutation { postCreate(input: {text: \"x\"}) { post { id } } }",
                "mutation { logOut { loggedOut } postDelete(input: {postId: \"x\"}) { userErrors { code } } }",
            ] {
                let refused = with_token(app, token, other).await;
                assert_eq!((refused.status, refused.code()), (401, "UNAUTHENTICATED"), "{other}");
            }
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_logs_out_with_a_token_that_has_ended() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let out = "mutation { logOut { loggedOut } }";
        assert_eq!(with_token(app, "Bearer x.y.z", out).await.at("/logOut/loggedOut"), false);
        let alive = app.ask(&ann, "{ viewer { user { handle } } }", json!({})).await;
        assert_eq!(alive.text("/viewer/user/handle"), "ann");
        let token = ended(app, &ann);
        assert_eq!(with_token(app, &token, out).await.at("/logOut/loggedOut"), true);
        let own = format!("Bearer {}", ann.token);
        let dead = with_token(app, &own, "{ viewer { user { id } } }").await;
        assert_eq!(dead.status, 401, "the session has ended");
        assert_eq!(with_token(app, &token, out).await.at("/logOut/loggedOut"), false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_in_the_form_that_was_asked_for() {
    with_server(async |app| {
        for (accept, form) in [
            (STRICT, STRICT),
            ("application/json", "application/json"),
            ("application/graphql-response+json, application/json;q=0.9", STRICT),
        ] {
            let ask = |headers: &[(&str, &str)], body: String| {
                let mut request = app.http().post(&app.url).header("accept", accept).body(body);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                request.send()
            };
            let json_type = ("content-type", "application/json");
            let query = json!({ "query": "{ __typename }" }).to_string();
            let long =
                json!({ "query": "{ __typename }", "variables": { "x": "x".repeat(70_000) } });
            let cases = [
                (401, ask(&[json_type, ("authorization", "Bearer x")], query.clone()).await),
                (415, ask(&[("content-type", "text/plain")], query.clone()).await),
                (413, ask(&[json_type], long.to_string()).await),
                (400, ask(&[json_type, ("plaza-consistency", "x")], query.clone()).await),
                (400, ask(&[json_type], "{".to_owned()).await),
                (400, ask(&[json_type], "{}".to_owned()).await),
            ];
            for (status, answer) in cases {
                let answer = answer.unwrap();
                assert_eq!(answer.status().as_u16(), status, "{accept}");
                let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
                assert!(content_type.starts_with(form), "{status} under {accept}: {content_type}");
                let scheme = answer.headers().get("www-authenticate").cloned();
                let expected = (status == 401).then_some("Bearer error=\"invalid_token\"");
                assert_eq!(scheme.as_ref().map(|value| value.to_str().unwrap()), expected);
                let body: Value = answer.json().await.unwrap();
                assert!(body["errors"][0]["extensions"]["code"].is_string(), "{body}");
            }
            // A byte order mark before the JSON is none of its text.
            let marked = ask(&[json_type], format!("\u{feff}{query}")).await.unwrap();
            assert_eq!(marked.status().as_u16(), 200);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_send_what_usual_clients_send() {
    with_server(async |app| {
        for header in [
            "tracestate",
            "baggage",
            "traceparent",
            "sentry-trace",
            "apollographql-client-name",
            "apollographql-client-version",
            "apollo-require-preflight",
            "authorization",
            "content-type",
            "idempotency-key",
            "plaza-consistency",
        ] {
            let answer = app
                .http()
                .request(reqwest::Method::OPTIONS, &app.url)
                .header("origin", "http://localhost:5173")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", header)
                .send()
                .await
                .unwrap();
            let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
            assert!(allowed.split(',').any(|name| name.trim() == header), "{header}: {allowed}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_other_sessions_end_at_once() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let log_in = "mutation { logIn(input: {handle: \"ann\", password: \"correct horse\"}) { accessToken refreshToken } }";
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(app.ask_anonymously(log_in, json!({})).await);
        }
        let bob = app.sign_up("bob").await;
        let revoke = "mutation { sessionRevokeOthers { revokedCount userErrors { code } } }";
        for _ in 0..2 {
            let done = app.ask_with_key(&ann, "once", revoke, json!({})).await;
            let told = json!({ "revokedCount": 3, "userErrors": [] });
            assert_eq!(done.at("/sessionRevokeOthers"), told, "sent again, as before");
        }
        assert_eq!(app.ask(&ann, revoke, json!({})).await.at("/sessionRevokeOthers/revokedCount"), 0);
        for other in others {
            let token = format!("Bearer {}", other.text("/logIn/accessToken"));
            assert_eq!(with_token(app, &token, "{ viewer { user { id } } }").await.status, 401);
            let refresh = "mutation($t: String!) { sessionRefresh(input: {refreshToken: $t}) { userErrors { code } } }";
            let refused = app
                .ask_anonymously(refresh, json!({ "t": other.text("/logIn/refreshToken") }))
                .await;
            assert_eq!(refused.text("/sessionRefresh/userErrors/0/code"), "INVALID_CREDENTIALS");
        }
        for person in [&ann, &bob] {
            app.ask(person, "{ viewer { user { id } } }", json!({})).await;
        }
        assert_eq!(app.ask_anonymously(revoke, json!({})).await.code(), "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_an_id_is_found_by_it_by_its_owner_alone() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let own = "{ viewer { id sessions { id } notificationGroups(first: 5) { nodes { id notificationCount } } user { id } }
            hashtag(name: \"#Chairs\") { id } }";
        app.until("ann is told of her follower", async || {
            let seen = app.ask(&ann, own, json!({})).await;
            seen.at("/viewer/notificationGroups/nodes").as_array().is_some_and(|all| !all.is_empty())
        })
        .await;
        let seen = app.ask(&ann, own, json!({})).await;
        let node = "query($id: ID!) { node(id: $id) { __typename id ... on Viewer { user { handle } } ... on Session { isCurrent }
            ... on NotificationGroup { notificationCount } ... on Hashtag { name } } }";
        for (pointer, found, is_everybodys) in [
            ("/viewer/id", json!({ "__typename": "Viewer", "user": { "handle": "ann" } }), false),
            ("/viewer/sessions/0/id", json!({ "__typename": "Session", "isCurrent": true }), false),
            (
                "/viewer/notificationGroups/nodes/0/id",
                json!({ "__typename": "NotificationGroup", "notificationCount": 1 }),
                false,
            ),
            ("/hashtag/id", json!({ "__typename": "Hashtag", "name": "chairs" }), true),
        ] {
            let id = seen.text(pointer);
            let mut found = found;
            found["id"] = json!(id);
            let by = async |person: Option<&Person>| match person {
                Some(person) => app.ask(person, node, json!({ "id": id })).await.at("/node"),
                None => app.ask_anonymously(node, json!({ "id": id })).await.at("/node"),
            };
            assert_eq!(by(Some(&ann)).await, found, "{pointer}");
            let others = if is_everybodys { found } else { Value::Null };
            assert_eq!(by(Some(&bob)).await, others, "{pointer}, by another");
            assert_eq!(by(None).await, others, "{pointer}, by nobody");
        }
        assert_ne!(seen.text("/viewer/id"), seen.text("/viewer/user/id"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_says_where_its_point_is() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        for (currency, decimals) in [("EUR", 2), ("USD", 2), ("GBP", 2), ("JPY", 0)] {
            let query = format!(
                "mutation {{ productCreate(input: {{title: \"t\", description: \"\", price: {{amount: \"150\", currency: \"{currency}\"}}, stock: 1}}) {{ product {{ price {{ amount decimals }} createdAt }} }} }}"
            );
            let made = app.ask(&ann, &query, json!({})).await;
            assert_eq!(
                made.at("/productCreate/product/price"),
                json!({ "amount": "150", "decimals": decimals }),
                "{currency}"
            );
        }
    })
    .await;
}
