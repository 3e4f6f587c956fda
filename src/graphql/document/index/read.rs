//! The index out of the library's own introspection.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use async_graphql::Name;
use futures_util::FutureExt;
use serde_json::Value as Json;

use super::{
    DirectiveDefinition, FieldDefinition, Index, InputDefinition, Scalar, Type, TypeId, TypeKind,
    TypeRef,
};

/// What is asked of the library, once.
const QUESTION: &str = "{ __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    directives { name locations isRepeatable args { ...Input } }
    types { kind name isOneOf interfaces { name } possibleTypes { name }
      enumValues(includeDeprecated: true) { name }
      inputFields(includeDeprecated: true) { ...Input }
      fields(includeDeprecated: true) {
        name args(includeDeprecated: true) { ...Input } type { ...Type } } } } }
  fragment Input on __InputValue { name defaultValue type { ...Type } }
  fragment Type on __Type { kind name ofType { kind name ofType { kind name
    ofType { kind name ofType { kind name ofType { kind name } } } } } }";

static INDEX: OnceLock<Index> = OnceLock::new();

/// The schema that this process serves.
pub fn index() -> &'static Index {
    INDEX.get_or_init(|| {
        let answer = crate::schema::schema().execute(QUESTION).now_or_never();
        let data = answer.and_then(|answer| answer.data.into_json().ok()).unwrap_or_default();
        Index::of(data.get("__schema").unwrap_or(&Json::Null))
    })
}

/// Sets the metric of the fields that documents have asked for; those of which none has are left
/// out, and all of them in a process that has read no document.
pub fn record_fields() {
    for (parent, field, count) in INDEX.get().into_iter().flat_map(Index::asked) {
        metrics::counter!("plaza_graphql_fields_total", "type" => parent, "field" => field)
            .absolute(count);
    }
}

fn list<'a>(of: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    of.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn is(of: &Json, name: &str) -> bool {
    of.get(name).and_then(Json::as_bool).unwrap_or_default()
}

impl Index {
    /// From an introspected `__schema`.
    fn of(schema: &Json) -> Self {
        let mut index = Self {
            types: Vec::new(),
            by_name: HashMap::new(),
            nothing: Type::new(TypeId(usize::MAX), "", TypeKind::Object),
            query: None,
            mutation: None,
            subscription: None,
            directives: Vec::new(),
            typename: None,
            meta: Vec::new(),
        };
        // Names first: types refer to each other.
        for (number, ty) in list(schema, "types").enumerate() {
            let name = text(ty, "name");
            let kind = match (text(ty, "kind"), name) {
                ("OBJECT", _) => TypeKind::Object,
                ("INTERFACE", _) => TypeKind::Interface,
                ("UNION", _) => TypeKind::Union,
                ("ENUM", _) => TypeKind::Enum,
                ("INPUT_OBJECT", _) => TypeKind::Input,
                (_, "Int") => TypeKind::Scalar(Scalar::Int),
                (_, "Float") => TypeKind::Scalar(Scalar::Float),
                (_, "String") => TypeKind::Scalar(Scalar::String),
                (_, "Boolean") => TypeKind::Scalar(Scalar::Boolean),
                (_, "ID") => TypeKind::Scalar(Scalar::Id),
                (_, "DateTime") => TypeKind::Scalar(Scalar::DateTime),
                _ => TypeKind::Scalar(Scalar::Other),
            };
            let known = Type::new(TypeId(number), name, kind);
            index.by_name.insert(known.name.clone(), known.id);
            index.types.push(known);
        }
        for ty in list(schema, "types") {
            index.fill(ty);
        }
        for directive in list(schema, "directives") {
            let known = DirectiveDefinition {
                name: Name::new(text(directive, "name")),
                locations: list(directive, "locations")
                    .filter_map(|place| Some(place.as_str()?.to_owned()))
                    .collect(),
                repeatable: is(directive, "isRepeatable"),
                arguments: index.inputs(directive, "args"),
            };
            index.directives.push(known);
        }
        let root = |name: &str| {
            schema.get(name).and_then(|root| index.by_name.get(text(root, "name"))).copied()
        };
        let (query, mutation, subscription) =
            (root("queryType"), root("mutationType"), root("subscriptionType"));
        (index.query, index.mutation, index.subscription) = (query, mutation, subscription);
        index.typename = index.meta_field("__typename", "String", true, None);
        index.meta = [
            index.meta_field("__schema", "__Schema", true, None),
            index.meta_field("__type", "__Type", false, Some("name")),
        ]
        .into_iter()
        .flatten()
        .collect();
        index
    }

    /// A field that introspection does not list.
    fn meta_field(
        &self,
        name: &str,
        ty: &str,
        non_null: bool,
        argument: Option<&str>,
    ) -> Option<FieldDefinition> {
        let named = |name: &str| self.by_name.get(name).copied().map(TypeRef::Named);
        let strict = |ty: TypeRef| TypeRef::NonNull(Box::new(ty));
        let ty = named(ty)?;
        let arguments = match argument {
            Some(argument) => vec![InputDefinition {
                name: Name::new(argument),
                ty: strict(named("String")?),
                has_default: false,
            }],
            None => Vec::new(),
        };
        let ty = if non_null { strict(ty) } else { ty };
        Some(FieldDefinition { name: Name::new(name), ty, arguments, asked: AtomicU64::default() })
    }

    fn fill(&mut self, described: &Json) {
        let Some(id) = self.by_name.get(text(described, "name")).copied() else { return };
        let ids = |name: &str| -> Vec<TypeId> {
            let found = list(described, name)
                .filter_map(|other| self.by_name.get(text(other, "name")).copied());
            found.collect()
        };
        let (mut possible, interfaces) = (ids("possibleTypes"), ids("interfaces"));
        if text(described, "kind") == "OBJECT" {
            possible = vec![id];
        }
        possible.sort_unstable();
        let fields: Vec<FieldDefinition> = list(described, "fields")
            .filter_map(|field| {
                Some(FieldDefinition {
                    name: Name::new(text(field, "name")),
                    ty: self.type_of(field.get("type")?)?,
                    arguments: self.inputs(field, "args"),
                    asked: AtomicU64::default(),
                })
            })
            .collect();
        let inputs = self.inputs(described, "inputFields");
        let Some(known) = self.types.get_mut(id.0) else { return };
        known.field_at = fields.iter().map(|field| field.name.clone()).zip(0..).collect();
        known.input_at = inputs.iter().map(|field| field.name.clone()).zip(0..).collect();
        known.values =
            list(described, "enumValues").map(|value| Name::new(text(value, "name"))).collect();
        known.one_of = is(described, "isOneOf");
        (known.fields, known.inputs) = (fields, inputs);
        (known.possible, known.interfaces) = (possible, interfaces);
    }

    fn inputs(&self, of: &Json, name: &str) -> Vec<InputDefinition> {
        list(of, name)
            .filter_map(|input| {
                Some(InputDefinition {
                    name: Name::new(text(input, "name")),
                    ty: self.type_of(input.get("type")?)?,
                    has_default: input.get("defaultValue").is_some_and(Json::is_string),
                })
            })
            .collect()
    }

    fn type_of(&self, described: &Json) -> Option<TypeRef> {
        let inner = || described.get("ofType").and_then(|inner| self.type_of(inner)).map(Box::new);
        match text(described, "kind") {
            "NON_NULL" => inner().map(TypeRef::NonNull),
            "LIST" => inner().map(TypeRef::List),
            _ => self.by_name.get(text(described, "name")).copied().map(TypeRef::Named),
        }
    }
}
