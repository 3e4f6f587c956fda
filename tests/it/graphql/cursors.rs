//! Cursors: each is good for the list that it was given out by, and tells nothing. The lists are
//! read from the schema, so that one that is added is asked without anybody thinking of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::every_path::paths::Schema;
use crate::app::{Answer, Person, TestApp, with_app};

/// Aliases asked for in one query.
const TOGETHER: usize = 10;

/// A person, with one of everything that has lists.
struct Owner {
    handle: &'static str,
    person: Person,
    post: String,
    comment: String,
    hashtag: &'static str,
}

/// One list of one owner.
struct List {
    /// `User.posts of ann`.
    name: String,
    asks: Person,
    /// What comes around the call.
    around: (String, &'static str),
    field: String,
    arguments: String,
    /// Whether it is read from its end.
    from_end: bool,
}

impl List {
    fn call(&self, alias: &str, after: Option<&str>) -> String {
        let (count, place) = if self.from_end { ("last", "before") } else { ("first", "after") };
        let after = after.map(|after| format!(", {place}: {}", json!(after))).unwrap_or_default();
        format!(
            "{alias}: {}({count}: 1{}{after}) {{ edges {{ cursor }} pageInfo {{ startCursor endCursor }} }}",
            self.field, self.arguments
        )
    }

