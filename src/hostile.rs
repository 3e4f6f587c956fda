//! What hostile bytes meet first, each as one function from bytes to nothing: for the fuzz targets
//! in `fuzz/` and the bounded run in `tests/it/fuzz.rs`. They must return, soon, whatever they are
//! given.

use async_graphql::Variables;
use async_graphql::parser::parse_query;

use crate::domain::live::HomeCursor;
use crate::domain::operation::ConsistencyToken;
use crate::graphql::{cost, guard, ids};
use crate::protocol::envelope::EventEnvelope;
use crate::protocol::jobs::Job;

/// A query's text, from the guard to the last thing that looks at it before the library's
/// validation.
pub fn guard(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if guard::check_text(text).is_err() {
        return;
    }
    if let Ok(document) = parse_query(text) {
        let variables = Variables::default();
        let passed = cost::weigh(&document, &variables).is_ok();
        if passed
            && let async_graphql::parser::types::DocumentOperations::Single(operation) =
                &document.operations
        {
            let _ = guard::check_variables(&operation.node, &variables);
        }
    }
}

/// Whatever comes back from a client in a cursor, an id or a header.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = ids::parse_any(text);
    let _ = HomeCursor::decode(text);
    let _ = ConsistencyToken::decode(text);
    let _ = crate::telemetry::trace::TraceContext::parse(text);
}

/// What comes from a broker.
pub fn event(data: &[u8]) {
    let _ = serde_json::from_slice::<EventEnvelope>(data);
    let _ = serde_json::from_slice::<Job>(data);
}
