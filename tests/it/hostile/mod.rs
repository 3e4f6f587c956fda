//! What nobody well-meaning sends, one input after the other. Each is answered by a clear refusal,
//! changes nothing, and leaves the server as quick as it was: after every one somebody else's
//! request is answered.

mod cost;
mod headers;
mod identity;
mod memory;
mod prices;
mod queries;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::app::{Person, TestApp};

/// Somebody who goes on using plaza meanwhile.
struct Canary {
    person: Person,
    slowest: Duration,
    asked: usize,
}

impl Canary {
    async fn new(app: &TestApp) -> Self {
        Self { person: app.sign_up("canary").await, slowest: Duration::ZERO, asked: 0 }
    }

    async fn sings(&mut self, app: &TestApp, after: &str) {
        let began = Instant::now();
        let answer = app.ask(&self.person, "{ viewer { user { handle } } }", json!({})).await;
        assert_eq!(answer.at("/viewer/user/handle"), "canary", "after {after}");
        self.slowest = self.slowest.max(began.elapsed());
        self.asked += 1;
    }

    /// The figure is for whoever reads the run: how busy the machine is decides it.
    #[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
    fn report(&self, of: &str) {
        eprintln!(
            "{of}: {} inputs, the slowest request beside them took {} ms",
            self.asked,
            self.slowest.as_millis()
        );
    }
}

/// One field under so many names.
fn aliases(count: usize, field: &str) -> String {
    (0..count).map(|number| format!("a{number}: {field} ")).collect()
}

/// Rows of everything a client can make.
async fn rows(app: &TestApp) -> i64 {
    let tables = ["users", "posts", "comments", "likes", "follows", "products", "orders", "outbox"];
    let counts = tables.map(|table| format!("(SELECT count(*) FROM {table})"));
    app.count(&format!("SELECT {}", counts.join(" + "))).await
}

/// Sends a request as it stands, byte for byte; the status of the answer and its text. 0 when the
/// server hung up.
async fn raw(app: &TestApp, request: &[u8]) -> (u16, String) {
    let address = app.url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    // A server that has refused the beginning need not read the rest.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer))
        .await
        .expect("an answer");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text)
}

/// Sends a body as JSON, wanting the statuses of the specification.
async fn post(app: &TestApp, token: Option<&str>, body: &Value) -> (u16, String, Value) {
    let mut request =
        app.http().post(&app.url).header("accept", "application/graphql-response+json").json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    let code = body
        .pointer("/errors/0/extensions/code")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    (status, code, body)
}
