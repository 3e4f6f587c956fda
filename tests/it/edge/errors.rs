//! What nginx refuses, or cannot pass on, is a GraphQL error with a code of the schema's list; a
//! page to who reads pages.

use async_graphql::resolver_utils::EnumType;
use plaza::graphql::error::ErrorCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Hung, Nginx, free_port};

/// What came back over a connection of its own: status, headers in lower case, body.
pub async fn raw(nginx: &Nginx, bytes: &[u8]) -> (u16, String, String) {
    let mut stream = tokio::net::TcpStream::connect(nginx.address).await.unwrap();
    // It may answer, and close, before it has read all.
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let mut piece = [0_u8; 4_096];
    loop {
        let read = stream.read(&mut piece).await.unwrap_or(0);
        text.extend_from_slice(&piece[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            assert!(read > 0, "cut off: {so_far}");
            continue;
        };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || length.is_some_and(|length| length.parse() == Ok(body.len())) {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return (status, head, body.to_owned());
        }
    }
}

fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nhost: plaza\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A GraphQL error and nothing else, with a code of the list, by its media type.
fn code_of(what: &str, (status, head, body): &(u16, String, String), media_type: &str) -> String {
    assert!(head.contains(&format!("content-type: {media_type}; charset=utf-8")), "{what}: {head}");
    for header in ["cache-control: no-store", "x-content-type-options: nosniff", "x-request-id: "] {
        assert!(head.contains(header), "{what}: {header} is not in {head}");
    }
    let json: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{what}: {body}"));
    let error = &json["errors"][0];
    assert!(json.get("data").is_none() && error["message"].is_string(), "{what}: {json}");
    let code = error["extensions"]["code"].as_str().unwrap().to_owned();
    assert!(
        ErrorCode::items().iter().any(|item| item.name == code),
        "{what}: {code} is none of the schema's"
    );
    // Who is told to come back is told when, and both say the same.
    let after = error["extensions"]["retryAfter"].as_u64();
    let header = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    assert_eq!(after.map(|seconds| seconds.to_string()).as_deref(), header, "{what} {status}");
    code
}

const FORMS: [(&str, &str); 2] = [
    ("", "application/json"),
    ("accept: application/graphql-response+json\r\n", "application/graphql-response+json"),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_nginx_refuses_is_a_graphql_error() {
    let dead = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let nginx = Nginx::before([dead, dead]).await;
    let long = format!("x-long: {}\r\n", "x".repeat(9_000));
    let many: String = (0..30).map(|n| format!("x-{n}: {}\r\n", "x".repeat(1_000))).collect();
    let url = format!("GET /graphql?query={}", "x".repeat(9_000));
    let large = " ".repeat(65_537);
    // What headers that are never read to their end say is not known: it is answered in JSON.
    let read: [(&str, &str, &str, &str, u16, &str); 3] = [
        ("a large body", "POST /graphql", "", &large, 413, "QUERY_TOO_COMPLEX"),
        ("no server", "POST /graphql", "", "{}", 502, "SHARD_UNAVAILABLE"),
        ("no server", "GET /graphql?query=x", "", "", 502, "SHARD_UNAVAILABLE"),
    ];
    for (what, line, headers, body, status, code) in read {
        for (accept, media_type) in FORMS {
            let answer = raw(&nginx, &request(line, &format!("{headers}{accept}"), body)).await;
            assert_eq!((answer.0, &*code_of(what, &answer, media_type)), (status, code), "{what}");
        }
    }
    let unread: [(&str, Vec<u8>, u16, &str); 7] = [
        ("a long address", request(&url, "", ""), 414, "QUERY_TOO_COMPLEX"),
        ("a long header", request("POST /graphql", &long, ""), 431, "BAD_USER_INPUT"),
        ("many headers", request("POST /graphql", &many, ""), 431, "BAD_USER_INPUT"),
        ("no HTTP", b"\x16\x03\x01\r\n\r\n".to_vec(), 400, "BAD_USER_INPUT"),
        ("no host", b"GET /graphql HTTP/1.1\r\n\r\n".to_vec(), 400, "BAD_USER_INPUT"),
        ("TRACE", request("TRACE /graphql", "", ""), 405, "BAD_USER_INPUT"),
        (
            "an unknown encoding",
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ntransfer-encoding: zip\r\n\r\n".to_vec(),
            501,
            "BAD_USER_INPUT",
        ),
    ];
    for (what, bytes, status, code) in unread {
        let answer = raw(&nginx, &bytes).await;
        assert_eq!((answer.0, &*code_of(what, &answer, "application/json")), (status, code));
    }
    // A browser that looks at a page is shown one.
    let page = raw(&nginx, &request("GET /shop", "accept: text/html\r\n", "")).await;
    assert_eq!(page.0, 502);
    assert!(page.1.contains("content-type: text/html") && page.2.contains("<h1>502</h1>"));
    let inside = raw(&nginx, &request("GET /-/error/json", "", "")).await;
    assert_eq!(inside.0, 404, "the pages of errors are nobody's to ask for");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_sent_to_no_server_is_told_unchanged() {
    let hung = Hung::new();
    let nginx = Nginx::before([hung.address; 2]).await;
    let post = request("POST /graphql", "idempotency-key: mine\r\n", "{}");
    let unnamed = request("POST /graphql", "", "{}");
    let get = request("GET /graphql?query=x", "", "");
    let (post, unnamed, get) =
        tokio::join!(raw(&nginx, &post), raw(&nginx, &unnamed), raw(&nginx, &get));
    for (what, answer, code) in [
        ("POST", &post, "OUTCOME_UNKNOWN"),
        ("POST", &unnamed, "OUTCOME_UNKNOWN"),
        ("GET", &get, "TIMEOUT"),
    ] {
        assert_eq!((answer.0, &*code_of(what, answer, "application/json")), (504, code));
    }
    // With which key to try again is said, also where nginx has made it.
    assert!(post.1.contains("idempotency-key: mine"), "{}", post.1);
    let of = |name: &str| {
        let line = unnamed.1.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}in {}", unnamed.1)).to_owned()
    };
    assert_eq!(of("idempotency-key: "), of("x-request-id: "));
    assert!(!get.1.contains("idempotency-key"), "{}", get.1);
}
