//! Log-ins, refreshes, and what a client holds for us.

use plaza::cli::roles::Role;
use plaza::config::Config;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_roles_and_config, with_server};

const LOG_IN: &str = "mutation($i: LogInInput!) { logIn(input: $i) {
    accessToken refreshToken deviceToken userErrors { code message } } }";
const REFRESH: &str = "mutation($token: String!) { sessionRefresh(input: {refreshToken: $token}) {
    accessToken refreshToken userErrors { code } } }";
const SIGN_UP: &str = "mutation($i: SignUpInput!) { signUp(input: $i) {
    viewer { user { handle } } userErrors { code path message } } }";

/// A log-in from an address: nginx is trusted to say which.
async fn log_in(app: &TestApp, from: &str, name: &str, password: &str, device: Value) -> Answer {
    let input = json!({ "handle": name, "password": password, "deviceToken": device });
    app.send(&[("x-forwarded-for", from)], LOG_IN, json!({ "i": input })).await
}

fn is_in(answer: &Answer) -> bool {
    answer.body.pointer("/data/logIn/accessToken").is_some_and(Value::is_string)
}

async fn guess(app: &TestApp, from: &str, name: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        let answer = log_in(app, from, name, "wrong horse", Value::Null).await;
        assert!(!is_in(&answer));
        statuses.push(answer.status);
    }
    statuses
}

