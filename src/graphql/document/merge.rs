//! What runs: the operation with its fragments spread, what is skipped left out, and the fields
//! that the answer gives one name made one (CollectFields). The library runs every field that it
//! finds, each as often as it finds it.

use std::collections::{BTreeMap, HashMap};

use async_graphql::parser::types as library;
use async_graphql::{Name, Pos, Positioned, Variables};

use super::Problem;
use super::arguments::Arguments;
use super::coerce::MAX_PROBLEMS;
use super::index::{FieldDefinition, Index, Type};
use super::runs::Runs;
use super::syntax::{Directive, Document, Field, Fragment, Operation, Selection, Selections};
use crate::cost::MAX_DEPTH;
use crate::error::ErrorCode;

/// Most fields that run, counted as they are written after fragments are spread. Text in literals
/// counts, [`BYTES_A_FIELD`] for one.
const BUDGET: usize = 20_000;
/// Bytes of text that take the room of a field.
const BYTES_A_FIELD: usize = 64;

/// A field where it stands, for some of the objects that its parent can be.
struct Found<'d, 'a> {
    field: &'d Field<'a>,
    /// A bit for each of the parent's possible objects.
    of: u64,
}

/// A field that runs, at its place among the others.
struct Merged {
    place: usize,
    of: u64,
    field: Positioned<library::Selection>,
}

struct Merge<'d, 'a> {
    index: &'static Index,
    fragments: HashMap<&'a str, &'d Fragment<'a>>,
    arguments: Arguments<'d>,
    /// What is wrong with values of arguments: all of it is named.
    problems: Vec<Problem>,
    asked: Vec<&'static FieldDefinition>,
    left: usize,
}

/// An operation as the library is to run it, with no fragments, and its values in `variables`. Of
/// a value only this counts: whether it is there, is null, is true (`seen.rs`).
///
/// # Errors
/// Variables without a value where there must be one; fields that nest too deeply; too many.
pub fn merged(
    index: &'static Index,
    document: &Document<'_>,
    operation: &Operation<'_>,
    variables: &Variables,
) -> Result<Runs, Vec<Problem>> {
    let Some(root) = index.root(operation.kind) else {
        let message = format!("Schema is not configured to execute {} operation.", operation.kind);
        let code = ErrorCode::GraphqlValidationFailed;
        return Err(vec![Problem { code, message, locations: vec![operation.pos] }]);
    };
    let mut merge = Merge {
        index,
        fragments: document.fragments.iter().map(|known| (known.name.text, known)).collect(),
        arguments: Arguments { index, variables },
        problems: Vec::new(),
        asked: Vec::new(),
        left: BUDGET,
    };
    let merging = merge.set(&[&operation.selections], root, 1);
    let selection_set = merging.map_err(|problem| vec![problem])?;
    if !merge.problems.is_empty() {
        return Err(merge.problems);
    }
    let fields = BUDGET.saturating_sub(merge.left);
    Ok(Runs::new(operation, selection_set, (merge.asked, fields), variables))
}

/// All of the first so many objects.
fn all(count: usize) -> u64 {
    u64::MAX.checked_shr(64_u32.saturating_sub(u32::try_from(count).unwrap_or(64))).unwrap_or(0)
}

/// The objects of a type that a condition holds for.
fn among(of: &Type, condition: &Type) -> u64 {
    let mut found = 0;
    for (number, object) in (0..64_u32).zip(&of.possible) {
        if condition.possible.contains(object) {
            found |= 1 << number;
        }
    }
    found
}

impl<'d, 'a> Merge<'d, 'a> {
    fn spend(&mut self, fields: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(fields).ok_or_else(|| Problem {
            code: ErrorCode::QueryTooComplex,
            message: format!("A query may ask for {BUDGET} fields, fragments spread"),
            locations: Vec::new(),
        })?;
        Ok(())
    }

