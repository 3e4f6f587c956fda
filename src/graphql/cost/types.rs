//! The schema, as far as weighing needs it.

use std::collections::HashMap;
use std::sync::OnceLock;

use async_graphql::parser::types::{
    BaseType, InputValueDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Positioned, Value};

/// A field of the schema as far as weighing needs it.
pub(super) struct FieldType {
    /// What it is of.
    pub of: String,
    /// How many items it has when its arguments do not say.
    pub length: Option<u64>,
}

/// The types of the schema: field by field.
pub(super) type Types = HashMap<String, HashMap<String, FieldType>>;

fn named(base: &BaseType) -> &str {
    match base {
        BaseType::Named(name) => name,
        BaseType::List(of) => named(&of.base),
    }
}

/// The default of an argument that bounds a list.
fn default_length(argument: &Positioned<InputValueDefinition>) -> Option<u64> {
    let default =
        argument.node.default_value.as_ref().filter(|_| argument.node.name.node == "first");
    match &default?.node {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// Those of the schema; it is the same in every process, and read once.
pub(super) fn types() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| {
        let sdl = crate::schema::sdl();
        // The schema's own text is one.
        let document =
            async_graphql::parser::parse_schema(sdl).map(|document| document.definitions);
        let mut types = Types::new();
        for definition in document.unwrap_or_default() {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let fields = fields.into_iter().map(|Positioned { node: field, .. }| {
                let length = field.arguments.iter().find_map(default_length);
                let of = named(&field.ty.node.base).to_owned();
                (field.name.node.to_string(), FieldType { of, length })
            });
            types.insert(definition.node.name.node.to_string(), fields.collect());
        }
        types
    })
}
