//! What is asked of the objects of one type.

use std::borrow::Cow;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Pos, Variables};

use super::columns::{Columns, Wants};
use super::writer::Writer;

/// A field of one type of the schema, with what is asked of it.
pub trait Asked: Sized {
    /// The type.
    fn type_name() -> Cow<'static, str>;

    /// The field of this name, and what is asked of it; `None` when no plan covers that.
    fn read(name: &str, field: &Field, reader: &mut Reader<'_>) -> Option<Self>;

    /// Whether it, or anything below it, reads more than its object.
    fn fetches(&self) -> bool {
        false
    }
}

/// A field of objects of which this is known.
pub trait Of<Row: ?Sized>: Asked {
    /// Asks for what it needs and is not there yet.
    fn want(&self, _: &Row, _: &Columns, _: &mut Wants<'_>) {}

    /// Writes its value.
    fn write<'p>(&'p self, row: &Row, key: &'p Key, out: &mut Writer<'p>);
}

/// What the answer calls a field.
#[derive(Debug)]
pub struct Key {
    /// The name.
    pub name: Box<str>,
    /// Where it stands.
    pub pos: Pos,
    /// `"name":`
    pub json: Box<[u8]>,
}

impl Key {
    /// What the answer calls this field.
    pub fn of(field: &Field, pos: Pos) -> Self {
        let name: Box<str> = field.response_key().node.as_str().into();
        let json = format!("\"{name}\":").into_bytes().into();
        Self { name, pos, json }
    }
}

#[derive(Debug)]
enum What<F> {
    Typename,
    Field(F),
}

/// A selection set.
#[derive(Debug)]
pub struct Set<F> {
    fields: Vec<(Key, What<F>)>,
    fetches: bool,
    /// Fields in it, at any depth.
    selected: usize,
}

impl<F: Asked> Set<F> {
    /// Whether anything in it reads more than its object.
    pub fn fetches(&self) -> bool {
        self.fetches
    }

    /// How many fields are in it, at any depth.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Asks for what an object's fields need and is not there yet.
    pub fn want<Row: ?Sized>(&self, row: &Row, found: &Columns, wants: &mut Wants<'_>)
    where
        F: Of<Row>,
    {
        if !self.fetches {
            return;
        }
        for (_, what) in &self.fields {
            if let What::Field(field) = what {
                field.want(row, found, wants);
            }
        }
    }

    /// Writes an object.
    pub fn write<'p, Row: ?Sized>(&'p self, row: &Row, out: &mut Writer<'p>)
    where
        F: Of<Row>,
    {
        out.begin_object();
        for (key, what) in &self.fields {
            out.key(key);
            match what {
                What::Typename => out.name(&F::type_name()),
                What::Field(field) => field.write(row, key, out),
            }
        }
        out.end_object();
    }
}

/// Reads what runs of an operation, with what is known of the shape of its variables.
#[derive(Debug)]
pub struct Reader<'v> {
    variables: &'v Variables,
    places: usize,
    selected: usize,
}

impl<'v> Reader<'v> {
    /// For an operation with such variables.
    pub fn new(variables: &'v Variables) -> Self {
        Self { variables, places: 0, selected: 0 }
    }

    /// What is known of variables.
    pub fn variables(&self) -> &'v Variables {
        self.variables
    }

    /// A number for a place of the plan.
    pub fn place(&mut self) -> usize {
        self.places += 1;
        self.places
    }

    /// A selection set of a type's; `None` when something in it is not covered.
    pub fn set<F: Asked>(&mut self, set: &SelectionSet) -> Option<Set<F>> {
        let before = self.selected;
        let mut fields = Vec::with_capacity(set.items.len());
        for item in &set.items {
            // What is asked of some of several types only is no field.
            let Selection::Field(field) = &item.node else { return None };
            let (pos, field) = (field.pos, &field.node);
            if !field.directives.is_empty() {
                return None;
            }
            self.selected += 1;
            let what = match field.name.node.as_str() {
                "__typename" => What::Typename,
                known => What::Field(F::read(known, field, self)?),
            };
            fields.push((Key::of(field, pos), what));
        }
        let fetches = |(_, what): &(Key, What<F>)| match what {
            What::Field(field) => field.fetches(),
            What::Typename => false,
        };
        let fetches = fields.iter().any(fetches);
        Some(Set { fields, fetches, selected: self.selected - before })
    }

    /// What is asked of a field.
    pub fn below<F: Asked>(&mut self, field: &Field) -> Option<Set<F>> {
        self.set(&field.selection_set.node)
    }
}
