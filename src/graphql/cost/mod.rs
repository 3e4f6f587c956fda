//! What an operation may cost, before it runs: a walk over the parsed document with each fragment
//! weighed once, in saturating arithmetic, so that no document costs more than milliseconds to
//! weigh.
//!
//! A point is about what one field of an answer costs. Every operation costs [`OPERATION`] points
//! beside, whatever it asks for. What costs more than a field says so in `weights`:
//! statements sent, rows read (whether or not they are shown), bytes of texts, hashes, messages. A
//! list costs its length times what is asked of each item. What a request did not use of it is
//! given back when it is over; what it had the stores do is counted while it runs.

mod introspection;
mod types;
mod weights;

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

use super::error::ErrorCode;
use super::guard::{Refusal, refuse};
use types::{Types, types};
use weights::Price;

pub use weights::{ALTERNATIVE_COST, DELIVERY, LOOKUPS, SEARCH_COST, STATEMENT};

/// Points that every operation costs, and every event of a subscription: to read it, to find out
/// who asks and what they have left, to plan it and to write its answer. Never given back.
pub const OPERATION: u64 = 40;
/// Deepest nesting of fields, fragments expanded.
pub const MAX_DEPTH: u64 = 24;
/// Most points that what an operation asks for may cost.
pub const MAX_COST: u64 = 50_000;
/// Most items that any list argument takes.
const MAX_PAGE: u64 = 100;
/// Passwords that one operation may have hashed: each keeps a core busy for a while.
const MAX_LOG_INS: usize = 1;

/// What an operation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    /// What the dearest operation of the document may come to, in points.
    pub cost: u64,
    /// Of that, what is spent as soon as it runs, whatever the answer shows: the operation itself,
    /// searches, mutations, hashes. It is never given back.
    pub spent: u64,
}

/// Bytes of a text and its variables that are read for a point.
const READ: usize = 64;
/// Bytes of an operation that its fields pay for.
const FREE: usize = 1_024;

/// What reading an operation costs that is run, in points, beyond what its fields cost.
pub fn reading(bytes: usize) -> u64 {
    reading_refused(bytes.saturating_sub(FREE))
}

/// What reading one costs that is refused, in points.
pub fn reading_refused(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(READ)).unwrap_or(u64::MAX)
}

#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    depth: u64,
    /// Once, however many items it is asked of: what one batch loads for all of them.
    flat: u64,
    /// For each item that it is asked of.
    each: u64,
    /// Of both, for each item, what is never given back.
    spent: u64,
}

impl Weight {
    fn and(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            flat: self.flat.saturating_add(other.flat),
            each: self.each.saturating_add(other.each),
            spent: self.spent.saturating_add(other.spent),
        }
    }

    fn and_one_more(self) -> Self {
        Self { each: self.each.saturating_add(1), ..self }
    }

    fn cost(self) -> u64 {
        self.flat.saturating_add(self.each)
    }
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
    /// What variables hold that are not given: the defaults of all operations.
    defaults: HashMap<&'a str, Vec<&'a Value>>,
    /// `None` while a fragment is being weighed: meeting it again then is a cycle.
    known: HashMap<&'a str, Option<Weight>>,
    types: &'static Types,
}

/// Weighs a document.
///
/// # Errors
/// A fragment that contains itself, fields nested too deeply, too much asked for, a subscription
/// that is not to one thing.
pub fn weigh(document: &ExecutableDocument, variables: &Variables) -> Result<Weighed, Refusal> {
    let operations: Vec<_> = match &document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values().collect(),
    };
    let mut walk = Walk {
        fragments: &document.fragments,
        variables,
        defaults: HashMap::new(),
        known: HashMap::new(),
        types: types(),
    };
    for variable in operations.iter().flat_map(|operation| &operation.node.variable_definitions) {
        let Some(default) = &variable.node.default_value else { continue };
        walk.defaults.entry(variable.node.name.node.as_str()).or_default().push(&default.node);
    }
    for name in document.fragments.keys() {
        walk.fragment(name)?;
    }
    let mut dearest = Weight::default();
    for operation in operations {
        let root = match operation.node.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let weight = walk.selections(&operation.node.selection_set.node, Some(root))?;
        if weight.depth > MAX_DEPTH {
            return refuse(ErrorCode::QueryTooDeep, format!("fields may nest {MAX_DEPTH} deep"));
        }
        if weight.cost() > MAX_COST {
            return refuse(
                ErrorCode::QueryTooComplex,
                format!("the query costs {}, at most {MAX_COST} are allowed", weight.cost()),
            );
        }
        // After the cost: a bomb of fragments has been refused by now.
        check_roots(&operation.node, &document.fragments)?;
        dearest = Weight {
            each: dearest.cost().max(weight.cost()),
            spent: dearest.spent.max(weight.spent),
            ..Weight::default()
        };
    }
    let spent = dearest.spent.min(dearest.cost());
    Ok(Weighed {
        cost: dearest.cost().saturating_add(OPERATION),
        spent: spent.saturating_add(OPERATION),
    })
}

