//! Mentions and hashtags: what is found in a text, who is told, and what is under a hashtag.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app};

const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) {
    post { id text entities { kind start end user { handle } hashtag } } userErrors { code path message } } }";
const TOLD: &str = "{ viewer { notifications(first: 20) { nodes { kind actor { handle } post { text } comment { text } } } } }";
const TAGGED: &str =
    "query($name: String!, $first: Int!, $after: String) { hashtag(name: $name) { name postCount posts(first: $first, after: $after) {
    nodes { text } pageInfo { hasNextPage endCursor } } } }";

async fn told(app: &TestApp, person: &Person) -> Value {
    app.ask(person, TOLD, json!({})).await.at("/viewer/notifications/nodes")
}

/// The texts under a hashtag, page by page.
async fn tagged(app: &TestApp, person: &Person, name: &str, first: usize) -> Vec<String> {
    let (mut texts, mut after) = (Vec::new(), Value::Null);
    loop {
        let page =
            app.ask(person, TAGGED, json!({ "name": name, "first": first, "after": after })).await;
        let nodes = page.at("/hashtag/posts/nodes");
        texts.extend(
            nodes.as_array().unwrap().iter().map(|node| node["text"].as_str().unwrap().to_owned()),
        );
        if page.at("/hashtag/posts/pageInfo/hasNextPage") == false {
            return texts;
        }
        after = page.at("/hashtag/posts/pageInfo/endCursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mentioned_are_told_if_they_may_see_it_and_places_are_in_utf16() {
    with_app(async |app| {
        let (ann, bob, eve) = (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        let text = "\u{1f33f} @BOB and @nobody_here, @ann: #Stra\u{df}e!";
        let made = app.ask(&ann, POST, json!({ "text": text })).await;
        let must = json!([
            { "kind": "MENTION", "start": 3, "end": 7, "user": { "handle": "bob" }, "hashtag": null },
            { "kind": "MENTION", "start": 26, "end": 30, "user": { "handle": "ann" }, "hashtag": null },
            { "kind": "HASHTAG", "start": 32, "end": 39, "user": null, "hashtag": "strasse" },
        ]);
        assert_eq!(made.at("/postCreate/post/entities"), must);
        let linked = "\u{1f33f} https://example.org/@bob #leaf";
        let query = POST.replace("hashtag }", "hashtag url }");
        let with_link = app.ask(&ann, &query, json!({ "text": linked })).await;
        let must = json!([
            { "kind": "LINK", "start": 3, "end": 27, "user": null, "hashtag": null, "url": "https://example.org/@bob" },
            { "kind": "HASHTAG", "start": 28, "end": 33, "user": null, "hashtag": "leaf", "url": null },
        ]);
        assert_eq!(with_link.at("/postCreate/post/entities"), must);
        let post = made.text("/postCreate/post/id");
        let mention = json!({ "kind": "MENTION", "actor": { "handle": "ann" }, "post": { "text": text }, "comment": null });
        app.until("bob is told", async || told(app, &bob).await == json!([mention])).await;
        assert_eq!(told(app, &ann).await, json!([]), "oneself one does not tell");

        // In a comment: whoever is told of the comment anyway is told once.
        let comment = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text}) { comment { entities { user { handle } } } } }";
        let written = app.ask(&bob, comment, json!({ "id": post, "text": "@ann, show @eve" })).await;
        assert_eq!(written.at("/commentCreate/comment/entities/1/user/handle"), "eve");
        let seen = json!({ "kind": "MENTION", "actor": { "handle": "bob" }, "post": { "text": text }, "comment": { "text": "@ann, show @eve" } });
        app.until("eve is told", async || told(app, &eve).await == json!([seen])).await;
        app.until("ann is told", async || told(app, &ann).await.as_array().unwrap().len() == 1).await;
        assert_eq!(told(app, &ann).await[0]["kind"], "COMMENTED");

        // Blocked people are neither found nor told; what somebody private wrote is told to nobody
        // who may not see it.
        let block = "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&eve, block, json!({ "id": ann.id })).await;
        app.until("ann no longer finds eve", async || {
            let made = app.ask(&ann, POST, json!({ "text": "@eve?" })).await;
            made.at("/postCreate/post/entities") == json!([])
        })
        .await;
        app.ask(&ann, "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }", json!({})).await;
        app.until("bob no longer sees it", async || told(app, &bob).await == json!([])).await;
        app.ask(&ann, POST, json!({ "text": "in private, @bob" })).await;
        let stored = "SELECT count(*) FROM notifications n JOIN users u ON u.id = n.user_id WHERE u.handle = 'bob' AND n.kind = 'MENTION'";
        app.until("it is stored", async || app.count(stored).await == 2).await;
        assert_eq!(told(app, &bob).await, json!([]));
        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }";
        app.ask(&ann, "mutation { profileUpdate(input: {isPrivate: false}) { user { isPrivate } } }", json!({})).await;
        app.until("bob sees both", async || told(app, &bob).await.as_array().unwrap().len() == 2).await;
        app.ask(&ann, delete, json!({ "id": post })).await;
        app.until("what is deleted is not told", async || told(app, &bob).await.as_array().unwrap().len() == 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_are_refused_with_nothing_written() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let mut handles = String::new();
        for number in 0..21 {
            app.sign_up(&format!("p{number:02}")).await;
            handles.push_str(&format!("@p{number:02} "));
        }
        let tags: String = (0..21).map(|number| format!("#t{number} ")).collect();
        for text in [handles.clone(), tags, "@ann ".repeat(101), "@p01 ".repeat(400)] {
            let refused = app.ask(&ann, POST, json!({ "text": text })).await;
            assert_eq!(refused.text("/postCreate/userErrors/0/code"), "LIMIT_EXCEEDED", "{text}");
            assert_eq!(refused.at("/postCreate/userErrors/0/path"), json!(["input", "text"]));
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 0);
        // What is like a handle and nobody's is just text, however often.
        let made =
            app.ask(&ann, POST, json!({ "text": (0..390).map(|number| format!("@q{number:02} ")).collect::<String>()[..1_990] })).await;
        assert_eq!(made.at("/postCreate/post/entities"), json!([]));
        let long = format!("#{} @{}", "x".repeat(500), "y".repeat(500));
        assert_eq!(app.ask(&ann, POST, json!({ "text": long })).await.at("/postCreate/post/entities"), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashtag_gathers_posts_of_every_shard_newest_first_without_repeats() {
    with_app(async |app| {
        let reader = app.sign_up("reader").await;
        let mut must = Vec::new();
        let mut authors = Vec::new();
        for number in 0..8 {
            authors.push(app.sign_up(&format!("author{number}")).await);
        }
        for round in 0..3 {
            for (number, author) in authors.iter().enumerate() {
                let tag = ["#Caf\u{e9}", "#cafe\u{301}", "#CAF\u{c9}"][round];
                let text = format!("{round}/{number} {tag} {tag}");
                app.post(author, &text).await;
                must.push(text);
            }
        }
        must.reverse();
        for first in [1, 5, 100] {
            app.until("all are there", async || {
                tagged(app, &reader, "#CAF\u{c9}", first).await == must
            })
            .await;
        }
        let one = app.ask(&reader, TAGGED, json!({ "name": "cafe\u{301}", "first": 1 })).await;
        assert_eq!(
            (one.text("/hashtag/name"), one.at("/hashtag/postCount")),
            ("caf\u{e9}".to_owned(), json!(24))
        );

        // A person who became private is left out of both; a deleted post too.
        app.ask(
            &authors[0],
            "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }",
            json!({}),
        )
        .await;
        let last = app.post(&authors[1], "gone #caf\u{e9}").await;
        app.ask(
            &authors[1],
            "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }",
            json!({ "id": last }),
        )
        .await;
        must.retain(|text| !text.contains("/0 "));
        app.until("of those who may be seen", async || {
            tagged(app, &reader, "caf\u{e9}", 4).await == must
        })
        .await;
        app.until("counted alike", async || {
            app.ask(&reader, TAGGED, json!({ "name": "caf\u{e9}", "first": 1 }))
                .await
                .at_or_null("/hashtag/postCount")
                == 21
        })
        .await;
        for none in ["", "#", "a b", "123", &"x".repeat(101), &"x".repeat(5_000), "a\u{0}b"] {
            assert_eq!(
                app.ask(&reader, TAGGED, json!({ "name": none, "first": 1 })).await.at("/hashtag"),
                Value::Null,
                "{none:?}"
            );
        }
        let empty =
            app.ask(&reader, TAGGED, json!({ "name": "nobody_wrote_this", "first": 1 })).await;
        assert_eq!(
            (empty.at("/hashtag/postCount"), empty.at("/hashtag/posts/nodes")),
            (json!(0), json!([]))
        );
    })
    .await;
}
