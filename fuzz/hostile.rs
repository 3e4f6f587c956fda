//! What hostile bytes meet first, each as one function from bytes to nothing: for the fuzz targets
//! here and the bounded run in `tests/it/fuzz.rs`. They must return, soon, whatever they are given.

use plaza::domain::live::HomeCursor;
use plaza::domain::operation::ConsistencyToken;
use plaza::graphql::{cost, document, guard, ids};
use plaza::protocol::envelope::EventEnvelope;
use plaza::protocol::jobs::Job;
use plaza::telemetry::trace::TraceContext;

/// A query's text, through everything that looks at it before it runs. Variables are the bytes
/// after a NUL, in JSON; whatever passes is what the library's own parser would take too.
pub fn guard(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, variables) = text.split_once('\0').unwrap_or((text, "{}"));
    let variables: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(variables).unwrap_or_default();
    if guard::check_text(text).is_err() || guard::check_values(&variables).is_err() {
        return;
    }
    if let Ok(checked) = document::check(text, None, variables, true) {
        let _ = cost::weigh(&checked.document, &checked.variables);
    }
}

/// Whatever comes back from a client in a cursor, an id or a header.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = ids::parse_any(text);
    let _ = HomeCursor::decode(text);
    let _ = ConsistencyToken::of_bytes(data, 4, 1, 1);
    let _ = TraceContext::parse(text);
}

/// What comes from a broker.
pub fn event(data: &[u8]) {
    let _ = serde_json::from_slice::<EventEnvelope>(data);
    let _ = serde_json::from_slice::<Job>(data);
}
