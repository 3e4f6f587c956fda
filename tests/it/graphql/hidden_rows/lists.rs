//! Every list, as a viewer reads it.

use serde_json::{Value, json};

use super::world::{PEOPLE, World, handle};
use crate::app::{Person, TestApp};

/// A list as a viewer sees it, and what should be in it.
pub struct List {
    pub name: String,
    pub query: String,
    pub id: Value,
    pub pointer: &'static str,
    pub key: fn(&Value) -> String,
    pub wanted: Vec<String>,
    /// Whether the order is known.
    pub ordered: bool,
    /// Whether it can be read from its end too.
    pub has_end: bool,
}

pub fn by_id(node: &Value) -> String {
    node["id"].as_str().unwrap().to_owned()
}

pub fn by_handle(node: &Value) -> String {
    node["handle"].as_str().unwrap().to_owned()
}

pub fn by_actor(node: &Value) -> String {
    format!("{} {}", node["kind"].as_str().unwrap(), node["actor"]["handle"].as_str().unwrap())
}

pub const PAGE: &str = "pageInfo { hasNextPage endCursor }";

pub const ARGUMENTS: &str = "first: $first, after: $after";

impl List {
    pub fn new(name: &str, query: &str, pointer: &'static str, wanted: Vec<String>) -> Self {
        let query = query.replace("ARGS", ARGUMENTS).replace("PAGE", PAGE);
        let id = if query.contains("$id") { "$id: ID!, " } else { "" };
        Self {
            name: name.to_owned(),
            query: format!("query({id}$first: Int!, $after: String) {{ {query} }}"),
            id: Value::Null,
            pointer,
            key: by_id,
            wanted,
            ordered: true,
            has_end: false,
        }
    }

    pub fn of(self, id: &str) -> Self {
        Self { id: json!(id), ..self }
    }

    pub fn keyed(self, key: fn(&Value) -> String) -> Self {
        Self { key, ..self }
    }

    pub fn read_from_either_end(self) -> Self {
        Self { has_end: true, ..self }
    }

    /// The same list, read from its end.
    pub fn backwards(&self) -> Self {
        let query =
            self.query.replace("first: $first, after: $after", "last: $first, before: $after");
        let query = query.replace("hasNextPage", "hasNextPage: hasPreviousPage");
        let query = query.replace("endCursor", "endCursor: startCursor");
        let mut wanted = self.wanted.clone();
        if self.ordered {
            wanted.reverse();
        }
        let name = format!("{} from its end", self.name);
        Self { name, query, wanted, id: self.id.clone(), ..*self }
    }

