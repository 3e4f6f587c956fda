//! The ids of traces and spans: random ones, or for a trace the one that is asked for.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    /// The id of the trace that the next span of this thread begins.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Gives traces random ids, or the one that was asked for.
#[derive(Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Begins a span, which has this id of a trace if it begins one and the text can be one.
pub fn with_next<T>(id: Option<&str>, begin: impl FnOnce() -> T) -> T {
    NEXT.set(id.and_then(trace_id));
    let begun = begin();
    NEXT.set(None);
    begun
}

/// The id of a trace, written as `traceparent` has it.
fn trace_id(text: &str) -> Option<TraceId> {
    let is_one = text.len() == 32 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let id = is_one.then(|| TraceId::from_hex(text).ok()).flatten();
    id.filter(|id| *id != TraceId::INVALID)
}
