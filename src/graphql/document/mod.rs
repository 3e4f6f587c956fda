//! From a text and variables to an operation that is as the specification says (October 2021,
//! with the string escapes of September 2025) and can run: read, validated, its variables and
//! arguments coerced, its fields merged. All of it before anything runs, so that a request with a
//! mistake in it is refused whole, and no mutation is done whose answer is then lost.
//!
//! The library's own parser and rules stand behind it and have nothing left to find. They misread
//! strings (surrogate pairs, `\u{..}`, `\"""`), run a field again for each time that its response
//! key is written, and coerce arguments inside resolvers, where a failure takes the whole answer.
//!
//! Every step's work is bounded by the text, which the guard has measured: fragments are visited
//! once each, or, where what they multiply counts, within a budget.

pub mod arguments;
pub mod bounds;
pub mod coerce;
pub mod index;
pub mod lexer;
pub mod merge;
pub mod parser;
pub mod print;
pub mod runs;
pub mod scalars;
pub mod seen;
pub mod strings;
pub mod suggest;
pub mod syntax;
pub mod validate;

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, ServerError, Variables};
use serde_json::{Map, Value as Json};

use super::error::ErrorCode;
use coerce::declared;
use parser::Unreadable;
use runs::Runs;
use syntax::{Document, Operation};

/// Why a request is not run: one mistake in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of mistake.
    pub code: ErrorCode,
    /// In graphql-js' words, where it has any.
    pub message: String,
    /// Where in the text: lines and columns from 1, columns in UTF-16 code units.
    pub locations: Vec<Pos>,
}

impl Problem {
    /// As an error of the answer.
    pub fn server_error(self) -> ServerError {
        let mut error = self.code.server_error(self.message);
        error.locations = self.locations;
        error
    }
}

/// An operation that can run.
#[derive(Debug)]
pub struct Checked {
    /// The operation alone: no fragments, no directives, each response key once in a selection.
    pub runs: Arc<Runs>,
    /// The values of its variables, defaults among them, of the types it declares.
    pub variables: Variables,
    /// What kind of operation it is.
    pub kind: OperationType,
}

/// Makes a request ready to run. `suggest`: errors may name what comes near to a name that does
/// not exist.
///
/// # Errors
/// All that is wrong with the text; else, with its variables; else, with its arguments.
pub fn check(
    text: &str,
    operation_name: Option<&str>,
    variables: Map<String, Json>,
    suggest: bool,
) -> Result<Checked, Vec<Problem>> {
    let index = index::index();
    let document = valid(text, suggest)?;
    let operation = chosen(&document.operations, operation_name).map_err(|one| vec![one])?;
    let variables = coerce::variables(index, &declared(index, operation), variables, suggest)?;
    let runs = merge::merged(index, &document, operation, &variables)?;
    Ok(Checked { runs: Arc::new(runs), variables, kind: operation.kind })
}

/// A text, read and validated.
///
/// # Errors
/// All that is wrong with it.
fn valid(text: &str, suggest: bool) -> Result<Document<'_>, Vec<Problem>> {
    let document = parser::parse(text).map_err(|error| {
        let (code, message, pos) = match error {
            Unreadable::Syntax(error) => {
                let message = format!("Syntax Error: {}", error.message);
                (ErrorCode::GraphqlParseFailed, message, error.pos)
            }
            Unreadable::NotExecutable(error) => {
                (ErrorCode::GraphqlValidationFailed, error.message, error.pos)
            }
        };
        vec![Problem { code, message, locations: vec![pos] }]
    })?;
    bounds::check(&document).map_err(|one| vec![one])?;
    let problems = validate::problems(index::index(), &document, suggest);
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

/// The operation of a document that is to run.
///
/// # Errors
/// None is named that way, or several could be meant.
fn chosen<'d, 'a>(
    operations: &'d [Operation<'a>],
    name: Option<&str>,
) -> Result<&'d Operation<'a>, Problem> {
    let problem = |message: String| Problem {
        code: ErrorCode::GraphqlValidationFailed,
        message,
        locations: Vec::new(),
    };
    match (operations, name) {
        ([], _) => Err(problem("Must provide an operation.".to_owned())),
        ([only], None) => Ok(only),
        (_, None) => Err(problem(
            "Must provide operation name if query contains multiple operations.".to_owned(),
        )),
        (all, Some(name)) => all
            .iter()
            .find(|operation| operation.name.is_some_and(|own| own.text == name))
            .ok_or_else(|| problem(format!("Unknown operation named \"{name}\"."))),
    }
}

#[cfg(test)]
mod tests;
