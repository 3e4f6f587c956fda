//! Events are resolved once for many: each viewer gets what the library would have given them, and
//! more of them cost no more statements.

use std::time::Duration;

use serde_json::{Value, json};

use super::Socket;
use super::resume::streams;
use crate::app::{Person, TestApp, with_app, with_config};
use crate::event_streams::Events;
use crate::graphql::statement_budgets::quiet;

/// Of everything that plans cover below a post, much of it each viewer's own.
const ALL: &str = "subscription($n: Int!, $after: String) { new: homeUpdated(after: $after) {
      __typename at: cursor cursor node { ...post comments(first: $n) {
        edges { cursor node { text author { ...person } } } pageInfo { hasNextPage endCursor } }
        author { posts(first: 2) { edges { cursor node { text } } } } } } }
    fragment post on Post { __typename id text isQuote createdAt author { ...person }
      viewerHasLiked viewerHasReposted likeCount commentCount repostCount quoteCount
      entities { kind start end user { handle } hashtag url } images { id url(size: SMALL) }
      quotedPost { ...shared } repostOf { ...shared }
      product { title seller { handle } price { amount currency } } }
    fragment shared on Post { text liked: viewerHasLiked viewerHasReposted likeCount
      author { ...person } comments(first: 25) { nodes { text author { handle } } } }
    fragment person on User { id handle displayName isPrivate followerCount postCount
      viewerIsFollowing viewerIsBlocking viewerHasRequestedToFollow isFollowingViewer }";

async fn act(app: &TestApp, person: &Person, mutation: &str, field: &str, id: &str) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{{field}: $id}}) {{ userErrors {{ code }} }} }}"
    );
    let answer = app.ask(person, &query, json!({ "id": id })).await;
    assert_eq!(answer.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

async fn quote(app: &TestApp, person: &Person, text: &str, of: &str) {
    let query = "mutation($text: String!, $of: ID!) {
        postCreate(input: {text: $text, quotedPostId: $of}) { userErrors { code } } }";
    let answer = app.ask(person, query, json!({ "text": text, "of": of })).await;
    assert_eq!(answer.at("/postCreate/userErrors"), json!([]));
}

async fn comment(app: &TestApp, person: &Person, on: &str, text: &str) {
    let query = "mutation($text: String!, $on: ID!) {
        commentCreate(input: {text: $text, postId: $on}) { userErrors { code } } }";
    app.ask(person, query, json!({ "text": text, "on": on })).await;
}

/// A viewer's stream by the library, and two that share what they can.
struct Listening {
    of: [Events; 3],
    heard: [Vec<String>; 3],
}

fn post_of(event: &str) -> String {
    let event: Value = serde_json::from_str(event).unwrap();
    let text = event.pointer("/data/new/node/text").and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{event}")).to_owned()
}

impl Listening {
    async fn of(app: &TestApp, person: &Person, after: Value) -> Self {
        let given = json!({ "n": 2, "after": after });
        let by = async |engine| Events::by(app, engine, person, ALL, given.clone()).await;
        let of = [by("general").await, by("plan").await, by("plan").await];
        Self { of, heard: Default::default() }
    }

    /// Whether all of them hear; they may be told something meanwhile.
    async fn hear(&mut self) -> bool {
        const MOMENT: Duration = Duration::from_secs(2);
        for (events, heard) in self.of.iter_mut().zip(&mut self.heard) {
            if heard.is_empty() {
                let Ok(event) = tokio::time::timeout(MOMENT, events.text()).await else {
                    return false;
                };
                heard.push(event.unwrap());
            }
        }
        true
    }

    /// Listens until a post has come.
    async fn until(&mut self, text: &str) {
        for (events, heard) in self.of.iter_mut().zip(&mut self.heard) {
            while heard.last().is_none_or(|last| post_of(last) != text) {
                heard.push(events.text().await.unwrap());
            }
        }
    }

    /// What was heard, the same by all of them, without what was said to find out whether they
    /// listen.
    fn compared(&self) -> Vec<Value> {
        let [general, one, other] = self.heard.each_ref().map(|heard| {
            let said = heard.iter().filter(|event| !post_of(event).starts_with("sync"));
            said.collect::<Vec<_>>()
        });
        assert_eq!((&one, &other), (&general, &general));
        let node = |event: &&String| {
            let event: Value = serde_json::from_str(event).unwrap();
            event["data"]["new"].clone()
        };
        general.iter().map(node).collect()
    }
}

/// Posts until all of them hear.
async fn all_hear(app: &TestApp, by: &Person, all: &mut [Listening]) {
    let started = std::time::Instant::now();
    for number in 0.. {
        app.post(by, &format!("sync {number}")).await;
        let mut hear = true;
        for listening in all.iter_mut() {
            hear &= listening.hear().await;
        }
        if hear {
            return;
        }
        assert!(started.elapsed() < crate::wait::LIMIT, "somebody does not hear");
    }
}

