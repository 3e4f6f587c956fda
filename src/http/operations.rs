//! What an operation is called in metrics and traces: by its root field, `viewer`'s with what is
//! asked of it. The names are the schema's own, so that no client can make one up.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    Field, OperationDefinition, OperationType, Selection, SelectionSet, TypeKind,
    TypeSystemDefinition,
};

use plaza_graphql::schema::Schema;

/// The fields of the schema's root types, and of `Viewer`.
#[derive(Debug, Default)]
pub struct Operations(HashMap<&'static str, HashSet<String>>);

/// As it is written in labels.
pub fn kind_name(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

impl Operations {
    /// Those of the schema; it is the same in every process, and read once.
    pub fn of(schema: &Schema) -> &'static Self {
        static KNOWN: OnceLock<Operations> = OnceLock::new();
        KNOWN.get_or_init(|| Self::read(&schema.sdl()))
    }

    fn read(sdl: &str) -> Self {
        let mut known: HashMap<&'static str, HashSet<String>> = HashMap::new();
        // The schema's own text is one.
        let definitions =
            parse_schema(sdl).map(|document| document.definitions).unwrap_or_default();
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let Some(name) = ["Query", "Mutation", "Subscription", "Viewer"]
                .into_iter()
                .find(|name| *name == definition.node.name.node.as_str())
            else {
                continue;
            };
            if let TypeKind::Object(object) = definition.node.kind {
                known.insert(
                    name,
                    object
                        .fields
                        .into_iter()
                        .map(|field| field.node.name.node.to_string())
                        .collect(),
                );
            }
        }
        Self(known)
    }

    /// An operation's name: `postCreate`, `viewer.home`; `several` fields, `other` for what is not
    /// the schema's.
    pub fn name(&self, operation: &OperationDefinition) -> Arc<str> {
        let root = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let field = match only_field(&operation.selection_set) {
            Ok(field) => field,
            Err(what) => return what.into(),
        };
        let name = field.name.node.as_str();
        if matches!(name, "__schema" | "__type" | "__typename") {
            return "introspection".into();
        }
        if !self.has(root, name) {
            return "other".into();
        }
        if name != "viewer" {
            return name.into();
        }
        match only_field(&field.selection_set) {
            Ok(inner) if self.has("Viewer", inner.name.node.as_str()) => {
                format!("viewer.{}", inner.name.node).into()
            }
            _ => "viewer".into(),
        }
    }

    fn has(&self, of: &str, field: &str) -> bool {
        self.0.get(of).is_some_and(|fields| fields.contains(field))
    }
}

fn only_field(set: &Positioned<SelectionSet>) -> Result<&Field, &'static str> {
    match set.node.items.as_slice() {
        [only] => match &only.node {
            Selection::Field(field) => Ok(&field.node),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => Err("other"),
        },
        _ => Err("several"),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::DocumentOperations;

    use super::*;

    fn name(query: &str) -> String {
        let document = parse_query(query).unwrap();
        let operation = match &document.operations {
            DocumentOperations::Single(operation) => &operation.node,
            DocumentOperations::Multiple(operations) => &operations.values().next().unwrap().node,
        };
        Operations::of(&plaza_graphql::schema::schema()).name(operation).to_string()
    }

    #[test]
    fn an_operation_is_called_by_the_schemas_own_names_only() {
        for (query, expected) in [
            ("{ viewer { home(first: 1) { nodes { id } } } }", "viewer.home"),
            (
                "query mine { me: viewer { all: home(first: 1) { nodes { id } } orders(first: 1) { nodes { id } } } }",
                "viewer",
            ),
            ("mutation { x: postCreate(input: {text: \"x\"}) { post { id } } }", "postCreate"),
            ("subscription { homeUpdated { post { id } } }", "homeUpdated"),
            ("{ post(id: 1) { id } rateLimit { cost } }", "several"),
            ("{ __schema { types { name } } }", "introspection"),
            ("{ madeUp1234 }", "other"),
            ("{ viewer { madeUp1234 } }", "viewer"),
            ("{ postCreate }", "other"),
            ("{ ... on Query { rateLimit { cost } } }", "other"),
        ] {
            assert_eq!(name(query), expected, "{query}");
        }
    }
}
