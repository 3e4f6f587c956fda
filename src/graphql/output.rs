//! How large an answer may become. Texts, and lists whose length no argument bounds, are counted
//! while they are resolved, so that the work stops before the memory is used; what is left (names,
//! numbers, punctuation) is bounded by the points that an operation may cost, and counted when the
//! answer is written.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, Error, Response, SelectionField, ServerError, Value};
use serde::Serialize;
use tokio::sync::Notify;

use super::context::RequestContext;
use super::error::{ErrorCode, was_not_run};
use super::plan::Answer;

/// What is left of the bytes that an answer may have.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    made: AtomicU64,
    exceeded: Notify,
}

impl Budget {
    /// For an answer of so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, made: AtomicU64::new(0), exceeded: Notify::new() }
    }

    /// Bytes that the answer may have.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Begins anew, for the next event of a subscription.
    pub fn reset(&self) {
        self.made.store(0, Ordering::Relaxed);
    }

    /// Whether more was to be made than fits.
    pub fn is_exceeded(&self) -> bool {
        self.made.load(Ordering::Relaxed) > u64::try_from(self.most).unwrap_or(u64::MAX)
    }

    /// Counts bytes that are about to be made; whether they still fit.
    pub fn take(&self, bytes: usize) -> bool {
        self.made.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let fits = !self.is_exceeded();
        if !fits {
            self.exceeded.notify_one();
        }
        fits
    }

    /// What an answer of the most bytes is worth, in points: as a text of that length.
    pub fn points(&self) -> u64 {
        u64::try_from(self.most / 1_024).unwrap_or(u64::MAX)
    }

    /// Waits until more was to be made than fits.
    pub async fn exceeded(&self) {
        while !self.is_exceeded() {
            self.exceeded.notified().await;
        }
    }

    /// Why an answer is refused.
    pub fn message(&self) -> String {
        format!("the answer would have more than {} bytes: ask for less at a time", self.most)
    }
}

/// A text that goes into the response.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` when the answer would become larger than any may be.
pub fn text<'a>(ctx: &Context<'_>, text: &'a str) -> async_graphql::Result<&'a str> {
    take(ctx.data_opt::<Arc<RequestContext>>(), text.len())?;
    Ok(text)
}

/// The items of a list whose length is that of the row, not of an argument: what is asked of each
/// is counted before any is resolved.
///
/// # Errors
/// As [`text`].
pub fn list<T>(ctx: &Context<'_>, items: Vec<T>) -> async_graphql::Result<Vec<T>> {
    let context = ctx.data_opt::<Arc<RequestContext>>();
    if context.is_some() && !items.is_empty() {
        take(context, of_list(items.len(), selected(ctx.field())))?;
    }
    Ok(items)
}

/// What a list counts as, in bytes, of whose items so many fields are asked, at any depth.
pub(crate) fn of_list(items: usize, selected: usize) -> usize {
    /// A field's name and a short value, as JSON.
    const FIELD: usize = 32;
    items.saturating_mul(selected).saturating_mul(FIELD)
}

/// Fields that are asked of a field, at any depth.
fn selected(field: SelectionField<'_>) -> usize {
    field.selection_set().map(|each| 1 + selected(each)).sum()
}

/// A value that is about to be repeated in the answer.
///
/// # Errors
/// As [`text`].
pub fn copy(context: Option<&Arc<RequestContext>>, value: &Value) -> async_graphql::Result<Value> {
    take(context, size(value))?;
    Ok(value.clone())
}

fn take(context: Option<&Arc<RequestContext>>, bytes: usize) -> Result<(), Error> {
    match context {
        Some(context) if !context.output.take(bytes) => {
            Err(ErrorCode::QueryTooComplex.error(context.output.message()))
        }
        _ => Ok(()),
    }
}

/// About how many bytes a value has in memory.
fn size(value: &Value) -> usize {
    /// An entry of a map, an item of a list.
    const PLACE: usize = 64;
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(|item| PLACE + size(item)).sum(),
        Value::Object(fields) => fields.values().map(|field| PLACE + size(field)).sum(),
        Value::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

/// A response as it is sent.
#[derive(Debug)]
pub struct Rendered {
    /// In JSON.
    pub body: String,
    /// Its errors.
    pub errors: Vec<ServerError>,
    /// Whether nothing was run, so that it has no `data`.
    pub not_run: bool,
}

impl Rendered {
    /// Writes a response; `None` when it would have more bytes than any may have.
    pub fn of(response: Response, most: usize) -> Option<Self> {
        let not_run = was_not_run(&response);
        let body = if not_run {
            json(&serde_json::json!({ "errors": response.errors }), most)?
        } else {
            json(&response, most)?
        };
        Some(Self { body, errors: response.errors, not_run })
    }
}

impl Rendered {
    /// The response that a plan has written; `None` when it would have more bytes than any may
    /// have.
    pub fn of_plan(answer: Answer, most: usize) -> Option<Self> {
        let Answer { mut body, errors, .. } = answer;
        if !errors.is_empty() {
            let before = format!("{{\"errors\":{},", json(&errors, most)?);
            body.splice(..1, before.into_bytes());
        }
        let body = String::from_utf8(body).ok().filter(|body| body.len() <= most)?;
        Some(Self { body, errors, not_run: false })
    }
}

/// JSON of at most so many bytes.
fn json(value: &impl Serialize, most: usize) -> Option<String> {
    struct Bounded {
        bytes: Vec<u8>,
        most: usize,
    }
    impl Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.bytes.len().saturating_add(bytes.len()) > self.most {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writer = Bounded { bytes: Vec::with_capacity(most.min(1_024)), most };
    serde_json::to_writer(&mut writer, value).ok()?;
    String::from_utf8(writer.bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_budget_says_when_it_is_spent() {
        let budget = Budget::new(10);
        assert!(budget.take(10));
        assert!(futures_util::FutureExt::now_or_never(budget.exceeded()).is_none());
        assert!(!budget.take(1));
        budget.exceeded().await;
        budget.reset();
        assert!(budget.take(10));
    }

    #[test]
    fn no_more_is_written_than_fits() {
        assert_eq!(json(&vec![1, 2], 5).as_deref(), Some("[1,2]"));
        assert_eq!(json(&vec![1, 2], 4), None);
        let of = |most| Rendered::of(Response::new(Value::from("x".repeat(100))), most);
        assert!(of(50).is_none());
        assert!(of(200).is_some_and(|rendered| !rendered.not_run));
    }
}