/// Whom a viewer is shown as quoted by each post of theirs that came.
fn quoted(events: &[Value]) -> Vec<(String, Value)> {
    let of = |event: &Value| {
        let node = &event["node"];
        let author = node["quotedPost"]["author"]["handle"].clone();
        (node["text"].as_str().unwrap_or_default().to_owned(), author)
    };
    events.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_the_library_would_give_them_byte_by_byte() {
    let generous = |config: &mut plaza::config::Config| config.limits.viewer_points = 1 << 50;
    with_config(generous, async |app| {
        let names = ["ann", "zoe", "bob", "cyd", "dan", "fay", "gus", "hal", "ivy", "warden"];
        let mut people = Vec::new();
        for name in names {
            people.push(app.sign_up(name).await);
        }
        let [ann, zoe, bob, cyd, dan, fay, gus, hal, ivy, warden] = &people[..] else {
            panic!("ten people")
        };
        for viewer in [bob, cyd, dan] {
            app.follow(viewer, ann).await;
            app.follow(viewer, zoe).await;
        }
        app.follow(ann, zoe).await;
        app.follow(cyd, fay).await;
        app.follow(ann, cyd).await;
        act(app, gus, "userBlock", "userId", &bob.id).await;
        act(app, dan, "userBlock", "userId", &hal.id).await;
        let mut posts = Vec::new();
        for (author, name) in [(fay, "fay"), (gus, "gus"), (hal, "hal"), (ivy, "ivy")] {
            posts.push(app.post(author, &format!("by {name}")).await);
        }
        for by in [gus, hal, cyd] {
            comment(app, by, &posts[3], "so").await;
        }
        act(app, cyd, "postLike", "postId", &posts[2]).await;
        act(app, bob, "postLike", "postId", &posts[3]).await;
        act(app, dan, "postRepost", "postId", &posts[1]).await;
        quiet(app).await;

        let viewers = [cyd, bob, dan, ann];
        let mut all = Vec::new();
        for viewer in viewers {
            all.push(Listening::of(app, viewer, Value::Null).await);
        }
        all_hear(app, zoe, &mut all).await;
        for (number, post) in posts.iter().enumerate() {
            let text = format!("look {number}, @gus and @cyd #tag https://example.org/");
            quote(app, ann, &text, post).await;
            for listening in &mut all {
                listening.until(&text).await;
            }
        }
        act(app, dan, "userBlock", "userId", &ann.id).await;
        quiet(app).await;
        app.post(ann, "dan does not see it").await;
        for listening in &mut all[..2] {
            listening.until("dan does not see it").await;
        }
        app.post(zoe, "the end").await;
        for listening in &mut all {
            listening.until("the end").await;
        }
        let told: Vec<Vec<Value>> = all.iter().map(Listening::compared).collect();
        let [by_cyd, by_bob, by_dan, by_ann] = [0, 1, 2, 3].map(|viewer| quoted(&told[viewer]));
        let authors = |told: &[(String, Value)]| -> Vec<Value> {
            told.iter().take(4).map(|(_, author)| author.clone()).collect()
        };
        assert_eq!(authors(&by_cyd), [json!("fay"), json!("gus"), json!("hal"), json!("ivy")]);
        assert_eq!(authors(&by_bob), [json!("fay"), Value::Null, json!("hal"), json!("ivy")]);
        assert_eq!(authors(&by_dan), [json!("fay"), json!("gus"), Value::Null, json!("ivy")]);
        assert_eq!(authors(&by_ann), authors(&by_cyd));
        assert_eq!((by_cyd.len(), by_dan.len()), (6, 5), "{by_dan:?}");

        // The same posts again, for those who come back: one is suspended since, one is private.
        let cursors: Vec<Value> = told.iter().map(|told| told[0]["cursor"].clone()).collect();
        quote(app, ann, "once more", &posts[0]).await;
        app.execute("UPDATE users SET is_admin = true WHERE handle = 'warden'").await;
        act(app, warden, "userSuspend", "userId", &ivy.id).await;
        let private =
            "mutation { profileUpdate(input: {isPrivate: true}) { userErrors { code } } }";
        app.ask(fay, private, json!({})).await;
        act(app, bob, "userFollow", "userId", &fay.id).await;
        quiet(app).await;
        app.post(zoe, "the very end").await;
        quiet(app).await;
        let mut again = Vec::new();
        for (viewer, cursor) in viewers.into_iter().zip(cursors) {
            again.push(Listening::of(app, viewer, cursor).await);
        }
        for listening in &mut again {
            listening.until("the very end").await;
        }
        let told: Vec<Vec<(String, Value)>> =
            again.iter().map(|listening| quoted(&listening.compared())).collect();
        let of = |viewer: usize, text: &str| {
            told[viewer].iter().find(|(of, _)| of.starts_with(text)).map(|(_, author)| author)
        };
        assert_eq!((of(0, "look 3"), of(1, "look 3")), (Some(&Value::Null), Some(&Value::Null)));
        assert_eq!((of(0, "look 2"), of(2, "look 2")), (Some(&json!("hal")), None));
        let once_more = (of(0, "once more"), of(1, "once more"));
        assert_eq!(once_more, (Some(&json!("fay")), Some(&Value::Null)));
    })
    .await;
}

/// What one post costs in statements, all who listen told.
async fn cost(app: &TestApp, by: &Person, text: &str, sockets: &mut [Socket]) -> u64 {
    quiet(app).await;
    let before = app.app.domain.cluster.statements();
    app.post(by, text).await;
    for socket in sockets.iter_mut() {
        while socket.next("1").await["homeUpdated"]["node"]["text"] != text {}
    }
    quiet(app).await;
    app.app.domain.cluster.statements() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_costs_no_more_statements_for_more_who_ask_the_same() {
    const FEW: usize = 4;
    const MANY: usize = 40;
    let kept = |config: &mut plaza::config::Config| {
        config.redis.l1_ttl_ms = 60_000;
        config.redis.cache_ttl_ms = 24 * 3_600_000;
        config.limits.viewer_points = 1 << 50;
    };
    // Pages this long are in no cache: by themselves each viewer would read one.
    let same = "subscription { homeUpdated { node { text author { handle }
        comments(first: 30) { nodes { text author { handle } } } } } }";
    let own = "subscription { homeUpdated { cursor node { text author { handle }
        viewerHasLiked viewerHasReposted } } }";
    with_config(kept, async |app| {
        let ann = app.sign_up("ann").await;
        let mut people = Vec::new();
        for number in 0..MANY {
            let person = app.sign_up(&format!("viewer{number}")).await;
            app.follow(&person, &ann).await;
            people.push(person);
        }
        let mut costs = Vec::new();
        for query in [same, own] {
            for count in [FEW, MANY] {
                let mut sockets = Vec::new();
                for person in &people[..count] {
                    let mut socket = Socket::of(app, Some(person)).await;
                    socket.subscribe("1", query, json!({})).await;
                    sockets.push(socket);
                }
                app.until("all homes are watched", async || streams(app).await == count).await;
                // The first brings relations into the cache; of the others one at least is alone
                // with what it costs itself, whatever happens once a viewer or by the clock.
                cost(app, &ann, "first", &mut sockets).await;
                let mut least = u64::MAX;
                for text in ["second", "third", "fourth"] {
                    least = least.min(cost(app, &ann, text, &mut sockets).await);
                }
                costs.push(least);
                drop(sockets);
                super::resume::forget_streams(app).await;
            }
        }
        let [same_few, same_many, own_few, own_many] = costs[..] else { panic!("{costs:?}") };
        assert!(same_many <= same_few + 4, "{costs:?}");
        let one_by_one = u64::try_from(2 * (MANY - FEW)).unwrap();
        assert!(own_many <= own_few + one_by_one / 3, "{costs:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_something_else_gets_that() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let queries = [
            ("subscription { homeUpdated { node { text } } }", json!({ "text": "one" })),
            ("subscription { homeUpdated { node { t: text } } }", json!({ "t": "one" })),
            ("subscription { homeUpdated { node { isQuote } } }", json!({ "isQuote": false })),
        ];
        let paged = "subscription($n: Int!) { homeUpdated { node {
            author { posts(first: $n) { nodes { text } } } } } }";
        let page = |texts: &[&str]| {
            let nodes: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
            json!({ "author": { "posts": { "nodes": nodes } } })
        };
        let mut socket = Socket::of(app, Some(&bob)).await;
        let mut expected = Vec::new();
        app.post(&ann, "zero").await;
        quiet(app).await;
        for (number, (query, node)) in queries.iter().enumerate() {
            for copy in ["a", "b"] {
                let id = format!("{number}{copy}");
                socket.subscribe(&id, query, json!({})).await;
                expected.push((id, node.clone()));
            }
        }
        for (id, n, node) in [
            ("n1", 1, page(&["one"])),
            ("n2", 2, page(&["one", "zero"])),
            ("n1 again", 1, page(&["one"])),
        ] {
            socket.subscribe(id, paged, json!({ "n": n })).await;
            expected.push((id.to_owned(), node));
        }
        app.until("the home is watched", async || streams(app).await == 1).await;
        quiet(app).await;
        app.post(&ann, "one").await;
        let mut heard = std::collections::BTreeMap::new();
        while heard.len() < expected.len() {
            let super::Heard::Message(message) = socket.hear().await else { panic!("closed") };
            assert_eq!(message["type"], "next", "{message}");
            let id = message["id"].as_str().unwrap().to_owned();
            let node = message["payload"]["data"]["homeUpdated"]["node"].clone();
            assert_eq!(heard.insert(id, node), None, "once");
        }
        assert_eq!(heard, expected.into_iter().collect());
    })
    .await;
}
