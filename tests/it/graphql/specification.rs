//! Between the parser and the resolver the specification decides: a request with a mistake is
//! refused whole, each response key runs once, defaults stand in for variables without a value.

use serde_json::json;

use crate::app::{TestApp, with_config, with_server};
use crate::websocket::{Heard, Socket};

/// As somebody, errors and all.
async fn send(
    app: &TestApp,
    person: &crate::app::Person,
    query: &str,
    variables: serde_json::Value,
) -> crate::app::Answer {
    app.send(&[("authorization", &format!("Bearer {}", person.token))], query, variables).await
}

const POSTS: &str = "SELECT count(*) FROM posts";

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_anywhere_refuses_the_whole_request() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let done = "ok: postCreate(input: {text: \"first of two\"}) { post { id } }";
        let order = |quantity: &str, key: &str| {
            format!(
                "{key}: orderPlace(input: {{lines: [{{productId: \"x\", quantity: {quantity}}}]}}) \
                 {{ order {{ id }} }}"
            )
        };
        // A value of the wrong type: as a variable or a literal, before or after what is right.
        let takes = |ty: &str, first: &str, second: &str| {
            format!("mutation($q: {ty}) {{ {first} {second} }}")
        };
        let bad = order("$q", "bad");
        for (query, value, code) in [
            (takes("Int!", done, &bad), json!(2_147_483_648_i64), "BAD_USER_INPUT"),
            (takes("Int!", &bad, done), json!(2_147_483_648_i64), "BAD_USER_INPUT"),
            (takes("Int!", done, &bad), json!(1.5), "BAD_USER_INPUT"),
            (takes("Int!", done, &bad), json!("3"), "BAD_USER_INPUT"),
            (takes("Int!", done, &bad), json!(null), "BAD_USER_INPUT"),
            (takes("Int! = 1", done, &bad), json!(null), "BAD_USER_INPUT"),
            (takes("Int = 1", done, &bad), json!(null), "BAD_USER_INPUT"),
            (takes("Int", done, &bad), json!(1), "GRAPHQL_VALIDATION_FAILED"),
            (takes("String!", done, &bad), json!("3"), "GRAPHQL_VALIDATION_FAILED"),
            (
                format!("mutation {{ {done} {} }}", order("2147483648", "bad")),
                json!(0),
                "GRAPHQL_VALIDATION_FAILED",
            ),
        ] {
            let answer = send(app, &ann, &query, json!({ "q": value })).await;
            assert_eq!(answer.code(), code, "{query} {value}: {}", answer.body);
            assert!(answer.body.get("data").is_none(), "{}", answer.body);
            assert!(answer.body["errors"][0]["locations"][0]["line"].is_u64(), "{}", answer.body);
        }
        assert_eq!(app.count(POSTS).await, 0);
        // Over a socket it is the same pass.
        let mut socket = Socket::of(app, Some(&ann)).await;
        socket.subscribe("1", &takes("Int!", done, &bad), json!({ "q": 2_147_483_648_i64 })).await;
        let Heard::Message(refused) = socket.hear().await else { panic!("closed") };
        assert_eq!(refused["type"], "error");
        assert_eq!(refused["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(app.count(POSTS).await, 0);
        // What a resolver refuses is its field's own, and the others stand.
        let ids = format!("mutation {{ {done} {} }}", order("1", "bad"));
        let answer = send(app, &ann, &ids, json!({})).await;
        assert!(answer.at("/ok/post/id").is_string(), "{}", answer.body);
        assert_eq!(app.count(POSTS).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_refused_before_queries_run_too() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let views = "query($t: DateTime) { viewer { user { handle } \
                     analytics { views(last: 1, size: DAY, to: $t) { views } } } }";
        for time in ["yesterday", "2026-13-01T00:00:00Z", ""] {
            let refused = send(app, &ann, views, json!({ "t": time })).await;
            assert_eq!(refused.code(), "BAD_USER_INPUT");
            let message = refused.body["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("Variable \"$t\" got invalid value"), "{message}");
        }
        // A whole number is one, however JSON writes it.
        let products = "query($f: Int!) { products(first: $f) { nodes { id } } }";
        let whole = app.ask_anonymously(products, json!({ "f": 1.0 })).await;
        assert_eq!(whole.at("/products/nodes"), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_without_a_value_takes_the_arguments_default() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let tops = "query($l: Int, $s: WindowSize) { viewer { analytics { \
                    topPosts(first: 1, last: $l, size: $s) { views } \
                    topProducts(first: 1, last: $l, size: $s) { units } } } }";
        // Both arguments have defaults and end in `!`: nullable variables may stand there.
        let answer = send(app, &ann, tops, json!({})).await;
        assert_eq!(answer.at("/viewer/analytics/topPosts"), json!([]), "{}", answer.body);
        assert_eq!(answer.at("/viewer/analytics/topProducts"), json!([]));
        let null = send(app, &ann, tops, json!({ "s": null })).await;
        assert_eq!(null.code(), "BAD_USER_INPUT");
        assert_eq!(
            null.body["errors"][0]["message"],
            "Argument \"size\" of non-null type \"WindowSize!\" must not be null."
        );
        // In an input object, a field whose variable has no value was not given.
        let create = "mutation($k: String, $i: [ID!]) { postCreate(input: \
                      {text: \"x\", clientKey: $k, imageIds: $i, quotedPostId: null}) \
                      { post { text } userErrors { code } } }";
        let created = send(app, &ann, create, json!({})).await;
        assert_eq!(created.text("/postCreate/post/text"), "x");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_key_runs_once_however_often_it_is_written() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let post = "postCreate(input: {text: \"same\"})";
        let thrice = format!(
            "mutation {{ {post} {{ post {{ id }} }} {post} {{ post {{ text }} }} ...again \
             ... @include(if: false) {{ {post} {{ post {{ isQuote }} }} }} }} \
             fragment again on Mutation {{ {post} {{ post {{ text id likeCount }} }} }}"
        );
        let answer = send(app, &ann, &thrice, json!({})).await;
        let made = answer.at("/postCreate/post");
        let keys: Vec<&String> = made.as_object().unwrap().keys().collect();
        assert_eq!(made["text"], "same");
        assert_eq!(keys.len(), 3, "{made}");
        assert_eq!(app.count(POSTS).await, 1);
        let mut socket = Socket::of(app, Some(&ann)).await;
        socket.subscribe("1", &thrice, json!({})).await;
        assert_eq!(socket.next("1").await["postCreate"]["post"]["text"], "same");
        assert_eq!(app.count(POSTS).await, 2);
        // Two things under one key are refused, also where only a fragment brings them together.
        let two = "mutation { x: postCreate(input: {text: \"a\"}) { post { id } } ...f } \
                   fragment f on Mutation { x: postCreate(input: {text: \"b\"}) { post { id } } }";
        let refused = send(app, &ann, two, json!({})).await;
        assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(
            refused.body["errors"][0]["message"],
            "Fields \"x\" conflict because they have differing arguments. Use different aliases \
             on the fields to fetch both if this was intentional."
        );
        assert_eq!(app.count(POSTS).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn literals_are_read_as_the_specification_says() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        for (literal, text) in [
            (r#""\uD83D\uDE00""#, "\u{1f600}"),
            (r#""\u{1F600} \u{e9}""#, "\u{1f600} \u{e9}"),
            (r#""a\\b\"c\/\u00e9""#, "a\\b\"c/\u{e9}"),
            ("\"\"\"say \\\"\"\" now\"\"\"", "say \"\"\" now"),
            ("\"\"\"\n    a\n      b\n    \"\"\"", "a\n  b"),
        ] {
            let query = format!(
                "mutation {{ postCreate(input: {{text: {literal}}}) {{ post {{ text }} }} }}"
            );
            let answer = app.ask(&ann, &query, json!({})).await;
            assert_eq!(answer.text("/postCreate/post/text"), text, "{literal}");
        }
        for literal in [r#""\uD83D""#, r#""\u{110000}""#, r#""\x""#, "\"a\nb\"", "\"\"\"open"] {
            let query = format!("{{ user(handle: {literal}) {{ id }} }}");
            let refused = app.ask_anonymously(&query, json!({})).await;
            assert_eq!(refused.code(), "GRAPHQL_PARSE_FAILED", "{literal}");
            let message = refused.body["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("Syntax Error: "), "{message}");
            assert!(!message.contains("-->"), "{message}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_all_named_and_names_are_suggested_in_development_only() {
    for development in [true, false] {
        with_config(
            |config| config.server.development = development,
            async |app| {
                let query = "mutation($i: PostCreateInput!) { postCreat(input: $i) { id } \
                             b: postCreate(input: {txt: \"x\"}) { post { id } } }";
                let answer = app.ask_anonymously(query, json!({ "i": { "text": "x" } })).await;
                let errors = answer.body["errors"].as_array().unwrap().clone();
                let messages: Vec<&str> =
                    errors.iter().map(|error| error["message"].as_str().unwrap()).collect();
                let near = |names: &str| {
                    if development { format!(" Did you mean {names}?") } else { String::new() }
                };
                assert_eq!(
                    messages,
                    [
                        format!(
                            "Cannot query field \"postCreat\" on type \"Mutation\".{}",
                            near("\"postCreate\" or \"postRepost\"")
                        ),
                        "Field \"PostCreateInput.text\" of required type \"String!\" was not \
                         provided."
                            .to_owned(),
                        format!(
                            "Field \"txt\" is not defined by type \"PostCreateInput\".{}",
                            near("\"text\"")
                        ),
                    ]
                );
                assert_eq!(errors[2]["locations"], json!([{ "line": 1, "column": 84 }]));
            },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_does_not_go_round_in_circles() {
    with_server(async |app| {
        let circle = |pairs: usize| {
            let (open, close) = ("possibleTypes { interfaces { ", "} }");
            format!(
                "{{ __type(name: \"Node\") {{ {} name {} }} }}",
                open.repeat(pairs),
                close.repeat(pairs)
            )
        };
        let fine = app.ask_anonymously(&circle(1), json!({})).await;
        assert!(fine.at("/__type/possibleTypes/0/interfaces/0/name").is_string());
        for pairs in [2, 10] {
            let refused = app.ask_anonymously(&circle(pairs), json!({})).await;
            assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED");
            let message = &refused.body["errors"][0]["message"];
            assert_eq!(message, "Maximum introspection depth exceeded");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_header_sent_empty_is_none() {
    with_server(async |app| {
        let answer = app.send(&[("accept", "")], "{ __typename }", json!({})).await;
        assert_eq!((answer.status, answer.at("/__typename")), (200, json!("Query")));
    })
    .await;
}
