//! A plan answers as the library does: the same bytes, whatever is hidden, deleted, out of reach or
//! too large. Queries are made at random; `PLAZA_PLANS_SEED` and `PLAZA_PLANS_COUNT` choose them.

mod documents;

use plaza::config::ShardUrls;
use plaza::graphql::document;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::every_path::paths::Schema;
use super::hidden_rows::world::{PEOPLE, World, act, done, handle, private};
use super::images;
use crate::app::{Person, TestApp, with_config};
use documents::{Documents, Known, UNPLANNED};

const SCHEMA: &str = include_str!("../../../../schema.graphql");

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Somebody's question, by an engine: the status and the body.
async fn ask(
    app: &TestApp,
    url: &str,
    person: Option<&Person>,
    body: &Value,
    engine: &str,
) -> (u16, String) {
    let mut request = app.http().post(url).header("plaza-engine", engine).json(body);
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a text"))
}

/// The same by both engines; what was answered.
async fn compared(app: &TestApp, url: &str, person: Option<&Person>, body: &Value) -> String {
    let general = ask(app, url, person, body, "general").await;
    let planned = ask(app, url, person, body, "plan").await;
    assert_eq!(planned, general, "{body}");
    planned.1
}

fn is_planned(query: &str, variables: &Value) -> bool {
    let given: Map<String, Value> = variables.as_object().cloned().unwrap_or_default();
    // What is refused is refused before either engine is chosen.
    document::check(query, None, given, true).is_ok_and(|checked| checked.runs.plan().is_some())
}

