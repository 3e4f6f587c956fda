//! Posts: written, reposted, quoted.

mod about_products;
mod quotes;
mod reposts;
mod written;

use serde_json::{Value, json};

use crate::app::{Person, TestApp};

pub const REPOST: &str =
    "mutation($id: ID!) { postRepost(input: {postId: $id}) { post { id text viewerHasReposted } repost { id text repostOf { id } }
    userErrors { code path } } }";

pub const UNREPOST: &str = "mutation($id: ID!) { postUnrepost(input: {postId: $id}) { post { id viewerHasReposted } userErrors { code path } } }";

pub const QUOTE: &str =
    "mutation($text: String!, $id: ID!) { postCreate(input: {text: $text, quotedPostId: $id}) {
    post { id isQuote quotedPost { id text } } userErrors { code path } } }";

pub async fn repost(app: &TestApp, person: &Person, post: &str) -> String {
    app.ask(person, REPOST, json!({ "id": post })).await.text("/postRepost/repost/id")
}

pub async fn unrepost(app: &TestApp, person: &Person, post: &str) {
    let done = app.ask(person, UNREPOST, json!({ "id": post })).await;
    assert_eq!(done.at("/postUnrepost/userErrors"), json!([]));
}

pub async fn quote(app: &TestApp, person: &Person, text: &str, post: &str) -> String {
    app.ask(person, QUOTE, json!({ "text": text, "id": post })).await.text("/postCreate/post/id")
}

pub async fn delete(app: &TestApp, person: &Person, post: &str) {
    app.ask(
        person,
        "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }",
        json!({ "id": post }),
    )
    .await;
}

pub async fn act(app: &TestApp, person: &Person, mutation: &str, other: &Person) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    app.ask(person, &query, json!({ "id": other.id })).await;
}

/// A home feed as `author: text`, a repost as `reposter: author: text`, page by page.
pub async fn home(app: &TestApp, person: &Person, page: usize) -> Vec<String> {
    let query = "query($first: Int!, $after: String) { viewer { home(first: $first, after: $after) {
        nodes { text author { handle } repostOf { text author { handle } } } pageInfo { hasNextPage endCursor } } } }";
    let line = |post: &Value| {
        let of = |post: &Value| {
            format!(
                "{}: {}",
                post["author"]["handle"].as_str().unwrap(),
                post["text"].as_str().unwrap()
            )
        };
        if post["repostOf"].is_null() {
            of(post)
        } else {
            format!("{}{}", of(post), of(&post["repostOf"]))
        }
    };
    let (mut lines, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = app.ask(person, query, json!({ "first": page, "after": after })).await;
        lines.extend(answer.at("/viewer/home/nodes").as_array().unwrap().iter().map(line));
        if answer.at("/viewer/home/pageInfo/hasNextPage") == false {
            return lines;
        }
        after = answer.at("/viewer/home/pageInfo/endCursor");
    }
}

pub async fn counts(app: &TestApp, person: &Person, post: &str) -> (Value, Value) {
    let seen = app
        .ask(
            person,
            "query($id: ID!) { post(id: $id) { repostCount quoteCount } }",
            json!({ "id": post }),
        )
        .await;
    (seen.at("/post/repostCount"), seen.at("/post/quoteCount"))
}
