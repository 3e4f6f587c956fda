//! Variables by their types out of JSON (CoerceVariableValues), before anything runs.

use async_graphql::{Name, Pos, Variables};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Number};
use serde_json::{Map, Value as Json};

use super::arguments::constant;
use super::index::{Index, InputDefinition, Scalar, Type, TypeKind, TypeRef};
use super::suggest::did_you_mean;
use super::syntax::Operation;
use super::{Problem, print, scalars};
use crate::error::ErrorCode;

/// Most problems that are named.
pub const MAX_PROBLEMS: usize = 50;

fn bad(message: String, locations: Vec<Pos>) -> Problem {
    Problem { code: ErrorCode::BadUserInput, message, locations }
}

/// A step to a value inside a variable's.
enum Step {
    Item(usize),
    Field(Name),
}

/// A variable as an operation declares it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Without the `$`.
    pub name: Name,
    /// Where it is declared.
    pub pos: Pos,
    /// Its type.
    pub ty: TypeRef,
    /// Its value when none is given.
    pub default: Option<ConstValue>,
}

/// The variables of an operation that validation has found to be right.
pub fn declared(index: &'static Index, operation: &Operation<'_>) -> Vec<Declared> {
    let known = operation.variables.iter().filter_map(|variable| {
        let ty = index.resolve(&variable.ty)?;
        let default = variable.default.as_ref().map(|default| constant(index, default, &ty));
        Some(Declared { name: Name::new(variable.name.text), pos: variable.pos, ty, default })
    });
    known.collect()
}

struct Coerced<'d> {
    index: &'static Index,
    variable: &'d Declared,
    suggest: bool,
    path: Vec<Step>,
    problems: Vec<Problem>,
}

/// The values of variables, as declared. One without a value is not among them.
///
/// # Errors
/// Values that are missing, or not of the declared type.
pub fn variables(
    index: &'static Index,
    declared: &[Declared],
    mut given: Map<String, Json>,
    suggest: bool,
) -> Result<Variables, Vec<Problem>> {
    let (mut values, mut problems) = (Variables::default(), Vec::new());
    for variable in declared {
        let Declared { name, ty, .. } = variable;
        let Some(value) = given.remove(name.as_str()) else {
            if let Some(default) = &variable.default {
                values.insert(name.clone(), default.clone());
            } else if ty.is_non_null() {
                let shown = index.show(ty);
                let message =
                    format!("Variable \"${name}\" of required type \"{shown}\" was not provided.");
                problems.push(bad(message, vec![variable.pos]));
            }
            continue;
        };
        if value.is_null() && ty.is_non_null() {
            let shown = index.show(ty);
            let message =
                format!("Variable \"${name}\" of non-null type \"{shown}\" must not be null.");
            problems.push(bad(message, vec![variable.pos]));
            continue;
        }
        let mut coerced =
            Coerced { index, variable, suggest, path: Vec::new(), problems: Vec::new() };
        let value = coerced.value(value, ty);
        problems.append(&mut coerced.problems);
        values.insert(name.clone(), value);
    }
    problems.truncate(MAX_PROBLEMS);
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

impl Coerced<'_> {
    fn refuse(&mut self, found: &Json, why: &str) -> ConstValue {
        if self.problems.len() < MAX_PROBLEMS {
            let name = &self.variable.name;
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
