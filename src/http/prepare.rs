//! What stands between a transport and the schema, the same for requests and sockets: the text is
//! found (persisted queries), guarded, parsed and weighed; what is left to do is to run it.

use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
};
use async_graphql::{Request, ServerError, Variables};
use serde::Deserialize;

use super::Served;
use super::persisted::{self, NewText};
use crate::limits::Payer;
use plaza_graphql::cost::{self, Weighed};
use plaza_graphql::document::runs::Runs;
use plaza_graphql::document::{Checked, Problem};
use plaza_graphql::error::ErrorCode;
use plaza_graphql::guard;

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

    /// About how many bytes there are to read: the text, and the values of the variables.
    pub fn bytes(&self) -> usize {
        let values = self.variables.iter().flat_map(|variables| variables.values());
        self.query.as_ref().map_or(0, String::len) + values.map(bytes_of).sum::<usize>()
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

/// About how many bytes a value took, as JSON.
fn bytes_of(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len() + 2,
        serde_json::Value::Array(items) => items.iter().map(bytes_of).sum::<usize>() + 2,
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + 4 + bytes_of(value)).sum::<usize>() + 2
        }
        _ => 4,
    }
}

/// Ready to be run.
#[derive(Debug)]
pub struct Prepared {
    /// What is to run, without its context.
    pub to_run: ToRun,
    /// What kind of operation.
    pub kind: OperationType,
    /// What metrics and traces call it.
    pub name: Arc<str>,
    /// What it may cost, in points.
    pub cost: u64,
    /// What of it is never given back.
    pub spent: u64,
    /// What reading it costs its payer when it is refused from here on, in points.
    pub read: u64,
    /// Whether it asks for nothing but what proves by itself who asks: a log-in, a refresh.
    pub proves_itself: bool,
    /// Its text, when it is to be persisted once it has run.
    pub new_text: Option<NewText>,
}

/// An operation, as the library or a plan runs it.
#[derive(Debug)]
pub struct ToRun {
    /// Its text.
    pub text: Arc<str>,
    /// What runs of it.
    pub runs: Arc<Runs>,
    /// The values of its variables.
    pub variables: Variables,
    /// Whether it may ask for the schema itself.
    pub may_introspect: bool,
}

impl ToRun {
    /// For the library.
    pub fn request(self) -> Request {
        let mut request = Request::new(&*self.text).variables(self.variables);
        request.set_parsed_query(self.runs.document().clone());
        if self.may_introspect { request } else { request.disable_introspection() }
    }
}

/// Why a request is not run.
#[derive(Debug)]
pub struct NotRun {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
    /// All mistakes in the text or the variables, when it was these: the first is the one above.
    pub problems: Vec<Problem>,
}

impl NotRun {
    /// One reason.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), problems: Vec::new() }
    }

    /// As errors of the answer: at least one.
    pub fn errors(self) -> Vec<ServerError> {
        if self.problems.is_empty() {
            return vec![self.code.server_error(self.message)];
        }
        self.problems.into_iter().map(Problem::server_error).collect()
    }
}

fn not_run(code: ErrorCode, message: impl Into<String>) -> NotRun {
    NotRun::new(code, message)
}

impl From<guard::Refusal> for NotRun {
    fn from(refused: guard::Refusal) -> Self {
        Self::new(refused.code, refused.message)
    }
}

impl From<Vec<Problem>> for NotRun {
    fn from(problems: Vec<Problem>) -> Self {
        let first = problems.first();
        let code = first.map_or(ErrorCode::GraphqlValidationFailed, |problem| problem.code);
        let message = first.map(|problem| problem.message.clone()).unwrap_or_default();
        Self { code, message, problems }
    }
}

/// The text to run: as sent, or as persisted.
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
            if !persisted::is_hash_of(hash, text) {
                return Err(not_run(
                    ErrorCode::BadUserInput,
                    "`sha256Hash` is not the SHA-256 of `query`",
                ));
            }
            Ok(text.into())
        }
        // The message is the protocol's own: clients answer it by sending the text.
        (None, Some(hash)) => persisted::find(served, hash)
            .await
            .ok_or_else(|| not_run(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound")),
        (None, None) => Err(not_run(ErrorCode::BadUserInput, "`query` is missing")),
    }
}

