//! What a query of the schema itself costs: exactly as many fields as its answer has, counted on
//! the schema without running it. `types`, `fields`, `args`, `possibleTypes`, `interfaces`,
//! `enumValues` and `inputFields` are lists without an argument that says how long they are, and
//! nested in circles they grow sevenfold a pair.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value, Variables};
use futures_util::FutureExt;

/// What asks for everything there is to count.
const EVERYTHING: &str = "{ __schema { queryType { ...Ref } mutationType { ...Ref }
    subscriptionType { ...Ref } directives { args { type { ...Ref } } }
    types { name fields(includeDeprecated: true) { args { type { ...Ref } } type { ...Ref } }
      inputFields { type { ...Ref } } interfaces { ...Ref } possibleTypes { ...Ref }
      enumValues(includeDeprecated: true) { name } } } }
    fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
      ofType { kind name } } } } }";

/// A description is a sentence or a few.
const DESCRIPTION: u64 = 3;

/// What a selection set may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Schema,
    Type,
    Field,
    Input,
    EnumValue,
    Directive,
}

/// A type as it is referred to: itself, or a list of it, or not null.
#[derive(Debug, Default)]
struct Type {
    of: Option<usize>,
    fields: Vec<usize>,
    inputs: Vec<usize>,
    interfaces: Vec<usize>,
    possible: Vec<usize>,
    enum_values: Vec<usize>,
}

/// The schema as a graph; things are named by their places.
#[derive(Debug, Default)]
struct Graph {
    types: Vec<Type>,
    names: HashMap<String, usize>,
    /// Types that `__schema.types` lists.
    listed: Vec<usize>,
    roots: HashMap<&'static str, usize>,
    /// Of each field, its arguments and its type.
    fields: Vec<(Vec<usize>, usize)>,
    /// Of each argument and input field, its type.
    inputs: Vec<usize>,
    /// Of each directive, its arguments.
    directives: Vec<Vec<usize>>,
}

/// A member of an object, `null` where there is none.
fn part<'v>(value: &'v serde_json::Value, name: &str) -> &'v serde_json::Value {
    value.get(name).unwrap_or(&serde_json::Value::Null)
}

impl Graph {
    fn of_schema() -> &'static Self {
        static GRAPH: OnceLock<Graph> = OnceLock::new();
        GRAPH.get_or_init(|| {
            // Nothing in it waits for anything.
            let answer = crate::schema::schema().execute(EVERYTHING).now_or_never();
            let data = answer.and_then(|answer| answer.data.into_json().ok()).unwrap_or_default();
            Self::read(part(&data, "__schema"))
        })
    }

    fn read(schema: &serde_json::Value) -> Self {
        let mut graph = Self::default();
        let each = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
        for listed in each(part(schema, "types")) {
            let place = graph.reference(&listed);
            graph.listed.push(place);
        }
        for listed in each(part(schema, "types")) {
            let place = graph.reference(&listed);
            let mut made = Type::default();
            for field in each(part(&listed, "fields")) {
                let args = each(part(&field, "args")).iter().map(|arg| graph.input(arg)).collect();
                let ty = graph.reference(part(&field, "type"));
                made.fields.push(graph.fields.len());
                graph.fields.push((args, ty));
            }
            made.inputs =
                each(part(&listed, "inputFields")).iter().map(|one| graph.input(one)).collect();
            made.interfaces =
                each(part(&listed, "interfaces")).iter().map(|one| graph.reference(one)).collect();
            made.possible = each(part(&listed, "possibleTypes"))
                .iter()
                .map(|one| graph.reference(one))
                .collect();
            made.enum_values = vec![0; each(part(&listed, "enumValues")).len()];
            if let Some(held) = graph.types.get_mut(place) {
                *held = made;
            }
        }
        for directive in each(part(schema, "directives")) {
            let args = each(part(&directive, "args")).iter().map(|arg| graph.input(arg)).collect();
            graph.directives.push(args);
        }
        for name in ["queryType", "mutationType", "subscriptionType"] {
            let place = graph.reference(&schema[name]);
            graph.roots.insert(name, place);
        }
        graph
    }

    fn input(&mut self, input: &serde_json::Value) -> usize {
        let ty = self.reference(part(input, "type"));
        self.inputs.push(ty);
        self.inputs.len() - 1
    }

    /// The place of a type, which is made when it is first referred to.
    fn reference(&mut self, ty: &serde_json::Value) -> usize {
        let of = part(ty, "ofType").is_object().then(|| self.reference(part(ty, "ofType")));
        let name = match of {
            Some(of) => format!("{} {of}", part(ty, "kind").as_str().unwrap_or_default()),
            None => part(ty, "name").as_str().unwrap_or_default().to_owned(),
        };
        if let Some(place) = self.names.get(&name) {
            return *place;
        }
        self.types.push(Type { of, ..Type::default() });
        self.names.insert(name, self.types.len() - 1);
        self.types.len() - 1
    }

    fn count(&self, of: Of) -> usize {
        match of {
            Of::Schema | Of::EnumValue => 1,
            Of::Type => self.types.len(),
            Of::Field => self.fields.len(),
            Of::Input => self.inputs.len(),
            Of::Directive => self.directives.len(),
        }
    }

    /// What a field of something leads to, from the thing at this place; `None` for a leaf.
    fn led_to(&self, of: Of, name: &str, place: usize) -> Option<(Of, Vec<usize>)> {
        let ty = (of == Of::Type).then(|| self.types.get(place)).flatten();
        let field = (of == Of::Field).then(|| self.fields.get(place)).flatten();
        Some(match (of, name) {
            (Of::Schema, "types") => (Of::Type, self.listed.clone()),
            (Of::Schema, "directives") => (Of::Directive, (0..self.directives.len()).collect()),
            (Of::Schema, _) => (Of::Type, vec![*self.roots.get(name)?]),
            (Of::Type, "fields") => (Of::Field, ty?.fields.clone()),
            (Of::Type, "inputFields") => (Of::Input, ty?.inputs.clone()),
            (Of::Type, "interfaces") => (Of::Type, ty?.interfaces.clone()),
            (Of::Type, "possibleTypes") => (Of::Type, ty?.possible.clone()),
            (Of::Type, "enumValues") => (Of::EnumValue, ty?.enum_values.clone()),
            (Of::Type, "ofType") => (Of::Type, ty?.of.into_iter().collect()),
            (Of::Field, "args") => (Of::Input, field?.0.clone()),
            (Of::Field, "type") => (Of::Type, vec![field?.1]),
            (Of::Input, "type") => {
                (Of::Type, self.inputs.get(place).copied().into_iter().collect())
            }
            (Of::Directive, "args") => (Of::Input, self.directives.get(place)?.clone()),
            _ => return None,
        })
    }
}

