//! What stands before the library: a query that would overflow its parser's stack or keep its validator busy for ever is refused here, in
//! time linear in its length.
//!
//! First one pass over the text: length, tokens, nesting (braces, brackets and parentheses outside strings and comments). What passes can be parsed
//! safely. Then one walk over the parsed document with each fragment looked at once: cycles, depth, and cost, all in saturating arithmetic.

use std::collections::HashMap;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};

use super::error::ErrorCode;

/// Longest text, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Most tokens.
const MAX_TOKENS: usize = 2_000;
/// Deepest nesting of any brackets.
const MAX_NESTING: usize = 64;
/// Deepest nesting of fields, fragments expanded.
const MAX_DEPTH: u64 = 24;
/// Longest list in a variable.
const MAX_LIST: usize = 250;
/// Most rows and fields that a query may ask for: a list costs its length times what it asks of each item.
const MAX_COST: u64 = 50_000;
/// What a search costs beside the rows it gives: a statement on every shard that looks through a thousand rows there.
pub const SEARCH_COST: u64 = 1_000;

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, message: message.into() })
}

/// The first pass, over the raw text.
///
/// # Errors
/// Too long, too many tokens, nested too deeply.
pub fn check_text(query: &str) -> Result<(), Refusal> {
    if query.len() > MAX_BYTES {
        return refuse(ErrorCode::QueryTooComplex, format!("a query may have {MAX_BYTES} bytes"));
    }
    let bytes = query.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let (mut index, mut tokens, mut nesting) = (0, 0, 0_usize);
    while index < bytes.len() {
        match at(index) {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                index += 1;
                continue;
            }
            b'#' => {
                while index < bytes.len() && !matches!(at(index), b'\n' | b'\r') {
                    index += 1;
                }
                continue;
            }
            b'"' => index = after_string(bytes, index),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                if nesting > MAX_NESTING {
                    return refuse(
                        ErrorCode::QueryTooDeep,
                        format!("brackets may nest {MAX_NESTING} deep"),
                    );
                }
                index += 1;
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                index += 1;
            }
            c if c.is_ascii_alphanumeric() || c == b'_' => {
                while index < bytes.len()
                    && (at(index).is_ascii_alphanumeric() || at(index) == b'_')
                {
                    index += 1;
                }
            }
            _ => index += 1,
        }
        tokens += 1;
        if tokens > MAX_TOKENS {
            return refuse(
                ErrorCode::QueryTooComplex,
                format!("a query may have {MAX_TOKENS} tokens"),
            );
        }
    }
    Ok(())
}

/// The index after the string that begins here.
fn after_string(bytes: &[u8], start: usize) -> usize {
    let starts =
        |index: usize, what: &[u8]| bytes.get(index..).is_some_and(|rest| rest.starts_with(what));
    let block = starts(start, b"\"\"\"");
    let mut index = start + if block { 3 } else { 1 };
    while index < bytes.len() {
        if block && starts(index, b"\\\"\"\"") {
            index += 4;
        } else if block && starts(index, b"\"\"\"") {
            return index + 3;
        } else if !block && starts(index, b"\\") {
            index += 2;
        } else if !block && (starts(index, b"\"") || starts(index, b"\n")) {
            return index + 1;
        } else {
            index += 1;
        }
    }
    bytes.len()
}

#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    depth: u64,
    cost: u64,
}

/// Whether every variable that the operation needs was given. The library would find out field by field, after the fields before have run.
///
/// # Errors
/// One that is missing or null and may not be.
pub fn check_variables(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), Refusal> {
    for definition in operation.variable_definitions.iter().map(|definition| &definition.node) {
        let name = &definition.name.node;
        let given = variables.get(name);
        let missing = match given {
            None => definition.default_value.is_none(),
            Some(value) => *value == Value::Null,
        };
        if missing && !definition.var_type.node.nullable {
            return refuse(
                ErrorCode::BadUserInput,
                format!("the variable ${name} of type {} is missing", definition.var_type.node),
            );
        }
    }
    Ok(())
}

impl Weight {
    fn and_one_more(self) -> Self {
        Self { cost: self.cost.saturating_add(1), ..self }
    }
}

