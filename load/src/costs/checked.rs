//! What the tests of the builders check operations with: plaza's own schema, checks and prices.

use plaza::graphql::{cost, document};

use super::operation::Operation;
use super::world::{Who, World};
use crate::client::global_id;

/// The schema as served.
pub fn sdl() -> String {
    plaza::graphql::schema::sdl()
}

/// What the first request of an operation may cost, which the schema must take and the bounds
/// allow.
pub fn weigh(operation: &Operation) -> u64 {
    let Operation { name, text, .. } = operation;
    let variables = operation.variables(0).cloned().unwrap_or_default();
    let variables = variables.as_object().cloned().unwrap_or_default();
    let checked = document::check(text, None, variables, true)
        .unwrap_or_else(|problems| panic!("{name}: {text}: {problems:?}"));
    plaza::graphql::guard::check_text(text).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
    cost::weigh(checked.runs.document(), &checked.variables)
        .unwrap_or_else(|refused| panic!("{name}: {refused:?}"))
        .cost
}

/// A world of nobody.
pub fn world() -> World {
    let ids = |noun: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{noun}{number}")).collect()
    };
    let who = |name: &str| Who {
        id: format!("{name}-id"),
        handle: name.to_owned(),
        token: format!("{name}-token"),
    };
    World {
        stamp: "1".to_owned(),
        password: "a password".to_owned(),
        viewer: who("viewer"),
        author: who("author"),
        other: who("other"),
        people: ids("person", 250).into_iter().map(|handle| (handle.clone(), handle)).collect(),
        posts: ids("post", 120),
        own_posts: ids("own", 10),
        thread: "own0".to_owned(),
        tag: "tag".to_owned(),
        hidden_tag: "hidden".to_owned(),
        products: ids("product", 10),
        own_products: ids("mine", 1),
        sold: "sold".to_owned(),
        orders: ids("order", 3),
        asking: ids("asking", 20),
        sessions: ids("session", 4),
        session_tokens: ids("token", 4),
        kept: [
            ("postCreate", ids("new", 9)),
            ("postLike", ids("post", 9)),
            ("postRepost", ids("post", 9)),
            ("imageCreate", ids("image", 9)),
            ("orderPlace", ids("order", 9)),
            ("signUp", (1..10).map(|number| global_id("Viewer", number)).collect()),
            ("userFollow", ids("person", 9)),
            ("userBlock", ids("person", 9)),
            ("logIn", ids("refresh", 9)),
        ]
        .map(|(name, ids)| (name.to_owned(), ids))
        .into(),
        newest_notification: Some("notification".to_owned()),
    }
}
