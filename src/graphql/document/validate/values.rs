//! Rules about arguments, directives and the values in them.

use std::collections::HashMap;

use async_graphql::{Name, Pos};

use super::{Rules, Usage, Uses};
use crate::document::index::{InputDefinition, Scalar, Type, TypeKind, TypeRef};
use crate::document::print;
use crate::document::scalars::{self, is_date_time};
use crate::document::suggest::did_you_mean;
use crate::document::syntax::{Argument, Directive, Literal, Value};

/// What may stand in a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'t> {
    /// `None`: nothing is known of the place.
    ty: Option<&'t TypeRef>,
    has_default: bool,
    one_of: Option<&'t Name>,
    /// What is around it is wrong already: check variables and repeated names only.
    quiet: bool,
}

impl<'t> Expected<'t> {
    /// A value of that type.
    pub(super) fn of(ty: Option<&'t TypeRef>) -> Self {
        Self { ty, has_default: false, one_of: None, quiet: false }
    }

    fn input(input: Option<&'t InputDefinition>) -> Self {
        Self {
            has_default: input.is_some_and(|input| input.has_default),
            ..Self::of(input.map(|input| &input.ty))
        }
    }
}

/// Where arguments stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'s> {
    /// `Type.field`
    Field(&'s str, &'s str),
    /// `@directive`
    Directive(&'s str),
}

