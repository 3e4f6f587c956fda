use async_graphql::Positioned;
use async_graphql::parser::types::{DocumentOperations, Selection, SelectionSet};
use serde_json::json;

use super::*;
use crate::guard;

/// What runs, on one line.
fn printed(set: &Positioned<SelectionSet>) -> String {
    let items: Vec<String> = set
        .node
        .items
        .iter()
        .map(|item| match &item.node {
            Selection::Field(field) => {
                let field = &field.node;
                let alias = field.alias.as_ref().map(|alias| format!("{}:", alias.node));
                let arguments: Vec<String> = field
                    .arguments
                    .iter()
                    .map(|(name, value)| format!("{}:{}", name.node, value.node))
                    .collect();
                let arguments = if arguments.is_empty() {
                    String::new()
                } else {
                    format!("({})", arguments.join(","))
                };
                let inner = if field.selection_set.node.items.is_empty() {
                    String::new()
                } else {
                    printed(&field.selection_set)
                };
                format!("{}{}{arguments}{inner}", alias.unwrap_or_default(), field.name.node)
            }
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref().unwrap();
                format!("...{}{}", on.node.on.node, printed(&inline.node.selection_set))
            }
            Selection::FragmentSpread(spread) => format!("...{}", spread.node.fragment_name.node),
        })
        .collect();
    format!("{{{}}}", items.join(" "))
}

fn runs_with(query: &str, variables: serde_json::Value) -> Result<String, ErrorCode> {
    let variables = variables.as_object().cloned().unwrap();
    let checked =
        check(query, None, variables, false).map_err(|problems| problems.first().unwrap().code)?;
    let DocumentOperations::Single(operation) = &checked.runs.document().operations else {
        panic!("one operation");
    };
    Ok(printed(&operation.node.selection_set))
}

fn runs(query: &str) -> Result<String, ErrorCode> {
    runs_with(query, json!({}))
}

fn message(query: &str) -> String {
    check(query, None, Map::new(), false).unwrap_err().first().unwrap().message.clone()
}

#[test]
fn fields_of_one_response_key_are_one() {
    for (query, merged) in [
        ("{ viewer { user { id } } viewer { user { handle id } } }", "{viewer{user{id handle}}}"),
        (
            "{ ...a viewer { canAct: unreadNotificationCount } ...a } \
             fragment a on Query { viewer { user { id } } __typename }",
            "{viewer{user{id} canAct:unreadNotificationCount} __typename}",
        ),
        ("{ a: __typename b: __typename a: __typename }", "{a:__typename b:__typename}"),
        (
            "{ viewer @skip(if: true) { user { id } } viewer { user { handle @include(if: false) } } }",
            "{viewer{user}}",
        ),
    ] {
        assert_eq!(runs(query).unwrap(), merged, "{query}");
    }
}

#[test]
fn fields_of_interfaces_are_merged_for_each_object() {
    for (query, merged) in [
        ("{ node(id: 1) { id __typename id } }", "{node(id:\"1\"){id __typename}}"),
        (
            "{ node(id: 1) { id ... on Post { text } ... on User { handle } } }",
            "{node(id:\"1\"){id ...Post{text} ...User{handle}}}",
        ),
        // A post's author is asked for twice over, another one's once, each in its place.
        (
            "{ node(id: 1) { ... on Comment { author { id } } ...p ... on Post { author { id } } } } \
             fragment p on Node { ... on Post { author { handle } text } }",
            "{node(id:\"1\"){...Comment{author{id}} ...Post{author{handle id} text}}}",
        ),
        // What one object has before the others' own.
        (
            "{ node(id: 1) { ... on Post { id text } id } }",
            "{node(id:\"1\"){...Comment{id} ...Hashtag{id} ...Image{id} ...Notification{id} \
             ...NotificationGroup{id} ...Order{id} ...Post{id text} ...Product{id} ...Session{id} \
             ...User{id} ...Viewer{id}}}",
        ),
    ] {
        assert_eq!(runs(query).unwrap(), merged, "{query}");
    }
}

#[test]
fn values_are_of_their_types_before_anything_runs() {
    let ids = "query($a: ID!, $b: String) { nodes(ids: [$a, \"x\"]) { id } node(id: $a) { id } \
               post(id: $a) @skip(if: true) { id } other: nodes(ids: \"y\") { id } \
               third: post(id: $a) { comments(first: 1, after: $b) { nodes { id } } } }";
    assert_eq!(
        runs_with(ids, json!({ "a": 7 })).unwrap(),
        "{nodes(ids:[$a, \"x\"]){id} node(id:$a){id} other:nodes(ids:[\"y\"]){id} \
         third:post(id:$a){comments(first:1){nodes{id}}}}"
    );
    let checked = check(ids, None, json!({ "a": 7 }).as_object().cloned().unwrap(), false).unwrap();
    assert_eq!(serde_json::to_value(&checked.variables).unwrap(), json!({ "a": "7" }));
    assert_eq!(runs_with(ids, json!({ "a": null })), Err(ErrorCode::BadUserInput));
    assert_eq!(runs_with(ids, json!({ "a": 1.5 })), Err(ErrorCode::BadUserInput));
    assert_eq!(runs_with(ids, json!({})), Err(ErrorCode::BadUserInput));
}

