//! Answers to comments: where they stand, who is told, how deep they go.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_server};

const COMMENT: &str =
    "mutation($post: ID!, $text: String!, $to: ID) { commentCreate(input: {postId: $post, text: $text, inReplyToId: $to}) {
    comment { id depth replyCount inReplyTo { id } } userErrors { code path } } }";
const THREAD: &str =
    "query($id: ID!) { post(id: $id) { commentCount comments(first: 10) { nodes { text depth replyCount replies(first: 2) {
    nodes { text depth replyCount inReplyTo { text } replies(first: 5) { nodes { text } } } pageInfo { hasNextPage endCursor } } } } } }";

async fn comment(
    app: &TestApp,
    person: &Person,
    post: &str,
    text: &str,
    to: Option<&str>,
) -> String {
    app.ask(person, COMMENT, json!({ "post": post, "text": text, "to": to }))
        .await
        .text("/commentCreate/comment/id")
}

async fn refusal(app: &TestApp, person: &Person, post: &str, to: &str) -> Value {
    app.ask(person, COMMENT, json!({ "post": post, "text": "x", "to": to }))
        .await
        .at("/commentCreate/userErrors")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stand_below_what_they_answer_and_are_told_once() {
    with_app(async |app| {
        let (ann, bob, eve) = (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        let post = app.post(&ann, "discuss").await;
        let first = comment(app, &bob, &post, "first", None).await;
        let answer = comment(app, &ann, &post, "answer", Some(&first)).await;
        comment(app, &eve, &post, "deeper", Some(&answer)).await;
        for text in ["second answer", "third answer"] {
            comment(app, &eve, &post, text, Some(&first)).await;
        }
        comment(app, &eve, &post, "second", None).await;
        // Others wrote most of them: Ann's replica may be behind, and then only goes forward.
        let thread = async || app.ask(&ann, THREAD, json!({ "id": post })).await;
        app.until("ann's replica has them", async || thread().await.at("/post/commentCount") == 6).await;
        let seen = thread().await;
        assert_eq!(seen.at("/post/commentCount"), 6);
        let top = seen.at("/post/comments/nodes");
        assert_eq!(top.as_array().unwrap().iter().map(|node| node["text"].clone()).collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!((&top[0]["replyCount"], &top[1]["replyCount"], &top[0]["depth"]), (&json!(3), &json!(0), &json!(0)));
        let must = json!({ "text": "answer", "depth": 1, "replyCount": 1, "inReplyTo": { "text": "first" }, "replies": { "nodes": [{ "text": "deeper" }] } });
        assert_eq!(top[0]["replies"]["nodes"][0], must);
        assert_eq!(top[0]["replies"]["pageInfo"]["hasNextPage"], true);
        let rest = "query($id: ID!, $after: String) { node(id: $id) { ... on Comment { replies(first: 2, after: $after) { nodes { text } pageInfo { hasNextPage } } } } }";
        let page = app.ask(&ann, rest, json!({ "id": first, "after": top[0]["replies"]["pageInfo"]["endCursor"] })).await;
        assert_eq!(page.at("/node/replies"), json!({ "nodes": [{ "text": "third answer" }], "pageInfo": { "hasNextPage": false } }));

        // Ann: of each comment on her post, and of the answer to hers as an answer. Bob: of the
        // answers to his.
        let told = async |person: &Person| {
            let query = "{ viewer { notifications(first: 20) { nodes { kind actor { handle } comment { text } post { id } } } } }";
            let nodes = app.ask(person, query, json!({})).await.at("/viewer/notifications/nodes");
            let line = |node: &Value| {
                assert_eq!(node["post"]["id"], json!(post));
                format!("{} {}", node["kind"].as_str().unwrap(), node["comment"]["text"].as_str().unwrap())
            };
            let mut lines: Vec<String> = nodes.as_array().unwrap().iter().map(line).collect();
            lines.sort();
            lines
        };
        let anns = ["COMMENTED first", "COMMENTED second", "COMMENTED second answer", "COMMENTED third answer", "REPLY deeper"];
        app.until("ann is told", async || told(&ann).await == anns).await;
        app.until("bob is told", async || told(&bob).await == ["REPLY answer", "REPLY second answer", "REPLY third answer"]).await;

        // Whom one blocks one does not hear, nor what they are told of one.
        let block = "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&bob, block, json!({ "id": eve.id })).await;
        let heard = app.ask(&bob, THREAD, json!({ "id": post })).await.at("/post/comments/nodes");
        assert_eq!(heard.to_string().matches("answer").count(), 1, "{heard}");
        assert_eq!(told(&bob).await, ["REPLY answer"]);
        app.until("eve no longer finds bob's comment", async || {
            refusal(app, &eve, &post, &first).await == json!([{ "code": "NOT_FOUND", "path": ["input", "inReplyToId"] }])
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_with_its_reason() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let (post, other) = (app.post(&ann, "one").await, app.post(&ann, "two").await);
        let elsewhere = comment(app, &ann, &other, "elsewhere", None).await;
        let not_found = json!([{ "code": "NOT_FOUND", "path": ["input", "inReplyToId"] }]);
        assert_eq!(refusal(app, &ann, &post, &elsewhere).await, not_found, "of another post");
        assert_eq!(refusal(app, &ann, &post, &post).await, json!([{ "code": "INVALID", "path": ["input", "inReplyToId"] }]));
        // Comment:1, which nobody wrote.
        assert_eq!(refusal(app, &ann, &post, "Q29tbWVudDox").await, not_found);
        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }";
        app.ask(&ann, delete, json!({ "id": other })).await;
        assert_eq!(
            refusal(app, &ann, &other, &elsewhere).await,
            json!([{ "code": "NOT_FOUND", "path": ["input", "postId"] }]),
            "gone with its post"
        );

        let mut deepest = comment(app, &ann, &post, "0", None).await;
        for depth in 1..=8 {
            deepest = comment(app, &ann, &post, &format!("{depth}"), Some(&deepest)).await;
        }
        assert_eq!(refusal(app, &ann, &post, &deepest).await, json!([{ "code": "LIMIT_EXCEEDED", "path": ["input", "inReplyToId"] }]));
        assert_eq!(app.count("SELECT max(depth)::bigint FROM comments UNION ALL SELECT 0 ORDER BY 1 DESC NULLS LAST LIMIT 1").await, 8);

        // The same key answers the same: one answer, whatever the network did.
        let top = comment(app, &ann, &post, "top", None).await;
        let variables = json!({ "post": post, "text": "once", "to": top });
        let once = app.ask_with_key(&ann, "k", COMMENT, variables.clone()).await.text("/commentCreate/comment/id");
        assert_eq!(app.ask_with_key(&ann, "k", COMMENT, variables).await.text("/commentCreate/comment/id"), once);
        assert_eq!(app.count("SELECT count(*) FROM comments WHERE text = 'once'").await, 1);
    })
    .await;
}