/// Mutations that bring their own proof of who asks.
const PROVE_THEMSELVES: [&str; 4] = ["signUp", "logIn", "sessionRefresh", "logOut"];
/// How deep fragments are followed for that.
const DEPTH: usize = 8;

/// Whether each field at an operation's root proves itself.
fn proves_itself(document: &ExecutableDocument, set: &SelectionSet, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else { return false };
    set.items.iter().all(|item| match &item.node {
        Selection::Field(field) => {
            let name = field.node.name.node.as_str();
            name == "__typename" || PROVE_THEMSELVES.contains(&name)
        }
        Selection::InlineFragment(inline) => {
            proves_itself(document, &inline.node.selection_set.node, deeper)
        }
        Selection::FragmentSpread(spread) => document
            .fragments
            .get(&spread.node.fragment_name.node)
            .is_some_and(|named| proves_itself(document, &named.node.selection_set.node, deeper)),
    })
}

/// Whether an operation, its fragments merged, asks for the schema itself.
fn introspects(document: &ExecutableDocument) -> bool {
    document.operations.iter().any(|(_, operation)| {
        operation.node.selection_set.node.items.iter().any(|item| {
            matches!(&item.node, Selection::Field(field)
                if matches!(field.node.name.node.as_str(), "__schema" | "__type"))
        })
    })
}

/// Prepares a request. One that is refused was read all the same: its payer pays for that, here and
/// where it is refused later.
///
/// # Errors
/// Why it must not, or cannot, be run.
pub async fn prepare(
    served: &Served,
    payer: &Payer,
    incoming: Incoming,
) -> Result<Prepared, NotRun> {
    let mut points = cost::reading_refused(incoming.bytes());
    let read = async {
        let text = text(served, &incoming).await?;
        // A text that only its hash was sent of is read as any other.
        points = cost::reading_refused(incoming.bytes().max(text.len()));
        read(served, incoming, text, points)
    };
    let prepared = read.await;
    if prepared.is_err() {
        payer.owe(&served.app, points).await;
    }
    prepared
}

/// Reads a text, for so many points if it is refused.
fn read(
    served: &Served,
    incoming: Incoming,
    text: Arc<str>,
    read: u64,
) -> Result<Prepared, NotRun> {
    guard::check_text(&text)?;
    let is_new = incoming.query.is_some() && served.app.trusted_documents.is_none();
    let new_text = incoming
        .hash()
        .filter(|_| is_new)
        .map(|hash| NewText { hash: hash.to_owned(), text: Arc::clone(&text) });
    let given = incoming.variables.unwrap_or_default();
    guard::check_values(&given)?;
    let development = served.app.config.server.development;
    // Some clients send an empty name for none.
    let name = incoming.operation_name.as_deref().filter(|name| !name.is_empty());
    let Checked { runs, variables, kind } =
        served.documents.check(&text, name, given, development)?;
    runs.count();
    let document = runs.document();
    // Before it is weighed: weighing an introspection walks the schema.
    if !development && introspects(document) {
        return Err(not_run(
            ErrorCode::GraphqlValidationFailed,
            "this server does not answer introspection: its schema is at /schema.graphql",
        ));
    }
    let Weighed { cost, spent } = cost::weigh(document, &variables)?;
    let reading = cost::reading(text.len());
    let (cost, spent) = (cost.saturating_add(reading), spent.saturating_add(reading));
    let (called, proves_itself) = match &document.operations {
        DocumentOperations::Single(operation) => (
            served.operations.name(&operation.node),
            kind == OperationType::Mutation
                && proves_itself(document, &operation.node.selection_set.node, DEPTH),
        ),
        DocumentOperations::Multiple(_) => ("several".into(), false),
    };
    let to_run = ToRun { text, runs, variables, may_introspect: development };
    Ok(Prepared { to_run, kind, name: called, cost, spent, read, proves_itself, new_text })
}
