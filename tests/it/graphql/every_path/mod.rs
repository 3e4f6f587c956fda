//! Nobody sees what they may not: every few steps in a row that the schema allows
//! (`paths::distinct`) are asked for as every kind of viewer, and every mutation is sent with
//! another's ids. What a person has made carries marks that no answer to somebody who may not see
//! it holds, wherever on the path it stands.

pub mod paths;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_config};
use crate::operate::process::{Process, shards_as};
use Kind::{Content, Own, Person as Who, Voice};
use paths::{Path, Schema, distinct, groups, selection};
use world::{Kind, Principal, World, act, ask, code, world};

/// Nodes that have root fields of their own.
const BY_THEIR_FIELDS: [&str; 3] = ["... on Viewer", "... on NotificationGroup", "... on Hashtag"];

/// The root fields, with what they are to be given.
fn calls(schema: &Schema, world: &World) -> Vec<Vec<Path>> {
    let each = |name: &str, argument: &str, values: &[String]| -> Vec<String> {
        values.iter().map(|value| format!("{name}({argument}: {})", json!(value))).collect()
    };
    let mut all = Vec::new();
    for field in schema.fields("Query") {
        let name = field.name.node.as_str();
        let calls = match name {
            "node" => each(name, "id", &world.ids),
            "nodes" => vec![format!("nodes(ids: {})", json!(world.ids))],
            "post" => {
                each(name, "id", &[world.post.clone(), world.stage.clone(), world.quote.clone()])
            }
            "product" => each(name, "id", std::slice::from_ref(&world.product)),
            "order" => each(name, "id", &world.orders),
            "user" => each(name, "handle", &["target", "follower", "witness"].map(str::to_owned)),
            "hashtag" => each(name, "name", &["marked".to_owned()]),
            "products" | "posts" => vec![format!("{name}(first: 5)")],
            "peopleSearch" => {
                vec![
                    "peopleSearch(query: \"target\", first: 5)".to_owned(),
                    "peopleSearch(query: \"ta\", first: 5)".to_owned(),
                ]
            }
            "postsSearch" | "productsSearch" => vec![format!("{name}(query: \"mark\", first: 5)")],
            "viewer" | "rateLimit" => vec![name.to_owned()],
            other => panic!("teach this test what to give {other}"),
        };
        for call in calls {
            let mut paths = schema.paths(field, &call);
            // What is behind each is asked for by `nodes`, and behind what notifications are about
            // by `notifications`.
            let deepest = |path: &Path| match name {
                "node" => 3,
                "posts" => 4,
                _ if name.ends_with("Search") => 4,
                // Behind a viewer, a group and a hashtag is what `viewer` and `hashtag` lead to.
                "nodes" if path.iter().any(|step| BY_THEIR_FIELDS.contains(&step.as_str())) => 3,
                _ if path.iter().any(|step| step.starts_with("notificationGroups")) => 6,
                _ => usize::MAX,
            };
            paths.retain(|path| path.len() <= deepest(path));
            all.push(distinct(paths));
        }
    }
    all
}

/// Asks for some paths; those that are too much together are asked for in halves, and a path that
/// is too much by itself cannot be asked for.
async fn answers(
    app: &TestApp,
    principal: &Principal,
    paths: &[Path],
    told: &mut Vec<(String, String)>,
) {
    let query = selection(paths);
    let answer = ask(app, principal, &query, json!({})).await;
    match code(&answer) {
        "QUERY_TOO_COMPLEX" | "QUERY_TOO_DEEP" if paths.len() > 1 => {
            let (first, second) = paths.split_at(paths.len() / 2);
            Box::pin(answers(app, principal, first, told)).await;
            Box::pin(answers(app, principal, second, told)).await;
        }
        "QUERY_TOO_COMPLEX" | "QUERY_TOO_DEEP" => {}
        "GRAPHQL_VALIDATION_FAILED"
        | "GRAPHQL_PARSE_FAILED"
        | "INTERNAL"
        | "RATE_LIMITED"
        | "TIMEOUT" => {
            panic!("{}: {query}: {}", principal.name, answer.body)
        }
        _ => told.push((query, answer.body.to_string())),
    }
}

