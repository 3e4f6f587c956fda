//! Documents and variables.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Canary, post, raw, rows};
use crate::app::{TestApp, with_config, with_server};

fn nested(open: &str, inside: &str, close: &str, times: usize) -> String {
    format!("{}{inside}{}", open.repeat(times), close.repeat(times))
}

/// Fragments each of which spreads the next one twice.
fn bomb(levels: usize) -> String {
    let mut text = "{ ...f0 }".to_owned();
    for level in 0..levels {
        write!(text, " fragment f{level} on Query {{ ...f{n} ...f{n} }}", n = level + 1).unwrap();
    }
    text + &format!(" fragment f{levels} on Query {{ __typename }}")
}

fn aliases(count: usize, field: &str) -> String {
    format!("{{ {} }}", super::aliases(count, field))
}

/// An answer is made by one future in another, a level a future: unoptimised, the deepest took more
/// than two megabytes of stack, and the process with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_deepest_document_is_answered() {
    with_server(async |app| {
        let author = app.sign_up("author").await;
        app.post(&author, "all the way down").await;
        let inside = nested(
            "author { posts(first: 1) { nodes { ",
            "text images { url } product { title } quotedPost { id }",
            "} } }",
            6,
        );
        let answer = app
            .ask(
                &author,
                &format!(
                    "{{ viewer {{ user {{ posts(first: 1) {{ nodes {{ {inside} }} }} }} }} }}"
                ),
                json!({}),
            )
            .await;
        assert!(answer.body.to_string().contains("all the way down"), "{}", answer.body);
        let deeper = nested("author { posts(first: 1) { nodes { ", "text", "} } }", 7);
        let query =
            format!("{{ viewer {{ user {{ posts(first: 1) {{ nodes {{ {deeper} }} }} }} }} }}");
        let refused = app
            .send(&[("authorization", &format!("Bearer {}", author.token))], &query, json!({}))
            .await;
        assert_eq!(refused.code(), "QUERY_TOO_DEEP");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_would_stop_a_server_are_refused() {
    with_config(|config| config.server.development = false, documents).await;
}

async fn documents(app: &TestApp) {
    let mut canary = Canary::new(app).await;
    let before = rows(app).await;
    const DEEP: &str = "QUERY_TOO_DEEP";
    const COMPLEX: &str = "QUERY_TOO_COMPLEX";
    const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
    let costly = "products(first: 100) { nodes { seller { posts(first: 100) { nodes { comments(first: 100) { nodes { text } } } } } } }";
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("a list nested 1,542 times", format!("{{ post(id: {}) {{ id }} }}", nested("[", "", "]", 1_542)), &[DEEP]),
        ("an object nested 1,542 times", format!("{{ post(id: {}) {{ id }} }}", nested("{a: ", "1", "}", 1_542)), &[DEEP]),
        ("one in a variable's default", format!("query($a: ID = {}) {{ post(id: $a) {{ id }} }}", nested("[", "", "]", 1_542)), &[DEEP]),
        ("one in a directive", format!("{{ __typename @skip(if: {}) }}", nested("[", "", "]", 1_542)), &[DEEP]),
        ("a fragment bomb of 2^22", bomb(22), &[COMPLEX]),
        ("a fragment bomb of 2^100", bomb(100), &[COMPLEX]),
        ("a fragment in itself", "{ ...a } fragment a on Query { ...a }".to_owned(), &[INVALID]),
        ("two in each other", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(), &[INVALID]),
        ("one that nobody uses", "{ __typename } fragment a on Query { ...a }".to_owned(), &[INVALID]),
        ("fields 200 deep", nested("{ a ", "", "}", 200), &[DEEP]),
        ("fields 20,000 deep", nested("{a", "", "}", 20_000), &[DEEP, COMPLEX]),
        ("inline fragments 20,000 deep", format!("{{ {} }}", nested("...{", "__typename", "}", 10_000)), &[DEEP, COMPLEX]),
        ("16 aliases of a costly field", aliases(16, costly), &[COMPLEX]),
        ("1,000 aliases", aliases(1_000, "products(first: 100) { nodes { id } }"), &[COMPLEX]),
        ("a field 20,000 times", format!("{{ {} }}", "id ".repeat(20_000)), &[COMPLEX]),
        ("50 operations, none named", (0..50).map(|number| format!("query q{number} {{ __typename }} ")).collect(), &[INVALID]),
        ("introspection", "{ __schema { types { name } } }".to_owned(), &[INVALID]),
        ("introspection in circles", "{ __type(name: \"Post\") { fields { type { fields { type { name } } } } } }".to_owned(), &[INVALID]),
        ("a field that nearly is", "{ vewer { user { id } } }".to_owned(), &[INVALID]),
        ("`first` of null", "{ products(first: null) { nodes { id } } }".to_owned(), &[INVALID]),
        ("`first` and `last`", "{ products(first: 1, last: 1) { nodes { id } } }".to_owned(), &[INVALID]),
        ("`first` past 32 bits", "{ products(first: 2147483648) { nodes { id } } }".to_owned(), &[INVALID, "BAD_USER_INPUT"]),
        ("`first` as a text", "{ products(first: \"10\") { nodes { id } } }".to_owned(), &[INVALID, "BAD_USER_INPUT"]),
        ("`first` as a float", "{ products(first: 1e9) { nodes { id } } }".to_owned(), &[INVALID, "BAD_USER_INPUT"]),
        ("`first` below nothing", "{ products(first: -1) { nodes { id } } }".to_owned(), &["BAD_USER_INPUT"]),
        ("`first` of 2^31-1", "{ products(first: 2147483647) { nodes { id } } }".to_owned(), &["BAD_USER_INPUT", COMPLEX]),
        (
            "a costly list behind `node`",
            "{ node(id: \"VXNlcjox\") { ... on User { posts(first: 100) { nodes { author { posts(first: 100) { nodes {
                comments(first: 100) { nodes { id } } } } } } } } } }"
                .to_owned(),
            &[COMPLEX],
        ),
        (
            "fields that are not the client's",
            "mutation { postCreate(input: {text: \"x\", authorId: \"VXNlcjox\"}) { post { id } } }".to_owned(),
            &[INVALID],
        ),
        ("a role for oneself", "mutation { profileUpdate(input: {isAdmin: true}) { user { id } } }".to_owned(), &[INVALID]),
    ];
    let token = canary.person.token.clone();
    for (what, query, codes) in cases {
        let (status, code, body) = post(app, Some(&token), &json!({ "query": query })).await;
        assert!(
            codes.contains(&code.as_str()),
            "{what}: {status} {code}: {}",
            body.to_string().chars().take(400).collect::<String>()
        );
        assert!(status < 500, "{what}: {status}");
        assert!(
            !body.to_string().contains("viewer") && !body.to_string().contains("Did you mean"),
            "{what}: {body}"
        );
        canary.sings(app, what).await;
    }
    let (status, _, body) = post(app, Some(&token), &json!({ "query": "{ __typename }" })).await;
    assert_eq!((status, body), (200, json!({ "data": { "__typename": "Query" } })));
    assert_eq!(rows(app).await, before);
    canary.report("documents");
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_texts_that_cannot_be_are_told() {
    with_config(|config| config.server.development = false, variables).await;
}

