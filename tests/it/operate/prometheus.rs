//! Debian's Prometheus looks at a living system: every panel of every dashboard and every alarm
//! asks for what is there.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::alarms::infra;
use super::dashboards::{Dashboard, dashboard_picture, dashboards};
use super::process::Process;
use crate::app::{Person, TestApp, with_roles};

/// Prometheus, scraping one process; killed when dropped, its folder deleted.
struct Prometheus {
    _child: tokio::process::Child,
    _folder: tempfile::TempDir,
    url: String,
}

impl Prometheus {
    /// The project's own configuration, looking more often, at one target.
    async fn start(app: &TestApp, target: &str) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path();
        let configuration = std::fs::read_to_string(infra("prometheus/prometheus.yml")).unwrap();
        let quicker = configuration.replace("_interval: 5s", "_interval: 1s");
        assert_eq!(quicker.matches("_interval: 1s").count(), 2);
        std::fs::write(folder.join("prometheus.yml"), quicker).unwrap();
        std::fs::copy(infra("prometheus/rules.yml"), folder.join("rules.yml")).unwrap();
        std::fs::write(
            folder.join("targets.yml"),
            format!("- targets: [\"{target}\"]\n  labels: {{ role: all }}\n"),
        )
        .unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = tokio::process::Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus: run `infra/local/install tests` once");
        let prometheus =
            Self { _child: child, _folder: kept, url: format!("http://127.0.0.1:{port}") };
        app.until("prometheus is ready", async || {
            app.http()
                .get(format!("{}/-/ready", prometheus.url))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        prometheus
    }

    async fn get(&self, app: &TestApp, path: &str, query: &[(&str, &str)]) -> Value {
        let answer =
            app.http().get(format!("{}{path}", self.url)).query(query).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{query:?}: {body}");
        body["data"].clone()
    }

    /// The values a query has now; not a number is none.
    async fn values(&self, app: &TestApp, query: &str) -> Vec<f64> {
        let data = self.get(app, "/api/v1/query", &[("query", query)]).await;
        let results = data["result"].as_array().unwrap();
        results
            .iter()
            .map(|result| result["value"][1].as_str().unwrap().parse::<f64>().unwrap())
            .filter(|value| !value.is_nan())
            .collect()
    }

    /// The labels and the points (Unix seconds, values) that a query has had in the last minute.
    async fn last_minute(&self, app: &TestApp, query: &str) -> Vec<(Value, Vec<(f64, f64)>)> {
        let now = chrono::Utc::now().timestamp();
        let (start, end) = ((now - 60).to_string(), now.to_string());
        let asked =
            [("query", query), ("start", start.as_str()), ("end", end.as_str()), ("step", "1")];
        let data = self.get(app, "/api/v1/query_range", &asked).await;
        let results = data["result"].as_array().unwrap().iter();
        results
            .map(|result| {
                let points = result["values"].as_array().unwrap().iter();
                let points = points.map(|point| {
                    let value = point[1].as_str().unwrap().parse::<f64>().unwrap();
                    (point[0].as_f64().unwrap(), value)
                });
                (result["metric"].clone(), points.filter(|(_, value)| value.is_finite()).collect())
            })
            .collect()
    }
}

/// Every query of every dashboard, with the panel it is of.
fn panels() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for Dashboard { title, panels, .. } in dashboards() {
        for panel in panels {
            for query in panel.queries {
                queries.push((format!("{title} / {}", panel.title), query.text));
            }
        }
    }
    assert!(queries.len() > 50, "{}", queries.len());
    queries
}

/// A dashboard drawn from the last minute.
async fn drawn(app: &TestApp, prometheus: &Prometheus, dashboard: Dashboard) -> String {
    let mut filled = Vec::new();
    for panel in dashboard.panels {
        let mut lines = Vec::new();
        for query in &panel.queries {
            for (labels, points) in prometheus.last_minute(app, &query.text).await {
                lines.push(query.line(&labels, points));
            }
        }
        filled.push((panel, lines));
    }
    dashboard_picture(&dashboard.title, &filled)
}

