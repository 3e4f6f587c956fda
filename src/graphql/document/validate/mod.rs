//! The specification's validation rules (chapter 5), in graphql-js' words. One walk over every
//! definition finds what can be seen where it stands; what concerns several definitions is decided
//! from what the walk has noted.

mod definitions;
mod fragments;
mod overlap;
mod selections;
mod subscriptions;
mod values;
mod variables;

use std::collections::HashMap;

use async_graphql::{Name, Pos};

use super::Problem;
use super::index::{Index, TypeRef};
use super::syntax::Document;
use crate::error::ErrorCode;

/// Most problems of one document that are named.
pub const MAX_PROBLEMS: usize = 100;

/// A variable, where it is used.
#[derive(Debug)]
struct Usage<'a> {
    name: &'a str,
    pos: Pos,
    /// `None`: nothing there has that argument or field.
    expected: Option<TypeRef>,
    has_default: bool,
    /// It is a field of an input object that takes exactly one.
    one_of: Option<Name>,
}

/// What a definition uses, its own selections alone.
#[derive(Debug, Default)]
struct Uses<'a> {
    variables: Vec<Usage<'a>>,
    spreads: Vec<(&'a str, Pos)>,
}

struct Rules<'d, 'a> {
    index: &'static Index,
    document: &'d Document<'a>,
    /// The first fragment of each name.
    fragments: HashMap<&'a str, usize>,
    suggest: bool,
    problems: Vec<Problem>,
}

/// All that is wrong with a document; nothing when it is valid. `suggest`: with the names that
/// come near to those which do not exist.
pub fn problems(index: &'static Index, document: &Document<'_>, suggest: bool) -> Vec<Problem> {
    let mut fragments = HashMap::new();
    for (number, fragment) in document.fragments.iter().enumerate() {
        fragments.entry(fragment.name.text).or_insert(number);
    }
    let mut rules = Rules { index, document, fragments, suggest, problems: Vec::new() };
    rules.unique_names();
    let operations: Vec<Uses<'_>> =
        document.operations.iter().map(|operation| rules.operation(operation)).collect();
    let defined: Vec<Uses<'_>> =
        document.fragments.iter().map(|fragment| rules.fragment(fragment)).collect();
    rules.cycles(&defined);
    rules.reached(&operations, &defined);
    rules.introspection_depth();
    if rules.problems.is_empty() {
        // Fields are compared only where all types are known and no fragment contains itself.
        rules.single_root_fields();
        rules.overlapping_fields();
    }
    rules.problems
}

impl Rules<'_, '_> {
    fn report(&mut self, message: impl Into<String>, locations: &[Pos]) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem {
                code: ErrorCode::GraphqlValidationFailed,
                message: message.into(),
                locations: locations.to_vec(),
            });
        }
    }
}
