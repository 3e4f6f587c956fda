//! Literals in arguments by their types (CoerceArgumentValues), before anything runs.

use async_graphql::{Name, Variables};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Number, Value as Input};

use super::index::{Index, InputDefinition, Scalar, Type, TypeKind, TypeRef};
use super::syntax::{Argument, Literal, Value};
use super::{Problem, print};
use crate::error::ErrorCode;

/// A constant literal that validation has found to be of its type.
pub fn constant(index: &'static Index, value: &Value<'_>, ty: &TypeRef) -> ConstValue {
    let none = Variables::default();
    let found = Arguments { index, variables: &none }.value(value, ty);
    found.ok().flatten().and_then(Input::into_const).unwrap_or_default()
}

/// Turns literals into what the library's resolvers read.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'v> {
    /// The schema.
    pub index: &'static Index,
    /// The operation's.
    pub variables: &'v Variables,
}

/// A value cannot stand where it is, as the variables are.
struct Misplaced;

type Found = Result<Option<Input>, Misplaced>;

impl Arguments<'_> {
    /// The value of an argument; `None` when it counts as not given.
    ///
    /// # Errors
    /// A variable in it has no value, or null, where there must be one.
    pub fn argument(
        &self,
        argument: &Argument<'_>,
        definition: &InputDefinition,
    ) -> Result<Option<Input>, Problem> {
        let (name, value) = (argument.name.text, &argument.value);
        let shown = self.index.show(&definition.ty);
        let refused = |message: String| {
            Err(Problem { code: ErrorCode::BadUserInput, message, locations: vec![value.pos] })
        };
        if let Literal::Variable(variable) = value.kind {
            let given = self.variables.get(variable);
            if given.is_none() && definition.is_required() {
                return refused(format!(
                    "Argument \"{name}\" of required type \"{shown}\" was provided the variable \
                     \"${variable}\" which was not provided a runtime value."
                ));
            }
            if given == Some(&ConstValue::Null) && definition.ty.is_non_null() {
                return refused(format!(
                    "Argument \"{name}\" of non-null type \"{shown}\" must not be null."
                ));
            }
        }
        self.value(value, &definition.ty).or_else(|_| {
            let text = print::literal(value);
            refused(format!("Argument \"{name}\" has invalid value {text}."))
        })
    }

    /// Whether a directive's condition holds.
    ///
    /// # Errors
    /// As [`Self::argument`].
    pub fn condition(
        &self,
        argument: &Argument<'_>,
        definition: &InputDefinition,
    ) -> Result<bool, Problem> {
        let holds = |value: &ConstValue| *value == ConstValue::Boolean(true);
        Ok(match self.argument(argument, definition)? {
            Some(Input::Variable(name)) => self.variables.get(&name).is_some_and(holds),
            Some(value) => value == Input::Boolean(true),
            None => false,
        })
    }

    fn value(&self, value: &Value<'_>, ty: &TypeRef) -> Found {
        if let Literal::Variable(name) = value.kind {
            return match self.variables.get(name) {
                None => Ok(None),
                Some(ConstValue::Null) if ty.is_non_null() => Err(Misplaced),
                Some(_) => Ok(Some(Input::Variable(Name::new(name)))),
            };
        }
        match (ty.nullable(), &value.kind) {
            (_, Literal::Null) if ty.is_non_null() => Err(Misplaced),
            (_, Literal::Null) => Ok(Some(Input::Null)),
            (TypeRef::List(item), Literal::List(values)) => {
                let mut items = Vec::with_capacity(values.len());
                for value in values {
                    items.push(self.item(value, item)?);
                }
                Ok(Some(Input::List(items)))
            }
            (TypeRef::List(item), _) => Ok(Some(Input::List(vec![self.item(value, item)?]))),
            (TypeRef::Named(id), Literal::Object(fields)) => {
                self.object(fields, self.index.at(*id)).map(Some)
            }
            (TypeRef::Named(id), _) => Ok(Some(leaf(value, self.index.at(*id)))),
            (TypeRef::NonNull(_), _) => Err(Misplaced),
        }
    }

    fn item(&self, value: &Value<'_>, ty: &TypeRef) -> Result<Input, Misplaced> {
        match self.value(value, ty)? {
            Some(value) => Ok(value),
            None if ty.is_non_null() => Err(Misplaced),
            None => Ok(Input::Null),
        }
    }

    fn object(&self, fields: &[Argument<'_>], ty: &Type) -> Result<Input, Misplaced> {
        if ty.kind != TypeKind::Input {
            // A scalar of plaza's own whose resolver reads objects.
            let mut values = IndexMap::with_capacity(fields.len());
            for field in fields {
                let name = Name::new(field.name.text);
                let inner = TypeRef::Named(ty.id);
                values.insert(name, self.item(&field.value, &inner)?);
            }
            return Ok(Input::Object(values));
        }
        let mut values = IndexMap::with_capacity(fields.len());
        for field in fields {
            let Some(input) = ty.input(field.name.text) else { continue };
            match self.value(&field.value, &input.ty)? {
                Some(value) => {
                    values.insert(input.name.clone(), value);
                }
                None if input.is_required() => return Err(Misplaced),
                None => {}
            }
        }
        if ty.one_of && (values.len() != 1 || values.values().any(|value| *value == Input::Null)) {
            return Err(Misplaced);
        }
        Ok(Input::Object(values))
    }
}

fn leaf(value: &Value<'_>, ty: &Type) -> Input {
    let float = |text: &str| text.parse().ok().and_then(Number::from_f64).map(Input::Number);
    match (ty.kind, &value.kind) {
        (TypeKind::Scalar(Scalar::Id), Literal::Int(text)) => Input::String((*text).to_owned()),
        (TypeKind::Scalar(Scalar::Float), Literal::Int(text)) | (_, Literal::Float(text)) => {
            float(text).unwrap_or_default()
        }
        (_, Literal::Int(text)) => {
            let number = text.parse::<i64>().map(Number::from).ok();
            number.map(Input::Number).or_else(|| float(text)).unwrap_or_default()
        }
        (_, Literal::Text(text)) => Input::String(text.as_ref().to_owned()),
        (_, Literal::Boolean(value)) => Input::Boolean(*value),
        (_, Literal::Enum(name)) => Input::Enum(Name::new(name)),
        _ => Input::Null,
    }
}
