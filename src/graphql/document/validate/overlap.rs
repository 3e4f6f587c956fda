//! Fields that the answer gives one name: whether each set of them can be one field.
//!
//! Sets are compared instead of pairs, so that the work grows with the fields, and not with their
//! square: that fields return alike is a relation in which all are compared with the first, and
//! so is that they are the same field with the same arguments, among those that can be of one
//! object. What fragments multiply all the same is bounded by a budget.

use std::collections::{HashMap, HashSet};

use async_graphql::Pos;

use super::Rules;
use crate::cost::MAX_DEPTH;
use crate::document::Problem;
use crate::document::index::{FieldDefinition, Index, Type, TypeRef};
use crate::document::syntax::{Argument, Document, Field, Literal, Selection, Selections, Value};
use crate::error::ErrorCode;

/// Most selections that are compared, fragments counted each time that they are spread.
const BUDGET: usize = 200_000;

/// A field in a set.
#[derive(Clone, Copy)]
struct Entry<'d, 'a> {
    field: &'d Field<'a>,
    parent: &'static Type,
    definition: &'static FieldDefinition,
}

/// Selections of one object.
type Sets<'d, 'a> = Vec<(&'d Selections<'a>, &'static Type)>;

/// What is to be compared.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Compared {
    /// Whether they return alike.
    shapes: bool,
    /// Whether they are the same field.
    names: bool,
}

/// A conflict, from the outermost fields in.
struct Conflict<'a> {
    path: Vec<&'a str>,
    reason: String,
    places: Vec<Pos>,
}

struct Overlap<'d, 'a> {
    index: &'static Index,
    document: &'d Document<'a>,
    fragments: &'d HashMap<&'a str, usize>,
    /// Selection sets that stood alone and were checked.
    seen: HashMap<usize, Compared>,
    /// Pairs of fields whose arguments were compared.
    arguments: HashMap<(usize, usize), bool>,
    left: usize,
    conflicts: Vec<Conflict<'a>>,
}

fn address<T>(of: &T) -> usize {
    std::ptr::from_ref(of).addr()
}

impl Rules<'_, '_> {
    /// All fields that the answer gives one name can be one field.
    pub(super) fn overlapping_fields(&mut self) {
        let mut overlap = Overlap {
            index: self.index,
            document: self.document,
            fragments: &self.fragments,
            seen: HashMap::new(),
            arguments: HashMap::new(),
            left: BUDGET,
            conflicts: Vec::new(),
        };
        for operation in &self.document.operations {
            if let Some(root) = self.index.root(operation.kind) {
                let both = Compared { shapes: true, names: true };
                overlap.check(&vec![(&operation.selections, root)], both, &[], 0);
            }
        }
        let (conflicts, exhausted) = (overlap.conflicts, overlap.left == 0);
        for conflict in conflicts {
            let path: Vec<String> = conflict
                .path
                .iter()
                .map(|key| format!("ields \"{key}\" conflict because "))
                .collect();
            let message = format!(
                "F{}{}. Use different aliases on the fields to fetch both if this was intentional.",
                path.join("subf"),
                conflict.reason
            );
            self.report(message, &conflict.places);
        }
        if exhausted {
            self.problems.push(Problem {
                code: ErrorCode::QueryTooComplex,
                message: "The query's fragments are spread into each other too often".to_owned(),
                locations: Vec::new(),
            });
        }
    }
}

