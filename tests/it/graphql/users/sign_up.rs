//! Sign-ups that come twice, and users who have just signed up.

use plaza::cli::roles::Role;
use serde_json::{Value, json};

use crate::app::{with_app, with_roles_and_config};

const SIGN_UP: &str = "mutation($handle: String!, $email: String!, $password: String!) {
    signUp(input: {handle: $handle, email: $email, password: $password, displayName: \"D\"}) {
        accessToken viewer { user { id } } userErrors { code path } } }";

fn account(handle: &str, email: &str, password: &str) -> Value {
    json!({ "handle": handle, "email": email, "password": password })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_sent_again_makes_one_account_and_its_key_opens_none() {
    with_app(async |app| {
        let key = [("idempotency-key", "weak")];
        let sent = (0..6)
            .map(|_| app.send(&key, SIGN_UP, account("ann", "ann@example.org", "correct horse")));
        let answers = futures_util::future::join_all(sent).await;
        let ann = answers[0].text("/signUp/viewer/user/id");
        for answer in &answers {
            assert_eq!(answer.text("/signUp/viewer/user/id"), ann, "{}", answer.body);
        }
        let thief = app.send(&key, SIGN_UP, account("ann", "ann@example.org", "wrong horse")).await;
        assert_eq!(thief.at("/signUp/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        assert_eq!(thief.at("/signUp/accessToken"), Value::Null);
        // Neither another address nor one that is somebody else's lets go of the handle.
        app.sign_up("bob").await;
        for email in ["thief@example.org", "bob@example.org"] {
            let thief = app.send(&key, SIGN_UP, account("ann", email, "correct horse")).await;
            assert_eq!(thief.at("/signUp/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        }
        let other = app
            .send(
                &[("idempotency-key", "other")],
                SIGN_UP,
                account("ann", "ann@example.org", "correct horse"),
            )
            .await;
        assert_eq!(
            other.at("/signUp/userErrors"),
            json!([{ "code": "TAKEN", "path": ["input", "handle"] }])
        );
        assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
        assert_eq!(app.count("SELECT count(*) FROM handle_claims").await, 2);
        assert_eq!(app.count("SELECT count(*) FROM email_claims").await, 2);
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'users'").await, 2);
    })
    .await;
}

/// What was done is answered as it was, however many accounts an address has made since; a wrong
/// password there is a wrong password.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_that_is_done_is_answered_again_where_no_other_may_be_made() {
    let few = |config: &mut plaza::config::Config| {
        (config.limits.address_sign_ups, config.limits.account_failures) = (1, 3);
    };
    with_roles_and_config(&[Role::Server], few, async |app| {
        let key = [("idempotency-key", "mine")];
        let of = |password: &str| account("ann", "ann@example.org", password);
        let first = app.send(&key, SIGN_UP, of("correct horse")).await;
        let ann = first.text("/signUp/viewer/user/id");
        let other = account("bob", "bob@example.org", "correct horse");
        let refused = app.send(&[("idempotency-key", "other")], SIGN_UP, other).await;
        assert_eq!(refused.code(), "RATE_LIMITED");
        for _ in 0..5 {
            let again = app.send(&key, SIGN_UP, of("correct horse")).await;
            assert_eq!(again.text("/signUp/viewer/user/id"), ann, "{}", again.body);
        }
        for _ in 0..3 {
            let thief = app.send(&key, SIGN_UP, of("guessed horse")).await;
            assert_eq!(thief.at("/signUp/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        }
        let thief = app.send(&key, SIGN_UP, of("guessed horse")).await;
        assert_eq!(thief.code(), "RATE_LIMITED", "{}", thief.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_just_signed_up_is_found_by_handle() {
    with_app(async |app| {
        for number in 0..8 {
            let handle = format!("new_{number}");
            let answer = app
                .send(
                    &[],
                    SIGN_UP,
                    account(&handle, &format!("{handle}@example.org"), "correct horse"),
                )
                .await;
            let seen = answer.consistency.clone().expect("a consistency token");
            let found = app
                .send(
                    &[("plaza-consistency", &seen)],
                    "query($handle: String!) { user(handle: $handle) { id } }",
                    json!({ "handle": handle }),
                )
                .await;
            assert_eq!(found.text("/user/id"), answer.text("/signUp/viewer/user/id"));
        }
    })
    .await;
}
