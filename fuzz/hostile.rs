//! What hostile bytes meet first, each as one function from bytes to nothing: for the fuzz targets
//! here and the bounded run in `tests/it/fuzz.rs`. They must return, soon, whatever they are given.

use std::sync::LazyLock;

use plaza::domain::identity::Seals;
use plaza::domain::images::{self, Purpose};
use plaza::domain::live::HomeCursor;
use plaza::domain::operation::ConsistencyToken;
use plaza::domain::text::{self, references};
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
        let _ = cost::weigh(checked.runs.document(), &checked.variables);
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

/// Tokens and cursors, which are sealed: bytes that we did not seal are never opened, and what is
/// sealed is opened as it was.
pub fn sealed(data: &[u8]) {
    static SEALS: LazyLock<Option<Seals>> =
        LazyLock::new(|| Seals::new(&[b"a secret for fuzzing".to_vec()]).ok());
    let Some(seals) = SEALS.as_ref() else { return };
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(seals.open("fuzzing", text).is_none(), "nobody sealed it");
    }
    // Longer ones are never made.
    let plain = data.get(..data.len().min(100)).unwrap_or_default();
    let opened = seals.open("fuzzing", &seals.seal("fuzzing", plain));
    assert_eq!(opened.as_deref(), Some(plain), "what was sealed is opened");
}

/// What users write: its stored form is one, and references lie within it, in order.
pub fn text(data: &[u8]) {
    let Ok(written) = std::str::from_utf8(data) else { return };
    for bounds in [text::POST_TEXT, text::DISPLAY_NAME] {
        let Ok(stored) = text::checked("text", written, bounds) else { continue };
        let again = text::checked("text", &stored, bounds);
        assert_eq!(again.ok().as_deref(), Some(stored.as_str()), "stored once and for all");
        let length = i32::try_from(stored.encode_utf16().count()).unwrap_or(i32::MAX);
        let mut end = 0;
        for span in references::references(&stored) {
            assert!(end <= span.start && span.start < span.end && span.end <= length);
            end = span.end;
        }
    }
    let _ = references::hashtag(written);
}

/// What is uploaded as an image.
pub fn picture(data: &[u8]) {
    for purpose in [Purpose::Post, Purpose::Avatar] {
        let _ = images::render(data, purpose, 40_000);
    }
}

/// What comes from a broker.
pub fn event(data: &[u8]) {
    let _ = serde_json::from_slice::<EventEnvelope>(data);
    let _ = serde_json::from_slice::<Job>(data);
}