    pub fn in_any_order(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// The whole list, with pages of one size; `None` when a page is not as it must be.
    pub async fn read(
        &self,
        app: &TestApp,
        viewer: &Person,
        first: usize,
    ) -> Result<Vec<String>, String> {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": self.id, "first": first, "after": after });
            let answer = app.ask(viewer, &self.query, variables).await;
            let page = answer.at_or_null(self.pointer);
            if !page.is_object() {
                return Err(format!("no list: {}", answer.body));
            }
            let mut nodes: Vec<String> =
                page["nodes"].as_array().unwrap().iter().map(self.key).collect();
            if self.query.contains("last: $first") {
                nodes.reverse();
            }
            let has_next = page["pageInfo"]["hasNextPage"] == true;
            if has_next && nodes.len() != first {
                return Err(format!("{} of {first} on a page, and more follow", nodes.len()));
            }
            if !has_next && nodes.is_empty() && !seen.is_empty() {
                return Err("a page said that more follow, and nothing did".to_owned());
            }
            seen.extend(nodes);
            if !has_next {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        if !self.ordered {
            seen.sort_unstable();
        }
        Ok(seen)
    }
}

pub fn lists(world: &World, viewer: usize) -> Vec<List> {
    let ids =
        |posts: Vec<usize>| posts.into_iter().map(|post| world.posts[post].id.clone()).collect();
    let sorted = |mut list: Vec<String>| {
        list.sort_unstable();
        list
    };
    let everybody: Vec<usize> = (0..PEOPLE).collect();
    let texts: Vec<usize> = world
        .posts_of(viewer, &everybody)
        .into_iter()
        .filter(|post| world.posts[*post].of.is_none())
        .collect();
    let products: Vec<String> = world
        .products
        .iter()
        .rev()
        .filter(|(_, seller)| world.hears(viewer, *seller))
        .map(|(id, _)| id.clone())
        .collect();
    let people: Vec<String> = everybody
        .iter()
        .filter(|person| world.sees_person(viewer, **person))
        .map(|person| handle(*person))
        .collect();
    let offered = |by: usize| -> Vec<String> {
        let own = world.products.iter().rev().filter(|(_, seller)| *seller == by);
        own.filter(|_| world.hears(viewer, by)).map(|(id, _)| id.clone()).collect()
    };
    let mut lists = vec![
        List::new(
            "home",
            "viewer { home(ARGS) { nodes { id } PAGE } }",
            "/viewer/home",
            ids(world.home(viewer)),
        ),
        List::new(
            "hashtag",
            "hashtag(name: \"tag\") { posts(ARGS) { nodes { id } PAGE } }",
            "/hashtag/posts",
            ids(texts.clone()),
        ),
        List::new("posts", "posts(ARGS) { nodes { id } PAGE }", "/posts", ids(texts.clone())),
        List::new(
            "products",
            "products(ARGS) { nodes { id } PAGE }",
            "/products",
            products.clone(),
        ),
        List::new(
            "products by price",
            "products(orderBy: PRICE_DESCENDING, price: {currency: \"EUR\"}, ARGS) { nodes { id } PAGE }",
            "/products",
            sorted(products.clone()),
        )
        .in_any_order(),
        List::new(
            "postsSearch",
            "postsSearch(query: \"common\", ARGS) { nodes { id } PAGE }",
            "/postsSearch",
            sorted(ids(texts)),
        )
        .in_any_order(),
        List::new(
            "productsSearch",
            "productsSearch(query: \"common\", ARGS) { nodes { id } PAGE }",
            "/productsSearch",
            sorted(products),
        )
        .in_any_order(),
        List::new(
            "peopleSearch",
            "peopleSearch(query: \"person\", ARGS) { nodes { handle } PAGE }",
            "/peopleSearch",
            sorted(people),
        )
        .keyed(by_handle)
        .in_any_order(),
        List::new(
            "notifications",
            "viewer { notifications(ARGS) { nodes { kind actor { handle } } PAGE } }",
            "/viewer/notifications",
            world.notifications(viewer),
        )
        .keyed(by_actor)
        .in_any_order(),
    ];
    for other in everybody.iter().copied() {
        if !world.reads(viewer, other) {
            continue;
        }
        let person = &world.people[other].id;
        let on = |name: &str, field: &str, pointer, wanted| {
            let query = format!("node(id: $id) {{ ... on User {{ {field} }} }}");
            List::new(&format!("{name} of {}", handle(other)), &query, pointer, wanted).of(person)
        };
        let edges = |pick: fn(&(usize, usize)) -> (usize, usize)| -> Vec<String> {
            world
                .follows
                .iter()
                .rev()
                .map(pick)
                .filter(|(at, person)| *at == other && world.sees_person(viewer, *person))
                .map(|(_, person)| handle(person))
                .collect()
        };
        lists.extend([
            on(
                "posts",
                "posts(ARGS) { nodes { id } PAGE }",
                "/node/posts",
                ids(world.posts_of(viewer, &[other])),
            )
            .read_from_either_end(),
            on(
                "products",
                "products(ARGS) { nodes { id } PAGE }",
                "/node/products",
                offered(other),
            )
            .read_from_either_end(),
            on(
                "followers",
                "followers(ARGS) { nodes { handle } PAGE }",
                "/node/followers",
                edges(|(from, to)| (*to, *from)),
            )
            .keyed(by_handle)
            .read_from_either_end(),
            on(
                "following",
                "following(ARGS) { nodes { handle } PAGE }",
                "/node/following",
                edges(|edge| *edge),
            )
            .keyed(by_handle)
            .read_from_either_end(),
        ]);
    }
    for (number, post) in world.posts.iter().enumerate() {
        if post.of.is_some() || !world.sees_post(viewer, number) {
            continue;
        }
        let heard = |answers: Option<usize>| -> Vec<String> {
            world
                .comments
                .iter()
                .filter(|comment| comment.post == number && comment.answers == answers)
                .filter(|comment| world.hears(viewer, comment.author))
                .map(|comment| comment.id.clone())
                .collect()
        };
        if world.comments.iter().any(|comment| comment.post == number) {
            let query = "post(id: $id) { comments(ARGS) { nodes { id } PAGE } }";
            lists.push(
                List::new(&format!("comments of {number}"), query, "/post/comments", heard(None))
                    .of(&post.id)
                    .read_from_either_end(),
            );
        }
        let on = |field: &str, pointer, wanted| {
            let query = format!("post(id: $id) {{ {field} }}");
            List::new(&format!("{field} of {number}"), &query, pointer, wanted).of(&post.id)
        };
        let likers = (0..PEOPLE)
            .filter(|person| world.likes.contains(&(*person, number)))
            .filter(|person| world.sees_person(viewer, *person))
            .map(handle)
            .collect();
        let reposts = world.posts_of(viewer, &everybody).into_iter();
        let reposts =
            ids(reposts.filter(|repost| world.posts[*repost].of == Some(number)).collect());
        lists.extend([
            on("likers(ARGS) { nodes { handle } PAGE }", "/post/likers", likers)
                .keyed(by_handle)
                .in_any_order()
                .read_from_either_end(),
            on("reposts(ARGS) { nodes { id } PAGE }", "/post/reposts", reposts)
                .read_from_either_end(),
        ]);
        for (parent, comment) in world.comments.iter().enumerate() {
            let answered = world.comments.iter().any(|answer| answer.answers == Some(parent));
            if comment.post == number && answered && world.hears(viewer, comment.author) {
                let query =
                    "node(id: $id) { ... on Comment { replies(ARGS) { nodes { id } PAGE } } }";
                lists.push(
                    List::new(
                        &format!("replies of {parent}"),
                        query,
                        "/node/replies",
                        heard(Some(parent)),
                    )
                    .of(&comment.id)
                    .read_from_either_end(),
                );
            }
        }
    }
    lists
}
