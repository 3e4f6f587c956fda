//! How often a user, or who guesses a password, may do something.

use plaza::cli::roles::Role;
use serde_json::{Value, json};

use crate::app::{Person, with_roles_and_config};
use crate::graphql::cost::{code, post};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_limited_and_right_ones_are_not() {
    with_roles_and_config(
        &[Role::Server],
        |config| config.limits.account_failures = 3,
        async |app| {
            app.sign_up("ann").await;
            let log_in = |password: &str| {
                json!({ "query": "mutation($password: String!) { logIn(input: {handle: \"ann\", password: $password}) {
                    accessToken userErrors { code } } }", "variables": { "password": password } })
            };
            for _ in 0..5 {
                let (_, _, body) = post(app, None, &log_in("correct horse")).await;
                assert!(body["data"]["logIn"]["accessToken"].is_string(), "{body}");
            }
            for _ in 0..3 {
                let (_, _, body) = post(app, None, &log_in("wrong horse")).await;
                assert_eq!(body["data"]["logIn"]["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{body}");
            }
            let (status, retry, body) = post(app, None, &log_in("correct horse")).await;
            assert_eq!((status, code(&body)), (429, "RATE_LIMITED"), "{body}");
            assert!(retry.is_some_and(|retry| retry > 0));
        },
    )
    .await;
}

/// What one person may do in an hour, whatever it costs. A mutation that comes again under its key
/// is answered as before and counts once; nobody else is concerned.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_does_each_thing_so_often_in_an_hour() {
    let few = |config: &mut plaza::config::Config| {
        let limits = &mut config.limits;
        for limit in [
            &mut limits.posts_per_hour,
            &mut limits.comments_per_hour,
            &mut limits.follows_per_hour,
            &mut limits.likes_per_hour,
            &mut limits.orders_per_hour,
            &mut limits.products_per_hour,
            &mut limits.images_per_hour,
            &mut limits.changes_per_hour,
        ] {
            *limit = 2;
        }
        limits.mentions_per_hour = 3;
    };
    with_roles_and_config(&[Role::Server], few, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (eve, cyd) = (app.sign_up("eve").await, app.sign_up("cyd").await);
        let offer = "productCreate(input: {title: \"t\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } userErrors { code } }";
        let product = app
            .ask(&bob, &format!("mutation {{ {offer} }}"), json!({}))
            .await
            .text("/productCreate/product/id");
        let post = app.post(&bob, "one").await;
        let user = &bob.id;
        for (action, of) in [
            ("Posts", "postCreate(input: {text: \"x\"}) { post { id } userErrors { code } }".to_owned()),
            ("Comments", format!("commentCreate(input: {{postId: \"{post}\", text: \"x\"}}) {{ comment {{ id }} userErrors {{ code }} }}")),
            ("Follows", format!("userFollow(input: {{userId: \"{user}\"}}) {{ user {{ id }} userErrors {{ code }} }}")),
            ("Likes", format!("postLike(input: {{postId: \"{post}\"}}) {{ post {{ id }} userErrors {{ code }} }}")),
            ("Orders", format!("orderPlace(input: {{lines: [{{productId: \"{product}\", quantity: 1}}]}}) {{ order {{ id }} userErrors {{ code }} }}")),
            ("Products", offer.to_owned()),
            ("Changes", "profileUpdate(input: {bio: \"x\"}) { user { id } userErrors { code } }".to_owned()),
            ("Images", "imageCreate(input: {byteCount: 9}) { image { id } userErrors { code } }".to_owned()),
        ] {
            let query = format!("mutation {{ it: {of} }}");
            let send = async |person: &Person, key: &str| {
                app.ask_with_key(person, &format!("{action}-{key}"), &query, json!({})).await
            };
            let first = send(&ann, "1").await;
            assert!(first.body["errors"].is_null(), "{action}: {}", first.body);
            // The same again, as often as one likes.
            for _ in 0..3 {
                assert_eq!(send(&ann, "1").await.at("/it"), first.at("/it"), "{action}");
            }
            assert!(send(&ann, "2").await.body["errors"].is_null(), "{action}");
            let refused = send(&ann, "3").await;
            assert_eq!((refused.status, refused.code()), (429, "RATE_LIMITED"), "{action}");
            let retry = refused.body.pointer("/errors/0/extensions/retryAfter");
            assert!(retry.and_then(Value::as_u64).is_some_and(|retry| retry > 0), "{action}");
            assert_eq!(send(&ann, "1").await.at("/it"), first.at("/it"), "{action}");
            let other = send(&eve, "1").await;
            assert!(other.body["errors"].is_null(), "{action}: {}", other.body);
        }
        // Three people may be mentioned: two, and not two more.
        let mention = |text: &str| format!("mutation {{ postCreate(input: {{text: \"{text}\"}}) {{ post {{ id }} }} }}");
        app.until("all are found", async || {
            let query = "{ a: user(handle: \"ann\") { id } b: user(handle: \"bob\") { id } e: user(handle: \"eve\") { id } }";
            let found = app.ask(&cyd, query, json!({})).await;
            ["/a", "/b", "/e"].iter().all(|person| found.at(person).is_object())
        })
        .await;
        app.ask(&cyd, &mention("@ann @bob"), json!({})).await;
        let authorization = format!("Bearer {}", cyd.token);
        let refused =
            app.send(&[("authorization", &authorization)], &mention("@bob @eve"), json!({})).await;
        assert_eq!(refused.code(), "RATE_LIMITED", "{}", refused.body);
    })
    .await;
}
