//! What needs no server: negotiation, limits, refusals. Every server of this app is at an address
//! where nobody answers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::public_router;
use plaza_app::App;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::identity::{Identity, generate_key_file};
use plaza_domain::images::Images;
use plaza_domain::payments::SimulatedPayments;
use plaza_domain::{Domain, timelines};
use plaza_stores::objects::Objects;
use plaza_stores::postgres::Cluster;
use plaza_stores::redis::Redis;
use tempfile::TempDir;

pub(super) fn app() -> App {
    app_with(json!({ "deadline_ms": 400 }))
}

/// The same with another section `server`.
fn app_with(server: Value) -> App {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        generate_key_file(&folder.path().join("key.pem")).unwrap();
        folder
    });
    let config: Config = serde_json::from_value(json!({
        "server": server,
        "postgres": { "shards": "postgres://nobody@127.0.0.1:9/none", "checkout_timeout_ms": 100 },
        "redis": { "url": "redis://127.0.0.1:9", "timeout_ms": 50 },
        "rabbitmq": { "url": "amqp://127.0.0.1:9" },
        "kafka": { "brokers": "127.0.0.1:9" },
        "media": { "folder": FOLDER.path().join("media") },
        "auth": { "signing_key_file": FOLDER.path().join("key.pem") },
    }))
    .unwrap();
    let keys = plaza_domain::identity::Keys::read(&config.auth).unwrap();
    let domain = Domain {
        cluster: std::sync::Arc::new(Cluster::new(&config.postgres).unwrap()),
        redis: Redis::new(&config.redis, Clock::System).unwrap(),
        clock: Clock::System,
        feed: config.feed.clone(),
        orders: config.orders.clone(),
        payments: std::sync::Arc::new(SimulatedPayments(config.payments.clone())),
        objects: Objects::new(&config.media),
        images: std::sync::Arc::new(Images::new(&config.media, &keys).unwrap()),
        identity: std::sync::Arc::new(Identity::new(&config.auth, &config.limits, &keys).unwrap()),
        pull_authors: timelines::PullAuthors::default(),
        limits: plaza_domain::limits::Limits::of(&config.limits),
        views: std::sync::Arc::new(plaza_domain::views::ViewLog::new(&config.views, &config.kafka)),
        viewer_batches: plaza_domain::batches::ViewerBatches::new(config.postgres.shards.len()),
    };
    App::around(config, domain).unwrap()
}

#[tokio::test]
async fn a_request_beyond_what_is_taken_on_waits_for_a_moment_and_is_refused() {
    let app = app();
    let served = super::Served::new(&app);
    let mut held = Vec::new();
    for _ in 0..app.config.server.max_in_flight {
        held.push(served.admit().await.ok().unwrap());
    }
    assert_eq!(served.admit().await.err().unwrap().code, super::ErrorCode::Overloaded);
    // Asked for while all is taken, and given when the first makes room.
    let (waited, ()) = tokio::join!(served.admit(), async { drop(held.pop()) });
    assert!(waited.is_ok());
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }
}

async fn ask(method: Method, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = public_router(&app()).oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const STRICT: (&str, &str) = ("accept", "application/graphql-response+json");

async fn post(headers: &[(&str, &str)], body: Value) -> Answer {
    ask(Method::POST, "/graphql", &[&[JSON], headers].concat(), body.to_string()).await
}

#[tokio::test]
async fn a_query_is_answered_in_the_form_that_is_asked_for() {
    let answer = post(&[], json!({ "query": "{ viewer { user { id } } }" })).await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, json!({ "data": { "viewer": null } }))
    );
    assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/json"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let answer = post(&[STRICT], json!({ "query": "{ viewer { user { id } } }" })).await;
    assert!(
        answer.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("application/graphql-response+json")
    );
    let answer =
        post(&[("accept", "image/png")], json!({ "query": "{ viewer { user { id } } }" })).await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_query_that_does_not_run_has_a_code_and_no_data() {
    let cases = [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "query A { viewer { user { id } } } query B { viewer { user { id } } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("query($n: Int!) { products(first: $n) { nodes { id } } }", "BAD_USER_INPUT"),
        ("{ ...f } fragment f on Query { ...f }", "GRAPHQL_VALIDATION_FAILED"),
    ];
    for (query, code) in cases {
        let answer = post(&[STRICT], json!({ "query": query })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, code),
            "{query}: {}",
            answer.body
        );
        assert!(answer.body.get("data").is_none(), "{query}: {}", answer.body);
        assert_eq!(post(&[], json!({ "query": query })).await.status, StatusCode::OK, "{query}");
    }
    let deep = format!("{}{}", "{ a ".repeat(70), "}".repeat(70));
    assert_eq!(post(&[], json!({ "query": deep })).await.code(), "QUERY_TOO_DEEP");
}

