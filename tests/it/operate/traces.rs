//! One trace, from a client's request through SQL, RabbitMQ, the worker, Redis, Kafka and the
//! projectors, as a collector gets it by OTLP.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde_json::json;

use super::picture::{Bar, trace_picture};
use super::process::{Process, environment};
use crate::app::{TestApp, with_roles};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// A collector: OTLP over HTTP, in protobuf.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<Span>>>);

impl Sink {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = self.clone();
        let take = move |body: Bytes| async move {
            let sent = ExportTraceServiceRequest::decode(body).expect("OTLP in protobuf");
            let spans = sent
                .resource_spans
                .into_iter()
                .flat_map(|resource| resource.scope_spans)
                .flat_map(|scope| scope.spans);
            kept.0.lock().unwrap().extend(spans);
        };
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    /// The spans of a trace, in the order they began.
    fn of(&self, trace: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = self
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|span| hex(&span.trace_id) == trace)
            .cloned()
            .collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    let value = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)
        .and_then(|attribute| attribute.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// What `plaza trace` says of an id.
async fn known_of(app: &TestApp, id: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_plaza"))
        .args(["trace", id, "--json", "--log-dir"])
        .arg(folder.path())
        .envs(environment(&app.app.config))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a span is of.
fn kind(span: &Span) -> &'static str {
    let (database, broker) =
        (attribute(span, "db.system.name"), attribute(span, "messaging.system"));
    match (span.kind(), database.as_str(), broker.as_str()) {
        (SpanKind::Server, _, _) => "http",
        (SpanKind::Internal, _, _) => "graphql",
        (SpanKind::Client, "postgresql", _) => "sql",
        (SpanKind::Client, "redis", _) => "redis",
        (SpanKind::Producer, _, "rabbitmq") => "rabbitmq",
        (SpanKind::Consumer, _, "rabbitmq") => "worker",
        (SpanKind::Producer, _, "kafka") => "kafka",
        (SpanKind::Consumer, _, "kafka") => "projector",
        _ => "unknown",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_one_trace_from_the_request_to_the_last_projection_and_logs_name_it() {
    with_roles(&[], async |app| {
        let sink = Sink::default();
        let more = [
            ("PLAZA_TELEMETRY__OTLP_ENDPOINT", sink.listen().await),
            ("PLAZA_TELEMETRY__FILTER", "warn,plaza=debug".to_owned()),
            // OpenTelemetry's own setting: how long spans are gathered.
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ];
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let process = Process::start(app, &more).await;
        let plaza = &process.app;
        let (author, reader) = (plaza.sign_up("author").await, plaza.sign_up("reader").await);
        plaza.follow(&reader, &author).await;
        // There is a timeline to push to only once it was read.
        app.until("the reader follows, and has a timeline", async || {
            plaza.home(&reader, 10).await;
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;
        plaza.home(&reader, 10).await;

        let headers = [("authorization", format!("Bearer {}", author.token)), ("traceparent", format!("00-{TRACE}-{CLIENT}-01"))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let query = "mutation { postCreate(input: {text: \"traced\"}) { post { id } userErrors { message } } }";
        assert_eq!(plaza.send(&headers, query, json!({})).await.status, 200);

        let all: BTreeSet<&str> = ["graphql", "http", "kafka", "projector", "rabbitmq", "redis", "sql", "worker"].into();
        let kinds = || sink.of(TRACE).iter().map(kind).collect::<BTreeSet<_>>();
        app.until("spans of every kind have arrived", async || kinds() == all).await;
        let projections = ["project post_counts", "project profile_counts"];
        app.until("both projections of posts have told", async || {
            let names: Vec<String> = sink.of(TRACE).into_iter().map(|span| span.name).collect();
            projections.iter().all(|projection| names.iter().any(|name| name == projection))
        })
        .await;

        let spans = sink.of(TRACE);
        let ids: HashSet<String> = spans.iter().map(|span| hex(&span.span_id)).collect();
        for span in &spans {
            let parent = hex(&span.parent_span_id);
            assert!(ids.contains(&parent) || parent == CLIENT, "{} hangs in the air", span.name);
        }
        let request = spans.iter().find(|span| kind(span) == "http").unwrap();
        assert_eq!((request.name.as_str(), hex(&request.parent_span_id).as_str()), ("POST /graphql", CLIENT));
        let of_job = spans.iter().find(|span| kind(span) == "worker").unwrap();
        assert_eq!((of_job.name.as_str(), &of_job.parent_span_id), ("feed.fan_out.v1", &request.span_id));
        for part in ["sql", "redis"] {
            let in_job = spans.iter().any(|span| kind(span) == part && span.parent_span_id == of_job.span_id);
            assert!(in_job, "the job's {part} is the job's part");
        }

        // Logs: the request's and the job's lines have the trace, another request's have not.
        app.until("the log names the trace", async || {
            let lines = process.lines();
            let says = |message: &str| lines.iter().any(|line| line["message"] == message && line["trace_id"] == TRACE);
            says("answered") && says("a job is done")
        })
        .await;
        let of_trace = process.lines().into_iter().filter(|line| line["trace_id"] == TRACE && line["message"] == "answered").count();
        assert_eq!(of_trace, 1);

        // By a request's id, without a collector: what it caused.
        let id = "0af7651916cd43dd8448eb211c80319c";
        let authorization = format!("Bearer {}", author.token);
        let headers = [("authorization", authorization.as_str()), ("x-request-id", id)];
        assert_eq!(plaza.send(&headers, query, json!({})).await.status, 200);
        app.until("all that it caused is sent", async || {
            let known = known_of(app, id).await;
            let messages = known["messages"].as_array().unwrap();
            let to = |to: &str| messages.iter().any(|message| message["to"] == to);
            to("kafka") && to("rabbitmq") && messages.iter().all(|message| !message["sent_at"].is_null())
        })
        .await;

        // Whoever does not want to be traced is not.
        let unsampled = "11111111111111111111111111111111";
        let declined = format!("00-{unsampled}-{CLIENT}-00");
        plaza.send(&[("traceparent", &declined)], "{ rateLimit { cost } }", json!({})).await;
        process.end().await;
        assert!(sink.of(unsampled).is_empty(), "the last spans have arrived at the end of the process");

        if let Some(folder) = std::env::var_os("PLAZA_PICTURES") {
            let bars: Vec<Bar> = spans
                .iter()
                .map(|span| Bar {
                    name: span.name.clone(),
                    kind: kind(span),
                    begin_ns: span.start_time_unix_nano,
                    end_ns: span.end_time_unix_nano,
                })
                .collect();
            std::fs::write(std::path::Path::new(&folder).join("trace.svg"), trace_picture(&bars)).unwrap();
        }
    })
    .await;
}