/// Checks the root fields, fragments expanded: one event has one thing to say, and one operation
/// has one password hashed.
fn check_roots(
    operation: &OperationDefinition,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
) -> Result<(), Refusal> {
    let mut roots = HashSet::new();
    let mut sets = vec![&operation.selection_set.node];
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.alias.as_ref().unwrap_or(&field.node.name);
                    roots.insert((key.node.as_str(), field.node.name.node.as_str()));
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
            }
        }
    }
    let log_ins = roots.iter().filter(|(_, name)| matches!(*name, "logIn" | "signUp")).count();
    match operation.ty {
        OperationType::Subscription if roots.len() > 1 => refuse(
            ErrorCode::GraphqlValidationFailed,
            "a subscription has one root field: begin one operation for each",
        ),
        OperationType::Mutation if log_ins > MAX_LOG_INS => refuse(
            ErrorCode::QueryTooComplex,
            format!("an operation may have {MAX_LOG_INS} log-in or sign-up"),
        ),
        _ => Ok(()),
    }
}

impl<'a> Walk<'a> {
    fn fragment(&mut self, name: &'a str) -> Result<Weight, Refusal> {
        match self.known.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => {
                return refuse(ErrorCode::GraphqlValidationFailed, "a fragment contains itself");
            }
            None => {}
        }
        // A fragment that is not there is the validator's to complain about.
        let Some(fragment) = self.fragments.get(name) else { return Ok(Weight::default()) };
        self.known.insert(name, None);
        let of = fragment.node.type_condition.node.on.node.as_str();
        let weight = self.selections(&fragment.node.selection_set.node, Some(of))?;
        self.known.insert(name, Some(weight));
        Ok(weight)
    }

    fn selections(&mut self, set: &'a SelectionSet, of: Option<&str>) -> Result<Weight, Refusal> {
        let mut sum = Weight::default();
        for selection in &set.items {
            let weight = match &selection.node {
                Selection::Field(field) => self.field(&field.node, of)?,
                // A spread costs something even when its fragment is empty or missing: it is
                // expanded all the same, before it is validated.
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node)?.and_one_more()
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map(|condition| condition.node.on.node.as_str()).or(of);
                    self.selections(&inline.node.selection_set.node, on)?.and_one_more()
                }
            };
            sum = sum.and(weight);
        }
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field, of: Option<&str>) -> Result<Weight, Refusal> {
        let name = field.name.node.as_str();
        let types = self.types;
        let known = of.and_then(|of| types.get(of)?.get(name));
        let inner_type = known.map(|known| known.of.as_str());
        let inner = self.selections(&field.selection_set.node, inner_type)?;
        let depth = inner.depth.saturating_add(1);
        if matches!(name, "__schema" | "__type") {
            let cost = introspection::cost(field, self.fragments, self.variables);
            return Ok(Weight { depth, each: cost, ..Weight::default() });
        }
        let price = of.map_or(Price::FIELD, |of| weights::of(of, name));
        let asked = self.length(field).or_else(|| known.and_then(|known| known.length));
        // What an argument asks for or its default, else as many as there are at most. A mutation
        // answers with something even when the list in its input is empty.
        let times = asked.unwrap_or(price.list).max(1);
        let rows = asked.unwrap_or_default().saturating_mul(price.row);
        // What is read from a cursor or from the end is in no batch.
        let is_beginning = !["after", "last"].iter().any(|name| self.is_given(field, name));
        let after = if is_beginning { 0 } else { price.after };
        let each = price
            .each
            .saturating_add(after.saturating_mul(STATEMENT))
            .saturating_add(rows)
            .saturating_add(inner.each.saturating_mul(times));
        let spent = price.spent.saturating_add(inner.spent.saturating_mul(times));
        if price.batch > 0 || price.is_plain() {
            let flat = inner.flat.saturating_add(price.batch.saturating_mul(STATEMENT));
            return Ok(Weight { depth, flat, each: each.saturating_add(price.spent), spent });
        }
        // What is asked of the database item by item comes back at different moments: what is below
        // cannot count on sharing a batch.
        let each = each.saturating_add(inner.flat).saturating_add(price.spent);
        Ok(Weight { depth, flat: 0, each, spent })
    }

    fn is_given(&self, field: &Field, argument: &str) -> bool {
        let value = field.get_argument(argument).map(|value| &value.node);
        match value {
            None | Some(async_graphql_value::Value::Null) => false,
            Some(async_graphql_value::Value::Variable(name)) => {
                self.held(name).iter().any(|value| **value != Value::Null)
            }
            Some(_) => true,
        }
    }

    /// How many items a field's arguments ask for at most; `None` when none of them says.
    fn length(&self, field: &Field) -> Option<u64> {
        let mut lengths =
            field.arguments.iter().filter_map(|(name, value)| match name.node.as_str() {
                name @ ("first" | "last") if self.is_given(field, name) => {
                    Some(self.number(&value.node))
                }
                "ids" => Some(self.items(&value.node)),
                "input" => self.list_of_input(&value.node),
                _ => None,
            });
        let first = lengths.next()?;
        Some(lengths.fold(first, u64::max))
    }

    /// What is out of bounds is refused by the field; until then it counts as the largest page.
    fn number(&self, value: &async_graphql_value::Value) -> u64 {
        match value {
            async_graphql_value::Value::Number(number) => {
                number.as_u64().unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE)
            }
            async_graphql_value::Value::Variable(name) => match self.variables.get(name) {
                Some(Value::Number(number)) => {
                    number.as_u64().unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE)
                }
                _ => MAX_PAGE,
            },
            _ => MAX_PAGE,
        }
    }

    /// A list's length is known without its items: a variable among them is one. A single value is
    /// taken for a list of one; a variable that was not given may have a default, of any length.
    fn items(&self, value: &async_graphql_value::Value) -> u64 {
        let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX).max(1);
        match value {
            async_graphql_value::Value::List(items) => count(items.len()),
            async_graphql_value::Value::Variable(name) => match self.variables.get(name) {
                Some(Value::List(items)) => count(items.len()),
                Some(Value::Null) | None => MAX_PAGE,
                Some(_) => 1,
            },
            async_graphql_value::Value::Null => MAX_PAGE,
            _ => 1,
        }
    }

    /// What a variable holds: what was given, else what it may have by default.
    fn held(&self, name: &str) -> Vec<&Value> {
        match self.variables.get(name) {
            Some(given) => vec![given],
            None => self.defaults.get(name).cloned().unwrap_or_default(),
        }
    }

    /// The longest list in a mutation's input: each of its items is read by the mutation. A
    /// field that is null, or whose variable was left out, is not there.
    fn list_of_input(&self, value: &async_graphql_value::Value) -> Option<u64> {
        let listed = |value: &Value| match value {
            Value::List(items) => u64::try_from(items.len()).ok(),
            _ => None,
        };
        let fields = match value {
            async_graphql_value::Value::Variable(name) => {
                let inputs = self.held(name).into_iter();
                let lists = inputs.filter_map(|input| match input {
                    Value::Object(fields) => fields.values().filter_map(listed).max(),
                    _ => None,
                });
                return lists.max();
            }
            async_graphql_value::Value::Object(fields) => fields,
            _ => return None,
        };
        let lists = fields.values().filter_map(|field| match field {
            async_graphql_value::Value::List(items) => u64::try_from(items.len()).ok(),
            async_graphql_value::Value::Variable(name) => {
                self.held(name).into_iter().filter_map(listed).max()
            }
            _ => None,
        });
        lists.max()
    }
}

#[cfg(test)]
mod tests;