#[tokio::test]
async fn a_field_that_fails_alone_is_null_beside_an_error_with_a_path() {
    for (query, field) in [
        ("{ products(first: 0) { nodes { id } } }", "products"),
        ("{ products(first: 101) { nodes { id } } }", "products"),
        ("{ products(first: 1, after: \"djE6VXNlcjo3\") { nodes { id } } }", "products"),
        ("{ post(id: \"VXNlcjo3\") { id } }", "post"),
    ] {
        let answer = post(&[STRICT], json!({ "query": query })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::OK, "BAD_USER_INPUT"),
            "{query}: {}",
            answer.body
        );
        assert_eq!(answer.body["errors"][0]["path"], json!([field]), "{query}");
        assert_eq!(answer.body["data"], json!(BTreeMap::from([(field, Value::Null)])), "{query}");
    }
    let answer = post(&[], json!({ "query": "{ nodes(ids: [\"x\"]) { id } }" })).await;
    assert_eq!(answer.body["data"], json!({ "nodes": [null] }));
    assert_eq!(answer.body["errors"][0]["path"], json!(["nodes", 0]));
}

#[tokio::test]
async fn a_shard_that_is_away_is_said_so() {
    let answer = post(&[], json!({ "query": "{ post(id: \"UG9zdDo3\") { id } }" })).await;
    assert_eq!(answer.status, StatusCode::OK);
    // Which of the two it is depends on whether the pool gave up before the refused connection did
    // it why.
    assert!(matches!(answer.code(), "SHARD_UNAVAILABLE" | "TIMEOUT"), "{}", answer.body);
    assert_eq!(answer.body["data"], json!({ "post": null }));
}

#[tokio::test]
async fn a_mutation_tells_what_is_wrong_with_its_input() {
    let query = "mutation { productCreate(input: {title: \"t\", description: \"\", price: {amount: \"1.5\", currency: \"EUR\"}, stock: 1})
        { product { id } userErrors { code path } } }";
    let answer = post(&[], json!({ "query": query })).await;
    let errors = json!([{ "code": "INVALID", "path": ["input", "price", "amount"] }]);
    assert_eq!(
        answer.body["data"]["productCreate"],
        json!({ "product": null, "userErrors": errors })
    );
    let answer =
        post(&[], json!({ "query": "mutation { logOut { loggedOut } postDelete(input: {postId: \"x\"}) { userErrors { code } } }" })).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    let data = json!({ "logOut": null, "postDelete": { "userErrors": [{ "code": "INVALID" }] } });
    assert_eq!(answer.body["data"], data);
    let query = "mutation { orderPlace(input: {lines: [{productId: \"VXNlcjo3\", quantity: 1}]}) { userErrors { code path } } }";
    let answer = post(&[], json!({ "query": query })).await;
    assert_eq!(
        answer.body["data"]["orderPlace"]["userErrors"][0]["path"],
        json!(["input", "lines", "0", "productId"])
    );
}