/// The pictures of all dashboards, and a table of their panels, for the documents.
async fn document(app: &TestApp, prometheus: &Prometheus, folder: &Path) {
    let mut text = String::from(
        "# Every panel, with a sample value\n\nWritten by the test that holds that each has data (`make pictures`).\n\n",
    );
    for dashboard in dashboards() {
        let (title, name) = (dashboard.title.clone(), format!("dashboard-{}.svg", dashboard.name));
        let picture = drawn(app, prometheus, dashboard).await;
        std::fs::write(folder.join(&name), picture).unwrap();
        text.push_str(&format!("![{title}](pictures/{name})\n\n"));
    }
    text.push_str("| panel | query | sample |\n|---|---|---|\n");
    for (name, query) in panels() {
        let values = prometheus.values(app, &query).await;
        let sample = values.first().map_or_else(String::new, |value| format!("{value:.4}"));
        text.push_str(&format!("| {name} | `{}` | {sample} |\n", query.replace('|', "\\|")));
    }
    std::fs::write(folder.join("../dashboards.md"), text).unwrap();
}

/// What an alarm's expression compares: the part before its comparison with a number.
fn compared(expression: &str) -> &str {
    let mut words = expression.rsplitn(3, ' ');
    let (number, comparison, query) =
        (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    assert!(
        number.parse::<f64>().is_ok() && [">", "<", "=="].contains(&comparison),
        "`query comparison number`: {expression}"
    );
    query
}

/// Something of everything that is counted: people, posts, comments, orders, jobs, a subscription
/// with an event, mistakes. The socket stays open for as long as it is held.
async fn live(app: &TestApp) -> Socket {
    let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
    app.follow(&bob, &ann).await;
    let subscribed = subscribe(app, &bob).await;
    let create = "mutation { productCreate(input: {title: \"lamp\", description: \"warm\", price: {amount: \"1500\", currency: \"EUR\"}, stock: 9}) {
        product { id } userErrors { message } } }";
    let product = app.ask(&ann, create, json!({})).await.text("/productCreate/product/id");
    let order = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } userErrors { message } } }";
    app.ask(&bob, order, json!({ "id": product })).await;
    for number in 0..3 {
        app.post(&ann, &format!("post {number}")).await;
        app.home(&bob, 10).await;
    }
    let wrong = app.send(&[], "{ nothing }", json!({})).await;
    assert_eq!(wrong.code(), "GRAPHQL_VALIDATION_FAILED");
    subscribed
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn subscribe(app: &TestApp, person: &Person) -> Socket {
    let mut request = app.url.replace("http://", "ws://").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", person.token) } });
    socket.send(Message::text(init.to_string())).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("connection_ack"));
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { homeUpdated { cursor } }" } });
    socket.send(Message::text(subscribe.to_string())).await.unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_and_every_alarm_has_data_in_a_living_system() {
    with_roles(&[], async |app| {
        let process = Process::start(app, &[]).await;
        let prometheus = Prometheus::start(app, process.admin.trim_start_matches("http://")).await;
        let _socket = live(&process.app).await;
        // The operator's page asks it from a browser, as a page of another origin.
        let asked = app
            .http()
            .get(format!("{}/api/v1/alerts", prometheus.url))
            .header("origin", &process.admin)
            .send()
            .await
            .unwrap();
        assert!(asked.headers().contains_key("access-control-allow-origin"), "{asked:?}");
        assert!(asked.json::<Value>().await.unwrap()["data"]["alerts"].is_array());
        let rules = prometheus.get(app, "/api/v1/rules", &[]).await;
        let rules = rules["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        let alarms = rules.map(|rule| {
            let expression = rule["query"].as_str().unwrap();
            (format!("alarm {}", rule["name"].as_str().unwrap()), compared(expression).to_owned())
        });
        let mut missing: Vec<(String, String)> = panels().into_iter().chain(alarms).collect();
        let began = std::time::Instant::now();
        let mut number = 0;
        // A rate wants two looks, and something in between: the system goes on living.
        while !missing.is_empty() && began.elapsed() < Duration::from_secs(60) {
            number += 1;
            let writer = process.app.sign_up(&format!("writer{number}")).await;
            process.app.post(&writer, "on and on").await;
            process.app.home(&writer, 10).await;
            let mut still = Vec::new();
            for (name, query) in missing {
                if prometheus.values(app, &query).await.is_empty() {
                    still.push((name, query));
                }
            }
            missing = still;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(missing.is_empty(), "no data: {missing:#?}");

        // What the system is well by must not make an alarm.
        let wrong = prometheus
            .values(app, "ALERTS{alertstate=\"firing\",alertname!=\"CacheMisses\"}")
            .await;
        assert!(wrong.is_empty(), "{:#?}", prometheus.get(app, "/api/v1/alerts", &[]).await);
        if let Some(folder) = std::env::var_os("PLAZA_PICTURES") {
            document(app, &prometheus, Path::new(&folder)).await;
        }
    })
    .await;
}
