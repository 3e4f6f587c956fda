//! Texts that were sent before: they are read, validated and merged once.
//!
//! What runs depends on variables by their *shape* only: of each, whether it is there, is null, is
//! true. So a text is held with what runs for a few shapes; for others it is read again. Values are
//! coerced each time, and whatever is wrong with them is said as [`check`](super::check) says it.

use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::types::OperationType;
use async_graphql_value::ConstValue;
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use serde_json::{Map, Value as Json};

use super::coerce::{self, Declared, declared};
use super::runs::Runs;
use super::{Checked, Problem, chosen, index, merge, valid};

/// Bytes that all of it may take.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// About how many bytes a text takes; only sizes tables.
const TYPICAL: u64 = 32 * 1024;
/// Bytes that a merged field takes, its name, position and argument among them, and its place in
/// a plan.
const FIELD: u64 = 550;
/// A text is held for as many fields as so many shapes of its first have.
const SHAPES: usize = 4;
/// Fields that it is held for at least.
const LEAST: usize = 64;

/// A text, and which of its operations is meant.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    operation: Option<Box<str>>,
}

#[derive(Hash)]
struct Sought<'a> {
    text: &'a str,
    operation: Option<&'a str>,
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text && self.operation == key.operation.as_deref()
    }
}

/// What is known of each declared variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Absent,
    Null,
    True,
    Other,
}

/// An operation whose text is right.
#[derive(Debug)]
struct Seen {
    kind: OperationType,
    declared: Vec<Declared>,
    /// Fields that may be held.
    room: usize,
    runs: RwLock<Vec<(Vec<Shape>, Arc<Runs>)>>,
}

impl Seen {
    fn shape(&self, variables: &Variables) -> Vec<Shape> {
        let of = |variable: &Declared| match variables.get(&variable.name) {
            None => Shape::Absent,
            Some(ConstValue::Null) => Shape::Null,
            Some(ConstValue::Boolean(true)) => Shape::True,
            Some(_) => Shape::Other,
        };
        self.declared.iter().map(of).collect()
    }

    fn of(&self, shape: &[Shape]) -> Option<Arc<Runs>> {
        let runs = self.runs.read();
        runs.iter().find(|(held, _)| *held == shape).map(|(_, runs)| Arc::clone(runs))
    }

    fn keep(&self, shape: Vec<Shape>, runs: Arc<Runs>) {
        let mut held = self.runs.write();
        let fields = held.iter().map(|(_, runs)| runs.fields).sum::<usize>() + runs.fields;
        if fields <= self.room && held.len() < SHAPES && held.iter().all(|(of, _)| *of != shape) {
            held.push((shape, runs));
        }
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Seen>> for Bytes {
    fn weight(&self, key: &Key, seen: &Arc<Seen>) -> u64 {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        count(seen.room).saturating_mul(FIELD).saturating_add(count(key.text.len()))
    }
}

/// The texts that a process has seen lately.
pub struct Documents {
    seen: Cache<Key, Arc<Seen>, Bytes>,
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").field("held", &self.seen.len()).finish()
    }
}

impl Default for Documents {
    fn default() -> Self {
        let texts = usize::try_from(MAX_BYTES / TYPICAL).unwrap_or(usize::MAX);
        Self { seen: Cache::with_weighter(texts, MAX_BYTES, Bytes) }
    }
}

impl Documents {
    /// As [`check`](super::check), faster for a text that was seen before.
    ///
    /// # Errors
    /// The same.
    pub fn check(
        &self,
        text: &str,
        operation: Option<&str>,
        given: Map<String, Json>,
        suggest: bool,
    ) -> Result<Checked, Vec<Problem>> {
        let index = index::index();
        let Some(seen) = self.seen.get(&Sought { text, operation }) else {
            return self.check_anew(text, operation, given, suggest);
        };
        let variables = coerce::variables(index, &seen.declared, given, suggest)?;
        let shape = seen.shape(&variables);
        if let Some(runs) = seen.of(&shape) {
            return Ok(Checked { runs, variables, kind: seen.kind });
        }
        let document = valid(text, suggest)?;
        let chosen = chosen(&document.operations, operation).map_err(|one| vec![one])?;
        let runs = Arc::new(merge::merged(index, &document, chosen, &variables)?);
        seen.keep(shape, Arc::clone(&runs));
        Ok(Checked { runs, variables, kind: seen.kind })
    }