#[tokio::test]
async fn only_json_of_one_operation_is_taken() {
    let of = async |content_type: &'static str, body: &'static str| {
        ask(Method::POST, "/graphql", &[("content-type", content_type)], body).await.status
    };
    let query = "{\"query\":\"{ viewer { user { id } } }\"}";
    assert_eq!(of("application/json; charset=UTF-8", query).await, StatusCode::OK);
    for refused in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
    ] {
        assert_eq!(of(refused, query).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{refused}");
    }
    for refused in [
        "",
        "{",
        "null",
        "7",
        "{}",
        "{\"query\":7}",
        "{\"query\":\"{a}\",\"variables\":[]}",
        " [{\"query\":\"{a}\"}]",
    ] {
        assert_eq!(of("application/json", refused).await, StatusCode::BAD_REQUEST, "{refused}");
    }
    let large = json!({ "query": "{ a }", "variables": { "x": "x".repeat(70_000) } }).to_string();
    assert_eq!(
        ask(Method::POST, "/graphql", &[JSON], large).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn by_get_only_queries_that_are_meant() {
    let meant = [("graphql-require-preflight", "1")];
    let query = "/graphql?query=%7Bviewer%7Buser%7Bid%7D%7D%7D";
    assert_eq!(ask(Method::GET, query, &[], "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        ask(Method::GET, query, &meant, "").await.body,
        json!({ "data": { "viewer": null } })
    );
    let mutation =
        ask(Method::GET, "/graphql?query=mutation%7BlogOut%7BloggedOut%7D%7D", &meant, "").await;
    assert_eq!(
        (mutation.status, &mutation.headers[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    let named = "/graphql?operationName=C&query=query%20A%7Bviewer%7Buser%7Bid%7D%7D%7Dmutation%20B%7BlogOut%7BloggedOut%7D%7D";
    assert_eq!(
        ask(Method::GET, named, &[meant[0], STRICT], "").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        ask(Method::PUT, "/graphql", &meant, "").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn headers_that_cannot_be_are_refused() {
    let query = || json!({ "query": "{ viewer { user { id } } }" });
    let cases = [
        ("authorization", "Bearer nonsense", StatusCode::UNAUTHORIZED),
        ("authorization", "Basic eDp5", StatusCode::UNAUTHORIZED),
        ("idempotency-key", "two words", StatusCode::BAD_REQUEST),
        ("plaza-consistency", "nonsense", StatusCode::BAD_REQUEST),
    ];
    for (name, value, status) in cases {
        assert_eq!(post(&[(name, value)], query()).await.status, status, "{name}: {value}");
    }
    assert_eq!(
        post(&[("idempotency-key", &"k".repeat(201))], query()).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_request_has_an_id() {
    let query = json!({ "query": "{ viewer { user { id } } }" });
    let given = post(&[("x-request-id", "0123456789abcdef")], query.clone()).await;
    assert_eq!(given.headers["x-request-id"], "0123456789abcdef");
    let made = post(&[("x-request-id", "not plain")], query).await;
    assert_eq!(made.headers["x-request-id"].len(), 32);
}

#[tokio::test]
async fn what_is_beside_the_endpoint_answers_too() {
    assert_eq!(ask(Method::GET, "/livez", &[], "").await.status, StatusCode::OK);
    assert_eq!(ask(Method::GET, "/readyz", &[], "").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let keys = ask(Method::GET, "/.well-known/jwks.json", &[], "").await;
    assert_eq!(keys.body["keys"].as_array().map(Vec::len), Some(1));
}

/// Its scripts run on the origin where the front end keeps tokens.
#[tokio::test]
async fn a_playground_from_elsewhere_is_for_development_alone() {
    for (development, status) in [(true, StatusCode::OK), (false, StatusCode::NOT_FOUND)] {
        let folder = tempfile::tempdir().unwrap();
        let app = app_with(json!({ "development": development, "web_folder": folder.path() }));
        let request = || Request::builder().uri("/graphiql").body(Body::empty()).unwrap();
        let response = public_router(&app).oneshot(request()).await.unwrap();
        assert_eq!(response.status(), status);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let elsewhere = ["https:", "'unsafe-eval'"].map(|word| policy.contains(word));
        assert_eq!(elsewhere, [development; 2], "{policy}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body);
        assert_eq!(body.contains("https://esm.sh"), development, "{body}");
        assert_eq!(body.contains("make web"), !development, "{body}");
        std::fs::write(folder.path().join("graphiql.html"), "built").unwrap();
        let built = public_router(&app).oneshot(request()).await.unwrap();
        assert_eq!(built.status(), StatusCode::OK);
        let body = built.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&*body, b"built");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_lives() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    async fn panics() -> &'static str {
        panic!("secret of the house")
    }
    let router = axum::Router::new()
        .route("/panics", axum::routing::get(panics))
        .route("/lives", axum::routing::get(async || "alive"))
        .layer(axum::middleware::from_fn(super::with_request_id));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection
        .write_all(b"GET /panics HTTP/1.1\r\nhost: x\r\nx-request-id: abcdefgh\r\n\r\n")
        .await
        .unwrap();
    connection
        .write_all(b"GET /lives HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).await.unwrap();
    assert!(
        text.starts_with("HTTP/1.1 500")
            && text.contains("\"code\":\"INTERNAL\"")
            && text.contains("x-request-id: abcdefgh"),
        "{text}"
    );
    assert!(text.ends_with("alive") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn addresses_of_images_that_are_none_of_ours_reach_nothing() {
    for token in ["x", "1-2-AAAAAAAAAAAAAAAAAAAAAA", "%00"] {
        let refused = ask(Method::PUT, &format!("/media/uploads/{token}"), &[], "bytes").await;
        assert_eq!(
            (refused.status, refused.code()),
            (StatusCode::FORBIDDEN, "FORBIDDEN"),
            "{token}"
        );
    }
    for file in [
        "x",
        "x?until=1",
        "x?until=9999999999&proof=AAAAAAAAAAAAAAAAAAAAAA",
        "x?until=99999999999999999999&proof=",
    ] {
        assert_eq!(
            ask(Method::GET, &format!("/media/images/{file}"), &[], "").await.status,
            StatusCode::FORBIDDEN,
            "{file}"
        );
    }
    let foreign =
        ask(Method::PUT, "/media/uploads/x", &[("origin", "https://evil.example")], "bytes").await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    assert_eq!(
        ask(Method::POST, "/media/uploads/x", &[], "bytes").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}
