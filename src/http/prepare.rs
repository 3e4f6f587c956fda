//! What stands between a transport and the schema, the same for requests and sockets: the text is
//! found (persisted queries), guarded, parsed and weighed; what is left to do is to run it.

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Request, ServerError, Variables};
use serde::Deserialize;
use sha2::Digest;

use super::Served;
use crate::graphql::cost::{self, Weighed};
use crate::graphql::error::ErrorCode;
use crate::graphql::guard;

/// A request as it comes in.
#[derive(Debug, Default, Deserialize)]
pub struct Incoming {
    /// The text; may be left out when it is persisted.
    pub query: Option<String>,
    /// Which operation of the text.
    #[serde(default, rename = "operationName")]
    pub operation_name: Option<String>,
    /// Their values.
    #[serde(default)]
    pub variables: Option<serde_json::Map<String, serde_json::Value>>,
    /// `persistedQuery`, and `clientKey` where there are no headers.
    #[serde(default)]
    pub extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Incoming {
    /// Whether it names no text at all.
    pub fn is_empty(&self) -> bool {
        self.query.as_deref().unwrap_or_default().is_empty() && self.hash().is_none()
    }

    /// The SHA-256 under which the client has, or wants, its text stored.
    fn hash(&self) -> Option<&str> {
        let persisted = self.extensions.as_ref()?.get("persistedQuery")?;
        persisted
            .get("sha256Hash")?
            .as_str()
            .filter(|_| persisted.get("version").and_then(serde_json::Value::as_u64) == Some(1))
    }
}

/// Ready to be run.
#[derive(Debug)]
pub struct Prepared {
    /// The request, without its context.
    pub request: Request,
    /// What kind of operation.
    pub kind: OperationType,
    /// What figures and traces call it.
    pub name: Arc<str>,
    /// What it may cost, in points.
    pub cost: u64,
    /// What of it is never given back.
    pub spent: u64,
}

/// Why a request is not run.
#[derive(Debug)]
pub struct NotRun {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

impl NotRun {
    /// As an error of the answer.
    pub fn error(&self) -> ServerError {
        self.code.server_error(self.message.clone())
    }
}

fn not_run(code: ErrorCode, message: impl Into<String>) -> NotRun {
    NotRun { code, message: message.into() }
}

impl From<guard::Refusal> for NotRun {
    fn from(refused: guard::Refusal) -> Self {
        Self { code: refused.code, message: refused.message }
    }
}

/// The operation that is to run.
fn chosen<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        // The library runs a single operation only under its own name, and a nameless one under
        // none.
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| &operation.node)
        }
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            all.next().filter(|_| all.next().is_none()).map(|operation| &operation.node)
        }
    }
}

/// The text to run: as sent, or as persisted. A hash that comes with its text has it stored, once
/// the guard has passed it.
async fn text(served: &Served, incoming: &Incoming) -> Result<Arc<str>, NotRun> {
    let given = incoming.query.as_deref().filter(|query| !query.is_empty());
    if let Some(trusted) = &served.app.trusted_documents {
        let asked = |id: &str| trusted.get(id).cloned();
        let found = match given {
            Some(text) => trusted.values().find(|known| ***known == *text).cloned(),
            None => incoming.hash().and_then(asked),
        };
        return found.ok_or_else(|| {
            not_run(
                ErrorCode::PersistedQueryNotFound,
                "this server runs only the documents it knows",
            )
        });
    }
    match (given, incoming.hash()) {
        (Some(text), None) => Ok(text.into()),
        (Some(text), Some(hash)) => {
            guard::check_text(text)?;
            if hex(&sha2::Sha256::digest(text)) != hash {
                return Err(not_run(
                    ErrorCode::BadUserInput,
                    "`sha256Hash` is not the SHA-256 of `query`",
                ));
            }
            let text: Arc<str> = text.into();
            served.persisted.insert(hash.to_owned(), Arc::clone(&text));
            // Away: this server knows it, and the client will send it again to another.
            let _ = served.app.domain.redis.persist_query(hash, &text).await;
            Ok(text)
        }
        (None, Some(hash)) => {
            if let Some(known) = served.persisted.get(hash) {
                return Ok(known);
            }
            // The message is the protocol's own: clients answer it by sending the text.
            let missing = || not_run(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound");
            let text: Arc<str> = served
                .app
                .domain
                .redis
                .persisted_query(hash)
                .await
                .ok()
                .flatten()
                .ok_or_else(missing)?
                .into();
            served.persisted.insert(hash.to_owned(), Arc::clone(&text));
            Ok(text)
        }
        (None, None) => Err(not_run(ErrorCode::BadUserInput, "`query` is missing")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prepares a request.
///
/// # Errors
/// Why it must not, or cannot, be run.
pub async fn prepare(served: &Served, incoming: Incoming) -> Result<Prepared, NotRun> {
    let text = text(served, &incoming).await?;
    guard::check_text(&text)?;
    let document = parse_query(&*text)
        .map_err(|error| not_run(ErrorCode::GraphqlParseFailed, error.to_string()))?;
    let variables =
        Variables::from_json(serde_json::Value::Object(incoming.variables.unwrap_or_default()));
    guard::check_values(&variables)?;
    let Weighed { cost, spent, introspects } = cost::weigh(&document, &variables)?;
    if introspects && !served.app.config.server.development {
        return Err(not_run(
            ErrorCode::GraphqlValidationFailed,
            "this server does not tell its schema",
        ));
    }
    // Some clients send an empty name for none.
    let name = incoming.operation_name.filter(|name| !name.is_empty());
    let operation = chosen(&document, name.as_deref()).ok_or_else(|| {
        not_run(
            ErrorCode::GraphqlValidationFailed,
            "`operationName` must name one of the operations",
        )
    })?;
    guard::check_variables(operation, &variables)?;
    let kind = operation.ty;
    let called = served.operations.name(operation);
    let mut request = Request::new(&*text).variables(variables);
    request.set_parsed_query(document);
    if let Some(name) = name {
        request = request.operation_name(name);
    }
    if !served.app.config.server.development {
        request = request.disable_introspection();
    }
    Ok(Prepared { request, kind, name: called, cost, spent })
}
