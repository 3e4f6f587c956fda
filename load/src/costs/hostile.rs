//! Shapes that an attacker would send: much work for few points, if a price is wrong.

use serde_json::{Value, json};

use super::operation::{By, Inputs, Operation};
use super::queries::{LARGEST, WORDS};
use super::world::World;

/// How often one field comes in a request.
const TIMES: usize = 60;
/// The front page of a client, as README shows it.
const FEED: &str = "{ viewer { home(first: 20) { edges { node { text author { handle } likeCount
    comments(first: 3) { edges { node { text author { handle } } } } } }
    pageInfo { hasNextPage endCursor } } } }";

/// A field so many times, each under a name of its own.
fn aliases(times: usize, field: &str) -> String {
    (0..times).map(|number| format!("a{number}: {field} ")).collect()
}

/// The same, each with something of its own in place of `$`.
fn aliases_of<'a>(each: impl IntoIterator<Item = &'a str>, field: &str) -> String {
    let each = each.into_iter().enumerate();
    each.map(|(number, one)| format!("a{number}: {} ", field.replace('$', one))).collect()
}

/// Queries of one text, without variables.
fn fixed(world: &World) -> Vec<(&'static str, String)> {
    let (author, tag) = (&world.author.handle, &world.hidden_tag);
    let page = "{ pageInfo { hasNextPage } }";
    let followers = format!("user(handle: \"{author}\") {{ followers(first: 100) {page} }}");
    let posts = format!("user(handle: \"{author}\") {{ posts(first: 100) {{ nodes {{ id }} }} }}");
    let hidden = format!("hashtag(name: \"{tag}\") {{ posts(first: 1) {page} }}");
    let count = format!("hashtag(name: \"{tag}\") {{ postCount }}");
    let groups = format!("notificationGroups(first: 1) {page}");
    let viewer = |fields: String| format!("{{ viewer {{ {fields} }} }}");
    let analytics = |fields: String| viewer(format!("analytics {{ {fields} }}"));
    let any = WORDS.join(" or ");
    let search = |field: &str| format!("{{ {field}(query: \"{any}\", first: 100) {page} }}");
    let handles = world.people.iter().map(|(handle, _)| handle.as_str()).take(TIMES);
    let many = format!("user(handle: \"$\") {{ followers(first: 100) {page} }}");
    let nobody: Vec<String> = (0..150).map(|number| format!("nobody_is_{number}")).collect();
    let unknown = aliases_of(nobody.iter().map(String::as_str), "user(handle: \"$\") { id }");
    vec![
        ("README's feed", FEED.to_owned()),
        (
            "60 x one key: user.followers(100){pageInfo}",
            format!("{{ {} }}", format!("{followers} ").repeat(TIMES)),
        ),
        (
            "60 aliases: user.followers(100){pageInfo}",
            format!("{{ {} }}", aliases(TIMES, &followers)),
        ),
        ("60 users: followers(100){pageInfo}", format!("{{ {} }}", aliases_of(handles, &many))),
        (
            "60 x one key: user.posts(100){id}",
            format!("{{ {} }}", format!("{posts} ").repeat(TIMES)),
        ),
        ("60 x one key: notificationGroups(1)", viewer(format!("{groups} ").repeat(TIMES))),
        ("100 aliases: notificationGroups(1)", viewer(aliases(100, &groups))),
        ("300 aliases: unreadNotificationCount", viewer(aliases(300, "unreadNotificationCount"))),
        (
            "60 aliases: home(100){pageInfo}",
            viewer(aliases(TIMES, &format!("home(first: 100) {page}"))),
        ),
        (
            "60 aliases: products(100){pageInfo}",
            format!("{{ {} }}", aliases(TIMES, &format!("products(first: 100) {page}"))),
        ),
        (
            "hidden rows, 60 aliases: hashtag.posts(1){pageInfo}",
            format!("{{ {} }}", aliases(TIMES, &hidden)),
        ),
        ("hidden rows, 100 aliases: hashtag.postCount", format!("{{ {} }}", aliases(100, &count))),
        (
            "100 aliases: analytics.topProducts(1)",
            analytics(aliases(100, "topProducts(first: 1) { units }")),
        ),
        (
            "100 aliases: analytics.views(100, MINUTE){reach}",
            analytics(aliases(100, "views(last: 100, size: MINUTE) { reach }")),
        ),
        ("150 unknown handles", format!("{{ {unknown} }}")),
        ("postsSearch, 8 common words by `or`", search("postsSearch")),
        ("productsSearch, 8 common words by `or`", search("productsSearch")),
        ("peopleSearch, 8 common words by `or`", search("peopleSearch")),
    ]
}

