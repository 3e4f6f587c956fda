//! Writes an answer as JSON, once, in the order of the plan.

use std::io::Write;
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{PathSegment, ServerError, Variables};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::columns::Columns;
use super::run::Answer;
use super::selection::Key;
use super::template::{Question, Template};
use crate::context::Scope;
use crate::cursors::Cursor;
use crate::error::beside;
use crate::ids::global;
use plaza_base::ids::Id;

/// Bytes that most answers have room in.
const USUAL: usize = 8 * 1_024;

/// Where in the answer something stands.
#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Field(&'p Key),
    Item(usize),
}

/// An answer that is being written.
pub struct Writer<'p> {
    /// Who asks.
    pub scope: &'p Arc<Scope>,
    /// The operation's.
    pub variables: &'p Variables,
    /// All that was read.
    pub found: &'p Columns,
    bytes: Vec<u8>,
    most: usize,
    /// Bytes that count before they are written, as they do when the library runs a query.
    made: usize,
    fields: u64,
    path: Vec<Step<'p>>,
    errors: Vec<ServerError>,
    /// What is left out, where that is each viewer's own.
    template: Option<Template>,
}

impl<'p> Writer<'p> {
    /// Nothing yet, of at most so many bytes.
    pub fn new(
        scope: &'p Arc<Scope>,
        variables: &'p Variables,
        found: &'p Columns,
        most: usize,
    ) -> Self {
        let mut bytes = Vec::with_capacity(USUAL.min(most));
        bytes.extend_from_slice(b"{\"data\":");
        let (path, errors) = (Vec::new(), Vec::new());
        let (made, fields, template) = (0, 0, None);
        Self { scope, variables, found, bytes, most, made, fields, path, errors, template }
    }

    /// The same without what is each viewer's own.
    #[must_use]
    pub fn of_all(self) -> Self {
        Self { template: Some(Template::default()), ..self }
    }

    /// Leaves out what is each viewer's own; false when it is to be written.
    pub fn leave(&mut self, question: Question) -> bool {
        let Some(template) = &mut self.template else { return false };
        template.leave(self.bytes.len(), question);
        true
    }

    /// What was written without what is each viewer's own; `None` when it is too large, or
    /// something failed.
    pub fn finish_template(mut self) -> Option<Template> {
        let template = self.template.take()?;
        let answer = self.finish().filter(|answer| answer.errors.is_empty())?;
        Some(template.around(answer.body))
    }

    /// The answer, unless it is too large.
    pub fn finish(mut self) -> Option<Answer> {
        if self.is_full() {
            return None;
        }
        self.bytes.push(b'}');
        // What stands beside the data has no path.
        self.errors.sort_by_cached_key(|error| (!error.path.is_empty(), beside(error)));
        Some(Answer { body: self.bytes, errors: self.errors, fields: self.fields })
    }

    /// Whether more was written than fits: then nothing of it is sent.
    pub fn is_full(&self) -> bool {
        self.made > self.most || self.bytes.len() > self.most
    }

    /// Counts bytes that are about to be written.
    pub fn take(&mut self, bytes: usize) {
        self.made = self.made.saturating_add(bytes);
    }

    /// `{`
    pub fn begin_object(&mut self) {
        self.bytes.push(b'{');
    }

    /// `}`
    pub fn end_object(&mut self) {
        self.bytes.push(b'}');
    }

    /// A field's name.
    pub fn key(&mut self, key: &Key) {
        if self.bytes.last() != Some(&b'{') {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(&key.json);
        self.fields = self.fields.saturating_add(1);
    }

    /// `null`
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(b"null");
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut self.bytes, value);
    }

    /// A text of a bounded length.
    pub fn name(&mut self, text: &str) {
        self.json(text);
    }

    /// A text that somebody wrote.
    pub fn text(&mut self, text: &str) {
        self.take(text.len());
        if !self.is_full() {
            self.json(text);
        }
    }

    /// One of a closed list.
    pub fn item<E: EnumType>(&mut self, value: E) {
        let item = E::items().iter().find(|item| item.value == value);
        self.name(item.map_or("", |item| item.name));
    }

    /// A number.
    pub fn number(&mut self, number: impl Into<i64>) {
        self.json(&number.into());
    }

    /// `true` or `false`
    pub fn boolean(&mut self, value: bool) {
        self.bytes.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A moment.
    pub fn time(&mut self, time: DateTime<Utc>) {
        // Writing to memory does not fail.
        let _ = write!(self.bytes, "\"{}\"", time.to_rfc3339());
    }

    /// A global id.
    pub fn id(&mut self, id: impl Id) {
        self.name(&global(id));
    }

    /// A cursor, where there is one.
    pub fn cursor(&mut self, cursor: Option<&Cursor>) {
        match cursor {
            Some(cursor) => self.name(&cursor.sealed()),
            None => self.null(),
        }
    }

    /// What is below a field.
    pub fn inside(&mut self, key: &'p Key, write: impl FnOnce(&mut Self)) {
        self.path.push(Step::Field(key));
        write(self);
        self.path.pop();
    }

    /// A list.
    pub fn list<T>(
        &mut self,
        key: &'p Key,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.path.push(Step::Field(key));
        self.bytes.push(b'[');
        for (number, item) in items.into_iter().enumerate() {
            // It is not sent: no more work for it.
            if self.is_full() {
                break;
            }
            if number > 0 {
                self.bytes.push(b',');
            }
            self.path.push(Step::Item(number));
            write(self, item);
            self.path.pop();
        }
        self.bytes.push(b']');
        self.path.pop();
    }

    /// A field that may fail, and is null then.
    pub fn try_write<T>(
        &mut self,
        key: &'p Key,
        found: async_graphql::Result<T>,
        write: impl FnOnce(&mut Self, T),
    ) {
        match found {
            Ok(value) => write(self, value),
            Err(error) => {
                self.failed(key, error);
                self.null();
            }
        }
    }

    /// An object that may be none, or could not be read.
    pub fn object<T>(
        &mut self,
        key: &'p Key,
        found: async_graphql::Result<Option<T>>,
        write: impl FnOnce(&mut Self, T),
    ) {
        self.try_write(key, found, |out, value| match value {
            Some(value) => out.inside(key, |out| write(out, value)),
            None => out.null(),
        });
    }

    fn failed(&mut self, key: &Key, error: async_graphql::Error) {
        let mut path: Vec<PathSegment> = self.path.iter().map(Step::segment).collect();
        path.push(PathSegment::Field(key.name.to_string()));
        self.errors.push(ServerError { path, ..error.into_server_error(key.pos) });
    }

    /// Says beside a field what it lacks.
    pub fn beside(&mut self, key: &Key, error: async_graphql::Error) {
        self.errors.push(error.into_server_error(key.pos));
    }
}

impl Step<'_> {
    fn segment(&self) -> PathSegment {
        match self {
            Self::Field(key) => PathSegment::Field(key.name.to_string()),
            Self::Item(number) => PathSegment::Index(*number),
        }
    }
}