/// Asks everything as somebody: no mark of a kind they may not see, and each of a kind that they
/// may.
async fn check(
    app: &TestApp,
    scenario: &str,
    world: &World,
    calls: &[Vec<Path>],
    principal: &Principal,
    may_see: &[Kind],
) -> usize {
    let mut told = Vec::new();
    for paths in calls {
        for group in groups(paths) {
            answers(app, principal, group, &mut told).await;
        }
    }
    for (mark, kind) in &world.marks {
        let is_own = |query: &str| {
            world.own.iter().any(|(name, own, field)| {
                *name == principal.name && own == mark && query.contains(field)
            })
        };
        let shows = |(query, answer): &&(String, String)| {
            answer.contains(mark) && (may_see.contains(kind) || !is_own(query))
        };
        let seen = told.iter().find(shows);
        let at = format!("{scenario}: {} and {mark} ({kind:?})", principal.name);
        if may_see.contains(kind) {
            assert!(seen.is_some(), "{at}: not shown");
        } else if let Some((query, answer)) = seen {
            panic!("{at}: told by\n{query}\n{answer}");
        }
    }
    told.len()
}

/// The same as each principal, one after the other.
async fn everybody(
    app: &TestApp,
    scenario: &str,
    world: &World,
    calls: &[Vec<Path>],
    may_see: &BTreeMap<&str, &[Kind]>,
) -> usize {
    let mut asked = 0;
    for principal in &world.principals() {
        asked += check(app, scenario, world, calls, principal, may_see[principal.name]).await;
    }
    asked
}

/// A value for each field of an input, ids being those of the target's things.
fn input(schema: &Schema, world: &World, name: &str) -> Value {
    let wanted = schema.inputs(name).into_iter().filter(|input| {
        Schema::is_required(input) || ["Id", "Ids"].iter().any(|end| input.name.node.ends_with(end))
    });
    let given = wanted.map(|input| {
        let field = input.name.node.as_str();
        let value = match (field, Schema::type_of(input)) {
            ("postId" | "quotedPostId", _) => json!(world.post),
            ("inReplyToId", _) => json!(world.reply),
            ("postIds", _) => json!([world.post]),
            ("productId", _) => json!(world.product),
            ("userId", _) => json!(world.target.id),
            ("orderId", _) => json!(world.order),
            ("sessionId", _) => json!(world.session),
            ("avatarImageId" | "imageId", _) => json!(world.spare),
            ("imageIds", _) => json!([world.spare]),
            ("quantity" | "stock" | "byteCount", _) => json!(1),
            ("lines", of) => json!([self::input(schema, world, of)]),
            ("price", of) => self::input(schema, world, of),
            ("preferences", of) => json!([self::input(schema, world, of)]),
            ("delivery", _) => json!("NOBODY"),
            ("kind", _) => json!("LIKED"),
            ("upTo", _) => json!("words"),
            ("amount", _) => json!("100"),
            ("currency", _) => json!("EUR"),
            (_, "String") => json!("words"),
            other => panic!("teach this test what to give {other:?} of {name}"),
        };
        (field.to_owned(), value)
    });
    Value::Object(given.collect())
}

/// Sends every mutation that names something by id, with the target's ids.
async fn mutate(
    app: &TestApp,
    scenario: &str,
    world: &World,
    schema: &Schema,
    principal: &Principal,
    may_see: &[Kind],
) {
    let forbidden: Vec<&String> = world
        .marks
        .iter()
        .filter(|(_, kind)| !may_see.contains(kind))
        .map(|(mark, _)| mark)
        .filter(|mark| {
            !world.own.iter().any(|(name, own, _)| *name == principal.name && own == *mark)
        })
        .collect();
    let mut sent = 0;
    for field in schema.fields("Mutation") {
        let Some(argument) = field.arguments.first() else { continue };
        let of = Schema::type_of(&argument.node);
        let given = input(schema, world, of);
        let name = field.name.node.as_str();
        let names_something = [
            &world.target.id,
            &world.post,
            &world.product,
            &world.order,
            &world.session,
            &world.spare,
        ];
        if !names_something.iter().any(|id| given.to_string().contains(id.as_str())) {
            continue;
        }
        let paths = schema.paths(field, &format!("{name}(input: $input)"));
        for group in groups(&paths) {
            let query = format!("mutation($input: {of}!) {}", selection(group));
            let answer = ask(app, principal, &query, json!({ "input": given })).await;
            assert!(
                !["GRAPHQL_VALIDATION_FAILED", "INTERNAL"].contains(&code(&answer)),
                "{query}: {}",
                answer.body
            );
            let text = answer.body.to_string();
            for mark in &forbidden {
                assert!(
                    !text.contains(*mark),
                    "{scenario}: {} and {mark}: told by\n{query}\n{text}",
                    principal.name
                );
            }
            sent += 1;
        }
    }
    assert!(sent >= 10, "{sent} mutations were sent");
}

