//! How deep and how large a document is with its fragments spread, each fragment visited once:
//! what comes to too much is refused before any rule is applied to it.

use std::collections::HashMap;

use async_graphql::Pos;

use super::Problem;
use super::syntax::{Document, Selection, Selections};
use crate::cost::MAX_DEPTH;
use crate::error::ErrorCode;

/// Most selections with fragments spread, each as often as it is, though what runs may be less.
const MAX_SELECTIONS: u64 = 50_000;

#[derive(Clone, Copy, Default)]
struct Size {
    depth: u64,
    selections: u64,
}

struct Measure<'d, 'a> {
    sets: HashMap<&'a str, &'d Selections<'a>>,
    /// `None` while a fragment is being visited: one that contains itself is for validation to
    /// refuse.
    known: HashMap<&'a str, Option<Size>>,
}

/// Measures every operation and fragment.
///
/// # Errors
/// Fields nest too deeply; there are too many selections.
pub fn check(document: &Document<'_>) -> Result<(), Problem> {
    let sets = document.fragments.iter().map(|known| (known.name.text, &known.selections));
    let mut measure = Measure { sets: sets.collect(), known: HashMap::new() };
    let operations = document.operations.iter().map(|known| &known.selections);
    for set in operations.chain(document.fragments.iter().map(|known| &known.selections)) {
        let size = measure.set(set);
        if size.depth > MAX_DEPTH {
            let message = format!("fields may nest {MAX_DEPTH} deep");
            return Err(refused(ErrorCode::QueryTooDeep, message, set.pos));
        }
        if size.selections > MAX_SELECTIONS {
            let message = format!("a query may have {MAX_SELECTIONS} selections, fragments spread");
            return Err(refused(ErrorCode::QueryTooComplex, message, set.pos));
        }
    }
    Ok(())
}

fn refused(code: ErrorCode, message: String, pos: Pos) -> Problem {
    Problem { code, message, locations: vec![pos] }
}

impl<'a> Measure<'_, 'a> {
    fn set(&mut self, set: &Selections<'a>) -> Size {
        let mut sum = Size::default();
        for selection in &set.items {
            let inner = match selection {
                Selection::Field(field) => {
                    let inner = field.selections.as_ref().map(|set| self.set(set));
                    let inner = inner.unwrap_or_default();
                    Size { depth: inner.depth.saturating_add(1), ..inner }
                }
                Selection::Inline(inline) => self.set(&inline.selections),
                Selection::Spread(spread) => self.fragment(spread.name.text),
            };
            sum.depth = sum.depth.max(inner.depth);
            sum.selections = sum.selections.saturating_add(inner.selections).saturating_add(1);
        }
        sum
    }

    fn fragment(&mut self, name: &'a str) -> Size {
        if let Some(known) = self.known.get(name) {
            return known.unwrap_or_default();
        }
        let Some(set) = self.sets.get(name).copied() else { return Size::default() };
        self.known.insert(name, None);
        let size = self.set(set);
        self.known.insert(name, Some(size));
        size
    }
}