impl<'a> Rules<'_, 'a> {
    /// Arguments, against those that there are; `None`: nobody knows which.
    pub(super) fn arguments(
        &mut self,
        given: &[Argument<'a>],
        known: Option<&[InputDefinition]>,
        owner: Owner<'_>,
        pos: Pos,
        uses: &mut Uses<'a>,
    ) {
        self.repeated_arguments(given);
        for argument in given {
            let name = argument.name.text;
            let found = known.and_then(|known| known.iter().find(|known| known.name == name));
            if let (Some(known), None) = (known, found) {
                let near = if self.suggest {
                    did_you_mean(name, known.iter().map(|known| known.name.as_str()))
                } else {
                    String::new()
                };
                let place = match owner {
                    Owner::Field(ty, field) => format!("field \"{ty}.{field}\""),
                    Owner::Directive(directive) => format!("directive \"@{directive}\""),
                };
                let message = format!("Unknown argument \"{name}\" on {place}.{near}");
                self.report(message, &[argument.name.pos]);
            }
            self.value(&argument.value, Expected::input(found), uses);
        }
        for missing in known.into_iter().flatten().filter(|known| known.is_required()) {
            if given.iter().any(|argument| missing.name == argument.name.text) {
                continue;
            }
            let place = match owner {
                Owner::Field(_, field) => format!("Field \"{field}\""),
                Owner::Directive(directive) => format!("Directive \"@{directive}\""),
            };
            let message = format!(
                "{place} argument \"{}\" of type \"{}\" is required, but it was not provided.",
                missing.name,
                self.index.show(&missing.ty)
            );
            self.report(message, &[pos]);
        }
    }

    fn repeated_arguments(&mut self, given: &[Argument<'a>]) {
        // Mostly there are one or two.
        for (number, argument) in given.iter().enumerate() {
            let same = |other: &&Argument<'_>| other.name.text == argument.name.text;
            let before = given.iter().take(number).filter(same).count();
            if before == 0 && given.iter().skip(number + 1).any(|other| same(&other)) {
                let places: Vec<Pos> =
                    given.iter().filter(same).map(|other| other.name.pos).collect();
                let name = argument.name.text;
                self.report(format!("There can be only one argument named \"{name}\"."), &places);
            }
        }
    }

    /// Directives that stand in a place of that kind.
    pub(super) fn directives(&mut self, given: &[Directive<'a>], place: &str, uses: &mut Uses<'a>) {
        let index = self.index;
        let mut seen: HashMap<&str, Pos> = HashMap::new();
        for directive in given {
            let name = directive.name.text;
            let known = index.directive(name);
            match known {
                None => self.report(format!("Unknown directive \"@{name}\"."), &[directive.pos]),
                Some(known) if !known.locations.iter().any(|known| known == place) => {
                    let message = format!("Directive \"@{name}\" may not be used on {place}.");
                    self.report(message, &[directive.pos]);
                }
                Some(_) => {}
            }
            if known.is_some_and(|known| !known.repeatable) {
                match seen.get(name) {
                    Some(first) => {
                        let message = format!(
                            "The directive \"@{name}\" can only be used once at this location."
                        );
                        self.report(message, &[*first, directive.pos]);
                    }
                    None => {
                        seen.insert(name, directive.pos);
                    }
                }
            }
            let arguments = known.map(|known| known.arguments.as_slice());
            let owner = Owner::Directive(name);
            self.arguments(&directive.arguments, arguments, owner, directive.pos, uses);
        }
    }

    /// A value and everything in it.
    pub(super) fn value(&mut self, value: &Value<'a>, expected: Expected<'_>, uses: &mut Uses<'a>) {
        match &value.kind {
            Literal::Variable(name) => uses.variables.push(Usage {
                name,
                pos: value.pos,
                expected: expected.ty.cloned(),
                has_default: expected.has_default,
                one_of: expected.one_of.cloned(),
            }),
            Literal::List(items) => {
                let ty = expected.ty.map(TypeRef::nullable);
                let mut inner = Expected { quiet: expected.quiet, ..Expected::of(ty) };
                match ty {
                    Some(TypeRef::List(item)) => inner.ty = Some(item),
                    Some(_) => {
                        self.leaf(value, inner);
                        inner.quiet = true;
                    }
                    None => {}
                }
                for item in items {
                    self.value(item, inner, uses);
                }
            }
            Literal::Object(fields) => self.object(value, fields, expected, uses),
            Literal::Null => {
                if let Some(ty) = expected.ty.filter(|ty| ty.is_non_null() && !expected.quiet) {
                    let shown = self.index.show(ty);
                    let message = format!("Expected value of type \"{shown}\", found null.");
                    self.report(message, &[value.pos]);
                }
            }
            _ => self.leaf(value, expected),
        }
    }

    fn object(
        &mut self,
        value: &Value<'a>,
        fields: &[Argument<'a>],
        expected: Expected<'_>,
        uses: &mut Uses<'a>,
    ) {
        let mut names: HashMap<&str, Pos> = HashMap::new();
        for field in fields {
            match names.get(field.name.text) {
                Some(first) => {
                    let name = field.name.text;
                    let message = format!("There can be only one input field named \"{name}\".");
                    self.report(message, &[*first, field.name.pos]);
                }
                None => {
                    names.insert(field.name.text, field.name.pos);
                }
            }
        }
        let index = self.index;
        let ty = expected.ty.map(|ty| index.inside(ty));
        let Some(ty) = ty.filter(|ty| ty.kind == TypeKind::Input) else {
            self.leaf(value, expected);
            for field in fields {
                let unknown = Expected { quiet: true, ..Expected::of(None) };
                self.value(&field.value, unknown, uses);
            }
            return;
        };
        if !expected.quiet {
            for missing in ty.inputs.iter().filter(|input| input.is_required()) {
                if !names.contains_key(missing.name.as_str()) {
                    let shown = index.show(&missing.ty);
                    let message = format!(
                        "Field \"{}.{}\" of required type \"{shown}\" was not provided.",
                        ty.name, missing.name
                    );
                    self.report(message, &[value.pos]);
                }
            }
            if ty.one_of {
                self.one_of(value, ty, fields, names.len());
            }
        }
        for field in fields {
            let name = field.name.text;
            let input = ty.input(name);
            if input.is_none() && !expected.quiet {
                let near = if self.suggest {
                    did_you_mean(name, ty.inputs.iter().map(|input| input.name.as_str()))
                } else {
                    String::new()
                };
                let message =
                    format!("Field \"{name}\" is not defined by type \"{}\".{near}", ty.name);
                self.report(message, &[field.name.pos]);
            }
            let inner = Expected {
                one_of: Some(&ty.name).filter(|_| ty.one_of),
                quiet: expected.quiet,
                ..Expected::input(input)
            };
            self.value(&field.value, inner, uses);
        }
    }

    fn one_of(&mut self, value: &Value<'a>, ty: &Type, fields: &[Argument<'a>], names: usize) {
        if names != 1 {
            let message =
                format!("OneOf Input Object \"{}\" must specify exactly one key.", ty.name);
            self.report(message, &[value.pos]);
        } else if let Some(field) =
            fields.first().filter(|field| matches!(field.value.kind, Literal::Null))
        {
            let message = format!("Field \"{}.{}\" must be non-null.", ty.name, field.name.text);
            self.report(message, &[value.pos]);
        }
    }

    /// A value that has, or should have, no parts.
    fn leaf(&mut self, value: &Value<'a>, expected: Expected<'_>) {
        let Some(ty) = expected.ty.filter(|_| !expected.quiet) else { return };
        let index = self.index;
        let named = index.inside(ty);
        let found = |what: &str| format!("{what}{}", print::literal(value));
        let other = |why: &str| {
            let shown = index.show(ty);
            let found = print::literal(value);
            format!("Expected value of type \"{shown}\", found {found}{why}")
        };
        let message = match (named.kind, &value.kind) {
            (TypeKind::Scalar(Scalar::Int), Literal::Int(text)) => {
                if text.parse::<i32>().is_ok() {
                    return;
                }
                format!("Int cannot represent non 32-bit signed integer value: {text}")
            }
            (TypeKind::Scalar(Scalar::Int), _) => found("Int cannot represent non-integer value: "),
            (TypeKind::Scalar(Scalar::Float), Literal::Int(text) | Literal::Float(text)) => {
                if text.parse::<f64>().is_ok_and(f64::is_finite) {
                    return;
                }
                found("Float cannot represent non numeric value: ")
            }
            (TypeKind::Scalar(Scalar::Float), _) => {
                found("Float cannot represent non numeric value: ")
            }
            (TypeKind::Scalar(Scalar::String), Literal::Text(_))
            | (TypeKind::Scalar(Scalar::Boolean), Literal::Boolean(_))
            | (TypeKind::Scalar(Scalar::Id), Literal::Text(_) | Literal::Int(_))
            | (TypeKind::Scalar(Scalar::Other), _) => return,
            (TypeKind::Scalar(Scalar::String), _) => {
                found("String cannot represent a non string value: ")
            }
            (TypeKind::Scalar(Scalar::Boolean), _) => {
                found("Boolean cannot represent a non boolean value: ")
            }
            (TypeKind::Scalar(Scalar::Id), _) => {
                found("ID cannot represent a non-string and non-integer value: ")
            }
            (TypeKind::Scalar(Scalar::DateTime), Literal::Text(text)) => {
                if is_date_time(text) {
                    return;
                }
                other(&format!("; {}", scalars::NO_DATE_TIME))
            }
            (TypeKind::Scalar(Scalar::DateTime), _) => {
                other(&format!("; {}", scalars::NO_DATE_TIME))
            }
            (TypeKind::Enum, Literal::Enum(name)) => {
                if named.values.iter().any(|value| value == name) {
                    return;
                }
                let near = self.near_value(named, name);
                format!("Value \"{name}\" does not exist in \"{}\" enum.{near}", named.name)
            }
            (TypeKind::Enum, _) => {
                let text = print::literal(value);
                let near = self.near_value(named, &text);
                format!("Enum \"{}\" cannot represent non-enum value: {text}.{near}", named.name)
            }
            _ => other("."),
        };
        self.report(message, &[value.pos]);
    }

    fn near_value(&self, named: &Type, name: &str) -> String {
        if !self.suggest {
            return String::new();
        }
        let near = did_you_mean(name, named.values.iter().map(Name::as_str));
        near.replacen("mean ", "mean the enum value ", 1)
    }
}
