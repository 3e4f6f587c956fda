//! The schema as the pass over documents reads it: made once in a process, by
//! introspection, so that it holds what the library runs and nothing else.

mod read;

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::Name;
use async_graphql::parser::types::OperationType;

pub use read::{index, record_fields};

use super::syntax::{TypeNode, TypeOf};

/// A type's place in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(usize);

/// A type as a field, an argument or a variable has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeRef {
    /// `Name`
    Named(TypeId),
    /// `[Type]`
    List(Box<TypeRef>),
    /// `Type!`, never of another of its kind.
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    /// Without its `!`.
    pub fn nullable(&self) -> &Self {
        match self {
            Self::NonNull(inner) => inner,
            Self::Named(_) | Self::List(_) => self,
        }
    }

    /// Whether it ends in `!`.
    pub fn is_non_null(&self) -> bool {
        matches!(self, Self::NonNull(_))
    }

    /// The name inside.
    pub fn named(&self) -> TypeId {
        match self {
            Self::Named(id) => *id,
            Self::List(inner) | Self::NonNull(inner) => inner.named(),
        }
    }

    /// Whether a value of this type may stand where one of the other is expected.
    pub fn fits(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::NonNull(own), Self::NonNull(other)) => own.fits(other),
            (Self::NonNull(own), _) => own.fits(expected),
            (Self::List(own), Self::List(other)) => own.fits(other),
            (Self::Named(own), Self::Named(other)) => own == other,
            _ => false,
        }
    }
}

/// The scalars, as far as their values are checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// 32 bits, signed.
    Int,
    /// A double.
    Float,
    /// Text.
    String,
    /// `true`, `false`.
    Boolean,
    /// Text or a whole number.
    Id,
    /// RFC 3339.
    DateTime,
    /// One that its own resolver checks.
    Other,
}

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeKind {
    /// A leaf.
    Scalar(Scalar),
    /// A leaf of a closed list.
    Enum,
    /// An input object.
    Input,
    /// An object.
    Object,
    /// An interface.
    Interface,
    /// A union.
    Union,
}

/// A type.
#[derive(Debug)]
pub struct Type {
    /// Its place.
    pub id: TypeId,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: TypeKind,
    /// Of an object or interface.
    pub fields: Vec<FieldDefinition>,
    field_at: HashMap<Name, usize>,
    /// Of an input object.
    pub inputs: Vec<InputDefinition>,
    input_at: HashMap<Name, usize>,
    /// Of an enum.
    pub values: Vec<Name>,
    /// The objects that it can be: an object, itself.
    pub possible: Vec<TypeId>,
    /// The interfaces of an object.
    pub interfaces: Vec<TypeId>,
    /// Whether exactly one field of the input object is to be given.
    pub one_of: bool,
}

impl Type {
    fn new(id: TypeId, name: &str, kind: TypeKind) -> Self {
        Self {
            id,
            name: Name::new(name),
            kind,
            fields: Vec::new(),
            field_at: HashMap::new(),
            inputs: Vec::new(),
            input_at: HashMap::new(),
            values: Vec::new(),
            possible: Vec::new(),
            interfaces: Vec::new(),
            one_of: false,
        }
    }

    /// A field of an object or interface.
    pub fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.field_at.get(name).and_then(|at| self.fields.get(*at))
    }

    /// A field of an input object.
    pub fn input(&self, name: &str) -> Option<&InputDefinition> {
        self.input_at.get(name).and_then(|at| self.inputs.get(*at))
    }

    /// Whether fields can be asked of it.
    pub fn is_composite(&self) -> bool {
        matches!(self.kind, TypeKind::Object | TypeKind::Interface | TypeKind::Union)
    }

    /// Whether it can be one of several objects.
    pub fn is_abstract(&self) -> bool {
        matches!(self.kind, TypeKind::Interface | TypeKind::Union)
    }

    /// Whether it has no parts.
    pub fn is_leaf(&self) -> bool {
        matches!(self.kind, TypeKind::Scalar(_) | TypeKind::Enum)
    }

    /// Whether a variable or an argument can have it.
    pub fn is_input(&self) -> bool {
        matches!(self.kind, TypeKind::Scalar(_) | TypeKind::Enum | TypeKind::Input)
    }

    /// Whether an object can be of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.possible.iter().any(|id| other.possible.contains(id))
    }
}

/// A field of an object or interface.
#[derive(Debug)]
pub struct FieldDefinition {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// Its arguments.
    pub arguments: Vec<InputDefinition>,
    /// How often documents have asked for it, each place in an operation once.
    asked: AtomicU64,
}

