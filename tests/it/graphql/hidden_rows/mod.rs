//! Hidden rows end no page, empty no page and are in no count: every list, with pages of any size,
//! against a reference that is computed from what was done.

mod lists;
pub mod world;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::app::{Person, TestApp, with_app};
use crate::websocket::{Socket, resume};
use lists::lists;
use world::{PEOPLE, World, act, done, handle, private};

async fn compare(app: &TestApp, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut people = Vec::new();
    for person in 0..PEOPLE {
        people.push(app.sign_up(&handle(person)).await);
    }
    let mut world = World::of(people);
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
                assert!(
                    started.elapsed() < crate::wait::LIMIT,
                    "{what}\nseen: {}",
                    last.lock().unwrap()
                );
                tokio::task::yield_now().await;
            }
            let first = random.random_range(1..=4);
            let from_end = list.has_end.then(|| list.backwards());
            for list in std::iter::once(&list).chain(from_end.as_ref()) {
                app.until(&format!("pages of {first}: {what}"), async || {
                    list.read(app, who, first).await.as_ref() == Ok(&list.wanted)
                })
                .await;
            }
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

/// Thousands of notifications of somebody who is blocked, before five of somebody who is not.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_hides_nobody_elses_notifications() {
    hides_nobody_elses_notifications(3_000, async |app, ann, _, spammer| {
        done(app, ann, "userBlock", "userId", &spammer.id).await;
    })
    .await;
}

/// Of a suspension her shard knows nothing, unlike of a block.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_suspended_hides_nobody_elses_notifications() {
    hides_nobody_elses_notifications(6_000, async |app, _, bob, spammer| {
        app.execute("UPDATE users SET is_admin = true WHERE handle = 'bob'").await;
        done(app, bob, "userSuspend", "userId", &spammer.id).await;
    })
    .await;
}

async fn hides_nobody_elses_notifications(
    many: usize,
    hide: impl AsyncFnOnce(&TestApp, &Person, &Person, &Person),
) {
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
             SELECT next_id(((u.id >> 12) & 1023)::integer), u.id, 'ORDERED', {number}, n
             FROM users u, generate_series(1, {many}) n
             WHERE u.handle = 'ann'"
        ))
        .await;
        let seen = "{ viewer { unreadNotificationCount notifications(first: 20) { nodes { kind } pageInfo { hasNextPage } }
            notificationGroups(first: 5) { nodes { kind notificationCount } pageInfo { hasNextPage } } } }";
        app.until("a hundred and more are unread", async || {
            app.ask(&ann, seen, json!({})).await.at("/viewer/unreadNotificationCount") == 100
        })
        .await;
        hide(app, &ann, &bob, &spammer).await;
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

/// More hidden posts in a row than a small page looks at first, before one that is not hidden.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_page_goes_on_below_many_posts_that_are_hidden() {
    with_app(async |app| {
        let (ann, eve, bob) =
            (app.sign_up("ann").await, app.sign_up("eve").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.follow(&bob, &eve).await;
        app.until("the follows are known", async || {
            app.count("SELECT count(*) FROM followers").await == 2
        })
        .await;
        let subscribe =
            "subscription($after: String) { homeUpdated(after: $after) { cursor node { text } } }";
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", subscribe, json!({})).await;
        app.until("the home is watched", async || resume::streams(app).await == 1).await;
        app.post(&eve, "before").await;
        let cursor = socket.next("1").await["homeUpdated"]["cursor"].clone();
        drop(socket);
        let home = "{ viewer { home(first: 1) { nodes { text } pageInfo { hasNextPage } } } }";
        app.ask(&bob, home, json!({})).await;
        app.post(&eve, "here").await;
        let mut hidden = Vec::new();
        for number in 0..60 {
            hidden.push(app.post(&ann, &number.to_string()).await);
        }
        app.until("all have reached bob", async || {
            let seen = "{ viewer { home(first: 100) { nodes { text } } } }";
            app.ask(&bob, seen, json!({})).await.at("/viewer/home/nodes").as_array().unwrap().len()
                == 62
        })
        .await;
        for post in hidden {
            done(app, &ann, "postDelete", "postId", &post).await;
        }
        app.until("bob sees eve's on a page of one", async || {
            app.ask(&bob, home, json!({})).await.at("/viewer/home")
                == json!({ "nodes": [{ "text": "here" }], "pageInfo": { "hasNextPage": true } })
        })
        .await;
        // So does a stream that Redis does not reach back to.
        resume::forget_streams(app).await;
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", subscribe, json!({ "after": cursor })).await;
        assert_eq!(socket.next("1").await["homeUpdated"]["node"]["text"], "here");
    })
    .await;
}
