//! The protocol's messages and close codes.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::prepare::Incoming;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    /// The first message; may say who it is.
    ConnectionInit {
        #[serde(default)]
        payload: Option<serde_json::Map<String, Value>>,
    },
    /// Are you there?
    Ping {
        #[serde(default)]
        payload: Option<Value>,
    },
    /// I am.
    Pong {},
    /// Begin this operation.
    Subscribe { id: String, payload: Incoming },
    /// End it.
    Complete { id: String },
}

/// Why a socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    BadMessage,
    Unauthorized,
    NotUnderstood,
    Forbidden,
    TokenEnded,
    InitTimeout,
    AlreadyInUse,
    TooManyInits,
    TooFast,
    TooSlow,
    Ended,
    Restart,
}

impl Close {
    /// The frame; a reason has to fit into 123 bytes.
    pub(super) fn frame(self) -> Message {
        let (code, reason) = match self {
            Self::BadMessage => (4400, "Invalid message"),
            Self::Unauthorized => (4401, "Unauthorized"),
            Self::NotUnderstood => (
                4400,
                "Say who you are as {\"authorization\": \"Bearer <access token>\"}, or leave it out",
            ),
            Self::Forbidden => (4403, "Forbidden: the access token is not (or no longer) good"),
            Self::TokenEnded => {
                (4403, "Forbidden: the access token has ended, come with a new one")
            }
            Self::InitTimeout => (4408, "Connection initialisation timeout"),
            Self::AlreadyInUse => (4409, "Subscriber already exists"),
            Self::TooManyInits => (4429, "Too many initialisation requests"),
            // Not 1008: clients take that for the end of it, where these may come back and go on
            // from their last cursor.
            Self::TooFast => (1013, "Too many messages"),
            Self::TooSlow => (1013, "Too slow"),
            Self::Ended => (4403, "Session has ended"),
            Self::Restart => (1012, "Service restart"),
        };
        Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
    }
}

fn text(message: &Value) -> Message {
    Message::Text(message.to_string().into())
}

pub(super) fn ack() -> Message {
    text(&json!({ "type": "connection_ack" }))
}

pub(super) fn ping() -> Message {
    text(&json!({ "type": "ping" }))
}

/// The answer to a ping that brought a new access token.
pub(super) fn renewed(until: chrono::DateTime<chrono::Utc>) -> Message {
    text(&json!({ "type": "pong", "payload": { "authorizedUntil": until } }))
}

pub(super) fn pong(payload: Option<Value>) -> Message {
    match payload {
        Some(payload) => text(&json!({ "type": "pong", "payload": payload })),
        None => text(&json!({ "type": "pong" })),
    }
}

pub(super) fn complete(id: &str) -> Message {
    text(&json!({ "id": id, "type": "complete" }))
}

/// A response, in JSON.
pub(super) fn next(id: &str, response: &str) -> Message {
    let id = Value::from(id);
    Message::Text(format!("{{\"id\":{id},\"type\":\"next\",\"payload\":{response}}}").into())
}

/// The operation could not be begun.
pub(super) fn error(id: &str, errors: &[async_graphql::ServerError]) -> Message {
    text(&json!({ "id": id, "type": "error", "payload": errors }))
}
