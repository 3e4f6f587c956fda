//! Hidden rows end no page, empty no page and are in no count: every list, with pages of any size,
//! against a reference that is computed from what was done.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app};

const PEOPLE: usize = 7;
/// As in `timelines/home.rs`: a repost is left out when its subject is among so many right below.
const REPEAT_WINDOW: usize = 40;

struct Post {
    id: String,
    author: usize,
    of: Option<usize>,
    deleted: bool,
}

struct Comment {
    id: String,
    post: usize,
    author: usize,
    answers: Option<usize>,
}

/// What was done, as the reference knows it.
struct World {
    people: Vec<Person>,
    private: BTreeSet<usize>,
    /// (blocker, blocked).
    blocks: BTreeSet<(usize, usize)>,
    /// (follower, followee), the oldest first.
    follows: Vec<(usize, usize)>,
    posts: Vec<Post>,
    comments: Vec<Comment>,
    /// (person, post).
    likes: BTreeSet<(usize, usize)>,
    /// (id, seller), the oldest first.
    products: Vec<(String, usize)>,
}

fn handle(person: usize) -> String {
    format!("person_{person}")
}

impl World {
    fn sees_person(&self, viewer: usize, other: usize) -> bool {
        viewer == other || !self.blocks.contains(&(other, viewer))
    }

    fn hears(&self, viewer: usize, other: usize) -> bool {
        self.sees_person(viewer, other) && !self.blocks.contains(&(viewer, other))
    }

    fn reads(&self, viewer: usize, other: usize) -> bool {
        self.hears(viewer, other)
            && (viewer == other
                || !self.private.contains(&other)
                || self.follows.contains(&(viewer, other)))
    }

    fn sees_post(&self, viewer: usize, post: usize) -> bool {
        let row = &self.posts[post];
        !row.deleted
            && self.reads(viewer, row.author)
            && row.of.is_none_or(|of| self.sees_post(viewer, of))
    }

    /// Posts by these people that a viewer sees, newest first.
    fn posts_of(&self, viewer: usize, authors: &[usize]) -> Vec<usize> {
        (0..self.posts.len())
            .rev()
            .filter(|post| authors.contains(&self.posts[*post].author))
            .filter(|post| self.sees_post(viewer, *post))
            .collect()
    }

    fn home(&self, viewer: usize) -> Vec<usize> {
        let followees = self.follows.iter().filter(|(from, _)| *from == viewer).map(|(_, to)| *to);
        let authors: Vec<usize> = followees.chain([viewer]).collect();
        let all = self.posts_of(viewer, &authors);
        let subject = |post: usize| self.posts[post].of.unwrap_or(post);
        let is_repeat = |place: usize| {
            self.posts[all[place]].of.is_some()
                && all
                    .iter()
                    .skip(place + 1)
                    .take(REPEAT_WINDOW)
                    .any(|below| subject(*below) == subject(all[place]))
        };
        (0..all.len()).filter(|place| !is_repeat(*place)).map(|place| all[place]).collect()
    }

    /// "KIND actor" of what a person should be notified of, sorted.
    fn notifications(&self, viewer: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |kind: &str, actor: usize| {
            if actor != viewer && self.hears(viewer, actor) {
                found.push(format!("{kind} {}", handle(actor)));
            }
        };
        let is_theirs =
            |post: usize| self.posts[post].author == viewer && !self.posts[post].deleted;
        for (person, post) in &self.likes {
            if is_theirs(*post) {
                add("LIKED", *person);
            }
        }
        for post in &self.posts {
            if post.of.is_some_and(is_theirs) && !post.deleted {
                add("REPOST", post.author);
            }
        }
        for (follower, followee) in &self.follows {
            if *followee == viewer {
                add("FOLLOWED", *follower);
            }
        }
        for comment in &self.comments {
            let answers_viewer =
                comment.answers.is_some_and(|answered| self.comments[answered].author == viewer);
            if answers_viewer && self.sees_post(viewer, comment.post) {
                add("REPLY", comment.author);
            } else if !answers_viewer && is_theirs(comment.post) {
                add("COMMENTED", comment.author);
            }
        }
        found.sort_unstable();
        found
    }
}

