//! People whose requests come twice, or too late, or for nothing.

use serde_json::{Value, json};

use crate::app::with_app;

const SIGN_UP: &str = "mutation($handle: String!, $email: String!, $password: String!) {
    signUp(input: {handle: $handle, email: $email, password: $password, displayName: \"D\"}) {
        accessToken viewer { user { id } } userErrors { code path } } }";
const FOLLOW: &str = "mutation($id: ID!) { userFollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";
const UNFOLLOW: &str = "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";

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

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_that_changes_nothing_leaves_no_trace() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.ask(&ann, UNFOLLOW, json!({ "id": bob.id })).await;
        let activity = "SELECT sum(activity_version)::bigint FROM users";
        assert_eq!(
            app.count(
                "SELECT coalesce(sum(activity_version), 0)::bigint FROM users WHERE handle = 'ann'"
            )
            .await,
            1
        );
        for _ in 0..3 {
            assert_eq!(
                app.ask(&ann, FOLLOW, json!({ "id": bob.id }))
                    .await
                    .at("/userFollow/user/viewerIsFollowing"),
                true
            );
        }
        assert_eq!(
            app.count(
                "SELECT coalesce(sum(activity_version), 0)::bigint FROM users WHERE handle = 'ann'"
            )
            .await,
            2
        );
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'edges'").await, 1);
        app.ask(&ann, UNFOLLOW, json!({ "id": bob.id })).await;
        assert_eq!(
            app.ask(&ann, UNFOLLOW, json!({ "id": bob.id }))
                .await
                .at("/userUnfollow/user/viewerIsFollowing"),
            false
        );
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'edges'").await, 2);
        let _ = activity;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_about_no_product_is_told_all_its_faults() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let create = "mutation($title: String!) { productCreate(input: {title: $title, description: \"\", price: {amount: \"100\", currency: \"EUR\"}, stock: 1}) {
            product { id } userErrors { code } } }";
        let product = app.ask(&ann, create, json!({ "title": "a thing" })).await.text("/productCreate/product/id");
        let bob = app.sign_up("bob").await;
        let post = "mutation($text: String!, $product: ID) { postCreate(input: {text: $text, productId: $product}) { post { id } userErrors { code path } } }";
        let answer = app.ask(&bob, post, json!({ "text": "look", "product": product })).await;
        assert_eq!(answer.at("/postCreate/userErrors"), json!([]));
        let none = app.ask(&bob, post, json!({ "text": "", "product": product })).await;
        assert_eq!(none.at("/postCreate/userErrors").as_array().unwrap().len(), 1);
    })
    .await;
}
