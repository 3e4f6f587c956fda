//! What the library runs of an operation.

use std::collections::HashMap;

use async_graphql::parser::types as library;
use async_graphql::{Name, Positioned};

use super::index::FieldDefinition;
use super::syntax::{Operation, TypeNode, TypeOf};

/// An operation without fragments and directives.
#[derive(Debug)]
pub struct Runs {
    operation: Positioned<library::OperationDefinition>,
    asked: Vec<&'static FieldDefinition>,
    /// Fields in it, and text of literals as so many fields.
    pub fields: usize,
}

impl Runs {
    /// An operation with other selections, that ask for these fields.
    pub fn new(
        of: &Operation<'_>,
        selection_set: Positioned<library::SelectionSet>,
        asked: Vec<&'static FieldDefinition>,
        fields: usize,
    ) -> Self {
        let variable_definitions = of
            .variables
            .iter()
            .map(|variable| {
                let definition = library::VariableDefinition {
                    name: Positioned::new(Name::new(variable.name.text), variable.name.pos),
                    var_type: Positioned::new(type_of(&variable.ty), variable.ty.pos),
                    directives: Vec::new(),
                    // It is among the values.
                    default_value: None,
                };
                Positioned::new(definition, variable.pos)
            })
            .collect();
        let operation = library::OperationDefinition {
            ty: of.kind,
            variable_definitions,
            directives: Vec::new(),
            selection_set,
        };
        Self { operation: Positioned::new(operation, of.pos), asked, fields }
    }

    /// For the library, which takes it; counts that its fields are asked for.
    pub fn document(&self) -> library::ExecutableDocument {
        self.asked.iter().for_each(|field| field.count());
        library::ExecutableDocument {
            operations: library::DocumentOperations::Single(self.operation.clone()),
            fragments: HashMap::new(),
        }
    }
}

fn type_of(node: &TypeNode<'_>) -> library::Type {
    let base = match &node.of {
        TypeOf::Named(name) => library::BaseType::Named(Name::new(name.text)),
        TypeOf::List(inner) => library::BaseType::List(Box::new(type_of(inner))),
    };
    library::Type { base, nullable: !node.non_null }
}