async fn effects(app: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for rows in [
        "posts WHERE NOT deleted",
        "comments",
        "likes",
        "follows WHERE active",
        "orders",
        "sessions WHERE revoked_at IS NULL",
        "images WHERE NOT used",
    ] {
        counts.push(app.count(&format!("SELECT count(*) FROM {rows}")).await);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_what_they_may_not_see() {
    let generous = |config: &mut plaza::config::Config| {
        config.limits.viewer_points = 1 << 50;
        config.limits.address_points = 1 << 50;
        config.limits.address_sign_ups = 1_000;
    };
    with_config(generous, async |app| {
        let schema = Schema::parse(include_str!("../../../../schema.graphql"));
        let world = world(app).await;
        let World { target, others, .. } = &world;
        let settled = async |who: &Person, sees: bool| {
            app.until("everybody has heard", async || {
                app.ask(who, "query($id: ID!) { post(id: $id) { id } }", json!({ "id": world.post })).await.at("/post").is_object() == sees
            })
            .await;
        };
        settled(&others["blocked"], false).await;
        settled(&others["blocker"], false).await;
        app.until("the follows are known", async || app.count("SELECT count(*) FROM followers WHERE active").await == 6).await;
        app.until("the orders are through", async || app.count("SELECT count(*) FROM orders WHERE status = 'CONFIRMED'").await == 4).await;

        let all = [Who, Voice, Content, Own];
        let public: BTreeMap<&str, &[Kind]> = BTreeMap::from([
            ("owner", &all[..]),
            ("follower", &all[..3]),
            ("stranger", &all[..3]),
            ("anonymous", &all[..3]),
            ("blocker", &all[..1]),
            ("blocked", &[]),
        ]);
        let mut private = public.clone();
        private.extend([("stranger", &all[..2]), ("anonymous", &all[..2])]);
        let nothing: BTreeMap<&str, &[Kind]> = public.keys().map(|name| (*name, &[][..])).collect();

        let calls = calls(&schema, &world);
        // A server that is its own user of the databases may read whatever the schema leads to.
        let own = shards_as(&app.app.config, "plaza_server");
        let plenty = (1_u64 << 50).to_string();
        let as_itself = [
            ("PLAZA_POSTGRES__SHARDS", own.as_str()),
            ("PLAZA_LIMITS__VIEWER_POINTS", &plenty),
            ("PLAZA_LIMITS__ADDRESS_POINTS", &plenty),
        ];
        let server = Process::start_role(app, "server", &as_itself).await;
        let owner = Principal { name: "owner", person: Some(target.clone()) };
        let mut answered = Vec::new();
        for group in calls.iter().flat_map(|paths| groups(paths)) {
            answers(&server.app, &owner, group, &mut answered).await;
        }
        assert!(answered.len() > 25, "only {} queries were answered", answered.len());
        let mut asked = 0;
        asked += everybody(app, "public", &world, &calls, &public).await;
        app.ask(target, "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }", json!({})).await;
        settled(&others["stranger"], false).await;
        let counted = "{ user(handle: \"target\") { postCount followerCount followingCount } }";
        asked += everybody(app, "private", &world, &calls, &private).await;
        for principal in &world.principals() {
            let may_see = private[principal.name];
            let counts = ask(app, principal, counted, json!({})).await.at("/user");
            assert_eq!(counts["followerCount"].is_number(), may_see.contains(&Content), "{}: {counts}", principal.name);
        }
        let before = effects(app).await;
        for name in ["blocked", "anonymous"] {
            let principal = Principal { name, person: others.get(name).cloned() };
            mutate(app, "private", &world, &schema, &principal, private[name]).await;
        }
        // But that the blocked one takes their own like back.
        let mut wanted = before;
        wanted[2] -= 1;
        assert_eq!(effects(app).await, wanted, "what is not seen cannot be acted upon");
        let stranger = Principal { name: "stranger", person: others.get("stranger").cloned() };
        mutate(&server.app, "private", &world, &schema, &stranger, private["stranger"]).await;
        server.end().await;

        app.count("WITH made AS (UPDATE users SET is_admin = true WHERE handle = 'witness' RETURNING 1) SELECT count(*) FROM made").await;
        act(app, &others["witness"], "userSuspend", &target.id).await;
        settled(&others["follower"], false).await;
        plaza::domain::identity::revocations::refresh(&app.app.domain).await.unwrap();
        asked += everybody(app, "suspended", &world, &calls, &nothing).await;
        // The mark of the generator: a schema whose paths are no longer found would pass all of the
        // above.
        let kinds: BTreeSet<Kind> = world.marks.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds.len(), all.len());
        assert!(asked > 500, "only {asked} queries were asked");
    })
    .await;
}
