//! What is around a document: method, path, headers, size.

use serde_json::json;

use super::{Canary, raw, rows};
use crate::app::{TestApp, with_config};

/// A request as it goes over the wire.
fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nhost: plaza\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_are_refused() {
    with_config(|config| config.server.development = false, requests).await;
}

async fn requests(app: &TestApp) {
    let mut canary = Canary::new(app).await;
    let before = rows(app).await;
    const JSON: (&str, &str) = ("content-type", "application/json");
    let ok = r#"{"query":"{ __typename }"}"#;
    let post = |headers: &[(&str, &str)], body: &str| request("POST /graphql", headers, body);
    let long = "x".repeat(66_000);
    let many: Vec<(String, String)> =
        (0..200).map(|number| (format!("x-header-{number}"), "1".to_owned())).collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([JSON]).collect();
    let deep = format!(
        "{{\"query\":\"{{ __typename }}\",\"variables\":{{\"a\":{}{}}}}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let batch = format!("[{}]", [ok; 2].join(","));
    let mutation = "mutation%20%7B%20logOut%20%7B%20loggedOut%20%7D%20%7D";
    let mut chunked = b"POST /graphql HTTP/1.1\r\nhost: plaza\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..200 {
        chunked.extend_from_slice(format!("2000\r\n{}\r\n", " ".repeat(0x2000)).as_bytes());
    }
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("text/plain", post(&[("content-type", "text/plain")], ok), &[415]),
        (
            "a form",
            post(
                &[("content-type", "application/x-www-form-urlencoded")],
                "query=%7B__typename%7D",
            ),
            &[415],
        ),
        (
            "several parts",
            post(&[("content-type", "multipart/form-data; boundary=x")], "--x--"),
            &[415],
        ),
        ("no content type", post(&[], ok), &[415]),
        ("gzip", post(&[JSON, ("content-encoding", "gzip")], "\u{1f}\u{8b}"), &[415]),
        ("an unknown encoding", post(&[JSON, ("content-encoding", "x")], ok), &[415]),
        ("pictures wanted", post(&[JSON, ("accept", "image/png")], ok), &[406]),
        ("64 KiB and one byte", post(&[JSON], &" ".repeat(65_537)), &[413]),
        ("1.6 MB in chunks", chunked, &[413]),
        (
            "a URL of 70 KB",
            request(&format!("GET /graphql?query={}", "x".repeat(70_000)), &[], ""),
            &[400, 414, 431],
        ),
        ("200 headers", post(&many, ok), &[431]),
        ("a header of 66 KB", post(&[JSON, ("x-long", &long)], ok), &[431]),
        (
            "two authorizations",
            post(&[JSON, ("authorization", "Bearer a"), ("authorization", "Bearer b")], ok),
            &[400, 401],
        ),
        (
            "a mutation by GET",
            request(
                &format!("GET /graphql?query={mutation}"),
                &[("graphql-require-preflight", "1")],
                "",
            ),
            &[405],
        ),
        (
            "a query by GET from a page",
            request("GET /graphql?query=%7B__typename%7D", &[], ""),
            &[400],
        ),
        ("PUT", request("PUT /graphql", &[JSON], ok), &[405]),
        ("DELETE", request("DELETE /graphql", &[JSON], ok), &[405]),
        ("TRACE", request("TRACE /graphql", &[], ""), &[405]),
        (
            "another's page",
            post(
                &[
                    JSON,
                    ("origin", "https://evil.example"),
                    ("sec-fetch-site", "cross-site"),
                    ("cookie", "session=1"),
                ],
                ok,
            ),
            &[403],
        ),
        ("an empty body", post(&[JSON], ""), &[400]),
        ("null", post(&[JSON], "null"), &[400]),
        ("a batch of two", post(&[JSON], &batch), &[400]),
        ("an empty batch", post(&[JSON], "[]"), &[400]),
        ("a text", post(&[JSON], "\"x\""), &[400]),
        ("no query", post(&[JSON], r#"{"query":null}"#), &[400]),
        ("two queries", post(&[JSON], r#"{"query":"{a}","query":"{b}"}"#), &[400]),
        ("JSON 20,000 deep", post(&[JSON], &deep), &[400]),
        (
            "no UTF-8",
            [&post(&[JSON], "xx")[..post(&[JSON], "xx").len() - 2], b"\xff\xfe"].concat(),
            &[400],
        ),
        ("the figures from outside", request("GET /metrics", &[], ""), &[404]),
        (
            "a way around",
            request("POST /graphql/../admin", &[JSON, ("x-original-url", "/metrics")], ok),
            &[404, 405],
        ),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0, 400]),
    ];
    for (what, bytes, statuses) in cases {
        let (status, text) = raw(app, &bytes).await;
        assert!(
            statuses.contains(&status),
            "{what}: {status} {}",
            text.chars().take(300).collect::<String>()
        );
        assert!(
            !text.contains("panicked") && !text.contains("Error {") && !text.contains("src/"),
            "{what}: {text}"
        );
        canary.sings(app, what).await;
    }
    let (status, text) = raw(
        app,
        &request(
            "GET /graphql?query=mutation%7BlogOut%7BloggedOut%7D%7D",
            &[("graphql-require-preflight", "1")],
            "",
        ),
    )
    .await;
    assert!(status == 405 && text.to_lowercase().contains("allow: post"), "{text}");
    // Only the list's pages may ask; a cookie is nobody; a forged host changes nothing.
    let (_, text) = raw(
        app,
        &request(
            "OPTIONS /graphql",
            &[("origin", "https://evil.example"), ("access-control-request-method", "POST")],
            "",
        ),
    )
    .await;
    assert!(!text.to_lowercase().contains("access-control-allow-origin"), "{text}");
    let who = r#"{"query":"{ viewer { user { id } } }"}"#;
    let (status, text) = raw(
        app,
        &post(&[JSON, ("cookie", &format!("authorization=Bearer {}", canary.person.token))], who),
    )
    .await;
    assert!(status == 200 && text.contains(r#""viewer":null"#), "{text}");
    assert!(text.to_lowercase().contains("x-content-type-options: nosniff"), "{text}");
    assert_eq!(rows(app).await, before);
    canary.report("requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_documents_run_where_there_is_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted.json");
    let known = "query Who { viewer { user { handle } } }";
    std::fs::write(&file, json!({ "who": known, "typename": "{ __typename }" }).to_string())
        .unwrap();
    with_config(
        move |config| config.server.trusted_documents = Some(file),
        async |app| {
            let send = async |body: serde_json::Value| super::post(app, None, &body).await;
            let by_id = |id: &str| json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": id } } });
            assert_eq!(send(json!({ "query": known })).await.2, json!({ "data": { "viewer": null } }));
            assert_eq!(send(by_id("typename")).await.2, json!({ "data": { "__typename": "Query" } }));
            for other in [json!({ "query": "{ rateLimit { cost } }" }), json!({ "query": format!("{known} ") }), by_id("nothing")] {
                let (status, code, _) = send(other.clone()).await;
                assert_eq!((status, code.as_str()), (400, "PERSISTED_QUERY_NOT_FOUND"), "{other}");
            }
            let mut socket = crate::websocket::Socket::of(app, None).await;
            socket.subscribe("1", "subscription { homeUpdated { cursor } }", json!({})).await;
            assert!(
                matches!(socket.hear().await, crate::websocket::Heard::Message(message) if message["type"] == "error"),
                "over a socket too"
            );
        },
    )
    .await;
}
