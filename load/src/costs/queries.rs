//! Queries made of the schema: each root field, each field of what the root fields lead to. A field
//! that is added is measured without anybody thinking of it.

use async_graphql::parser::types::{BaseType, FieldDefinition};
use serde_json::{Value, json};

use super::operation::{By, Inputs, Operation};
use super::schema::Schema;
use super::world::World;

/// The largest page.
pub const LARGEST: usize = 100;
/// Objects whose fields are asked for, in the order of the schema's own ways to them. The test
/// below holds that every object with a list is among them.
const OBJECTS: [&str; 15] = [
    "Query",
    "Viewer",
    "ViewerAnalytics",
    "User",
    "Post",
    "PostAnalytics",
    "Comment",
    "TextEntity",
    "Hashtag",
    "Product",
    "ProductAnalytics",
    "Order",
    "OrderLine",
    "Notification",
    "NotificationGroup",
];
/// Words that most texts have: a search for them looks through the most rows.
pub const WORDS: [&str; 8] = ["the", "a", "my", "and", "in", "on", "of", "it"];

/// The type's name without lists and nulls.
pub fn named(base: &BaseType) -> &str {
    match base {
        BaseType::Named(name) => name,
        BaseType::List(of) => named(&of.base),
    }
}

/// A variable, and what it may be given.
struct Given {
    name: &'static str,
    of: &'static str,
    values: Vec<Value>,
}

/// A way through the schema to an object's fields.
struct Way {
    open: &'static str,
    given: Option<Given>,
}

fn given<V: Into<Value>>(
    name: &'static str,
    of: &'static str,
    values: impl IntoIterator<Item = V>,
) -> Option<Given> {
    Some(Given { name, of, values: values.into_iter().map(Into::into).collect() })
}

/// The way to an object, one that has this field; nothing for one that no query leads to.
fn way(world: &World, of: &str, field: &str) -> Option<Way> {
    let id = |values: &[String]| given("id", "ID!", values.iter().cloned());
    let (open, given) = match of {
        "Query" => ("", None),
        "Viewer" => ("viewer {", None),
        "ViewerAnalytics" => ("viewer { analytics {", None),
        "User" => ("user(handle: $handle) {", given("handle", "String!", world.handles())),
        // Its author's alone.
        "Post" if field == "analytics" => ("post(id: $id) {", id(&world.own_posts)),
        "Post" => ("post(id: $id) {", id(&world.posts)),
        "PostAnalytics" => ("post(id: $id) { analytics {", id(&world.own_posts)),
        "TextEntity" => ("post(id: $id) { entities {", id(&world.own_posts)),
        "Comment" => (
            "post(id: $id) { comments(first: 10) { nodes {",
            id(std::slice::from_ref(&world.thread)),
        ),
        "Hashtag" => ("hashtag(name: $name) {", given("name", "String!", [world.tag.as_str()])),
        "Product" => ("product(id: $id) {", id(&world.own_products)),
        "ProductAnalytics" => ("product(id: $id) { analytics {", id(&world.own_products)),
        "Order" => ("order(id: $id) {", id(&world.orders)),
        "OrderLine" => ("order(id: $id) { lines {", id(&world.orders)),
        "Notification" => ("viewer { notifications(first: 100) { nodes {", None),
        "NotificationGroup" => ("viewer { notificationGroups(first: 100) { nodes {", None),
        _ => return None,
    };
    Some(Way { open, given })
}

/// What a root field's argument is given.
fn argument(world: &World, field: &str, name: &str) -> Option<Given> {
    let id = |values: &[String]| given("id", "ID!", values.iter().cloned());
    match (field, name) {
        ("node", "id") => given("id", "ID!", world.things()),
        ("post", "id") => id(&world.posts),
        ("product", "id") => id(&world.products),
        ("order", "id") => id(&world.orders),
        ("nodes", "ids") => {
            let things = world.things();
            given("ids", "[ID!]!", things.chunks(LARGEST).map(|ids| json!(ids)))
        }
        (_, "handle") => given("handle", "String!", world.handles()),
        (_, "name") => given("name", "String!", [world.tag.as_str()]),
        (_, "query") => given("query", "String!", WORDS),
        _ => None,
    }
}

/// Whether nothing is below a field.
fn is_leaf(schema: &Schema, of: &str) -> bool {
    of != "Node" && schema.fields(of).is_empty()
}

/// Whether a field comes with its object: neither loaded nor computed, since it is never null.
fn comes_along(schema: &Schema, field: &FieldDefinition) -> bool {
    !field.ty.node.nullable
        && matches!(field.ty.node.base, BaseType::Named(_))
        && is_leaf(schema, named(&field.ty.node.base))
        && !field.arguments.iter().any(|argument| Schema::is_given(&argument.node))
}

/// The fields that come with an object.
pub fn row(schema: &Schema, of: &str) -> String {
    let along = schema.fields(of).into_iter().filter(|field| comes_along(schema, field));
    let names: Vec<&str> = along.map(|field| field.name.node.as_str()).collect();
    match (names.is_empty(), of) {
        (_, "Node") => "id".to_owned(),
        (true, _) => "__typename".to_owned(),
        _ => names.join(" "),
    }
}

