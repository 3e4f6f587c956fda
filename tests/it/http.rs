//! GraphQL over HTTP, and nothing else.

use serde_json::json;

use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn only_json_by_post_and_only_queries_by_get() {
    with_server(async |app| {
        let http = app.http();
        let query = r#"{"query":"{ __typename }"}"#;
        for content_type in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
        {
            let answer = http
                .post(&app.url)
                .header("content-type", content_type)
                .body(query)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 415, "{content_type}");
        }
        let mutation = "mutation { logOut { loggedOut } }";
        let get = |query: &str| {
            http.get(&app.url).header("graphql-require-preflight", "1").query(&[("query", query)])
        };
        assert_eq!(get("{ __typename }").send().await.unwrap().status(), 200);
        let refused = get(mutation).send().await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()),
            (405, "POST")
        );
        let bare = http.get(&app.url).query(&[("query", "{ __typename }")]).send().await.unwrap();
        assert_eq!(bare.status(), 400, "a browser could be made to send this");
        assert_eq!(http.put(&app.url).body(query).send().await.unwrap().status(), 405);
        let image = http
            .post(&app.url)
            .header("content-type", "application/json")
            .header("accept", "image/png")
            .body(query);
        assert_eq!(image.send().await.unwrap().status(), 406);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_request_are_told_so() {
    with_server(async |app| {
        let post = async |body: String| {
            let request =
                app.http().post(&app.url).header("content-type", "application/json").body(body);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        for body in [
            "",
            "null",
            "\"x\"",
            "{",
            "[]",
            "[{\"query\":\"{ __typename }\"}]",
            "{\"query\":null}",
            "{\"query\":7}",
            "{}",
        ] {
            let (status, text) = post(body.to_owned()).await;
            assert_eq!(status, 400, "{body}");
            assert!(
                text.contains("\"code\":\"BAD_USER_INPUT\"") && !text.contains("Error {"),
                "{body}: {text}"
            );
        }
        assert_eq!(post(format!("{{\"query\":\"{}\"}}", "x".repeat(70_000))).await.0, 413);
        let bomb =
            json!({ "query": format!("{{ a(s: {}{}) }}", "[".repeat(1_542), "]".repeat(1_542)) })
                .to_string();
        let (status, text) = post(bomb).await;
        assert!(status == 200 && text.contains("QUERY_TOO_DEEP"), "{status} {text}");
        assert_eq!(post(json!({ "query": "{ __typename }" }).to_string()).await.0, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_codes_and_status_follows_accept() {
    with_server(async |app| {
        for (query, code) in
            [("{ nothing }", "GRAPHQL_VALIDATION_FAILED"), ("{", "GRAPHQL_PARSE_FAILED")]
        {
            let answer = app.ask_anonymously(query, json!({})).await;
            assert_eq!((answer.status, answer.code()), (200, code));
            assert!(
                answer.body.get("data").is_none(),
                "what was not run has no data: {}",
                answer.body
            );
            assert!(!answer.body.to_string().contains("Did you mean"));
            let strict = app
                .send(&[("accept", "application/graphql-response+json")], query, json!({}))
                .await;
            assert_eq!(strict.status, 400);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consistency_token_comes_with_every_change_and_is_taken_back() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let query =
            "mutation { postCreate(input: {text: \"x\"}) { post { id } userErrors { code } } }";
        let written = app.ask(&ann, query, json!({})).await;
        let token = written.consistency.expect("a token");
        let read = app
            .send(
                &[("plaza-consistency", &token)],
                "{ user(handle: \"ann\") { postCount } }",
                json!({}),
            )
            .await;
        assert_eq!(
            read.at("/user/postCount"),
            1,
            "another client that was given the token sees it too"
        );
        let bad = app.send(&[("plaza-consistency", "nonsense")], "{ __typename }", json!({})).await;
        assert_eq!((bad.status, bad.code()), (400, "BAD_USER_INPUT"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_requests_that_ran_side_by_side_are_sent_together() {
    with_server(async |app| {
        let query =
            "mutation { postCreate(input: {text: \"x\"}) { post { id } userErrors { code } } }";
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (anns, bobs) =
            tokio::join!(app.ask(&ann, query, json!({})), app.ask(&bob, query, json!({})));
        let (anns, bobs) = (anns.consistency.expect("a token"), bobs.consistency.expect("a token"));
        let counts = "{ ann: user(handle: \"ann\") { postCount } \
                      bob: user(handle: \"bob\") { postCount } }";
        let both = format!("{anns}, {bobs}");
        for tokens in [
            &[("plaza-consistency", both.as_str())][..],
            &[("plaza-consistency", anns.as_str()), ("plaza-consistency", bobs.as_str())],
        ] {
            let read = app.send(tokens, counts, json!({})).await;
            assert_eq!(
                (read.at("/ann/postCount"), read.at("/bob/postCount")),
                (1.into(), 1.into())
            );
        }
        // None of them is passed over.
        for bad in [format!("{anns}, nonsense"), vec![anns.as_str(); 17].join(",")] {
            let answer =
                app.send(&[("plaza-consistency", &bad)], "{ __typename }", json!({})).await;
            assert_eq!((answer.status, answer.code()), (400, "BAD_USER_INPUT"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_playground_and_the_keys_are_served() {
    with_server(async |app| {
        let base = app.url.trim_end_matches("/graphql");
        let page = app.http().get(format!("{base}/graphiql")).send().await.unwrap();
        assert!(page.status() == 200 && page.text().await.unwrap().contains("GraphiQL"));
        let keys: serde_json::Value = app
            .http()
            .get(format!("{base}/.well-known/jwks.json"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(keys["keys"][0]["crv"], "Ed25519");
        assert_eq!(app.http().get(format!("{base}/readyz")).send().await.unwrap().status(), 200);
    })
    .await;
}