fn inputs(inputs: impl Iterator<Item = Value>) -> Inputs {
    Inputs::Once(inputs.map(|input| json!({ "input": input })).collect())
}

/// Every one of them.
pub fn hostile(world: &World) -> Vec<Operation> {
    let queries = fixed(world).into_iter();
    let mut all: Vec<Operation> =
        queries.map(|(name, text)| Operation::query(name, text, Vec::new())).collect();
    let things = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { handle followers(first: 40) { pageInfo { hasNextPage } } }
        ... on Post { text author { handle } comments(first: 40) { pageInfo { hasNextPage } } } } }";
    let ids = world.things();
    let ids = ids.chunks(LARGEST).map(|ids| json!({ "ids": ids })).collect();
    all.push(Operation::query("100 ids: nodes, with a page of each", things.to_owned(), ids));

    let post = "mutation($input: PostCreateInput!) { postCreate(input: $input) { post { id } userErrors { code } } }";
    let mentions: String =
        world.people.iter().take(20).map(|(handle, _)| format!("@{handle} ")).collect();
    let text = |text: String| move |number: u32| json!({ "text": format!("{text}{number}") });
    let mentioning = inputs((0..200).map(text(mentions)));
    all.push(Operation::mutation("postCreate with 20 mentions", post.to_owned(), mentioning));
    let posts = inputs((0..200).map(text("To everybody: ".to_owned())));
    all.push(
        Operation::mutation("postCreate to the most followers", post.to_owned(), posts)
            .by(By::Author),
    );
    let record = "mutation($input: PostViewsRecordInput!) { postViewsRecord(input: $input) { recorded userErrors { code } } }";
    let views = world.posts.chunks(LARGEST).map(|ids| json!({ "input": { "postIds": ids } }));
    let views = Inputs::Again(views.collect());
    all.push(
        Operation::mutation("100 ids: postViewsRecord, anonymous", record.to_owned(), views)
            .by(By::Nobody),
    );
    let log_in = "mutation($input: LogInInput!) { logIn(input: $input) { accessToken userErrors { code } } }";
    // Each account once: none is locked.
    let wrong = world.people.iter().take(40);
    let wrong =
        inputs(wrong.map(|(handle, _)| json!({ "handle": handle, "password": "not theirs" })));
    all.push(Operation {
        may_say: &["INVALID_CREDENTIALS"],
        ..Operation::mutation("logIn with a wrong password", log_in.to_owned(), wrong)
            .by(By::Nobody)
    });
    all
}

#[cfg(test)]
mod tests {
    use super::super::checked;
    use super::*;

    #[test]
    fn every_shape_is_one_that_is_let_through() {
        let all = hostile(&checked::world());
        assert!(all.len() > 20);
        for operation in &all {
            assert!(checked::weigh(operation) > 0 && operation.most() > 0, "{}", operation.name);
        }
    }

    #[test]
    fn a_field_comes_as_often_as_its_name_says() {
        assert_eq!(aliases(2, "id"), "a0: id a1: id ");
        assert_eq!(
            aliases_of(["x", "y"], "user(handle: \"$\")"),
            "a0: user(handle: \"x\") a1: user(handle: \"y\") "
        );
        let all = hostile(&checked::world());
        let of = |start: &str| all.iter().find(|one| one.name.starts_with(start)).unwrap();
        assert_eq!(of("60 x one key: user.followers").text.matches("followers").count(), 60);
        assert_eq!(of("60 users").text.matches("followers").count(), 60);
        assert_eq!(
            of("100 aliases: notificationGroups").text.matches("notificationGroups").count(),
            100
        );
        let mentions = of("postCreate with 20").variables(3).unwrap();
        assert_eq!(mentions["input"]["text"].as_str().unwrap().matches('@').count(), 20);
    }
}