async fn done(app: &TestApp, person: &Person, mutation: &str, field: &str, id: &str) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{{field}: $id}}) {{ userErrors {{ code message }} }} }}"
    );
    let answer = app.ask(person, &query, json!({ "id": id })).await;
    assert_eq!(answer.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

async fn private(app: &TestApp, person: &Person) {
    let query = "mutation { profileUpdate(input: {isPrivate: true}) { userErrors { code } } }";
    app.ask(person, query, json!({})).await;
}

/// Does something at random, which nothing forbids yet.
async fn act(app: &TestApp, world: &mut World, random: &mut StdRng) {
    let person = random.random_range(0..PEOPLE);
    let who = world.people[person].clone();
    let originals: Vec<usize> = (0..world.posts.len())
        .filter(|post| world.posts[*post].of.is_none() && !world.posts[*post].deleted)
        .collect();
    let choice = random.random_range(0..100);
    if originals.is_empty() || choice < 14 {
        let id = app.post(&who, &format!("word{} common #tag", world.posts.len())).await;
        world.posts.push(Post { id, author: person, of: None, deleted: false });
        return;
    }
    let post = originals[random.random_range(0..originals.len())];
    let id = world.posts[post].id.clone();
    match choice {
        14..30 => {
            let other = random.random_range(0..PEOPLE);
            if other == person {
                return;
            }
            let edge = (person, other);
            if world.follows.contains(&edge) {
                world.follows.retain(|held| *held != edge);
                done(app, &who, "userUnfollow", "userId", &world.people[other].id).await;
            } else {
                world.follows.push(edge);
                done(app, &who, "userFollow", "userId", &world.people[other].id).await;
            }
        }
        30..48 => {
            let edge = (person, post);
            let mutation = if world.likes.remove(&edge) {
                "postUnlike"
            } else {
                world.likes.insert(edge);
                "postLike"
            };
            done(app, &who, mutation, "postId", &id).await;
        }
        48..58 => {
            let held = world
                .posts
                .iter()
                .position(|held| held.author == person && held.of == Some(post) && !held.deleted);
            if let Some(held) = held {
                world.posts[held].deleted = true;
                done(app, &who, "postUnrepost", "postId", &id).await;
                return;
            }
            let query = "mutation($id: ID!) { postRepost(input: {postId: $id}) { repost { id } userErrors { code } } }";
            let id = app.ask(&who, query, json!({ "id": id })).await.text("/postRepost/repost/id");
            world.posts.push(Post { id, author: person, of: Some(post), deleted: false });
        }
        58..90 => {
            let on: Vec<usize> = (0..world.comments.len())
                .filter(|comment| world.comments[*comment].post == post)
                .filter(|comment| world.comments[*comment].answers.is_none())
                .collect();
            let answers = (!on.is_empty() && random.random_bool(0.5))
                .then(|| on[random.random_range(0..on.len())]);
            let query = "mutation($id: ID!, $to: ID) { commentCreate(input: {postId: $id, text: \"so\", inReplyToId: $to}) {
                comment { id } userErrors { code } } }";
            let to = answers.map(|answered| world.comments[answered].id.clone());
            let made = app.ask(&who, query, json!({ "id": id, "to": to })).await;
            let id = made.text("/commentCreate/comment/id");
            world.comments.push(Comment { id, post, author: person, answers });
        }
        90..96 => {
            let query = "mutation { productCreate(input: {title: \"common lamp\", description: \"\", price: {amount: \"1\", currency: \"EUR\"},
                stock: 1}) { product { id } } }";
            let id = app.ask(&who, query, json!({})).await.text("/productCreate/product/id");
            world.products.push((id, person));
        }
        _ => {
            world.posts[post].deleted = true;
            let author = &world.people[world.posts[post].author];
            done(app, author, "postDelete", "postId", &id).await;
        }
    }
}

