//! Rules about what a subscription subscribes to.

use std::collections::{HashMap, HashSet};

use async_graphql::Pos;
use async_graphql::parser::types::OperationType;

use super::Rules;
use crate::document::syntax::{Argument, Directive, Field, Literal, Selection, Selections};

impl Rules<'_, '_> {
    /// A subscription has one root field, and none of introspection.
    pub(super) fn single_root_fields(&mut self) {
        let document = self.document;
        let kind = OperationType::Subscription;
        let fragments: HashMap<_, _> =
            document.fragments.iter().map(|known| (known.name.text, &known.selections)).collect();
        for operation in document.operations.iter().filter(|known| known.kind == kind) {
            if let Some(pos) =
                late_condition(&fragments, &operation.selections, &mut HashSet::new())
            {
                let of = operation.name.map_or("Anonymous Subscription".to_owned(), |name| {
                    format!("Subscription \"{}\"", name.text)
                });
                let message = format!(
                    "{of} must not use `@skip` and `@include` directives with a variable in the \
                     top level selection."
                );
                self.report(message, &[pos]);
                continue;
            }
            let mut fields = Vec::new();
            root_fields(&fragments, &operation.selections, &mut HashSet::new(), &mut fields);
            let of = match operation.name {
                Some(name) => format!("Subscription \"{}\"", name.text),
                None => "Anonymous Subscription".to_owned(),
            };
            let first = fields.first().map(|field| field.response_key());
            let extra: Vec<Pos> = fields
                .iter()
                .filter(|field| Some(field.response_key()) != first)
                .map(|field| field.pos)
                .collect();
            if !extra.is_empty() {
                let message = format!("{of} must select only one top level field.");
                self.report(message, &extra);
            }
            let meta = fields.iter().find(|field| field.name.text.starts_with("__"));
            if let Some(field) = meta {
                let message = format!("{of} must not select an introspection top level field.");
                self.report(message, &[field.pos]);
            }
        }
    }
}

/// Fields of the selection, those of fragments among them; what is skipped by a literal is left
/// out, and what a variable decides is not.
fn root_fields<'d, 'a>(
    fragments: &HashMap<&'a str, &'d Selections<'a>>,
    set: &'d Selections<'a>,
    seen: &mut HashSet<&'a str>,
    found: &mut Vec<&'d Field<'a>>,
) {
    for selection in &set.items {
        match selection {
            Selection::Field(field) if !is_left_out(&field.directives) => found.push(field),
            Selection::Inline(inline) if !is_left_out(&inline.directives) => {
                root_fields(fragments, &inline.selections, seen, found);
            }
            Selection::Spread(spread) if !is_left_out(&spread.directives) => {
                let name = spread.name.text;
                if let Some(set) = fragments.get(name).filter(|_| seen.insert(name)) {
                    root_fields(fragments, set, seen, found);
                }
            }
            _ => {}
        }
    }
}

/// A variable that decides whether a root field is there. What a subscription subscribes to is
/// known before variables are.
fn late_condition<'d, 'a>(
    fragments: &HashMap<&'a str, &'d Selections<'a>>,
    set: &'d Selections<'a>,
    seen: &mut HashSet<&'a str>,
) -> Option<Pos> {
    set.items.iter().find_map(|selection| {
        let (directives, inner) = match selection {
            Selection::Field(field) => (&field.directives, None),
            Selection::Inline(inline) => (&inline.directives, Some(&inline.selections)),
            Selection::Spread(spread) => {
                let name = spread.name.text;
                let set = fragments.get(name).copied().filter(|_| seen.insert(name));
                (&spread.directives, set)
            }
        };
        let mut conditions = directives.iter().filter(|directive| {
            let variable =
                |argument: &Argument<'_>| matches!(argument.value.kind, Literal::Variable(_));
            matches!(directive.name.text, "skip" | "include")
                && directive.arguments.iter().any(variable)
        });
        let own = conditions.next().map(|directive| directive.pos);
        own.or_else(|| inner.and_then(|set| late_condition(fragments, set, seen)))
    })
}

/// Whether a literal says that a selection is skipped or not included.
fn is_left_out(directives: &[Directive<'_>]) -> bool {
    let says = |name: &str, value: bool| {
        directives.iter().filter(|directive| directive.name.text == name).any(|directive| {
            directive.arguments.iter().any(|argument| {
                argument.name.text == "if"
                    && matches!(argument.value.kind, Literal::Boolean(given) if given == value)
            })
        })
    };
    says("skip", true) || says("include", false)
}
