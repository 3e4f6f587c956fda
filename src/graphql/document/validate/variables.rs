//! Rules about variables where they are used.

use std::collections::{HashMap, HashSet};

use super::{Rules, Usage};
use crate::document::index::TypeRef;
use crate::document::syntax::{Literal, Operation};

/// Whether a variable may stand where it is used: it has the type, or is nullable and a default
/// stands in.
fn may_stand(own: &TypeRef, has_value: bool, expected: &TypeRef, usage: &Usage<'_>) -> bool {
    if expected.is_non_null() && !own.is_non_null() {
        return (has_value || usage.has_default) && own.fits(expected.nullable());
    }
    own.fits(expected)
}

impl<'a> Rules<'_, 'a> {
    /// What an operation defines against what it and its fragments use.
    pub(super) fn variables(&mut self, operation: &Operation<'a>, usages: &[&Usage<'a>]) {
        let index = self.index;
        let within = |start: &str| match operation.name {
            Some(name) => format!("{start} operation \"{}\"", name.text),
            None => String::new(),
        };
        let mut defined = HashMap::new();
        for variable in &operation.variables {
            // Of two with one name, the last counts, as graphql-js does.
            let has_value = variable
                .default
                .as_ref()
                .is_some_and(|default| !matches!(default.kind, Literal::Null));
            let known = (index.resolve(&variable.ty), has_value, variable.pos);
            defined.insert(variable.name.text, known);
        }
        let mut used = HashSet::new();
        for usage in usages {
            let name = usage.name;
            used.insert(name);
            let Some((ty, has_value, pos)) = defined.get(name) else {
                let message = format!("Variable \"${name}\" is not defined{}.", within(" by"));
                self.report(message, &[usage.pos, operation.pos]);
                continue;
            };
            let (Some(ty), Some(expected)) = (ty, &usage.expected) else { continue };
            if !may_stand(ty, *has_value, expected, usage) {
                let message = format!(
                    "Variable \"${name}\" of type \"{}\" used in position expecting type \"{}\".",
                    index.show(ty),
                    index.show(expected)
                );
                self.report(message, &[*pos, usage.pos]);
            }
            if let Some(object) = usage.one_of.as_ref().filter(|_| !ty.is_non_null()) {
                let message = format!(
                    "Variable \"${name}\" is of type \"{}\" but must be non-nullable to be used \
                     for OneOf Input Object \"{object}\".",
                    index.show(ty)
                );
                self.report(message, &[*pos, usage.pos]);
            }
        }
        for variable in &operation.variables {
            let name = variable.name.text;
            if !used.contains(name) {
                let message = format!("Variable \"${name}\" is never used{}.", within(" in"));
                self.report(message, &[variable.pos]);
            }
        }
    }
}
