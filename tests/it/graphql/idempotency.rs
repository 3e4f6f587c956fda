//! The same key, one effect, one answer.

use serde_json::json;

use crate::app::with_server;

const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_sent_again_answers_as_before_and_does_nothing() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let first = app.ask_with_key(&ann, "key-1", POST, json!({ "text": "once" })).await;
        let again = app.ask_with_key(&ann, "key-1", POST, json!({ "text": "once" })).await;
        assert_eq!(first.body, again.body);
        let other =
            app.ask_with_key(&ann, "key-1", POST, json!({ "text": "something else" })).await;
        assert_eq!(other.text("/postCreate/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        let bob = app.sign_up("bob").await;
        let his = app.ask_with_key(&bob, "key-1", POST, json!({ "text": "mine" })).await;
        assert_eq!(his.at("/postCreate/userErrors"), json!([]), "keys are each client's own");
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_at_the_same_time_have_one_effect() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let sent = (0..8).map(|_| app.ask_with_key(&ann, "key-2", POST, json!({ "text": "once" })));
        let answers = futures_util::future::join_all(sent).await;
        for answer in &answers {
            assert_eq!(answer.body, answers[0].body);
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 1);
        assert_eq!(
            app.count("SELECT count(*) FROM outbox WHERE sink = 1 AND topic = 'posts'").await,
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_a_request_has_a_key_of_its_own() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let both = "mutation { a: postCreate(input: {text: \"a\"}) { post { id } } b: postCreate(input: {text: \"b\"}) { post { id } } }";
        let first = app.ask_with_key(&ann, "key-3", both, json!({})).await;
        assert_ne!(first.text("/a/post/id"), first.text("/b/post/id"));
        assert_eq!(app.ask_with_key(&ann, "key-3", both, json!({})).await.body, first.body);
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 2);
    })
    .await;
}