impl<'d, 'a> Overlap<'d, 'a> {
    /// The fields of an object that selections ask for, by what the answer calls them.
    fn collect(&mut self, sets: &Sets<'d, 'a>) -> Vec<(&'a str, Vec<Entry<'d, 'a>>)> {
        let (mut groups, mut at) = (Vec::new(), HashMap::new());
        let mut spread = HashSet::new();
        for (set, parent) in sets {
            self.collect_set(set, parent, &mut spread, &mut |key: &'a str, entry| {
                let group = *at.entry(key).or_insert_with(|| {
                    groups.push((key, Vec::new()));
                    groups.len() - 1
                });
                if let Some((_, entries)) = groups.get_mut(group) {
                    entries.push(entry);
                }
            });
        }
        groups
    }

    fn collect_set(
        &mut self,
        set: &'d Selections<'a>,
        parent: &'static Type,
        spread: &mut HashSet<&'a str>,
        found: &mut dyn FnMut(&'a str, Entry<'d, 'a>),
    ) {
        self.left = self.left.saturating_sub(set.items.len());
        if self.left == 0 {
            return;
        }
        for selection in &set.items {
            match selection {
                Selection::Field(field) => {
                    if let Some(definition) = self.index.field(parent, field.name.text) {
                        found(field.response_key(), Entry { field, parent, definition });
                    }
                }
                Selection::Inline(inline) => {
                    let of = inline.on.and_then(|on| self.index.named(on.text));
                    self.collect_set(&inline.selections, of.unwrap_or(parent), spread, found);
                }
                Selection::Spread(named) => {
                    let name = named.name.text;
                    let fragment =
                        self.fragments.get(name).and_then(|at| self.document.fragments.get(*at));
                    let Some(fragment) = fragment.filter(|_| spread.insert(name)) else { continue };
                    let of = self.index.named(fragment.on.text).unwrap_or(parent);
                    self.collect_set(&fragment.selections, of, spread, found);
                }
            }
        }
    }

    fn check(&mut self, sets: &Sets<'d, 'a>, compared: Compared, path: &[&'a str], depth: u64) {
        // What nests deeper is refused by the guard.
        if depth > MAX_DEPTH || sets.is_empty() {
            return;
        }
        if let [(only, _)] = sets.as_slice() {
            let known = self.seen.entry(address(*only));
            let known = known.or_insert(Compared { shapes: false, names: false });
            let before = *known;
            known.shapes |= compared.shapes;
            known.names |= compared.names;
            if before == *known {
                return;
            }
        }
        for (key, entries) in self.collect(sets) {
            if let [only] = entries.as_slice() {
                self.check(&inner(&[*only]), compared, &[], depth + 1);
                continue;
            }
            let mut path = path.to_vec();
            path.push(key);
            let parts = if compared.names { parts(&entries) } else { Vec::new() };
            if let ([part], true) = (parts.as_slice(), compared.shapes)
                && part.len() == entries.len()
            {
                let sound = self.alike(&entries, &path) && self.same(&entries, &path);
                if sound {
                    self.check(&inner(&entries), compared, &path, depth + 1);
                }
                continue;
            }
            if compared.shapes && self.alike(&entries, &path) {
                let shapes = Compared { names: false, ..compared };
                self.check(&inner(&entries), shapes, &path, depth + 1);
            }
            for part in parts {
                if self.same(&part, &path) {
                    let names = Compared { shapes: false, ..compared };
                    self.check(&inner(&part), names, &path, depth + 1);
                }
            }
        }
    }

    fn conflict(&mut self, path: &[&'a str], reason: String, places: Vec<Pos>) -> bool {
        self.conflicts.push(Conflict { path: path.to_vec(), reason, places });
        false
    }

    /// Whether fields return values of one shape.
    fn alike(&mut self, entries: &[Entry<'d, 'a>], path: &[&'a str]) -> bool {
        let Some((first, others)) = entries.split_first() else { return true };
        let index = self.index;
        let own = &first.definition.ty;
        let other = others.iter().find(|other| differ(index, own, &other.definition.ty));
        let Some(other) = other else { return true };
        let reason = format!(
            "they return conflicting types \"{}\" and \"{}\"",
            index.show(own),
            index.show(&other.definition.ty)
        );
        self.conflict(path, reason, vec![first.field.pos, other.field.pos])
    }

    /// Whether fields are one field with the same arguments.
    fn same(&mut self, entries: &[Entry<'d, 'a>], path: &[&'a str]) -> bool {
        let Some((first, others)) = entries.split_first() else { return true };
        for other in others {
            let places = vec![first.field.pos, other.field.pos];
            let (own, name) = (first.field.name.text, other.field.name.text);
            if own != name {
                let reason = format!("\"{own}\" and \"{name}\" are different fields");
                return self.conflict(path, reason, places);
            }
            let pair = (address(first.field), address(other.field));
            let equal = *self.arguments.entry(pair).or_insert_with(|| {
                std::ptr::eq(first.field, other.field)
                    || same_arguments(&first.field.arguments, &other.field.arguments)
            });
            if !equal {
                let reason = "they have differing arguments".to_owned();
                return self.conflict(path, reason, places);
            }
        }
        true
    }
}

/// Fields that can be of one object: those of each object with those of all interfaces.
fn parts<'d, 'a>(entries: &[Entry<'d, 'a>]) -> Vec<Vec<Entry<'d, 'a>>> {
    let mut objects: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.parent.is_abstract())
        .map(|entry| entry.parent.id)
        .collect();
    objects.sort_unstable();
    objects.dedup();
    if objects.is_empty() {
        return vec![entries.to_vec()];
    }
    objects
        .into_iter()
        .map(|object| {
            let belongs =
                |entry: &&Entry<'_, '_>| entry.parent.is_abstract() || entry.parent.id == object;
            entries.iter().filter(belongs).copied().collect()
        })
        .collect()
}

/// What is asked of fields, as one set.
fn inner<'d, 'a>(entries: &[Entry<'d, 'a>]) -> Sets<'d, 'a> {
    let index = super::super::index::index();
    let (mut sets, mut known): (Sets<'d, 'a>, _) = (Vec::new(), HashSet::new());
    for entry in entries {
        if let Some(set) = &entry.field.selections
            && known.insert(address(set))
        {
            sets.push((set, index.inside(&entry.definition.ty)));
        }
    }
    sets
}

/// Whether two types give answers of different shapes.
fn differ(index: &Index, own: &TypeRef, other: &TypeRef) -> bool {
    match (own, other) {
        (TypeRef::List(own), TypeRef::List(other))
        | (TypeRef::NonNull(own), TypeRef::NonNull(other)) => differ(index, own, other),
        (TypeRef::Named(own), TypeRef::Named(other)) => {
            own != other && (index.at(*own).is_leaf() || index.at(*other).is_leaf())
        }
        _ => true,
    }
}

fn same_arguments(own: &[Argument<'_>], other: &[Argument<'_>]) -> bool {
    own.len() == other.len()
        && own.iter().all(|argument| {
            other.iter().any(|other| {
                other.name.text == argument.name.text && same_value(&argument.value, &other.value)
            })
        })
}

fn same_value(own: &Value<'_>, other: &Value<'_>) -> bool {
    match (&own.kind, &other.kind) {
        (Literal::Variable(own), Literal::Variable(other))
        | (Literal::Int(own), Literal::Int(other))
        | (Literal::Float(own), Literal::Float(other))
        | (Literal::Enum(own), Literal::Enum(other)) => own == other,
        (Literal::Text(own), Literal::Text(other)) => own == other,
        (Literal::Boolean(own), Literal::Boolean(other)) => own == other,
        (Literal::Null, Literal::Null) => true,
        (Literal::List(own), Literal::List(other)) => {
            own.len() == other.len()
                && own.iter().zip(other).all(|(own, other)| same_value(own, other))
        }
        (Literal::Object(own), Literal::Object(other)) => same_arguments(own, other),
        _ => false,
    }
}