    fn check_anew(
        &self,
        text: &str,
        operation: Option<&str>,
        given: Map<String, Json>,
        suggest: bool,
    ) -> Result<Checked, Vec<Problem>> {
        let index = index::index();
        let document = valid(text, suggest)?;
        let chosen = chosen(&document.operations, operation).map_err(|one| vec![one])?;
        let declared = declared(index, chosen);
        let variables = coerce::variables(index, &declared, given, suggest)?;
        let runs = Arc::new(merge::merged(index, &document, chosen, &variables)?);
        let room = runs.fields.saturating_mul(SHAPES).max(LEAST);
        let seen = Seen { kind: chosen.kind, declared, room, runs: RwLock::default() };
        seen.keep(seen.shape(&variables), Arc::clone(&runs));
        let key = Key { text: text.into(), operation: operation.map(Into::into) };
        self.seen.insert(key, Arc::new(seen));
        Ok(Checked { runs, variables, kind: chosen.kind })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Ways to call a text: the operation's name, and its variables.
    fn calls() -> Vec<(&'static str, Option<&'static str>, Vec<Json>)> {
        let flagged = "query q($full: Boolean = true, $id: ID!, $first: Int) { post(id: $id) { id \
                       ...f @include(if: $full) comments(first: $first) { nodes { id } } } } \
                       fragment f on Post { text author { handle @skip(if: $full) id } }";
        let values = vec![
            json!({ "id": "1" }),
            json!({ "id": "1", "full": false }),
            json!({ "id": "2", "full": true, "first": 3 }),
            json!({ "id": 2, "first": null }),
            json!({ "id": null }),
            json!({}),
            json!({ "id": "1", "full": "yes" }),
            json!({ "id": "1", "full": null }),
        ];
        let two = "query a { viewer { user { id } } } query b($n: Int = 1) { \
                   viewer { home(first: $n) { nodes { id } } } }";
        vec![
            (flagged, None, values),
            (two, Some("a"), vec![json!({})]),
            (two, Some("b"), vec![json!({}), json!({ "n": 2 }), json!({ "n": null })]),
            (two, Some("c"), vec![json!({})]),
            (two, None, vec![json!({})]),
            ("{ viewer { nothing } }", None, vec![json!({})]),
            ("{ viewer {", None, vec![json!({})]),
        ]
    }

    #[test]
    fn a_text_is_checked_alike_however_often_and_after_whatever() {
        let documents = Documents::default();
        let as_text = |checked: Result<Checked, Vec<Problem>>| format!("{checked:?}");
        for round in 0..3 {
            for (text, operation, values) in calls() {
                for value in values {
                    let given = value.as_object().unwrap();
                    let expected = super::super::check(text, operation, given.clone(), true);
                    let found = documents.check(text, operation, given.clone(), true);
                    let called = format!("{text} {operation:?} {value}, round {round}");
                    assert_eq!(as_text(found), as_text(expected), "{called}");
                }
            }
        }
        assert_eq!(documents.seen.len(), 3, "what is wrong is not held");
    }

    #[test]
    fn a_million_texts_take_no_more_than_their_room() {
        let documents = Documents::default();
        let mut hot = 0;
        for number in 0..5_000 {
            let text = format!("{{ viewer {{ a{number}: user {{ id }} }} }}");
            documents.check(&text, None, Map::new(), false).unwrap();
            documents.check("{ viewer { user { id } } }", None, Map::new(), false).unwrap();
            let sought = Sought { text: "{ viewer { user { id } } }", operation: None };
            hot += usize::from(documents.seen.get(&sought).is_some());
        }
        assert!(documents.seen.weight() <= MAX_BYTES);
        assert_eq!(hot, 5_000, "what is asked for is not pushed out by what is not");
    }
}