impl FieldDefinition {
    /// Counts that an operation asks for it.
    pub fn count(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// An argument, or a field of an input object.
#[derive(Debug)]
pub struct InputDefinition {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// Whether it may be left out although its type ends in `!`.
    pub has_default: bool,
}

impl InputDefinition {
    /// Whether it must be given.
    pub fn is_required(&self) -> bool {
        self.ty.is_non_null() && !self.has_default
    }
}

/// A directive.
#[derive(Debug)]
pub struct DirectiveDefinition {
    /// Its name.
    pub name: Name,
    /// Where it may stand.
    pub locations: Vec<String>,
    /// Whether it may stand there more than once.
    pub repeatable: bool,
    /// Its arguments.
    pub arguments: Vec<InputDefinition>,
}

/// The schema.
#[derive(Debug)]
pub struct Index {
    types: Vec<Type>,
    by_name: HashMap<Name, TypeId>,
    /// What no name leads to; so that a lookup has no failure to handle.
    nothing: Type,
    query: Option<TypeId>,
    mutation: Option<TypeId>,
    subscription: Option<TypeId>,
    directives: Vec<DirectiveDefinition>,
    /// `__typename`, of every type.
    typename: Option<FieldDefinition>,
    /// `__schema` and `__type`, of the query type.
    meta: Vec<FieldDefinition>,
}

impl Index {
    /// A type by its place.
    pub fn at(&self, id: TypeId) -> &Type {
        self.types.get(id.0).unwrap_or(&self.nothing)
    }

    /// The type inside another.
    pub fn inside(&self, ty: &TypeRef) -> &Type {
        self.at(ty.named())
    }

    /// A type by its name.
    pub fn named(&self, name: &str) -> Option<&Type> {
        self.by_name.get(name).map(|id| self.at(*id))
    }

    /// All types' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(|ty| ty.name.as_str())
    }

    /// The type whose fields an operation asks for.
    pub fn root(&self, kind: OperationType) -> Option<&Type> {
        let id = match kind {
            OperationType::Query => self.query,
            OperationType::Mutation => self.mutation,
            OperationType::Subscription => self.subscription,
        };
        id.map(|id| self.at(id))
    }

    /// A field of a type, those that every type has among them.
    pub fn field<'s>(&'s self, of: &'s Type, name: &str) -> Option<&'s FieldDefinition> {
        if !name.starts_with("__") {
            return of.field(name);
        }
        if name == "__typename" {
            return self.typename.as_ref().filter(|_| of.is_composite());
        }
        let is_query = self.query == Some(of.id);
        self.meta.iter().find(|field| is_query && field.name == name)
    }

    /// The fields that have been asked for: type, field, how often.
    fn asked(&'static self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.types.iter().flat_map(|of| {
            let counts = of.fields.iter().map(|field| {
                (of.name.as_str(), field.name.as_str(), field.asked.load(Ordering::Relaxed))
            });
            counts.filter(|(_, _, count)| *count > 0)
        })
    }

    /// A directive.
    pub fn directive(&self, name: &str) -> Option<&DirectiveDefinition> {
        self.directives.iter().find(|directive| directive.name == name)
    }

    /// The type that a variable names, if there is such a one.
    pub fn resolve(&self, node: &TypeNode<'_>) -> Option<TypeRef> {
        let inner = match &node.of {
            TypeOf::Named(name) => TypeRef::Named(self.by_name.get(name.text).copied()?),
            TypeOf::List(of) => TypeRef::List(Box::new(self.resolve(of)?)),
        };
        Some(if node.non_null { TypeRef::NonNull(Box::new(inner)) } else { inner })
    }

    /// A type as it is written.
    pub fn show<'s>(&'s self, ty: &'s TypeRef) -> Shown<'s> {
        Shown { index: self, ty }
    }
}

/// A type, to be written.
#[derive(Debug)]
pub struct Shown<'s> {
    index: &'s Index,
    ty: &'s TypeRef,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ty {
            TypeRef::Named(id) => out.write_str(&self.index.at(*id).name),
            TypeRef::List(inner) => write!(out, "[{}]", self.index.show(inner)),
            TypeRef::NonNull(inner) => {
                self.index.show(inner).fmt(out)?;
                out.write_char('!')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_holds_the_schema() {
        let index = index();
        let query = index.root(OperationType::Query).unwrap();
        let url = index.named("Image").unwrap().field("url").unwrap();
        let size = url.arguments.iter().find(|argument| argument.name == "size").unwrap();
        assert_eq!(index.show(&size.ty).to_string(), "ImageSize!");
        assert!(size.has_default && !size.is_required());
        assert!(index.named("Node").unwrap().possible.len() >= 6);
        assert!(index.named("PostCreateInput").unwrap().input("text").unwrap().is_required());
        assert!(index.field(query, "__schema").is_some());
        assert!(index.field(index.named("Post").unwrap(), "__schema").is_none());
        assert!(index.field(index.named("Post").unwrap(), "__typename").is_some());
        let include = index.directive("include").unwrap();
        assert!(include.locations.iter().any(|place| place == "FRAGMENT_SPREAD"));
        // Whatever has fields can be some object: else nothing could be asked of it.
        for ty in &index.types {
            assert_eq!(ty.is_composite(), !ty.possible.is_empty(), "{}", ty.name);
        }
    }
}
