//! `plaza check-documents`: what a server would say to documents before it runs them, without
//! running them. It reads requests as lines of JSON and writes a verdict for each, by the very
//! pass that servers use; the tests in `tests/clients/specification` compare it with graphql-js.

use std::io::{BufRead, Write};

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use plaza_graphql::document;
use plaza_graphql::error::ErrorCode;
use plaza_graphql::guard;

/// A request, as GraphQL over HTTP has it.
#[derive(Debug, Deserialize)]
struct Line {
    query: String,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
}

/// A verdict: `{"errors": [{message, code, locations}]}`, empty for what would run.
fn verdict(line: &str) -> anyhow::Result<serde_json::Value> {
    let line: Line = serde_json::from_str(line).context("not a GraphQL request in JSON")?;
    let error = |code: ErrorCode, message: &str, locations: &[async_graphql::Pos]| {
        let places: Vec<_> =
            locations.iter().map(|at| json!({ "line": at.line, "column": at.column })).collect();
        json!({ "message": message, "code": code.name(), "locations": places })
    };
    if let Err(refused) = guard::check_text(&line.query) {
        return Ok(json!({ "errors": [error(refused.code, &refused.message, &[])] }));
    }
    let variables = line.variables.unwrap_or_default();
    let checked = document::check(&line.query, line.operation_name.as_deref(), variables, true);
    let errors: Vec<_> = match checked {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .map(|problem| error(problem.code, &problem.message, &problem.locations))
            .collect(),
    };
    Ok(json!({ "errors": errors }))
}

/// # Errors
/// A line that is no request; no more input, or output that nobody reads.
pub fn run() -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", verdict(&line?)?)?;
    }
    out.flush()?;
    Ok(())
}