    async fn ask(&self, app: &TestApp, calls: &[String]) -> Answer {
        let query = format!("{{ {} {} {} }}", self.around.0, calls.join(" "), self.around.1);
        let authorization = format!("Bearer {}", self.asks.token);
        app.send(&[("authorization", &authorization)], &query, json!({})).await
    }
}

async fn owner(app: &TestApp, handle: &'static str, hashtag: &'static str) -> Owner {
    let person = app.sign_up(handle).await;
    let post = app.post(&person, &format!("about #{hashtag} by {handle}")).await;
    let say = "mutation($post: ID!, $to: ID) { commentCreate(input: {postId: $post, text: \"so\", inReplyToId: $to}) { comment { id } } }";
    let comment =
        app.ask(&person, say, json!({ "post": post })).await.text("/commentCreate/comment/id");
    app.ask(&person, say, json!({ "post": post, "to": comment })).await;
    Owner { handle, person, post, comment, hashtag }
}

/// Gives both owners followers, orders, notifications, requests, and who likes and shares a post.
async fn between(app: &TestApp, a: &Owner, b: &Owner) {
    let offer = "mutation { productCreate(input: {title: \"about a chair\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
    let buy = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
    for (one, other) in [(a, b), (b, a)] {
        app.follow(&one.person, &other.person).await;
        let product =
            app.ask(&one.person, offer, json!({})).await.text("/productCreate/product/id");
        app.ask(&other.person, buy, json!({ "id": product })).await;
        let share = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } }
            postRepost(input: {postId: $id}) { userErrors { code } }
            postCreate(input: {text: \"look\", quotedPostId: $id}) { userErrors { code } } }";
        app.ask(&other.person, share, json!({ "id": one.post })).await;
    }
    let asks = app.sign_up("asks").await;
    let hide = "mutation { profileUpdate(input: {isPrivate: true}) { user { id } } }";
    app.ask(&asks, hide, json!({})).await;
    let blocked = app.sign_up("foe_one").await;
    for one in [a, b] {
        let block =
            "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&one.person, block, json!({ "id": blocked.id })).await;
        app.ask(&one.person, hide, json!({})).await;
        let ask = "mutation($id: ID!) { userFollow(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&asks, ask, json!({ "id": one.person.id })).await;
        app.ask(&one.person, ask, json!({ "id": asks.id })).await;
    }
}

/// Every list that the schema has, of each owner.
fn lists(schema: &Schema, owners: &[&Owner]) -> Vec<List> {
    let mut all = Vec::new();
    for (object, field_of) in schema.lists() {
        let field = field_of.name.node.as_str();
        for owner in owners {
            let around = match object {
                "Query" => (String::new(), ""),
                "Viewer" => ("viewer {".to_owned(), "}"),
                "User" => (format!("user(handle: \"{}\") {{", owner.handle), "}"),
                "Post" => (format!("post(id: \"{}\") {{", owner.post), "}"),
                "Comment" => {
                    (format!("node(id: \"{}\") {{ ... on Comment {{", owner.comment), "} }")
                }
                "Hashtag" => (format!("hashtag(name: \"{}\") {{", owner.hashtag), "}"),
                other => panic!("teach this test where a {other} is found"),
            };
            // What everybody is asked for alike is one list; a search is by its words.
            let (of, arguments) = match (object, field) {
                ("Query", name) if name.ends_with("Search") => {
                    let query = if owner.handle == "ann" { "about" } else { "ann" };
                    (query, format!(", query: \"{query}\""))
                }
                ("Query", _) if owner.handle != "ann" => continue,
                _ => (owner.handle, String::new()),
            };
            let has_end = field_of.arguments.iter().any(|input| input.node.name.node == "last");
            for from_end in [false, true].into_iter().filter(|from_end| has_end || !from_end) {
                all.push(List {
                    name: format!("{object}.{field} of {of}"),
                    asks: owner.person.clone(),
                    around: around.clone(),
                    field: field.to_owned(),
                    arguments: arguments.clone(),
                    from_end,
                });
            }
        }
    }
    all
}

/// The texts under the key `cursor`, `startCursor` or `endCursor`, wherever they stand.
fn cursors(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name.to_lowercase().ends_with("cursor") => {
                        found.push(text.to_owned());
                    }
                    _ => cursors(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| cursors(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_own_list_and_for_no_other() {
    with_app(async |app| {
        let ann = owner(app, "ann", "chairs").await;
        let bob = owner(app, "bob", "tables").await;
        between(app, &ann, &bob).await;
        let schema = Schema::parse(&plaza::graphql::schema::schema().sdl());
        let lists = lists(&schema, &[&ann, &bob]);
        let mut given: Vec<(usize, String)> = Vec::new();
        for (number, list) in lists.iter().enumerate() {
            // What is counted by projections comes in its time.
            let mut found = Vec::new();
            app.until(&format!("something is in {}", list.name), async || {
                let answer = list.ask(app, &[list.call("list", None)]).await;
                let mut here = Vec::new();
                cursors(&answer.body["data"], &mut here);
                !here.is_empty()
                    || list.name == "Query.peopleSearch of about"
                    || list.name == "Query.productsSearch of ann"
            })
            .await;
            let answer = list.ask(app, &[list.call("list", None)]).await;
            cursors(&answer.body["data"], &mut found);
            found.dedup();
            given.extend(found.into_iter().map(|cursor| (number, cursor)));
        }
        for list in &lists {
            let is_own = |(of, _): &&(usize, String)| lists[*of].name == list.name;
            for (_, cursor) in given.iter().filter(is_own) {
                let answer = list.ask(app, &[list.call("list", Some(cursor))]).await;
                assert!(answer.body.get("errors").is_none(), "{}: {}", list.name, answer.body);
            }
            let foreign: Vec<&(usize, String)> =
                given.iter().filter(|given| !is_own(given)).collect();
            for some in foreign.chunks(TOGETHER) {
                let calls: Vec<String> = some
                    .iter()
                    .enumerate()
                    .map(|(at, (_, cursor))| list.call(&format!("a{at}"), Some(cursor)))
                    .collect();
                let answer = list.ask(app, &calls).await;
                let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
                let from: Vec<&str> = some.iter().map(|(of, _)| lists[*of].name.as_str()).collect();
                assert_eq!(
                    errors.len(),
                    some.len(),
                    "{} given {from:?}: {}",
                    list.name,
                    answer.body
                );
                for error in errors {
                    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{error}");
                    let message = error["message"].as_str().unwrap();
                    assert!(message.contains("not a cursor of this list"), "{message}");
                }
            }
        }
        // What lies at a place is not told: no number of a row is in any cursor.
        let ids = [&ann, &bob].map(|owner| [&owner.post, &owner.comment, &owner.person.id]);
        for id in ids.iter().flatten() {
            let global = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
            let number: i64 = global.rsplit_once(':').unwrap().1.parse().unwrap();
            for (of, cursor) in &given {
                let bytes = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
                let holds = |part: &[u8]| bytes.windows(part.len()).any(|here| here == part);
                let told = holds(number.to_string().as_bytes()) || holds(&number.to_be_bytes());
                assert!(!told, "{} tells of {global}", lists[*of].name);
            }
        }
    })
    .await;
}