/// What the second pass has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    /// What the dearest operation may come to, in points.
    pub cost: u64,
    /// Whether it asks for the schema itself.
    pub introspects: bool,
}

struct Walk<'a> {
    introspects: bool,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &'a Variables,
    /// `None` while a fragment is being looked at: meeting it again then is a cycle.
    known: HashMap<&'a str, Option<Weight>>,
}

/// The second pass, over the parsed document.
///
/// # Errors
/// A fragment that contains itself, fields nested too deeply, too much asked for.
pub fn check_document(
    document: &ExecutableDocument,
    variables: &Variables,
) -> Result<Weighed, Refusal> {
    let mut walk = Walk {
        introspects: false,
        fragments: &document.fragments,
        variables,
        known: HashMap::new(),
    };
    for name in document.fragments.keys() {
        walk.fragment(name)?;
    }
    let operations: Vec<_> = match &document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values().collect(),
    };
    let mut dearest = 1;
    for operation in operations {
        let weight = walk.selections(&operation.node.selection_set.node)?;
        if weight.depth > MAX_DEPTH {
            return refuse(ErrorCode::QueryTooDeep, format!("fields may nest {MAX_DEPTH} deep"));
        }
        if weight.cost > MAX_COST {
            return refuse(
                ErrorCode::QueryTooComplex,
                format!("the query costs {}, at most {MAX_COST} are allowed", weight.cost),
            );
        }
        dearest = weight.cost.max(dearest);
    }
    Ok(Weighed { cost: dearest, introspects: walk.introspects })
}

