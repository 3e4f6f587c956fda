//! Finding people, posts and products.

mod bounds;
mod pages;
mod words;

use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp};

pub const POSTS: &str = "query($query: String!, $first: Int!, $after: String) { postsSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id text } } pageInfo { hasNextPage endCursor } } }";

pub const PEOPLE: &str = "query($query: String!, $first: Int!, $after: String) { peopleSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id handle } } pageInfo { hasNextPage endCursor } } }";

pub const PRODUCTS: &str =
    "query($query: String!, $first: Int!, $after: String) { productsSearch(query: $query, first: $first, after: $after) {
    edges { cursor node { id title } } pageInfo { hasNextPage endCursor } } }";

pub async fn search(
    app: &TestApp,
    viewer: Option<&Person>,
    document: &str,
    query: &str,
    first: usize,
    after: &Value,
) -> Answer {
    let variables = json!({ "query": query, "first": first, "after": after });
    match viewer {
        Some(viewer) => app.ask(viewer, document, variables).await,
        None => app.ask_anonymously(document, variables).await,
    }
}

/// One field of every node on a page.
pub fn nodes(answer: &Answer, field: &str) -> Vec<String> {
    let data = answer.at("");
    let edges = data.as_object().unwrap().values().next().unwrap()["edges"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", answer.body))
        .clone();
    edges.iter().map(|edge| edge["node"][field].as_str().unwrap().to_owned()).collect()
}

pub async fn found(
    app: &TestApp,
    viewer: Option<&Person>,
    document: &str,
    query: &str,
) -> Vec<String> {
    let field = if document == POSTS {
        "text"
    } else if document == PEOPLE {
        "handle"
    } else {
        "title"
    };
    nodes(&search(app, viewer, document, query, 20, &Value::Null).await, field)
}

pub async fn rename(app: &TestApp, person: &Person, name: &str) {
    let query = "mutation($name: String!) { profileUpdate(input: {displayName: $name}) { userErrors { message } } }";
    assert_eq!(
        app.ask(person, query, json!({ "name": name })).await.at("/profileUpdate/userErrors"),
        json!([])
    );
}

pub async fn offer(app: &TestApp, seller: &Person, title: &str, description: &str) {
    let query = "mutation($title: String!, $description: String!) { productCreate(input: {title: $title, description: $description,
        price: {amount: \"100\", currency: \"EUR\"}, stock: 1}) { userErrors { message } } }";
    assert_eq!(
        app.ask(seller, query, json!({ "title": title, "description": description }))
            .await
            .at("/productCreate/userErrors"),
        json!([])
    );
}

/// Writes so many posts a person, past the API; on every shard there is somebody.
pub async fn fill(app: &TestApp, each: usize, text: &str) -> i64 {
    fill_of(app, each, text, "true").await
}

/// The same by those of whom an SQL condition on `users u` holds.
pub async fn fill_of(app: &TestApp, each: usize, text: &str, whose: &str) -> i64 {
    app.count(&format!(
        "WITH made AS (INSERT INTO posts (id, author_id, text)
         SELECT next_id(((u.id >> 12) & 1023)::integer), u.id, replace('{text}', '#', n::text)
             FROM users u, generate_series(1, {each}) n WHERE {whose} RETURNING 1)
         SELECT count(*) FROM made"
    ))
    .await
}

/// So many people that each shard has one.
pub async fn everywhere(app: &TestApp) {
    let mut number = 0;
    while app.count("SELECT (count(*) > 0)::integer::bigint FROM users").await
        < i64::try_from(app.app.domain.cluster.len()).unwrap()
    {
        app.sign_up(&format!("person_{number}")).await;
        number += 1;
    }
}
