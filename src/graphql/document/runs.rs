//! What runs of an operation: as the library takes it, and as a plan where there is one.

use std::collections::HashMap;

use async_graphql::parser::types as library;
use async_graphql::parser::types::OperationType;
use async_graphql::{Name, Positioned, Variables};

use super::index::FieldDefinition;
use super::syntax::{Operation, TypeNode, TypeOf};
use crate::plan::{Live, Plan};

/// An operation without fragments and directives.
#[derive(Debug)]
pub struct Runs {
    document: library::ExecutableDocument,
    plan: Option<Plan>,
    live: Option<Live>,
    asked: Vec<&'static FieldDefinition>,
    /// Fields in it, and text of literals as so many fields.
    pub fields: usize,
}

impl Runs {
    /// An operation with other selections, that ask for these fields.
    pub fn new(
        of: &Operation<'_>,
        selection_set: Positioned<library::SelectionSet>,
        (asked, fields): (Vec<&'static FieldDefinition>, usize),
        variables: &Variables,
    ) -> Self {
        let is_query = of.kind == OperationType::Query;
        let plan = is_query.then(|| Plan::of(&selection_set.node, variables)).flatten();
        let is_subscription = of.kind == OperationType::Subscription;
        let live = is_subscription.then(|| Live::of(&selection_set.node, variables)).flatten();
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
        let operation = Positioned::new(operation, of.pos);
        let document = library::ExecutableDocument {
            operations: library::DocumentOperations::Single(operation),
            fragments: HashMap::new(),
        };
        Self { document, plan, live, asked, fields }
    }

    /// As the library takes it.
    pub fn document(&self) -> &library::ExecutableDocument {
        &self.document
    }

    /// How it runs without the library, where a plan covers it.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// How its events are answered without the library, where a plan covers them.
    pub fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Counts that its fields are asked for.
    pub fn count(&self) {
        self.asked.iter().for_each(|field| field.count());
    }
}

fn type_of(node: &TypeNode<'_>) -> library::Type {
    let base = match &node.of {
        TypeOf::Named(name) => library::BaseType::Named(Name::new(name.text)),
        TypeOf::List(inner) => library::BaseType::List(Box::new(type_of(inner))),
    };
    library::Type { base, nullable: !node.non_null }
}