/// A list as a viewer sees it, and what should be in it.
struct List {
    name: String,
    query: String,
    id: Value,
    pointer: &'static str,
    key: fn(&Value) -> String,
    wanted: Vec<String>,
    /// Whether the order is known.
    ordered: bool,
}

fn by_id(node: &Value) -> String {
    node["id"].as_str().unwrap().to_owned()
}

fn by_handle(node: &Value) -> String {
    node["handle"].as_str().unwrap().to_owned()
}

fn by_actor(node: &Value) -> String {
    format!("{} {}", node["kind"].as_str().unwrap(), node["actor"]["handle"].as_str().unwrap())
}

const PAGE: &str = "pageInfo { hasNextPage endCursor }";
const ARGUMENTS: &str = "first: $first, after: $after";

impl List {
    fn new(name: &str, query: &str, pointer: &'static str, wanted: Vec<String>) -> Self {
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
        }
    }

    fn of(self, id: &str) -> Self {
        Self { id: json!(id), ..self }
    }

    fn keyed(self, key: fn(&Value) -> String) -> Self {
        Self { key, ..self }
    }

    fn in_any_order(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// The whole list, with pages of one size; `None` when a page is not as it must be.
    async fn read(
        &self,
        app: &TestApp,
        viewer: &Person,
        first: usize,
    ) -> Result<Vec<String>, String> {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": self.id, "first": first, "after": after });
            let answer = app.ask(viewer, &self.query, variables).await;
            let page = answer.body.pointer(&format!("/data{}", self.pointer)).cloned();
            let Some(page) = page.filter(Value::is_object) else {
                return Err(format!("no list: {}", answer.body));
            };
            let nodes: Vec<String> =
                page["nodes"].as_array().unwrap().iter().map(self.key).collect();
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

fn lists(world: &World, viewer: usize) -> Vec<List> {
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
        List::new(
            "products",
            "products(ARGS) { nodes { id } PAGE }",
            "/products",
            products.clone(),
        ),
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
    for other in everybody {
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
            ),
            on(
                "followers",
                "followers(ARGS) { nodes { handle } PAGE }",
                "/node/followers",
                edges(|(from, to)| (*to, *from)),
            )
            .keyed(by_handle),
            on(
                "following",
                "following(ARGS) { nodes { handle } PAGE }",
                "/node/following",
                edges(|edge| *edge),
            )
            .keyed(by_handle),
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
                    .of(&post.id),
            );
        }
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
                    .of(&comment.id),
                );
            }
        }
    }
    lists
}

