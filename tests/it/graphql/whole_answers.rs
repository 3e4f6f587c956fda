//! Whole answers, where a list of pointers would say less: what a client gets, key by key.

use std::collections::BTreeMap;

use plaza::graphql::ids::parse_any;
use serde_json::{Value, json};

use crate::app::{TestApp, with_app, with_server};

/// What differs from run to run, made alike: ids by the order in which they come, cursors, times.
#[derive(Default)]
struct Settled(BTreeMap<String, usize>);

impl Settled {
    fn settle(&mut self, key: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (key.clone(), self.settle(&key, value)))
                .collect(),
            Value::Array(items) => items.into_iter().map(|item| self.settle(key, item)).collect(),
            Value::String(_) if key.to_lowercase().ends_with("cursor") => json!("<cursor>"),
            Value::String(_) if key.ends_with("At") => json!("<time>"),
            Value::String(text) if parse_any(&text).is_some() => {
                let number = self.0.len();
                json!(format!("<id {}>", self.0.entry(text).or_insert(number)))
            }
            other => other,
        }
    }
}

fn settled(answer: &Value) -> Value {
    Settled::default().settle("", answer.clone())
}

async fn commented(app: &TestApp) -> (crate::app::Person, String) {
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    app.follow(&ann, &bob).await;
    let post = app.post(&bob, "Have you seen this, @ann? #plaza").await;
    let comment = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"I have.\"}) { comment { id } userErrors { code } } }";
    app.ask(&ann, comment, json!({ "id": post })).await.text("/commentCreate/comment/id");
    (ann, post)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_answered_whole() {
    with_app(async |app| {
        let (ann, post) = commented(app).await;
        let home = "{ viewer { home(first: 2) {
            edges { cursor node {
                id text createdAt isQuote viewerHasLiked viewerHasReposted
                likeCount commentCount repostCount quoteCount
                author { id handle displayName isPrivate
                    followerCount followingCount viewerIsFollowing }
                comments(first: 1) {
                    edges { node { id text author { handle } } } pageInfo { hasNextPage } }
            } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
        let counted = "query($id: ID!) { post(id: $id) { commentCount author { followerCount } } }";
        app.until("all is counted", async || {
            app.ask(&ann, counted, json!({ "id": post })).await.at("/post")
                == json!({ "commentCount": 1, "author": { "followerCount": 1 } })
        })
        .await;
        app.until("it is at home", async || app.home(&ann, 2).await.len() == 1).await;
        let answer = app.ask(&ann, home, json!({})).await;
        insta::assert_json_snapshot!("home", settled(&answer.body));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mutation_refuses_is_answered_whole() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let create = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message path } } }";
        let answer = app.ask(&ann, create, json!({ "text": "x".repeat(10_001) })).await;
        insta::assert_json_snapshot!("refused_mutation", settled(&answer.body));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_a_query_are_answered_whole() {
    with_server(async |app| {
        let query =
            "query($first: Int!) { viewer { home(frist: $first) { nodes { txet author } } } }";
        let answer = app.ask_anonymously(query, json!({ "first": "two" })).await;
        insta::assert_json_snapshot!("mistakes", settled(&answer.body));
    })
    .await;
}