async fn with_limits(change: impl FnOnce(&mut Config), test: impl AsyncFnOnce(&TestApp)) {
    with_roles_and_config(&[Role::Server], change, test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_stops_the_guesser_and_nobody_else() {
    with_limits(
        |config| config.limits.account_failures = 3,
        async |app| {
            app.sign_up("ann").await;
            let statuses = guess(app, "10.0.0.1", "ann", 5).await;
            assert_eq!(statuses, [200, 200, 200, 429, 429], "the guesser is stopped");
            let owner = log_in(app, "10.0.0.2", "ann", "correct horse", Value::Null).await;
            assert!(is_in(&owner), "{}", owner.body);
            // By another name of the account it is the same account.
            for name in ["@ANN", "ann@example.org"] {
                assert_eq!(guess(app, "10.0.0.1", name, 1).await, [429], "{name}");
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_addresses_do_slows_strangers_and_shuts_out_nobody() {
    with_limits(
        |config| {
            config.limits.account_failures = 6;
            config.limits.account_failures_anywhere = 10;
        },
        async |app| {
            app.sign_up("ann").await;
            let device = log_in(app, "10.0.9.9", "ann", "correct horse", Value::Null)
                .await
                .at("/logIn/deviceToken");
            for from in 0..5 {
                guess(app, &format!("10.0.1.{from}"), "ann", 3).await;
            }
            // Now an address that nobody knows has one try, and it is enough for who knows the
            // password.
            assert_eq!(guess(app, "10.0.2.1", "ann", 2).await, [200, 429]);
            let stranger = log_in(app, "10.0.2.2", "ann", "correct horse", Value::Null).await;
            assert!(is_in(&stranger), "{}", stranger.body);
            // A client that was logged in before has all of its own, wherever it is: also where
            // somebody guesses.
            for from in ["10.0.2.3", "10.0.1.1", "10.0.2.1"] {
                let wrong = log_in(app, from, "ann", "wrong horse", device.clone()).await;
                assert_eq!(wrong.status, 200, "{from}: {}", wrong.body);
                let known = log_in(app, from, "ann", "correct horse", device.clone()).await;
                assert!(is_in(&known), "{from}: {}", known.body);
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_token_is_of_one_account_and_bounded_itself() {
    with_limits(
        |config| config.limits.account_failures = 3,
        async |app| {
            app.sign_up("ann").await;
            app.sign_up("bob").await;
            let device = log_in(app, "10.0.9.9", "ann", "correct horse", Value::Null)
                .await
                .at("/logIn/deviceToken");
            // At somebody else's account it is none.
            for round in 0..4 {
                let answer = log_in(app, "10.0.0.1", "bob", "wrong horse", device.clone()).await;
                assert_eq!(answer.status, if round < 3 { 200 } else { 429 }, "{}", answer.body);
            }
            for (round, status) in [200, 200, 200].into_iter().enumerate() {
                let from = format!("10.0.3.{round}");
                let answer = log_in(app, &from, "ann", "wrong horse", device.clone()).await;
                assert_eq!(answer.status, status, "{}", answer.body);
            }
            // Its own tries are used up: it is like anybody where it is.
            assert_eq!(guess(app, "10.0.4.1", "ann", 3).await, [200, 200, 200]);
            let used_up = log_in(app, "10.0.4.1", "ann", "wrong horse", device.clone()).await;
            assert_eq!(used_up.status, 429, "{}", used_up.body);
            for bad in ["", "x", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
                let answer = log_in(app, "10.0.5.1", "ann", "correct horse", json!(bad)).await;
                assert!(is_in(&answer), "{bad}: {}", answer.body);
            }
        },
    )
    .await;
}

/// The keys of buckets that are there.
async fn buckets(app: &TestApp) -> Vec<String> {
    let client =
        redis::Client::open(secrecy::ExposeSecret::expose_secret(&app.app.config.redis.url))
            .unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}:rl:*", app.app.config.redis.key_prefix);
    redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_address_touches_no_account() {
    with_limits(
        |config| {
            config.limits.account_failures = 3;
            config.limits.address_failures = 4;
        },
        async |app| {
            app.sign_up("ann").await;
            guess(app, "10.0.0.1", "nobody_here", 4).await;
            let before = buckets(app).await;
            for name in ["ann", "bob", "ann@example.org", &"x".repeat(60_000), "a b"] {
                guess(app, "10.0.0.1", name, 3).await;
            }
            let after = buckets(app).await;
            let made: Vec<&String> =
                after.iter().filter(|key| !before.contains(key) && !key.contains(":a:")).collect();
            assert!(made.is_empty(), "{made:?}");
            assert!(after.iter().all(|key| key.len() < 120), "{after:?}");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_refresh_at_once_all_live() {
    with_server(async |app| {
        app.sign_up("ann").await;
        let mut token = log_in(app, "10.0.0.1", "ann", "correct horse", Value::Null)
            .await
            .text("/logIn/refreshToken");
        for round in 0..3 {
            let tabs = (0..6).map(|_| app.ask_anonymously(REFRESH, json!({ "token": token })));
            let answers = futures_util::future::join_all(tabs).await;
            for answer in &answers {
                assert_eq!(answer.at("/sessionRefresh/userErrors"), json!([]), "round {round}");
                let access = answer.text("/sessionRefresh/accessToken");
                let viewer = app
                    .send(
                        &[("authorization", &format!("Bearer {access}"))],
                        "{ viewer { sessions { isCurrent } } }",
                        json!({}),
                    )
                    .await;
                // The sign-up's, and this one: none of the tabs made another.
                assert_eq!(viewer.at("/viewer/sessions").as_array().unwrap().len(), 2);
            }
            // An answer that was lost on the way is asked for again.
            let again = app.ask_anonymously(REFRESH, json!({ "token": token })).await;
            assert_eq!(again.at("/sessionRefresh/userErrors"), json!([]));
            token = again.text("/sessionRefresh/refreshToken");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_comes_late_is_given_the_token_of_now() {
    with_server(async |app| {
        app.sign_up("ann").await;
        let first = log_in(app, "10.0.0.1", "ann", "correct horse", Value::Null)
            .await
            .text("/logIn/refreshToken");
        let mut newest = first.clone();
        for _ in 0..4 {
            let next = app.ask_anonymously(REFRESH, json!({ "token": newest })).await;
            newest = next.text("/sessionRefresh/refreshToken");
        }
        let late = app.ask_anonymously(REFRESH, json!({ "token": first })).await;
        assert_eq!(late.text("/sessionRefresh/refreshToken"), newest);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_token_ends_its_session_after_the_grace() {
    with_limits(
        |config| config.auth.refresh_grace_s = 0,
        async |app| {
            app.sign_up("ann").await;
            let first = log_in(app, "10.0.0.1", "ann", "correct horse", Value::Null)
                .await
                .text("/logIn/refreshToken");
            let next = app.ask_anonymously(REFRESH, json!({ "token": first })).await;
            let reused = app.ask_anonymously(REFRESH, json!({ "token": first })).await;
            assert_eq!(reused.text("/sessionRefresh/userErrors/0/code"), "INVALID_CREDENTIALS");
            let token = next.text("/sessionRefresh/refreshToken");
            let ended = app.ask_anonymously(REFRESH, json!({ "token": token })).await;
            assert_eq!(ended.text("/sessionRefresh/userErrors/0/code"), "INVALID_CREDENTIALS");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_last_day() {
    with_limits(
        |config| {
            config.auth.session_max_s = 3_600;
            config.auth.refresh_ttl_s = 86_400;
        },
        async |app| {
            app.sign_up("ann").await;
            let entered = log_in(app, "10.0.0.1", "ann", "correct horse", Value::Null).await;
            let token = entered.text("/logIn/refreshToken");
            let next = app.ask_anonymously(REFRESH, json!({ "token": token })).await;
            let access = next.text("/sessionRefresh/accessToken");
            let sessions = app
                .send(
                    &[("authorization", &format!("Bearer {access}"))],
                    "{ viewer { sessions { createdAt expiresAt } } }",
                    json!({}),
                )
                .await
                .at("/viewer/sessions");
            for session in sessions.as_array().unwrap() {
                let at = |field: &str| {
                    chrono::DateTime::parse_from_rfc3339(session[field].as_str().unwrap()).unwrap()
                };
                let lasts = at("expiresAt") - at("createdAt");
                assert!(lasts <= chrono::TimeDelta::seconds(3_601), "{session}");
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consistency_token_of_nobody_elses_making_is_refused() {
    use base64::Engine;
    let forge =
        |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let query = "mutation { postCreate(input: {text: \"x\"}) { post { id } } }";
        let given = app.ask(&ann, query, json!({})).await.consistency.expect("a token");
        let send = async |token: &str| {
            app.send(&[("plaza-consistency", token)], "{ __typename }", json!({})).await
        };
        assert_eq!(send(&given).await.status, 200);
        let far = u64::MAX >> 1;
        let mut flipped = given.clone().into_bytes();
        flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
        for bad in [
            forge(json!({ "s": { "0": far, "1": far, "2": far, "3": far }, "t": 0, "b": true })),
            forge(json!({ "s": {}, "t": 0 })),
            String::from_utf8(flipped).unwrap(),
            given[..given.len() - 2].to_owned(),
            format!("{given}AA"),
            "x".repeat(5_000),
        ] {
            let answer = send(&bad).await;
            assert_eq!((answer.status, answer.code()), (400, "BAD_USER_INPUT"), "{bad}");
        }
        // A sealed text of another purpose is none.
        let device = log_in(app, "10.0.0.1", "ann", "correct horse", Value::Null)
            .await
            .text("/logIn/deviceToken");
        assert_eq!(send(&device).await.status, 400);
        // It tells nothing.
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&given).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"\"s\":"), "readable");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_passwords_that_are_not_taken() {
    with_server(async |app| {
        let sign_up = async |handle: &str, email: &str, password: &str| {
            let input = json!({ "handle": handle, "email": email, "password": password,
                "displayName": "Some One" });
            app.ask_anonymously(SIGN_UP, json!({ "i": input })).await
        };
        for handle in ["admin", "Support", "r00t", "graph_ql", "settings", "____", "p1aza"] {
            let refused = sign_up(handle, "a@example.org", "correct horse").await;
            let error = refused.at("/signUp/userErrors/0");
            assert_eq!((&error["code"], &error["path"][1]), (&json!("TAKEN"), &json!("handle")));
        }
        for handle in ["\u{212a}elvin", "\u{130}stanbul", "\u{ff41}nn", "\u{17f}am"] {
            let refused = sign_up(handle, "a@example.org", "correct horse").await;
            assert_eq!(refused.text("/signUp/userErrors/0/code"), "INVALID", "{handle}");
        }
        for password in ["password1", "12345678", "some_one_1", "Some One", "short"] {
            let refused = sign_up("some_one_1", "a@example.org", password).await;
            let error = refused.at("/signUp/userErrors/0");
            assert_eq!(
                (&error["code"], &error["path"][1]),
                (&json!("INVALID"), &json!("password"))
            );
        }
        let made = sign_up("jo_rg", "J\u{f6}rg@Ex\u{e4}mple.de", "cafe\u{301} tiger moon").await;
        assert_eq!(made.at("/signUp/userErrors"), json!([]));
        for (name, password) in [
            ("jo\u{308}rg@xn--exmple-cua.de", "caf\u{e9} tiger moon"),
            ("@JO_RG", "cafe\u{301} tiger moon"),
        ] {
            let entered = log_in(app, "10.0.0.1", name, password, Value::Null).await;
            assert!(is_in(&entered), "{name}: {}", entered.body);
        }
        let taken = sign_up("other", "j\u{f6}rg@ex\u{e4}mple.de", "correct horse").await;
        assert_eq!(taken.text("/signUp/userErrors/0/code"), "TAKEN");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ups_tell_little_of_who_has_an_account() {
    with_limits(
        |config| config.limits.address_sign_ups = 4,
        async |app| {
            let input = |number: usize| {
                json!({ "i": { "handle": format!("some_{number}"), "email": "a@example.org",
                    "password": "correct horse", "displayName": "A" } })
            };
            let mut statuses = Vec::new();
            for number in 0..6 {
                let answer =
                    app.send(&[("x-forwarded-for", "10.0.0.1")], SIGN_UP, input(number)).await;
                statuses.push(answer.status);
            }
            assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
        },
    )
    .await;
}