async fn compare(app: &TestApp, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut people = Vec::new();
    for person in 0..PEOPLE {
        people.push(app.sign_up(&handle(person)).await);
    }
    let mut world = World {
        people,
        private: BTreeSet::new(),
        blocks: BTreeSet::new(),
        follows: Vec::new(),
        posts: Vec::new(),
        comments: Vec::new(),
        likes: BTreeSet::new(),
        products: Vec::new(),
    };
    for _ in 0..150 {
        act(app, &mut world, &mut random).await;
    }
    // Then some are hidden from some.
    for person in 0..PEOPLE {
        if random.random_bool(0.3) {
            world.private.insert(person);
            private(app, &world.people[person]).await;
        }
    }
    for _ in 0..6 {
        let pair = (random.random_range(0..PEOPLE), random.random_range(0..PEOPLE));
        if pair.0 == pair.1 || !world.blocks.insert(pair) {
            continue;
        }
        done(app, &world.people[pair.0], "userBlock", "userId", &world.people[pair.1].id).await;
        world.follows.retain(|edge| *edge != pair && *edge != (pair.1, pair.0));
    }
    for viewer in 0..3 {
        let who = &world.people[viewer];
        for list in lists(&world, viewer) {
            let last = std::sync::Mutex::new(String::new());
            let is_so = async || {
                let seen = list.read(app, who, 100).await;
                *last.lock().unwrap() = format!("{seen:?}");
                seen.as_ref() == Ok(&list.wanted)
            };
            let what =
                format!("seed {seed}, {} of {}: {:?}", list.name, handle(viewer), list.wanted);
            let started = std::time::Instant::now();
            while !is_so().await {
                assert!(started.elapsed().as_secs() < 30, "{what}\nseen: {}", last.lock().unwrap());
                tokio::task::yield_now().await;
            }
            let first = random.random_range(1..=4);
            app.until(&format!("pages of {first}: {what}"), async || {
                list.read(app, who, first).await.as_ref() == Ok(&list.wanted)
            })
            .await;
        }
        let counts = "{ viewer { unreadNotificationCount notificationGroups(first: 100) { nodes { notificationCount } } } }";
        let wanted = u64::try_from(world.notifications(viewer).len()).unwrap();
        app.until("the counts are of what is listed", async || {
            let counts = app.ask(who, counts, json!({})).await.at("/viewer");
            let groups = counts["notificationGroups"]["nodes"].as_array().unwrap().clone();
            let grouped: u64 =
                groups.iter().map(|group| group["notificationCount"].as_u64().unwrap()).sum();
            counts["unreadNotificationCount"] == wanted && grouped == wanted
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_what_the_viewer_may_see_with_pages_of_any_size() {
    with_app(async |app| compare(app, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_so_in_another_world_too() {
    with_app(async |app| compare(app, 20).await).await;
}

/// A thousand notifications of somebody who is blocked, before five of somebody who is not.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_hides_nobody_elses_notifications() {
    with_app(async |app| {
        let (ann, spammer) = (app.sign_up("ann").await, app.sign_up("spammer").await);
        let post = app.post(&ann, "hello").await;
        let comment = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"so\"}) { userErrors { code } } }";
        let bob = app.sign_up("bob").await;
        for _ in 0..5 {
            app.ask(&bob, comment, json!({ "id": post })).await;
        }
        app.until("they are projected", async || app.count("SELECT count(*) FROM notifications").await == 5).await;
        let number = app.count("SELECT coalesce(sum(id), 0)::bigint FROM users WHERE handle = 'spammer'").await;
        // On the only shard that has her, as the projection would have written them.
        app.execute(&format!(
            "INSERT INTO notifications (id, user_id, kind, actor_id, subject_id)
             SELECT next_id(((u.id >> 12) & 1023)::integer), u.id, 'ORDERED', {number}, n FROM users u, generate_series(1, 3000) n
             WHERE u.handle = 'ann'"
        ))
        .await;
        let seen = "{ viewer { unreadNotificationCount notifications(first: 20) { nodes { kind } pageInfo { hasNextPage } }
            notificationGroups(first: 5) { nodes { kind notificationCount } pageInfo { hasNextPage } } } }";
        app.until("a hundred and more are unread", async || {
            app.ask(&ann, seen, json!({})).await.at("/viewer/unreadNotificationCount") == 100
        })
        .await;
        done(app, &ann, "userBlock", "userId", &spammer.id).await;
        let kinds = json!([{ "kind": "COMMENTED" }, { "kind": "COMMENTED" }, { "kind": "COMMENTED" },
            { "kind": "COMMENTED" }, { "kind": "COMMENTED" }]);
        let last = json!({ "hasNextPage": false });
        app.until("bob's five are listed, counted and grouped", async || {
            app.ask(&ann, seen, json!({})).await.at("/viewer")
                == json!({
                    "unreadNotificationCount": 5,
                    "notifications": { "nodes": kinds, "pageInfo": last },
                    "notificationGroups": {
                        "nodes": [{ "kind": "COMMENTED", "notificationCount": 5 }], "pageInfo": last
                    }
                })
        })
        .await;
    })
    .await;
}
