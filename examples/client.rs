//! A client of plaza: logs in, writes posts, prints the home feed while it grows. The same text as
//! the blocks of docs/clients/rust.md, which explains it.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

use std::collections::HashSet;
use std::env;
use std::fmt::{self, Debug, Display, Formatter};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const TRANSIENT: [&str; 5] =
    ["OUTCOME_UNKNOWN", "OVERLOADED", "RATE_LIMITED", "SHARD_UNAVAILABLE", "TIMEOUT"];

struct Failure {
    /// None when there was no response.
    code: Option<String>,
    message: String,
    /// In seconds.
    retry_after: Option<u64>,
}

impl Failure {
    fn new(code: &str, message: impl Display) -> Self {
        Self { code: Some(code.to_owned()), message: message.to_string(), retry_after: None }
    }

    fn no_response(message: impl Display) -> Self {
        Self { code: None, message: message.to_string(), retry_after: None }
    }

    /// Of an entry of a response's `errors`, or of a mutation's `userErrors`.
    fn of(error: &Value) -> Self {
        let text = |pointer| error.pointer(pointer).and_then(Value::as_str);
        let code = text("/extensions/code").or(text("/code")).unwrap_or("UNKNOWN");
        let retry_after = error.pointer("/extensions/retryAfter").and_then(Value::as_u64);
        Self { retry_after, ..Self::new(code, text("/message").unwrap_or_default()) }
    }

    fn is_transient(&self) -> bool {
        self.code.as_deref().is_none_or(|code| TRANSIENT.contains(&code))
    }

    fn is_unauthenticated(&self) -> bool {
        self.code.as_deref() == Some("UNAUTHENTICATED")
    }

    /// How long to wait before the next attempt. Not the same for all clients: they come back
    /// together after an outage.
    fn delay(&self, failures: u32) -> Duration {
        let backoff = Duration::from_millis(250) * 2_u32.pow(failures.min(6));
        let spread = backoff.mul_f64(rand::random_range(0.5..1.0));
        self.retry_after.map_or(spread, Duration::from_secs)
    }
}

/// As `main` shows it.
impl Debug for Failure {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.code.as_deref().unwrap_or("no response"), self.message)
    }
}

/// The data of a response without errors.
fn data_of(mut response: Value) -> Result<Value, Failure> {
    match response.pointer("/errors/0") {
        Some(error) => Err(Failure::of(error)),
        None => Ok(response.get_mut("data").map(Value::take).unwrap_or_default()),
    }
}

/// What is at a JSON pointer.
fn at<T: DeserializeOwned>(data: &Value, pointer: &str) -> Result<T, Failure> {
    let found = data.pointer(pointer).unwrap_or(&Value::Null);
    T::deserialize(found).map_err(|error| Failure::new("UNEXPECTED", error))
}

/// A mutation's payload without business errors.
fn checked<T: DeserializeOwned>(data: &Value, pointer: &str) -> Result<T, Failure> {
    match data.pointer(&format!("{pointer}/userErrors/0")) {
        Some(error) => Err(Failure::of(error)),
        None => at(data, pointer),
    }
}

const LOG_IN: &str = "mutation($input: LogInInput!) {
  session: logIn(input: $input) { accessToken refreshToken userErrors { code message } }
}";
const REFRESH: &str = "mutation($input: SessionRefreshInput!) {
  session: sessionRefresh(input: $input) { accessToken refreshToken userErrors { code message } }
}";

const ATTEMPTS: u32 = 4;
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    access_token: String,
    refresh_token: String,
}

/// One user's requests.
struct Plaza {
    http: reqwest::Client,
    url: String,
    session: Option<Session>,
    consistency: Option<HeaderValue>,
}

impl Plaza {
    fn new(url: String) -> Self {
        Self { http: reqwest::Client::new(), url, session: None, consistency: None }
    }

    async fn query(&mut self, query: &str, variables: Value) -> Result<Value, Failure> {
        self.request(query, variables, None).await
    }

