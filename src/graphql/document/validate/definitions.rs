//! Rules about operations, fragments and variables as they are defined.

use std::collections::HashMap;

use async_graphql::Pos;
use async_graphql::parser::types::OperationType;

use super::values::Expected;
use super::{Rules, Uses};
use crate::document::suggest::did_you_mean;
use crate::document::syntax::{Fragment, Ident, Operation, TypeNode, TypeOf, VariableDefinition};

/// A type as the document writes it.
fn written(node: &TypeNode<'_>) -> String {
    let end = if node.non_null { "!" } else { "" };
    match &node.of {
        TypeOf::Named(name) => format!("{}{end}", name.text),
        TypeOf::List(inner) => format!("[{}]{end}", written(inner)),
    }
}

fn name_in(node: &TypeNode<'_>) -> String {
    match &node.of {
        TypeOf::Named(name) => name.text.to_owned(),
        TypeOf::List(inner) => name_in(inner),
    }
}

fn place_in(node: &TypeNode<'_>) -> Pos {
    match &node.of {
        TypeOf::Named(name) => name.pos,
        TypeOf::List(inner) => place_in(inner),
    }
}

impl<'a> Rules<'_, 'a> {
    /// Every name after the first that is the same.
    fn repeated(&mut self, what: &str, names: impl Iterator<Item = Ident<'a>>) {
        let mut known: HashMap<&str, Pos> = HashMap::new();
        for name in names {
            match known.get(name.text) {
                Some(first) => {
                    let message = format!("There can be only one {what} named \"{}\".", name.text);
                    self.report(message, &[*first, name.pos]);
                }
                None => {
                    known.insert(name.text, name.pos);
                }
            }
        }
    }

    /// Operations and fragments have names of their own; one without a name is alone.
    pub(super) fn unique_names(&mut self) {
        let document = self.document;
        self.repeated("operation", document.operations.iter().filter_map(|known| known.name));
        self.repeated("fragment", document.fragments.iter().map(|known| known.name));
        if document.operations.len() > 1 {
            for operation in document.operations.iter().filter(|known| known.name.is_none()) {
                let message = "This anonymous operation must be the only defined operation.";
                self.report(message, &[operation.pos]);
            }
        }
    }

    /// An operation and everything in it; what it uses is handed back.
    pub(super) fn operation(&mut self, operation: &Operation<'a>) -> Uses<'a> {
        let mut uses = Uses::default();
        let place = match operation.kind {
            OperationType::Query => "QUERY",
            OperationType::Mutation => "MUTATION",
            OperationType::Subscription => "SUBSCRIPTION",
        };
        self.unique_variables(&operation.variables);
        for variable in &operation.variables {
            self.variable(variable);
        }
        self.directives(&operation.directives, place, &mut uses);
        let root = self.index.root(operation.kind);
        self.selections(&operation.selections, root, &mut uses);
        uses
    }

    fn unique_variables(&mut self, variables: &[VariableDefinition<'a>]) {
        let mut known: HashMap<&str, Vec<Pos>> = HashMap::new();
        for variable in variables {
            known.entry(variable.name.text).or_default().push(variable.name.pos);
        }
        for (name, places) in known.into_iter().filter(|(_, places)| places.len() > 1) {
            let message = format!("There can be only one variable named \"${name}\".");
            self.report(message, &places);
        }
    }

    fn variable(&mut self, variable: &VariableDefinition<'a>) {
        let resolved = self.index.resolve(&variable.ty);
        match &resolved {
            None => {
                let name = name_in(&variable.ty);
                self.unknown_type(&name, place_in(&variable.ty));
            }
            Some(ty) if !self.index.inside(ty).is_input() => {
                let message = format!(
                    "Variable \"${}\" cannot be non-input type \"{}\".",
                    variable.name.text,
                    written(&variable.ty)
                );
                self.report(message, &[variable.ty.pos]);
            }
            Some(_) => {}
        }
        // A default is constant, and directives here take no variables: neither uses any.
        let mut none = Uses::default();
        if let Some(default) = &variable.default {
            let ty = resolved.filter(|ty| self.index.inside(ty).is_input());
            self.value(default, Expected::of(ty.as_ref()), &mut none);
        }
        self.directives(&variable.directives, "VARIABLE_DEFINITION", &mut none);
    }

    /// A name that no type has.
    pub(super) fn unknown_type(&mut self, name: &str, pos: Pos) {
        let near =
            if self.suggest { did_you_mean(name, self.index.names()) } else { String::new() };
        self.report(format!("Unknown type \"{name}\".{near}"), &[pos]);
    }

    /// A fragment and everything in it; what it uses is handed back.
    pub(super) fn fragment(&mut self, fragment: &Fragment<'a>) -> Uses<'a> {
        let mut uses = Uses::default();
        let of = self.index.named(fragment.on.text);
        match of {
            None => self.unknown_type(fragment.on.text, fragment.on.pos),
            Some(ty) if !ty.is_composite() => {
                let message = format!(
                    "Fragment \"{}\" cannot condition on non composite type \"{}\".",
                    fragment.name.text, ty.name
                );
                self.report(message, &[fragment.on.pos]);
            }
            Some(_) => {}
        }
        self.directives(&fragment.directives, "FRAGMENT_DEFINITION", &mut uses);
        self.selections(&fragment.selections, of.filter(|ty| ty.is_composite()), &mut uses);
        uses
    }
}