    /// One selection set out of those of fields that are one.
    fn set(
        &mut self,
        sets: &[&'d Selections<'a>],
        of: &'static Type,
        depth: u64,
    ) -> Result<Positioned<library::SelectionSet>, Problem> {
        let pos = sets.first().map_or_else(Pos::default, |set| set.pos);
        if depth > MAX_DEPTH {
            return Err(Problem {
                code: ErrorCode::QueryTooDeep,
                message: format!("fields may nest {MAX_DEPTH} deep"),
                locations: vec![pos],
            });
        }
        let every = all(of.possible.len());
        let (mut found, mut spread) = (Vec::new(), HashMap::new());
        for set in sets {
            self.collect(set, of, every, &mut spread, &mut found)?;
        }
        let mut keys: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Vec<(usize, &Found<'d, 'a>)>> = Vec::new();
        for (place, one) in found.iter().enumerate() {
            let group = *keys.entry(one.field.response_key()).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.push((place, one)),
                None => groups.push(vec![(place, one)]),
            }
        }
        let mut merged = Vec::with_capacity(groups.len());
        for group in &groups {
            self.group(group, of, every, depth, &mut merged)?;
        }
        merged.sort_by_key(|one| one.place);
        Ok(Positioned::new(library::SelectionSet { items: items(merged, of, every, pos) }, pos))
    }

    /// The fields of a selection set, in the order in which they run.
    fn collect(
        &mut self,
        set: &'d Selections<'a>,
        of: &'static Type,
        objects: u64,
        spread: &mut HashMap<&'a str, u64>,
        found: &mut Vec<Found<'d, 'a>>,
    ) -> Result<(), Problem> {
        self.spend(set.items.len())?;
        for selection in &set.items {
            match selection {
                Selection::Field(field) => {
                    if self.is_included(&field.directives)? {
                        found.push(Found { field, of: objects });
                    }
                }
                Selection::Inline(inline) => {
                    if !self.is_included(&inline.directives)? {
                        continue;
                    }
                    let condition = inline.on.and_then(|on| self.index.named(on.text));
                    let objects = objects & condition.map_or(u64::MAX, |ty| among(of, ty));
                    if objects != 0 {
                        self.collect(&inline.selections, of, objects, spread, found)?;
                    }
                }
                Selection::Spread(named) => {
                    let name = named.name.text;
                    let fragment = self.fragments.get(name).copied();
                    let Some(fragment) = fragment else { continue };
                    if !self.is_included(&named.directives)? {
                        continue;
                    }
                    let before = spread.entry(name).or_insert(0);
                    let fresh = objects & !*before;
                    *before |= fresh;
                    let condition = self.index.named(fragment.on.text);
                    let objects = fresh & condition.map_or(0, |ty| among(of, ty));
                    if objects != 0 {
                        self.collect(&fragment.selections, of, objects, spread, found)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_included(&self, directives: &[Directive<'_>]) -> Result<bool, Problem> {
        let mut included = true;
        for directive in directives {
            let name = directive.name.text;
            let wanted = match name {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            let definition = self.index.directive(name).and_then(|known| known.arguments.first());
            if let (Some(argument), Some(definition)) = (directive.arguments.first(), definition) {
                included &= self.arguments.condition(argument, definition)? == wanted;
            }
        }
        Ok(included)
    }

    /// The fields of one name: one field for all objects, or one for those that are asked alike.
    fn group(
        &mut self,
        group: &[(usize, &Found<'d, 'a>)],
        of: &'static Type,
        every: u64,
        depth: u64,
        merged: &mut Vec<Merged>,
    ) -> Result<(), Problem> {
        let Some((place, first)) = group.first() else { return Ok(()) };
        let own = self.index.field(of, first.field.name.text);
        if let (true, Some(definition)) = (group.iter().all(|(_, one)| one.of == every), own) {
            let field = self.field(group.iter().map(|(_, one)| one.field), definition, depth)?;
            merged.push(Merged { place: *place, of: every, field });
            return Ok(());
        }
        // Objects for which the same of these fields count, and return the same, share one.
        let mut alike: BTreeMap<(Vec<usize>, usize), (u64, &'static FieldDefinition)> =
            BTreeMap::new();
        for (number, object) in (0..64_u32).zip(&of.possible) {
            let bit = 1 << number;
            let places: Vec<usize> =
                group.iter().filter(|(_, one)| one.of & bit != 0).map(|(at, _)| *at).collect();
            let definition = self.index.field(self.index.at(*object), first.field.name.text);
            if let (false, Some(definition)) = (places.is_empty(), definition) {
                let returned = std::ptr::from_ref(self.index.inside(&definition.ty)).addr();
                alike.entry((places, returned)).or_insert((0, definition)).0 |= bit;
            }
        }
        for ((places, _), (objects, definition)) in alike {
            let before = self.left;
            let fields = group.iter().filter(|(at, _)| places.contains(at));
            let field = self.field(fields.map(|(_, one)| one.field), definition, depth)?;
            // It is written once for each object.
            let copies = usize::try_from(objects.count_ones()).unwrap_or(64).saturating_sub(1);
            self.spend(before.saturating_sub(self.left).saturating_add(1).saturating_mul(copies))?;
            let place = places.first().copied().unwrap_or_default();
            merged.push(Merged { place, of: objects, field });
        }
        Ok(())
    }

    /// One field out of several that are the same.
    fn field(
        &mut self,
        fields: impl Iterator<Item = &'d Field<'a>>,
        definition: &'static FieldDefinition,
        depth: u64,
    ) -> Result<Positioned<library::Selection>, Problem> {
        let fields: Vec<&'d Field<'a>> = fields.collect();
        let Some(first) = fields.first() else {
            return Ok(nothing());
        };
        self.asked.push(definition);
        let mut arguments = Vec::with_capacity(first.arguments.len());
        for argument in &first.arguments {
            let name = argument.name.text;
            let Some(known) = definition.arguments.iter().find(|known| known.name == name) else {
                continue;
            };
            match self.arguments.argument(argument, known) {
                Ok(Some(value)) => {
                    self.spend(text_in(&value) / BYTES_A_FIELD)?;
                    arguments.push((
                        Positioned::new(known.name.clone(), argument.name.pos),
                        Positioned::new(value, argument.value.pos),
                    ));
                }
                Ok(None) => {}
                // The first of a field; other fields are read on.
                Err(problem) => {
                    if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
                        self.problems.push(problem);
                    }
                    break;
                }
            }
        }
        let sets: Vec<&Selections<'a>> =
            fields.iter().filter_map(|field| field.selections.as_ref()).collect();
        let selection_set = if sets.is_empty() {
            Positioned::new(library::SelectionSet::default(), first.pos)
        } else {
            self.set(&sets, self.index.inside(&definition.ty), depth + 1)?
        };
        let field = library::Field {
            alias: first.alias.map(|alias| Positioned::new(Name::new(alias.text), alias.pos)),
            name: Positioned::new(definition.name.clone(), first.name.pos),
            arguments,
            directives: Vec::new(),
            selection_set,
        };
        let selection = library::Selection::Field(Positioned::new(field, first.pos));
        Ok(Positioned::new(selection, first.pos))
    }
}

/// A selection of no fields.
fn nothing() -> Positioned<library::Selection> {
    inline(None, Vec::new(), Pos::default())
}

fn inline(
    on: Option<Name>,
    items: Vec<Positioned<library::Selection>>,
    pos: Pos,
) -> Positioned<library::Selection> {
    let fragment = library::InlineFragment {
        type_condition: on.map(|on| {
            Positioned::new(library::TypeCondition { on: Positioned::new(on, pos) }, pos)
        }),
        directives: Vec::new(),
        selection_set: Positioned::new(library::SelectionSet { items }, pos),
    };
    Positioned::new(library::Selection::InlineFragment(Positioned::new(fragment, pos)), pos)
}

/// Fields in their order: those of all objects as they are, and between them, for each object,
/// its own.
fn items(
    merged: Vec<Merged>,
    of: &Type,
    every: u64,
    pos: Pos,
) -> Vec<Positioned<library::Selection>> {
    let index = super::index::index();
    let mut items = Vec::with_capacity(merged.len());
    let mut own: Vec<Vec<Positioned<library::Selection>>> = vec![Vec::new(); of.possible.len()];
    let flush = |own: &mut Vec<Vec<_>>, items: &mut Vec<_>| {
        for (fields, object) in own.iter_mut().zip(&of.possible) {
            if !fields.is_empty() {
                let name = index.at(*object).name.clone();
                items.push(inline(Some(name), std::mem::take(fields), pos));
            }
        }
    };
    for one in merged {
        if one.of == every && index.field(of, name_of(&one.field)).is_some() {
            flush(&mut own, &mut items);
            items.push(one.field);
            continue;
        }
        for (number, fields) in (0..64_u32).zip(&mut own) {
            if one.of & (1 << number) != 0 {
                fields.push(one.field.clone());
            }
        }
    }
    flush(&mut own, &mut items);
    items
}

fn name_of(selection: &Positioned<library::Selection>) -> &str {
    match &selection.node {
        library::Selection::Field(field) => field.node.name.node.as_str(),
        _ => "",
    }
}

/// Bytes of text in a value.
fn text_in(value: &async_graphql_value::Value) -> usize {
    match value {
        async_graphql_value::Value::String(text) => text.len(),
        async_graphql_value::Value::List(items) => items.iter().map(|item| 8 + text_in(item)).sum(),
        async_graphql_value::Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + 8 + text_in(value)).sum()
        }
        _ => 0,
    }
}