/// Whether the variables' lists are short enough to be looked at.
///
/// # Errors
/// A list with more items than any argument takes.
pub fn check_values(variables: &Variables) -> Result<(), Refusal> {
    fn longest(value: &Value) -> usize {
        match value {
            Value::List(items) => {
                items.iter().map(longest).max().unwrap_or_default().max(items.len())
            }
            Value::Object(fields) => fields.values().map(longest).max().unwrap_or_default(),
            _ => 0,
        }
    }
    if variables.values().map(longest).max().unwrap_or_default() > MAX_LIST {
        return refuse(ErrorCode::BadUserInput, format!("a list may have {MAX_LIST} items"));
    }
    Ok(())
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
        // A fragment that is not there is the library's to complain about.
        let Some(fragment) = self.fragments.get(name) else { return Ok(Weight::default()) };
        self.known.insert(name, None);
        let weight = self.selections(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(weight));
        Ok(weight)
    }

    fn selections(&mut self, set: &'a SelectionSet) -> Result<Weight, Refusal> {
        let mut sum = Weight::default();
        for selection in &set.items {
            let weight = match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                // A spread costs something even when its fragment is empty or missing: the library
                // expands it all the same, before it validates.
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node)?.and_one_more()
                }
                Selection::InlineFragment(inline) => {
                    self.selections(&inline.node.selection_set.node)?.and_one_more()
                }
            };
            sum.depth = sum.depth.max(weight.depth);
            sum.cost = sum.cost.saturating_add(weight.cost);
        }
        Ok(sum)
    }

    fn field(&mut self, field: &'a Field) -> Result<Weight, Refusal> {
        self.introspects |= matches!(field.name.node.as_str(), "__schema" | "__type");
        let inner = self.selections(&field.selection_set.node)?;
        // `edges` and `nodes` are the list that the field above has counted already; what is
        // counted there is what `first` or `ids` ask for.
        let times = field
            .arguments
            .iter()
            .filter_map(|(name, value)| self.times(&name.node, &value.node))
            .max()
            .unwrap_or(1);
        let own = if field.name.node.ends_with("Search") { SEARCH_COST + 1 } else { 1 };
        Ok(Weight {
            depth: inner.depth.saturating_add(1),
            cost: inner.cost.saturating_mul(times).saturating_add(own),
        })
    }

    /// How many items an argument asks for.
    fn times(&self, name: &str, value: &async_graphql_value::Value) -> Option<u64> {
        let value = match value {
            async_graphql_value::Value::Variable(variable) => {
                self.variables.get(variable).cloned().unwrap_or(Value::Null)
            }
            constant => constant.clone().into_const()?,
        };
        match (name, value) {
            // What is out of bounds is refused by the field; until then it counts as the largest
            // page.
            ("first" | "last", Value::Number(number)) => {
                Some(number.as_u64().unwrap_or(100).clamp(1, 100))
            }
            ("first" | "last", _) => Some(100),
            ("ids", Value::List(ids)) => u64::try_from(ids.len()).ok(),
            // A variable that was not given may have a default; as many as are allowed, then.
            ("ids", Value::Null) => Some(100),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<(), ErrorCode> {
        check_text(query).map_err(|refusal| refusal.code)?;
        let document = async_graphql::parser::parse_query(query).expect("a document");
        check_document(&document, &Variables::default()).map(|_| ()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_query_that_would_overflow_the_parser_is_refused() {
        let bomb = format!("{{echo(s:{}{})}}", "[".repeat(1_542), "]".repeat(1_542));
        assert_eq!(check(&bomb), Err(ErrorCode::QueryTooDeep));
        let objects = format!("{{echo(s:{}1{})}}", "{a:".repeat(1_542), "}".repeat(1_542));
        assert_eq!(check(&objects), Err(ErrorCode::QueryTooDeep));
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_nest() {
        let text = "[".repeat(200);
        assert_eq!(
            check(&format!("{{ a(s: \"{text}\") b(s: \"\"\"{text}\\\"\"\"\"\"\") # {text}\n }}")),
            Ok(())
        );
    }

    #[test]
    fn a_fragment_bomb_is_weighed_without_being_expanded() {
        let mut bomb = String::from("{ ...f0 }");
        for level in 0..30 {
            bomb.push_str(&format!(
                " fragment f{level} on Query {{ {} }}",
                format!("...f{} ", level + 1).repeat(10)
            ));
        }
        bomb.push_str(" fragment f30 on Query { a }");
        assert_eq!(check(&bomb), Err(ErrorCode::QueryTooComplex));
    }

    #[test]
    fn a_bomb_of_nothing_is_weighed_too() {
        let mut bomb = String::from("{ ...f0 }");
        for level in 0..22 {
            bomb.push_str(&format!(" fragment f{level} on Query {{ ...f{0} ...f{0} }}", level + 1));
        }
        assert_eq!(check(&bomb), Err(ErrorCode::QueryTooComplex));
    }

    #[test]
    fn a_fragment_that_contains_itself_is_refused() {
        assert_eq!(
            check("{ a } fragment f on Query { ...g } fragment g on Query { ...f }"),
            Err(ErrorCode::GraphqlValidationFailed)
        );
    }

    #[test]
    fn lists_cost_their_length_times_what_they_ask_of_each() {
        assert_eq!(
            check(
                "{ viewer { home(first: 20) { edges { node { comments(first: 3) { edges { node { text } } } } } } } }"
            ),
            Ok(())
        );
        let deep = "{ a(first: 100) { b(first: 100) { c(first: 100) { d } } } }";
        assert_eq!(check(deep), Err(ErrorCode::QueryTooComplex));
        assert_eq!(
            check("{ a(first: -1) { b(first: -1) { c(first: $n) { d } } } }"),
            Err(ErrorCode::QueryTooComplex)
        );
        assert_eq!(check("{ a { b { c { d } } } }"), Ok(()));
    }

    #[test]
    fn a_search_costs_its_work() {
        let searches = |count: usize| {
            let fields: String = (0..count)
                .map(|number| {
                    format!("a{number}: postsSearch(query: \"x\", first: 1) {{ nodes {{ id }} }} ")
                })
                .collect();
            format!("{{ {fields} }}")
        };
        assert_eq!(check(&searches(49)), Ok(()));
        assert_eq!(check(&searches(50)), Err(ErrorCode::QueryTooComplex));
    }

    #[test]
    fn fields_nest_so_deep() {
        let query = |depth: usize| format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth));
        assert_eq!(check(&query(24)), Ok(()));
        assert_eq!(check(&query(25)), Err(ErrorCode::QueryTooDeep));
    }
}
