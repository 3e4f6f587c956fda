//! Values by their types: variables out of JSON (CoerceVariableValues) and literals in arguments
//! (CoerceArgumentValues), before anything runs.

use async_graphql::{Name, Variables};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Number, Value as Input};
use serde_json::{Map, Value as Json};

use super::index::{Index, InputDefinition, Scalar, Type, TypeKind, TypeRef};
use super::suggest::did_you_mean;
use super::syntax::{Argument, Literal, Operation, Value, VariableDefinition};
use super::{Problem, print, scalars};
use crate::graphql::error::ErrorCode;

/// Most problems that are named.
const MAX_PROBLEMS: usize = 50;

fn bad(message: String, locations: Vec<async_graphql::Pos>) -> Problem {
    Problem { code: ErrorCode::BadUserInput, message, locations }
}

/// A step to a value inside a variable's.
enum Step {
    Item(usize),
    Field(Name),
}

struct Coerced<'d, 'a> {
    index: &'static Index,
    variable: &'d VariableDefinition<'a>,
    suggest: bool,
    path: Vec<Step>,
    problems: Vec<Problem>,
}

/// The values of an operation's variables. One without a value is not among them.
///
/// # Errors
/// Values that are missing, or not of the declared type.
pub fn variables(
    index: &'static Index,
    operation: &Operation<'_>,
    mut given: Map<String, Json>,
    suggest: bool,
) -> Result<Variables, Vec<Problem>> {
    let (mut values, mut problems) = (Variables::default(), Vec::new());
    for variable in &operation.variables {
        let name = variable.name.text;
        // Validation has seen that there is such a type.
        let Some(ty) = index.resolve(&variable.ty) else { continue };
        let Some(value) = given.remove(name) else {
            if let Some(default) = &variable.default {
                values.insert(Name::new(name), constant(index, default, &ty));
            } else if ty.is_non_null() {
                let shown = index.show(&ty);
                let message =
                    format!("Variable \"${name}\" of required type \"{shown}\" was not provided.");
                problems.push(bad(message, vec![variable.pos]));
            }
            continue;
        };
        if value.is_null() && ty.is_non_null() {
            let shown = index.show(&ty);
            let message =
                format!("Variable \"${name}\" of non-null type \"{shown}\" must not be null.");
            problems.push(bad(message, vec![variable.pos]));
            continue;
        }
        let mut coerced =
            Coerced { index, variable, suggest, path: Vec::new(), problems: Vec::new() };
        let value = coerced.value(value, &ty);
        problems.append(&mut coerced.problems);
        values.insert(Name::new(name), value);
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

impl Coerced<'_, '_> {
    fn refuse(&mut self, found: &Json, why: &str) -> ConstValue {
        if self.problems.len() < MAX_PROBLEMS {
            let name = self.variable.name.text;
            let mut at = String::new();
            for step in &self.path {
                match step {
                    Step::Item(number) => at.push_str(&format!("[{number}]")),
                    Step::Field(field) => at.push_str(&format!(".{field}")),
                }
            }
            let at = if at.is_empty() { at } else { format!(" at \"{name}{at}\"") };
            let found = print::json(found);
            let message = format!("Variable \"${name}\" got invalid value {found}{at}; {why}");
            self.problems.push(bad(message, vec![self.variable.pos]));
        }
        ConstValue::Null
    }

    fn value(&mut self, value: Json, ty: &TypeRef) -> ConstValue {
        match (ty, value) {
            (TypeRef::NonNull(_), value @ Json::Null) => {
                let shown = self.index.show(ty);
                let why = format!("Expected non-nullable type \"{shown}\" not to be null.");
                self.refuse(&value, &why)
            }
            (TypeRef::NonNull(inner), value) => self.value(value, inner),
            (_, Json::Null) => ConstValue::Null,
            (TypeRef::List(item), Json::Array(values)) => {
                let mut items = Vec::with_capacity(values.len());
                for (number, value) in values.into_iter().enumerate() {
                    self.path.push(Step::Item(number));
                    items.push(self.value(value, item));
                    self.path.pop();
                }
                ConstValue::List(items)
            }
            (TypeRef::List(item), value) => ConstValue::List(vec![self.value(value, item)]),
            (TypeRef::Named(id), value) => {
                let named = self.index.at(*id);
                match named.kind {
                    TypeKind::Input => self.object(value, named),
                    TypeKind::Enum => self.enumerated(&value, named),
                    TypeKind::Scalar(scalar) => self.scalar(value, scalar),
                    _ => ConstValue::Null,
                }
            }
        }
    }

    fn object(&mut self, value: Json, ty: &'static Type) -> ConstValue {
        let Json::Object(mut fields) = value else {
            let why = format!("Expected type \"{}\" to be an object.", ty.name);
            return self.refuse(&value, &why);
        };
        let missing: Vec<&InputDefinition> = ty
            .inputs
            .iter()
            .filter(|input| input.is_required() && !fields.contains_key(input.name.as_str()))
            .collect();
        let unknown: Vec<String> =
            fields.keys().filter(|name| ty.input(name).is_none()).cloned().collect();
        if !missing.is_empty() || !unknown.is_empty() || (ty.one_of && fields.len() != 1) {
            let whole = Json::Object(fields);
            for input in missing {
                let shown = self.index.show(&input.ty);
                let name = &input.name;
                let why =
                    format!("Field \"{name}\" of required type \"{shown}\" was not provided.");
                self.refuse(&whole, &why);
            }
            for name in &unknown {
                let near = if self.suggest {
                    did_you_mean(name, ty.inputs.iter().map(|input| input.name.as_str()))
                } else {
                    String::new()
                };
                let why = format!("Field \"{name}\" is not defined by type \"{}\".{near}", ty.name);
                self.refuse(&whole, &why);
            }
            if ty.one_of {
                let why =
                    format!("Exactly one key must be specified for OneOf type \"{}\".", ty.name);
                self.refuse(&whole, &why);
            }
            let Json::Object(rest) = whole else { return ConstValue::Null };
            fields = rest;
        }
        let mut values = IndexMap::with_capacity(fields.len());
        for input in &ty.inputs {
            let Some(value) = fields.remove(input.name.as_str()) else { continue };
            self.path.push(Step::Field(input.name.clone()));
            if ty.one_of && value.is_null() {
                let why = format!("Field \"{}\" must be non-null.", input.name);
                self.refuse(&value, &why);
            }
            let value = self.value(value, &input.ty);
            self.path.pop();
            values.insert(input.name.clone(), value);
        }
        ConstValue::Object(values)
    }

    fn enumerated(&mut self, value: &Json, ty: &Type) -> ConstValue {
        let near = |name: &str| {
            if !self.suggest {
                return String::new();
            }
            let near = did_you_mean(name, ty.values.iter().map(Name::as_str));
            near.replacen("mean ", "mean the enum value ", 1)
        };
        let Json::String(name) = value else {
            let text = print::json(value);
            let near = near(&text);
            let why =
                format!("Enum \"{}\" cannot represent non-string value: {text}.{near}", ty.name);
            return self.refuse(value, &why);
        };
        match ty.values.iter().find(|known| *known == name) {
            Some(known) => ConstValue::Enum(known.clone()),
            None => {
                let near = near(name);
                let why = format!("Value \"{name}\" does not exist in \"{}\" enum.{near}", ty.name);
                self.refuse(value, &why)
            }
        }
    }

    fn scalar(&mut self, value: Json, scalar: Scalar) -> ConstValue {
        match (scalar, value) {
            (Scalar::Int, Json::Number(number)) => match whole(&number) {
                Whole::Int(value) => ConstValue::from(value),
                Whole::TooLarge => {
                    let text = print::json(&Json::Number(number.clone()));
                    let why =
                        format!("Int cannot represent non 32-bit signed integer value: {text}");
                    self.refuse(&Json::Number(number), &why)
                }
                Whole::Not => self.not_whole(&Json::Number(number)),
            },
            (Scalar::Int, value) => self.not_whole(&value),
            (Scalar::Float, Json::Number(number)) => {
                ConstValue::Number(number.as_f64().and_then(Number::from_f64).unwrap_or(number))
            }
            (Scalar::Float, value) => {
                let text = print::json(&value);
                self.refuse(&value, &format!("Float cannot represent non numeric value: {text}"))
            }
            (Scalar::String, Json::String(text)) => ConstValue::String(text),
            (Scalar::String, value) => {
                let text = print::json(&value);
                self.refuse(&value, &format!("String cannot represent a non string value: {text}"))
            }
            (Scalar::Boolean, Json::Bool(value)) => ConstValue::Boolean(value),
            (Scalar::Boolean, value) => {
                let text = print::json(&value);
                let why = format!("Boolean cannot represent a non boolean value: {text}");
                self.refuse(&value, &why)
            }
            (Scalar::Id, Json::String(text)) => ConstValue::String(text),
            (Scalar::Id, Json::Number(number)) if !matches!(whole(&number), Whole::Not) => {
                ConstValue::String(print::json(&Json::Number(number)))
            }
            (Scalar::Id, value) => {
                let text = print::json(&value);
                self.refuse(&value, &format!("ID cannot represent value: {text}"))
            }
            (Scalar::DateTime, Json::String(text)) if scalars::is_date_time(&text) => {
                ConstValue::String(text)
            }
            (Scalar::DateTime, value) => {
                let why = format!("Expected type \"DateTime\". {}", scalars::NO_DATE_TIME);
                self.refuse(&value, &why)
            }
            (Scalar::Other, value) => ConstValue::from_json(value).unwrap_or_default(),
        }
    }

    fn not_whole(&mut self, value: &Json) -> ConstValue {
        let text = print::json(value);
        self.refuse(value, &format!("Int cannot represent non-integer value: {text}"))
    }
}

/// A number of JSON, as an Int.
enum Whole {
    Int(i32),
    TooLarge,
    Not,
}

fn whole(number: &Number) -> Whole {
    match (number.as_i64(), number.as_f64()) {
        (Some(value), _) => i32::try_from(value).map_or(Whole::TooLarge, Whole::Int),
        // `1.0` is the number 1 to JSON, and an Int to the specification.
        (None, Some(float)) if number.is_f64() && float.fract() == 0.0 => {
            format!("{float:.0}").parse().map_or(Whole::TooLarge, Whole::Int)
        }
        (None, _) if number.is_u64() => Whole::TooLarge,
        _ => Whole::Not,
    }
}

/// A constant literal that validation has found to be of its type.
fn constant(index: &'static Index, value: &Value<'_>, ty: &TypeRef) -> ConstValue {
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
        let refused = |message: String| Err(bad(message, vec![value.pos]));
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

/// The operation of a document that is to run.
///
/// # Errors
/// None is named that way, or several could be meant.
pub fn chosen<'d, 'a>(
    operations: &'d [Operation<'a>],
    name: Option<&str>,
) -> Result<&'d Operation<'a>, Problem> {
    let problem = |message: String| Problem {
        code: ErrorCode::GraphqlValidationFailed,
        message,
        locations: Vec::new(),
    };
    match (operations, name) {
        ([], _) => Err(problem("Must provide an operation.".to_owned())),
        ([only], None) => Ok(only),
        (_, None) => Err(problem(
            "Must provide operation name if query contains multiple operations.".to_owned(),
        )),
        (all, Some(name)) => all
            .iter()
            .find(|operation| operation.name.is_some_and(|own| own.text == name))
            .ok_or_else(|| problem(format!("Unknown operation named \"{name}\"."))),
    }
}