/// What is asked for below a field: of a page its items, of an object what comes with it.
pub fn below(schema: &Schema, field: &FieldDefinition) -> String {
    let of = named(&field.ty.node.base);
    if is_leaf(schema, of) {
        return String::new();
    }
    let nodes = schema.fields(of).into_iter().find(|field| field.name.node == "nodes");
    match nodes.filter(|_| of.ends_with("Connection")) {
        Some(nodes) => {
            format!(" {{ nodes {{ {} }} }}", row(schema, named(&nodes.ty.node.base)))
        }
        None => format!(" {{ {} }}", row(schema, of)),
    }
}

/// A field with its arguments, and the variable that they need; nothing where it is not known what
/// to give.
fn call(
    schema: &Schema,
    world: &World,
    field: &FieldDefinition,
) -> Option<(String, Option<Given>)> {
    let name = field.name.node.as_str();
    let (mut arguments, mut variable) = (Vec::new(), None);
    for required in field.arguments.iter().filter(|one| Schema::is_given(&one.node)) {
        let argument = required.node.name.node.as_str();
        arguments.push(match argument {
            "first" | "last" => format!("{argument}: {LARGEST}"),
            "size" => "size: HOUR".to_owned(),
            _ => {
                variable = Some(self::argument(world, name, argument)?);
                format!("{argument}: ${argument}")
            }
        });
    }
    let arguments = match arguments.is_empty() {
        true => String::new(),
        false => format!("({})", arguments.join(", ")),
    };
    Some((format!("{name}{arguments}{}", below(schema, field)), variable))
}

fn query(name: String, open: &str, call: &str, given: Option<Given>) -> Operation {
    let inside = format!("{open} {call}{}", " }".repeat(open.matches('{').count()));
    let inside = inside.trim_start();
    // Only a private account is asked.
    let by = if name == "Viewer.followRequests" { By::Other } else { By::Viewer };
    let Some(Given { name: variable, of, values }) = given else {
        return Operation::query(name, format!("{{ {inside} }}"), Vec::new()).by(by);
    };
    let text = format!("query(${variable}: {of}) {{ {inside} }}");
    let inputs = Inputs::Again(values.iter().map(|value| json!({ variable: value })).collect());
    Operation { inputs, ..Operation::query(name, text, Vec::new()) }.by(by)
}

/// Every query, and the names of fields that nothing is known to give to.
pub fn queries(schema: &Schema, world: &World) -> (Vec<Operation>, Vec<String>) {
    let (mut operations, mut unknown) = (Vec::new(), Vec::new());
    for of in OBJECTS {
        let is_root = matches!(of, "Query" | "Viewer");
        let (mut along, mut others) = (Vec::new(), Vec::new());
        for field in schema.fields(of) {
            match comes_along(schema, field) && !is_root {
                true => along.push(field.name.node.as_str()),
                false => others.push(field),
            }
        }
        if !along.is_empty()
            && let Some(Way { open, given }) = way(world, of, "")
        {
            let name = format!("{of}: what comes with it");
            operations.push(query(name, open, &along.join(" "), given));
        }
        for field in others {
            let name = format!("{of}.{}", field.name.node);
            match (way(world, of, &field.name.node), call(schema, world, field)) {
                (Some(way), Some((call, variable))) => {
                    operations.push(query(name, way.open, &call, way.given.or(variable)));
                }
                _ => unknown.push(name),
            }
        }
    }
    (operations, unknown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::checked;
    use super::*;

    #[test]
    fn every_query_is_one_that_the_schema_takes() {
        let (schema, world) = (Schema::parse(&checked::sdl()), checked::world());
        let (operations, unknown) = queries(&schema, &world);
        assert_eq!(unknown, Vec::<String>::new(), "say what to give these in `argument`");
        for operation in &operations {
            checked::weigh(operation);
        }
        let names: BTreeSet<&str> = operations.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), operations.len(), "names are told apart");
        assert!(names.len() > 75, "{}", names.len());
        for field in ["Query.nodes", "Viewer.home", "Post.comments", "Hashtag.postCount"] {
            assert!(names.contains(field), "{field}: {names:?}");
        }
        for (of, field) in schema.lists() {
            let name = format!("{of}.{}", field.name.node);
            assert!(names.contains(name.as_str()), "{name} is a list: add {of} to OBJECTS");
        }
    }

    #[test]
    fn lists_are_asked_for_at_their_largest_with_what_comes_with_their_items() {
        let (schema, world) = (Schema::parse(&checked::sdl()), checked::world());
        let (operations, _) = queries(&schema, &world);
        let of = |name: &str| operations.iter().find(|one| one.name == name).unwrap();
        let followers = of("User.followers");
        assert!(
            followers.text.starts_with("query($handle: String!) { user(handle: $handle) { followers(first: 100) { nodes { bio "),
            "{}",
            followers.text
        );
        assert!(followers.most() > 1 && followers.variables(0) != followers.variables(1));
        assert_eq!(
            of("Viewer.unreadNotificationCount").text,
            "{ viewer { unreadNotificationCount } }"
        );
        assert!(of("Query.node").text.ends_with(" { node(id: $id) { id } }"));
        let nodes = of("Query.nodes").variables(0).unwrap();
        assert_eq!(nodes["ids"].as_array().unwrap().len(), 100);
    }
}
