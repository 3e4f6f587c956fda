//! A write has a name: every mutation of the schema is sent with a key, then the world is changed
//! so that nothing of what it asked for is so any longer, then it is sent again and must be
//! answered as before. The key with anything else is a conflict, on whichever shard that would be
//! written. A mutation that has no entry here fails the test.

mod cases;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, with_config};
use cases::{ANONYMOUS, Case, case, elsewhere, text};

/// Mutations that are not told apart by a key, and why.
const UNNAMED: [(&str, &str); 5] = [
    ("logIn", "proves who asks, and begins a session each time: tokens are not stored"),
    ("sessionRefresh", "its refresh token names it: graphql/users/sessions.rs"),
    ("logOut", "its second try has no session to ask with"),
    ("sessionRevokeOthers", "has no input: graphql/users/tokens.rs sends it again with its key"),
    ("postViewsRecord", "telemetry: it takes no part in idempotency"),
];

/// How a key reaches plaza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In the field's input.
    Input,
    /// In the client's header.
    Header,
    /// In nginx's.
    Proxy,
}

/// Sends a mutation under a key.
async fn send(
    app: &TestApp,
    way: Way,
    key: &str,
    attempt: u32,
    case: &Case<'_>,
    mutation: &str,
    input: &Value,
) -> Answer {
    let mut input = input.clone();
    let (authorization, attempt) = (format!("Bearer {}", case.by.token), attempt.to_string());
    let mut headers = vec![("authorization", authorization.as_str())];
    match way {
        Way::Input => input["clientKey"] = json!(key),
        Way::Header => headers.push(("idempotency-key", key)),
        Way::Proxy => headers.extend([
            ("idempotency-key", key),
            ("x-plaza-key", "proxy"),
            ("x-plaza-attempt", &attempt),
        ]),
    }
    app.send(&headers, &text(mutation, case.selection), json!({ "input": input })).await
}

async fn mutations(app: &TestApp) -> BTreeSet<String> {
    let query = "{ __schema { mutationType { fields { name } } } }";
    let fields = app.ask_anonymously(query, json!({})).await.at("/__schema/mutationType/fields");
    fields
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether anything was rejected as a conflict, and nothing was done.
fn is_conflict(answer: &Answer, mutation: &str) -> bool {
    answer.body.pointer(&format!("/data/{mutation}/userErrors/0/code"))
        == Some(&json!("IDEMPOTENCY_CONFLICT"))
}

/// Another mutation on the viewer's own shard, and one on somebody else's.
async fn others(
    app: &TestApp,
    way: Way,
    key: &str,
    case: &Case<'_>,
    mutation: &str,
    foreign: &str,
) {
    let own = ("postCreate", "post { id }", json!({ "text": "under a key that is taken" }));
    let theirs = ("commentCreate", "comment { id }", json!({ "postId": foreign, "text": "so" }));
    for (other, selection, input) in [own, theirs] {
        if other != mutation {
            let case = Case {
                selection,
                by: case.by.clone(),
                input: json!({}),
                other: json!({}),
                changed: Box::pin(async {}),
            };
            let answer = send(app, way, key, 1, &case, other, &input).await;
            assert!(
                is_conflict(&answer, other),
                "{mutation}, then {other}, {way:?}: {}",
                answer.body
            );
        }
    }
}

async fn every_mutation(way: Way) {
    let limits = |config: &mut plaza::config::Config| {
        config.limits.images_per_hour = 1_000;
        config.orders.saga_in_request = false;
    };
    with_config(limits, async |app| {
        let mut missing = Vec::new();
        for (number, mutation) in mutations(app).await.into_iter().enumerate() {
            if mutation == ANONYMOUS || UNNAMED.iter().any(|(name, _)| *name == mutation) {
                continue;
            }
            let Some(mut case) = case(app, &mutation, &number.to_string()).await else {
                missing.push(mutation);
                continue;
            };
            let key = format!("key-{number}");
            let first = send(app, way, &key, 1, &case, &mutation, &case.input).await;
            let errors = first.body.pointer(&format!("/data/{mutation}/userErrors"));
            assert_eq!(errors, Some(&json!([])), "{mutation}, {way:?}: {}", first.body);
            std::mem::replace(&mut case.changed, Box::pin(async {})).await;
            let again = send(app, way, &key, 2, &case, &mutation, &case.input).await;
            assert_eq!(
                again.body, first.body,
                "{mutation}, {way:?}, again: an object of a payload comes from `answered`, which \
                 shows what the mutation returned, not from `load`"
            );
            if way != Way::Proxy {
                let other = send(app, way, &key, 1, &case, &mutation, &case.other).await;
                assert!(
                    is_conflict(&other, &mutation),
                    "{mutation}, {way:?}, another input: {}",
                    other.body
                );
                let stranger = elsewhere(app, &format!("st_{number}"), &[&case.by]).await;
                let foreign = app.post(&stranger, "a stage").await;
                others(app, way, &key, &case, &mutation, &foreign).await;
                let last = send(app, way, &key, 1, &case, &mutation, &case.input).await;
                assert_eq!(last.body, first.body, "{mutation}, {way:?}, after the conflicts");
            }
        }
        assert!(missing.is_empty(), "no case in this file: {missing:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_input_names_one_mutation_on_every_shard_whatever_happens_after_it() {
    every_mutation(Way::Input).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_header_names_one_mutation_on_every_shard_whatever_happens_after_it() {
    every_mutation(Way::Header).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_sends_again_is_answered_as_before_whatever_happened_in_between() {
    every_mutation(Way::Proxy).await;
}

#[test]
fn what_is_not_named_is_said_why() {
    for (name, why) in UNNAMED {
        assert!(!name.is_empty() && why.len() > 20, "{name}");
    }
}