async fn variables(app: &TestApp) {
    let mut canary = Canary::new(app).await;
    let token = canary.person.token.clone();
    let before = rows(app).await;
    let write = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id text } userErrors { code } } }";
    let many: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let cases: Vec<(&str, Value, u16, &str)> = vec![
        ("a missing variable", json!({ "query": write }), 400, "BAD_USER_INPUT"),
        (
            "one of another type",
            json!({ "query": write, "variables": { "text": { "a": 1 } } }),
            400,
            "BAD_USER_INPUT",
        ),
        (
            "a list of 300",
            json!({ "query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": { "ids": many[..300] } }),
            400,
            "",
        ),
    ];
    for (what, request, status, code) in cases {
        let (seen, told, body) = post(app, Some(&token), &request).await;
        assert_eq!(seen, status, "{what}: {body}");
        assert!(code.is_empty() || told == code, "{what}: {body}");
        canary.sings(app, what).await;
    }
    for (what, variables) in [
        ("a list of 20,000", json!({ "ids": many })),
        ("a text of 5 MB", json!({ "text": "x".repeat(5_000_000) })),
    ] {
        let body = json!({ "query": write, "variables": variables }).to_string();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: plaza\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // The server hangs up in the middle: the answer may be lost with the connection.
        let (status, _) = raw(app, (head + &body).as_bytes()).await;
        assert!([413, 0].contains(&status), "{what}: {status}");
        canary.sings(app, what).await;
    }
    // A nul, which PostgreSQL cannot hold, in every text a client can write.
    let bad = "a\u{0}b";
    for (what, query) in [
        (
            "a post",
            "mutation($x: String!) { it: postCreate(input: {text: $x}) { userErrors { code } } }",
        ),
        (
            "a profile",
            "mutation($x: String!) { it: profileUpdate(input: {displayName: $x}) { userErrors { code } } }",
        ),
        (
            "a bio",
            "mutation($x: String!) { it: profileUpdate(input: {bio: $x}) { userErrors { code } } }",
        ),
        (
            "a product",
            "mutation($x: String!) { it: productCreate(input: {title: $x, description: $x, price: {amount: \"1\", currency: \"EUR\"}, stock: 1}) { userErrors { code } } }",
        ),
        (
            "a handle",
            "mutation($x: String!) { it: signUp(input: {handle: $x, email: $x, password: \"correct horse\", displayName: $x}) { userErrors { code } } }",
        ),
        (
            "a log-in",
            "mutation($x: String!) { it: logIn(input: {handle: $x, password: \"correct horse\"}) { userErrors { code } } }",
        ),
    ] {
        let (status, code, body) =
            post(app, Some(&token), &json!({ "query": query, "variables": { "x": bad } })).await;
        let told = body.pointer("/data/it/userErrors/0/code").is_some() || code == "BAD_USER_INPUT";
        assert!(status < 500 && told, "{what}: {status} {body}");
        canary.sings(app, what).await;
    }
    for (what, email) in [
        ("no domain's dot", "a@b"),
        ("too long", &format!("{}@example.org", "a".repeat(250))),
        ("a header in it", "a@example.org\r\nBcc: b@example.org"),
        ("a space", "a b@example.org"),
        ("two", "a@example.org,b@example.org"),
    ] {
        let query = "mutation($x: String!) { it: signUp(input: {handle: \"someone\", email: $x, password: \"correct horse\", displayName: \"S\"}) { userErrors { code } } }";
        let (_, _, body) =
            post(app, None, &json!({ "query": query, "variables": { "x": email } })).await;
        assert!(
            body.pointer("/data/it/userErrors/0/code").is_some(),
            "an address with {what}: {body}"
        );
        canary.sings(app, what).await;
    }
    assert_eq!(rows(app).await, before, "nothing was written");

    // And what only looks dangerous comes back as it was sent.
    let texts = [
        "<script>alert(1)</script>",
        "'; DROP TABLE users; --",
        "*)(uid=*))(|(uid=*",
        "{{7*7}} ${jndi:ldap://x}",
        "\u{1b}[31mred\u{1b}[0m",
        "a\nb",
    ];
    for text in texts {
        let (status, _, body) =
            post(app, Some(&token), &json!({ "query": write, "variables": { "text": text } }))
                .await;
        let kept = body.pointer("/data/postCreate/post/text").and_then(Value::as_str);
        let refused = body.pointer("/data/postCreate/userErrors/0/code").is_some();
        assert!(status == 200 && (kept == Some(text) || refused), "{text:?}: {body}");
        canary.sings(app, text).await;
    }
    canary.report("variables");
}