async fn world(app: &TestApp, random: &mut StdRng) -> World {
    let mut people = Vec::new();
    for person in 0..PEOPLE {
        people.push(app.sign_up(&handle(person)).await);
    }
    let mut world = World::of(people);
    for _ in 0..160 {
        act(app, &mut world, random).await;
    }
    let author = world.people[0].clone();
    let image = images::ready(app, &author, "a \"lamp\"\u{2028}", "POST").await;
    let avatar = images::ready(app, &author, "", "AVATAR").await;
    let shown = "mutation($text: String!, $images: [ID!], $quoted: ID, $product: ID, $avatar: ID) {
        postCreate(input: {text: $text, imageIds: $images, quotedPostId: $quoted,
                           productId: $product}) { post { id } userErrors { code } }
        profileUpdate(input: {avatarImageId: $avatar, bio: \"<b>\\u2028\\\"\"}) { userErrors { code } } }";
    let of = |post: Option<usize>| post.map(|post| world.posts[post].id.clone());
    let quotable = (0..world.posts.len()).find(|post| {
        let post = &world.posts[*post];
        !post.deleted && post.of.is_none()
    });
    let text = format!("See @{} and #tag at https://example.org/?a=b \u{1f600}\n", handle(1));
    let given = json!({ "text": text, "images": [image], "quoted": of(quotable), "product": null, "avatar": avatar });
    let made = app.ask(&author, shown, given).await;
    let id = made.text("/postCreate/post/id");
    world.posts.push(super::hidden_rows::world::Post { id, author: 0, of: None, deleted: false });
    for person in 2..4 {
        world.private.insert(person);
        private(app, &world.people[person]).await;
    }
    for (blocker, blocked) in [(1, 4), (5, 0)] {
        done(app, &world.people[blocker], "userBlock", "userId", &world.people[blocked].id).await;
    }
    world
}

async fn known(app: &TestApp, world: &World) -> Known {
    let cursor = "{ viewer { home(first: 3) { pageInfo { endCursor } } } posts(first: 2) { pageInfo { endCursor } } }";
    let mut cursors = Vec::new();
    for person in &world.people {
        let answer = app.ask(person, cursor, json!({})).await;
        for at in ["/viewer/home/pageInfo/endCursor", "/posts/pageInfo/endCursor"] {
            cursors.extend(answer.at_or_null(at).as_str().map(str::to_owned));
        }
    }
    Known {
        posts: world.posts.iter().map(|post| post.id.clone()).collect(),
        products: world.products.iter().map(|(id, _)| id.clone()).collect(),
        handles: (0..PEOPLE).map(handle).chain(["nobody".to_owned()]).collect(),
        cursors,
    }
}

/// Nothing is on its way any more.
async fn settled(app: &TestApp) {
    app.until("everything is sent and projected", async || {
        let unsent = app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await;
        let behind = app
            .count(
                "SELECT count(*) FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id \
                 WHERE c.version IS DISTINCT FROM p.version",
            )
            .await;
        unsent == 0 && behind == 0
    })
    .await;
    let counted =
        "{ posts(first: 100) { nodes { likeCount repostCount author { followerCount } } } }";
    let last = std::sync::Mutex::new((String::new(), std::time::Instant::now()));
    app.until("counts are still for two seconds", async || {
        let now = app.ask_anonymously(counted, json!({})).await.body.to_string();
        let mut last = last.lock().unwrap();
        if last.0 != now {
            *last = (now, std::time::Instant::now());
        }
        last.1.elapsed() > std::time::Duration::from_secs(2)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_answers_as_the_library_does_byte_by_byte() {
    let (seed, count) = (number("PLAZA_PLANS_SEED", 1), number("PLAZA_PLANS_COUNT", 400));
    let generous = |config: &mut plaza::config::Config| {
        config.limits.viewer_points = 1 << 50;
        config.limits.address_points = 1 << 50;
    };
    with_config(generous, async |app| {
        let mut random = StdRng::seed_from_u64(seed);
        let world = world(app, &mut random).await;
        settled(app).await;
        let (schema, known) = (Schema::parse(SCHEMA), known(app, &world).await);
        let (mut planned, mut failed) = (0, 0);
        for _ in 0..count {
            let query = Documents::new(&schema, &known, &mut random).query();
            let variables = match random.random_range(0..4) {
                0 => json!({}),
                1 => json!({ "n": 1, "after": null }),
                2 => json!({ "n": 5, "full": false }),
                _ => json!({ "n": random.random_range(0..4), "after": known.cursors[0] }),
            };
            let body = json!({ "query": query, "variables": variables });
            let viewer = random.random_range(0..=PEOPLE);
            let answer = compared(app, &app.url, world.people.get(viewer), &body).await;
            planned += u64::from(is_planned(&query, &variables));
            failed += u64::from(answer.starts_with("{\"errors\""));
        }
        assert!(planned > count * 8 / 10, "seed {seed}: {planned} of {count} are planned");
        assert!(failed > count / 50 && failed < count / 2, "{failed} of {count} have errors");

        // One shard is out of reach, and nothing is cached.
        let out_of_reach = |config: &mut plaza::config::Config| {
            config.redis.cache_ttl_ms = 0;
            config.postgres.checkout_timeout_ms = 300;
            let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
            if let Some(urls) = config.postgres.shards.last_mut() {
                *urls = ShardUrls { primary: nowhere.into(), replicas: vec![nowhere.into()] };
            }
        };
        app.beside_another_server_with(out_of_reach, async |url| {
            let mut failed = 0;
            for _ in 0..count / 10 {
                let query = Documents::new(&schema, &known, &mut random).query();
                let body = json!({ "query": query });
                let viewer = random.random_range(0..=PEOPLE);
                let answer = compared(app, url, world.people.get(viewer), &body).await;
                failed += u64::from(answer.contains("SHARD_UNAVAILABLE"));
            }
            assert!(failed > 0);
        })
        .await;

        // Answers of any size, against bounds of any.
        for most in [200, 1_000, 3_000] {
            let small = |config: &mut plaza::config::Config| {
                config.server.max_response_bytes = most;
            };
            app.beside_another_server_with(small, async |url| {
                for _ in 0..count / 20 {
                    let query = Documents::new(&schema, &known, &mut random).query();
                    compared(app, url, world.people.first(), &json!({ "query": query })).await;
                }
            })
            .await;
        }
    })
    .await;
}

#[test]
fn every_field_is_planned_or_known_not_to_be() {
    let schema = Schema::parse(SCHEMA);
    let lead = [
        ("Query", "{ __typename % }"),
        ("Viewer", "{ viewer { % } }"),
        ("User", "{ viewer { user { % } } }"),
        ("Post", "{ viewer { home(first: 2) { nodes { % } } } }"),
        ("Comment", "{ posts { nodes { comments { nodes { % } } } } }"),
        ("Product", "{ product(id: \"1\") { % } }"),
        ("Image", "{ posts { nodes { images { % } } } }"),
        ("TextEntity", "{ posts { nodes { entities { % } } } }"),
        ("PostConnection", "{ posts { % } }"),
        ("PostEdge", "{ posts { edges { % } } }"),
        ("PageInfo", "{ posts { pageInfo { % } } }"),
    ];
    for (of, query) in lead {
        for field in schema.fields(of) {
            let name = field.name.node.as_str();
            let known = UNPLANNED.iter().find(|(known, _)| *known == of);
            let is_known = known.is_some_and(|(_, fields)| fields.contains(&name));
            let required = field.arguments.iter().filter(|one| Schema::is_required(&one.node));
            let given: Vec<String> = required
                .map(|one| {
                    let list = if one.node.name.node == "ids" { "[\"1\"]" } else { "\"abc\"" };
                    format!("{}: {list}", one.node.name.node)
                })
                .collect();
            let given =
                if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
            let below = if super::every_path::paths::is_leaf(&schema, field) {
                ""
            } else {
                "{ __typename }"
            };
            let query = query.replace('%', &format!("{name}{given} {below}"));
            assert_eq!(is_planned(&query, &json!({})), !is_known, "{of}.{name}: {query}");
        }
    }
}

#[test]
fn a_plan_is_of_the_shape_that_its_variables_have() {
    let query = "query($after: String, $full: Boolean = true) { post(id: \"1\") { \
                 comments(after: $after) { nodes { id } } likers @include(if: $full) { nodes { id } } } }";
    assert!(!is_planned(query, &json!({})), "likers");
    assert!(is_planned(query, &json!({ "full": false })));
    assert!(is_planned(query, &json!({ "full": false, "after": null })));
    assert!(!is_planned(query, &json!({ "full": false, "after": "x" })), "no batch reads that");
    assert!(!is_planned(
        "mutation { postLike(input: {postId: \"1\"}) { post { id } } }",
        &json!({})
    ));
}
