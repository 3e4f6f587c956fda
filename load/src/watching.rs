//! Clients that watch a home over a socket.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::{Client, raw_id};
use crate::people::{LoggedIn, log_in};
use crate::truth::Truth;

/// A post, for everybody who watches.
pub const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

/// The person with the most followers, and the followers, all logged in.
///
/// # Errors
/// Somebody who cannot log in.
pub async fn author_and_followers(
    client: &Client,
    truth: &Truth,
    password: &str,
) -> anyhow::Result<(LoggedIn, Vec<LoggedIn>)> {
    let (author, followers) = truth.most_followed().await?;
    let people = truth.people().await?;
    let wanted: Vec<_> = people
        .into_iter()
        .filter(|person| person.id == author || followers.contains(&person.id))
        .collect();
    let (authors, watchers): (Vec<LoggedIn>, Vec<LoggedIn>) = log_in(client, &wanted, password)
        .await?
        .into_iter()
        .partition(|person| person.person.id == author);
    Ok((authors.into_iter().next().context("the author cannot log in")?, watchers))
}

/// The post that an answer to [`POST`] names.
pub fn posted(data: &Value) -> Option<i64> {
    data.pointer("/postCreate/post/id").and_then(Value::as_str).and_then(raw_id)
}

fn request(url: &str) -> anyhow::Result<Request> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    Ok(request)
}

/// Small buffers: there are many sockets.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(1_024).write_buffer_size(0)
}

/// An open socket with one subscription.
pub struct Watched {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Watched {
    /// Connects, says who it is, and subscribes. `payload` is asked for once the socket was
    /// acknowledged.
    ///
    /// # Errors
    /// The server's refusal; a connection that breaks.
    pub async fn open(
        url: &str,
        token: Option<&str>,
        payload: impl FnOnce() -> Value,
    ) -> anyhow::Result<Self> {
        let (socket, _) =
            tokio_tungstenite::connect_async_with_config(request(url)?, Some(config()), false)
                .await?;
        Self::begin(socket, token, payload).await
    }

    /// The same over a connection that stands.
    ///
    /// # Errors
    /// As [`Watched::open`].
    pub async fn over(
        stream: TcpStream,
        url: &str,
        token: Option<&str>,
        payload: impl FnOnce() -> Value,
    ) -> anyhow::Result<Self> {
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request(url)?, stream, Some(config()))
                .await?;
        Self::begin(socket, token, payload).await
    }

    async fn begin(
        socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
        token: Option<&str>,
        payload: impl FnOnce() -> Value,
    ) -> anyhow::Result<Self> {
        let mut watched = Self { socket };
        let who = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        watched
            .send(
                &json!({ "type": "connection_init", "payload": who.unwrap_or_else(|| json!({})) }),
            )
            .await?;
        let message = watched.message().await?;
        anyhow::ensure!(
            message.get("type") == Some(&json!("connection_ack")),
            "no acknowledgement: {message}"
        );
        watched.send(&json!({ "id": "1", "type": "subscribe", "payload": payload() })).await?;
        Ok(watched)
    }

    async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    async fn message(&mut self) -> anyhow::Result<Value> {
        while let Some(message) = self.socket.next().await {
            if let Message::Text(text) = message? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
        anyhow::bail!("closed")
    }

    /// The next post that arrives on the home, and the cursor after it.
    ///
    /// # Errors
    /// A socket that closes, an answer that is no post.
    pub async fn post(&mut self) -> anyhow::Result<(i64, Option<String>)> {
        loop {
            let message = self.message().await?;
            match message.get("type").and_then(Value::as_str) {
                Some("ping") => self.send(&json!({ "type": "pong" })).await?,
                Some("next") => {
                    let event = message
                        .pointer("/payload/data/homeUpdated")
                        .with_context(|| message.to_string())?;
                    let id = event
                        .pointer("/node/id")
                        .and_then(Value::as_str)
                        .and_then(raw_id)
                        .context("no id")?;
                    return Ok((
                        id,
                        event.get("cursor").and_then(Value::as_str).map(str::to_owned),
                    ));
                }
                _ => anyhow::bail!("{message}"),
            }
        }
    }
}
