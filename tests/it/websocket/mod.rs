//! `graphql-transport-ws`, as raw frames.

mod protocol;
pub mod resume;
mod shared_events;
mod tokens;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::app::{Person, TestApp};

const PATIENCE: Duration = Duration::from_secs(60);

/// A client's socket.
pub struct Socket(
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
);

/// What came.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Message(Value),
    Closed(u16),
}

impl Socket {
    /// Opens a socket with headers of its own; the status when it is refused.
    pub async fn open(app: &TestApp, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = app.url.replace("http://", "ws://").into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A socket that is acknowledged.
    pub async fn of(app: &TestApp, person: Option<&Person>) -> Self {
        let mut socket = Self::open(app, &[]).await.unwrap();
        let payload = person.map_or(
            json!({}),
            |person| json!({ "authorization": format!("Bearer {}", person.token) }),
        );
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
        socket
    }

    pub async fn say(&mut self, message: Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    pub async fn say_raw(&mut self, message: Message) {
        // A socket that was closed meanwhile says so when it is listened to.
        let _ = self.0.send(message).await;
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } })).await;
    }

    /// The next message or the end; the server's own pings are answered and left out.
    pub async fn hear(&mut self) -> Heard {
        let heard = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        if message["type"] != "ping" {
                            return Heard::Message(message);
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let frame = frame.expect("a code");
                        assert!(frame.reason.len() <= 123);
                        return Heard::Closed(frame.code.into());
                    }
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("something is said")
    }

    /// The data of the next event of an operation.
    pub async fn next(&mut self, id: &str) -> Value {
        match self.hear().await {
            Heard::Message(message) if message["type"] == "next" && message["id"] == id => {
                message["payload"]["data"].clone()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The code of the close.
    pub async fn closed(&mut self) -> u16 {
        match self.hear().await {
            Heard::Closed(code) => code,
            other => panic!("{other:?}"),
        }
    }
}