/// What something of each place costs.
type Costs = Rc<Vec<u64>>;

struct Walk<'a> {
    graph: &'static Graph,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    known: HashMap<(&'a str, Of), Costs>,
}

/// What `__schema` or `__type` costs with what is asked of it. No fragment may contain itself.
pub(super) fn cost(
    field: &Field,
    fragments: &HashMap<Name, Positioned<FragmentDefinition>>,
    variables: &Variables,
) -> u64 {
    let graph = Graph::of_schema();
    let mut walk = Walk { graph, fragments, known: HashMap::new() };
    let set = &field.selection_set.node;
    if field.name.node == "__schema" {
        let costs = walk.selections(set, Of::Schema);
        return costs.first().copied().unwrap_or_default().saturating_add(1);
    }
    let costs = walk.selections(set, Of::Type);
    let name = field.get_argument("name").map(|value| &value.node);
    let name = match name {
        Some(async_graphql_value::Value::String(name)) => Some(name.as_str()),
        Some(async_graphql_value::Value::Variable(name)) => match variables.get(name) {
            Some(Value::String(name)) => Some(name.as_str()),
            _ => None,
        },
        _ => None,
    };
    let known = name.map(|name| graph.names.get(name).and_then(|place| costs.get(*place)));
    match known {
        Some(cost) => cost.copied().unwrap_or_default().saturating_add(1),
        // A default value of a variable: any type, then.
        None => costs.iter().copied().max().unwrap_or_default().saturating_add(1),
    }
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet, of: Of) -> Costs {
        let mut sums = vec![0_u64; self.graph.count(of)];
        for selection in &set.items {
            let costs = match &selection.node {
                Selection::Field(field) => self.field(&field.node, of),
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, of)
                }
                Selection::InlineFragment(inline) => {
                    self.selections(&inline.node.selection_set.node, of)
                }
            };
            for (sum, cost) in sums.iter_mut().zip(costs.iter()) {
                *sum = sum.saturating_add(*cost);
            }
        }
        Rc::new(sums)
    }

    fn fragment(&mut self, name: &'a str, of: Of) -> Costs {
        if let Some(known) = self.known.get(&(name, of)) {
            return Rc::clone(known);
        }
        let Some(fragment) = self.fragments.get(name) else { return Rc::default() };
        let costs = self.selections(&fragment.node.selection_set.node, of);
        self.known.insert((name, of), Rc::clone(&costs));
        costs
    }

    fn field(&mut self, field: &'a Field, of: Of) -> Costs {
        let name = field.name.node.as_str();
        let graph = self.graph;
        let leaf = if name == "description" { DESCRIPTION } else { 1 };
        let count = graph.count(of);
        let Some((to, _)) = (0..count).find_map(|place| graph.led_to(of, name, place)) else {
            return Rc::new(vec![leaf; count]);
        };
        let inner = self.selections(&field.selection_set.node, to);
        let cost = |place: usize| {
            let places = graph.led_to(of, name, place).map(|(_, places)| places);
            places.unwrap_or_default().into_iter().fold(1_u64, |sum, place| {
                sum.saturating_add(inner.get(place).copied().unwrap_or_default())
            })
        };
        Rc::new((0..count).map(cost).collect())
    }
}