    async fn mutate(&mut self, query: &str, variables: Value) -> Result<Value, Failure> {
        self.request(query, variables, Some(&new_key())).await
    }

    async fn log_in(&mut self, handle: &str, password: &str) -> Result<(), Failure> {
        self.enter(LOG_IN, json!({ "handle": handle, "password": password })).await
    }

    async fn refresh(&mut self) -> Result<(), Failure> {
        let refresh_token = self.session.as_ref().map(|session| &session.refresh_token);
        self.enter(REFRESH, json!({ "refreshToken": refresh_token })).await
    }

    async fn enter(&mut self, query: &str, input: Value) -> Result<(), Failure> {
        let body = json!({ "query": query, "variables": { "input": input } });
        let data = self.send(&body, Some(&new_key())).await?;
        self.session = Some(checked(&data, "/session")?);
        Ok(())
    }

    async fn request(
        &mut self,
        query: &str,
        variables: Value,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let body = json!({ "query": query, "variables": variables });
        match self.send(&body, key).await {
            Err(failure) if failure.is_unauthenticated() && self.session.is_some() => {
                self.refresh().await?;
                self.send(&body, key).await
            }
            outcome => outcome,
        }
    }

    /// Sends a request until there is a response, each time under the same key.
    async fn send(&mut self, body: &Value, key: Option<&str>) -> Result<Value, Failure> {
        let mut attempt = 1;
        loop {
            match self.send_once(body, key).await {
                Err(failure) if failure.is_transient() && attempt < ATTEMPTS => {
                    sleep(failure.delay(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn send_once(&mut self, body: &Value, key: Option<&str>) -> Result<Value, Failure> {
        let mut request = self
            .http
            .post(&self.url)
            .timeout(DEADLINE)
            .header("accept", "application/graphql-response+json, application/json")
            .json(body);
        if let Some(session) = &self.session {
            request = request.bearer_auth(&session.access_token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(consistency) = &self.consistency {
            request = request.header("plaza-consistency", consistency);
        }
        let response = request.send().await.map_err(Failure::no_response)?;
        if let Some(consistency) = response.headers().get("plaza-consistency") {
            self.consistency = Some(consistency.clone());
        }
        data_of(response.json().await.map_err(Failure::no_response)?)
    }
}

/// A key for one mutation.
fn new_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The server sends at least a ping a minute: after a longer silence the connection is lost.
const SILENCE: Duration = Duration::from_secs(90);

/// A subscription with a variable `$after`, over lost connections.
struct Subscription {
    query: &'static str,
    after: Option<String>,
    socket: Option<Socket>,
    failures: u32,
}

impl Subscription {
    fn new(query: &'static str, after: Option<String>) -> Self {
        Self { query, after, socket: None, failures: 0 }
    }

    /// The next event; none when the server has completed the subscription.
    async fn next(&mut self, plaza: &mut Plaza) -> Result<Option<Edge>, Failure> {
        loop {
            let failure = match self.receive(plaza).await {
                Err(failure) => failure,
                event => return event,
            };
            self.failures += 1;
            let delay = failure.delay(self.failures);
            let outcome =
                if failure.is_unauthenticated() { plaza.refresh().await } else { Err(failure) };
            match outcome {
                Err(failure) if !failure.is_transient() => return Err(failure),
                _ => sleep(delay).await,
            }
        }
    }

    /// The next event of one connection, which is dropped when it fails.
    async fn receive(&mut self, plaza: &Plaza) -> Result<Option<Edge>, Failure> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => timeout(DEADLINE, connect(plaza)).await.map_err(Failure::no_response)??,
        };
        loop {
            let frame = timeout(SILENCE, socket.next()).await.map_err(Failure::no_response)?;
            let text = match frame.transpose().map_err(Failure::no_response)? {
                Some(Message::Text(text)) => text,
                Some(Message::Close(Some(frame))) => return Err(closed(frame.code.into())),
                Some(Message::Close(None)) | None => return Err(Failure::no_response("closed")),
                Some(_) => continue,
            };
            let mut message: Value =
                serde_json::from_str(&text).map_err(|error| Failure::new("UNEXPECTED", error))?;
            let payload = message.get_mut("payload").map(Value::take).unwrap_or_default();
            match message.get("type").and_then(Value::as_str).unwrap_or_default() {
                "connection_ack" => {
                    self.failures = 0;
                    let operation =
                        json!({ "query": self.query, "variables": { "after": self.after } });
                    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": operation });
                    say(&mut socket, &subscribe).await?;
                }
                "ping" => say(&mut socket, &json!({ "type": "pong" })).await?,
                "next" => {
                    let data = data_of(payload)?;
                    let field = data.as_object().and_then(|fields| fields.values().next());
                    let edge: Edge = at(field.unwrap_or(&Value::Null), "")?;
                    self.after = Some(edge.cursor.clone());
                    self.socket = Some(socket);
                    return Ok(Some(edge));
                }
                "error" => return Err(Failure::of(payload.get(0).unwrap_or(&Value::Null))),
                "complete" => return Ok(None),
                _ => {}
            }
        }
    }
}

async fn connect(plaza: &Plaza) -> Result<Socket, Failure> {
    let url = plaza.url.replacen("http", "ws", 1);
    let mut request = url.into_client_request().map_err(Failure::no_response)?;
    let protocol = HeaderValue::from_static("graphql-transport-ws");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await.map_err(Failure::no_response)?;
    let token = plaza.session.as_ref().map(|session| format!("Bearer {}", session.access_token));
    let init = json!({ "type": "connection_init", "payload": { "authorization": token } });
    say(&mut socket, &init).await?;
    Ok(socket)
}

async fn say(socket: &mut Socket, message: &Value) -> Result<(), Failure> {
    socket.send(Message::text(message.to_string())).await.map_err(Failure::no_response)
}

/// What a close code means.
fn closed(code: u16) -> Failure {
    match code {
        4403 => Failure::new("UNAUTHENTICATED", "the access token has expired"),
        // Faults of the client, which another attempt would repeat.
        4400 | 4401 | 4406 | 4409 => Failure::new("BAD_USER_INPUT", format!("closed with {code}")),
        _ => Failure::no_response(format!("closed with {code}")),
    }
}

const HOME: &str = "query {
  viewer { home(first: 10) { edges { cursor node { id text author { handle } } } } }
}";
const HOME_UPDATED: &str = "subscription($after: String) {
  homeUpdated(after: $after) { cursor node { id text author { handle } } }
}";
const POST: &str = "mutation($input: PostCreateInput!) {
  postCreate(input: $input) { post { id } userErrors { code message } }
}";

#[derive(Deserialize)]
struct Edge {
    cursor: String,
    node: Post,
}

#[derive(Deserialize)]
struct Post {
    id: String,
    text: String,
    author: Author,
}

#[derive(Deserialize)]
struct Author {
    handle: String,
}

fn show(post: &Post) {
    println!("{}: {}", post.author.handle, post.text);
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut plaza = Plaza::new(setting("PLAZA_URL", "http://127.0.0.1:4000/graphql"));
    let handle = setting("PLAZA_HANDLE", "alice");
    let password = setting("PLAZA_PASSWORD", "plaza-demo-1");
    plaza.log_in(&handle, &password).await?;
    for text in env::args().skip(1) {
        let posted = plaza.mutate(POST, json!({ "input": { "text": text } })).await?;
        checked::<Value>(&posted, "/postCreate")?;
    }

    let home = plaza.query(HOME, json!({})).await?;
    let home: Vec<Edge> = at(&home, "/viewer/home/edges")?;
    for edge in home.iter().rev() {
        show(&edge.node);
    }
    let newest = home.first().map(|edge| edge.cursor.clone());
    let shown: HashSet<String> = home.into_iter().map(|edge| edge.node.id).collect();
    let mut posts = Subscription::new(HOME_UPDATED, newest);
    while let Some(edge) = posts.next(&mut plaza).await? {
        if !shown.contains(&edge.node.id) {
            show(&edge.node);
        }
    }
    Ok(())
}
