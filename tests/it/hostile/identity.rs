//! Tokens and passwords.

use futures_util::{StreamExt, stream};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Canary, post, rows};
use crate::app::with_server;

fn claims(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap())
        .unwrap()
}

fn unsigned(header: &Value, claims: &Value) -> String {
    use base64::Engine;
    let part =
        |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_ours_are_refused() {
    with_server(async |app| {
        let mut canary = Canary::new(app).await;
        let good = canary.person.token.clone();
        let own = claims(&good);
        let base = app.url.trim_end_matches("/graphql");
        let keys: Value = app.http().get(format!("{base}/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
        let (kid, public) = (keys["keys"][0]["kid"].as_str().unwrap().to_owned(), keys["keys"][0]["x"].as_str().unwrap().to_owned());
        let ours = EncodingKey::from_ed_pem(&std::fs::read(&app.app.config.auth.signing_key_file).unwrap()).unwrap();
        let by_us = |change: &dyn Fn(&mut Value)| {
            let mut claims = own.clone();
            change(&mut claims);
            encode(&Header { kid: Some(kid.clone()), ..Header::new(Algorithm::EdDSA) }, &claims, &ours).unwrap()
        };
        let with_public = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        let log_in = "mutation { logIn(input: {handle: \"canary\", password: \"correct horse\"}) { refreshToken } }";
        let refresh = app.ask_anonymously(log_in, json!({})).await.text("/logIn/refreshToken");
        let flipped: String =
            good.chars().rev().enumerate().map(|(at, c)| if at == 9 { if c == 'A' { 'B' } else { 'A' } } else { c }).collect();
        let cases = [
            ("alg none", unsigned(&json!({ "alg": "none", "typ": "JWT", "kid": kid }), &own)),
            ("alg None", unsigned(&json!({ "alg": "None", "typ": "JWT", "kid": kid }), &own)),
            ("HS256 by the public key", encode(&with_public, &own, &EncodingKey::from_secret(public.as_bytes())).unwrap()),
            ("another's audience", by_us(&|claims| claims["aud"] = json!("elsewhere"))),
            ("another issuer", by_us(&|claims| claims["iss"] = json!("elsewhere"))),
            ("one that has ended", by_us(&|claims| claims["exp"] = json!(1))),
            ("one without an end", by_us(&|claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
            ("a refresh token", refresh),
            ("a changed signature", flipped.chars().rev().collect()),
            ("three dots", format!("{good}.x")),
            ("10 KB", "x".repeat(10_000)),
            ("nothing", String::new()),
        ];
        let query = json!({ "query": "{ viewer { user { handle } } }" });
        for (what, token) in cases {
            let (status, code, body) = post(app, Some(&token), &query).await;
            assert_eq!((status, code.as_str()), (401, "UNAUTHENTICATED"), "{what}: {body}");
            canary.sings(app, what).await;
        }
        let (_, _, body) = post(app, Some(&by_us(&|_| {})), &query).await;
        assert_eq!(body["data"]["viewer"]["user"]["handle"], "canary", "and one of ours is good");
        canary.report("tokens");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_bounded_before_they_are_hashed_and_many_at_once_hold_up_nobody() {
    with_server(async |app| {
        let mut canary = Canary::new(app).await;
        let before = rows(app).await;
        let sign_up = "mutation($p: String!) { signUp(input: {handle: \"someone\", email: \"someone@example.org\", password: $p, displayName: \"S\"}) {
            accessToken userErrors { code path } } }";
        for (what, password) in [("7 bytes", "1234567".to_owned()), ("1,025 bytes", "x".repeat(1_025)), ("4,096 bytes", "ä".repeat(2_048)), ("a nul", "12345678\u{0}".to_owned())] {
            let (_, code, body) = post(app, None, &json!({ "query": sign_up, "variables": { "p": password } })).await;
            let path = body.pointer("/data/signUp/userErrors/0/path").cloned();
            assert!(path == Some(json!(["input", "password"])) || path == Some(json!(["password"])) || code == "BAD_USER_INPUT", "{what}: {body}");
            canary.sings(app, what).await;
        }
        assert_eq!(rows(app).await, before);
        for (number, password) in ["  leading and trailing  ", "naïve 🐎 battery"].into_iter().enumerate() {
            let text = sign_up.replace("someone", &format!("someone{number}"));
            let (_, _, body) = post(app, None, &json!({ "query": text, "variables": { "p": password } })).await;
            assert!(body.pointer("/data/signUp/accessToken").is_some_and(Value::is_string), "{body}");
            let log_in = format!("mutation($p: String!) {{ logIn(input: {{handle: \"someone{number}\", password: $p}}) {{ accessToken }} }}");
            let (_, _, trimmed) = post(app, None, &json!({ "query": log_in, "variables": { "p": password.trim() } })).await;
            assert_eq!(trimmed["data"]["logIn"]["accessToken"].is_string(), password.trim() == password, "not a space is dropped");
        }

        let log_in = json!({ "query": "mutation { logIn(input: {handle: \"canary\", password: \"correct horse\"}) { accessToken userErrors { code } } }" });
        // As many at a time as leave the server room for others, if they do not hold them up while
        // they wait for their turn to be hashed.
        let many = stream::iter(0..200).map(|_| post(app, None, &log_in)).buffer_unordered(64).collect::<Vec<_>>();
        let beside = async {
            for _ in 0..20 {
                canary.sings(app, "200 log-ins").await;
            }
        };
        let (answers, ()) = tokio::join!(many, beside);
        for (status, code, body) in answers {
            let let_in = body.pointer("/data/logIn/accessToken").is_some_and(Value::is_string);
            assert!(let_in || ["OVERLOADED", "RATE_LIMITED"].contains(&code.as_str()), "{status} {body}");
        }
        canary.report("passwords");
    })
    .await;
}