#[test]
fn typename_has_a_type_too() {
    let conflict = "query { node(id: 1) { ... on Notification { kind } \
                    ... on Post { kind: __typename } } }";
    assert!(message(conflict).contains("\"NotificationKind!\" and \"String!\""));
}

#[test]
fn columns_count_utf_16_and_lines_end_in_three_ways() {
    let place = |query: &str| {
        let problems = check(query, None, Map::new(), false).unwrap_err();
        let pos = *problems.first().unwrap().locations.first().unwrap();
        (pos.line, pos.column)
    };
    assert_eq!(place("{\n\r\n\r  missing }"), (4, 3));
    assert_eq!(place("{ user(handle: \"\u{e9}\u{1f600}\") { missing } }"), (1, 25));
    assert_eq!(place("{ user(handle: \"\"\"\u{e9}\n\u{1f600}\"\"\") { missing } }"), (2, 10));
    assert_eq!(place("\u{feff}# \u{1f600}\u{e9}\n{ missing }"), (2, 3));
}

/// Fragments that each spread the next three times, in fields of their own.
fn bomb(levels: usize, field: &str) -> String {
    let mut bomb = String::from("{ user(handle: \"x\") { ...f0 } }");
    for level in 0..levels {
        let next = level + 1;
        bomb.push_str(&format!(
            " fragment f{level} on User {{ a: {field} {{ nodes {{ ...f{next} }} }} \
             b: {field} {{ nodes {{ ...f{next} }} }} c: {field} {{ nodes {{ ...f{next} }} }} }}"
        ));
    }
    bomb.push_str(&format!(" fragment f{levels} on User {{ id }}"));
    bomb
}

#[test]
fn fragments_multiply_within_a_budget() {
    let field = "followers(first: 1)";
    assert!(runs(&bomb(4, field)).is_ok());
    let refused = [ErrorCode::QueryTooComplex, ErrorCode::QueryTooDeep];
    for levels in [10, 20, 30] {
        guard::check_text(&bomb(levels, field)).unwrap();
        let found = runs(&bomb(levels, field)).map(drop);
        assert!(refused.contains(&found.unwrap_err()), "{levels}");
    }
    // The same fragment twice in one place is once; but it is not spread without end.
    let chain = |levels: usize| {
        let mut chain = String::from("{ ...f0 ...f0 }");
        for level in 0..levels {
            let next = level + 1;
            chain.push_str(&format!(" fragment f{level} on Query {{ ...f{next} ...f{next} }}"));
        }
        chain + &format!(" fragment f{levels} on Query {{ __typename }}")
    };
    assert_eq!(runs(&chain(12)).unwrap(), "{__typename}");
    guard::check_text(&chain(130)).unwrap();
    assert_eq!(runs(&chain(130)), Err(ErrorCode::QueryTooComplex));
    // A long text in a fragment that is spread over and over is not copied without end.
    let long = "x".repeat(10_000);
    let spread: String = (0..200).map(|n| format!("a{n}: viewer {{ ...t }} ")).collect();
    let copies = format!(
        "{{ {spread} }} fragment t on Viewer {{ notifications(first: 1, after: \"{long}\") \
         {{ nodes {{ id }} }} }}"
    );
    guard::check_text(&copies).unwrap();
    assert_eq!(runs(&copies), Err(ErrorCode::QueryTooComplex));
}

#[test]
fn overlapping_fields_are_compared_in_bounded_work() {
    // As many fields of one key as fit, in each of two ways: all alike, all different.
    let alike: String = "viewer { user { id } } ".repeat(230);
    assert_eq!(runs(&format!("{{ {alike} }}")).unwrap(), "{viewer{user{id}}}");
    let different: String = (0..400).map(|n| format!("x: a{n} ")).collect();
    assert_eq!(runs(&format!("{{ {different} }}")), Err(ErrorCode::GraphqlValidationFailed));
    // Each level is merged out of two sets that are nowhere together before.
    let mut pairs = String::from("{ user(handle: \"x\") { ...l0 ...r0 } }");
    let level = |own: &str, number: usize| {
        let next = number + 1;
        let inner = |key: &str, way: &str| {
            format!("{key}: followers(first: 1) {{ nodes {{ ...l{next} ...{way}{next} }} }}")
        };
        let [a, b] = [inner("a", "l"), inner("b", "r")];
        format!(" fragment {own}{number} on User {{ {a} {b} }}")
    };
    for number in 0..11 {
        pairs.push_str(&level("l", number));
        pairs.push_str(&level("r", number));
    }
    pairs.push_str(" fragment l11 on User { id } fragment r11 on User { id }");
    guard::check_text(&pairs).unwrap();
    let refused = [ErrorCode::QueryTooComplex, ErrorCode::QueryTooDeep];
    assert!(refused.contains(&runs(&pairs).unwrap_err()));
}

#[test]
fn what_the_standard_tools_ask_passes() {
    let introspection = "query IntrospectionQuery { __schema { queryType { name } types { ...FullType } \
        directives { name locations args { ...InputValue } } } } \
        fragment FullType on __Type { kind name fields(includeDeprecated: true) { name \
        args { ...InputValue } type { ...TypeRef } } inputFields { ...InputValue } \
        interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name } \
        possibleTypes { ...TypeRef } } \
        fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue } \
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { \
        kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } }";
    assert!(runs(introspection).is_ok());
}
