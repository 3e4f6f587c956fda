//! Projections: level with the rows, whatever is repeated.

mod aside;

use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use plaza::ids::UserId;
use plaza::stores::postgres::ShardIndex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{Person, TestApp, with_app, with_roles};
use crate::template::session;
use crate::websocket::Socket;

const POSTS_BEHIND: &str =
    "SELECT count(*) FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id WHERE c.version IS DISTINCT FROM p.version
    OR c.like_count <> (SELECT count(*) FROM likes l WHERE l.post_id = p.id)";
const PROFILES_BEHIND: &str = "SELECT count(*) FROM user_counts c
    WHERE c.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = c.user_id AND NOT p.deleted AND p.repost_of IS NULL)
       OR c.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = c.user_id AND f.active)";
const FOLLOWERS_BEHIND: &str = "SELECT count(*) FROM follower_counts c
    WHERE c.follower_count <> (SELECT count(*) FROM followers f WHERE f.followee_id = c.user_id AND f.active)";

#[tokio::test(flavor = "multi_thread")]
async fn counters_come_to_equal_their_rows() {
    with_app(async |app| {
        let people = futures_util::future::join_all(
            (0..6).map(|number| async move { app.sign_up(&format!("person{number}")).await }),
        )
        .await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        let unfollow =
            "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { userErrors { code } } }";
        for (number, person) in people.iter().enumerate() {
            let post = app.post(person, "x").await;
            for other in people.iter().skip(number + 1) {
                app.follow(other, person).await;
                app.ask(other, like, json!({ "id": post })).await;
            }
            if let Some(other) = people.get(number + 1) {
                app.ask(other, unfollow, json!({ "id": person.id })).await;
            }
        }
        app.until("counters are level", async || {
            app.count(POSTS_BEHIND).await == 0
                && app.count(PROFILES_BEHIND).await == 0
                && app.count(FOLLOWERS_BEHIND).await == 0
                && app.count("SELECT count(*) FROM followers WHERE active").await == 10
                && app
                    .count("SELECT coalesce(sum(following_count), 0)::bigint FROM user_counts")
                    .await
                    == 10
        })
        .await;
        assert_eq!(app.count("SELECT count(*) FROM follows WHERE active").await, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_sent_twice_are_applied_once() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let post = app.post(&ann, "x").await;
        app.ask(&bob, "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }", json!({ "id": post })).await;
        // The edge at version 1 in three projections, the post at version 2 in three, two users at
        // version 1 in one.
        let versions = async || app.count("SELECT coalesce(sum(version), 0)::bigint FROM projection_versions").await;
        app.until("projected", async || versions().await >= 11).await;
        // As a relay would that died between the confirm and the mark.
        app.count("WITH again AS (UPDATE outbox SET sent_at = NULL RETURNING 1) SELECT count(*) FROM again").await;
        app.until("sent again", async || app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0).await;
        app.post(&ann, "a later event").await;
        app.until("the later event is projected", async || versions().await >= 14).await;
        assert_eq!(versions().await, 14);
        assert_eq!(app.count("SELECT count(*) FROM notifications").await, 2);
        assert_eq!(app.count("SELECT coalesce(sum(follower_count), 0)::bigint FROM follower_counts").await, 1);
        assert_eq!(app.home(&bob, 20).await.len(), 2);
    })
    .await;
}

/// A process with a relay and a projector, until the condition holds.
async fn projecting(app: &TestApp, what: &str, condition: impl AsyncFn() -> bool) {
    let other = App::build(app.app.config.as_ref().clone(), Clock::System).await.unwrap();
    for role in [Role::Relay, Role::Projector] {
        start_without_ports(&other, role);
    }
    app.until(what, condition).await;
    other.tasks.drain().await.unwrap();
}

/// Behind a missing event its aggregate waits, for as long as it takes and however often the
/// projector begins again; everything else goes on, and in the end nothing is left out.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_missing_event_its_aggregate_alone_waits() {
    with_roles(&[Role::Server], async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let post = app.post(&ann, "its first event is lost").await;
        let lose = "WITH lost AS (UPDATE outbox SET sent_at = now() WHERE topic = 'posts' RETURNING 1) SELECT count(*) FROM lost";
        assert_eq!(app.count(lose).await, 1);
        app.ask(&bob, aside::LIKE, json!({ "id": post })).await;
        for number in 0..8 {
            app.post(&ann, &format!("after it {number}")).await;
        }
        projecting(app, "the others are applied", async || {
            app.count(POSTS_BEHIND).await == 1 && app.count(aside::ASIDE).await == 3
        })
        .await;
        let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
        let everywhere = shards * i64::from(app.app.config.kafka.partitions);
        let places = "SELECT count(*) FROM projection_offsets WHERE projection = 'post_counts'";
        projecting(app, "every shard has stored where it is", async || app.count(places).await == everywhere).await;
        assert_eq!((app.count(POSTS_BEHIND).await, app.count(aside::ASIDE).await), (1, 3), "it did not wait");

        let found = "INSERT INTO projection_versions (projection, aggregate, version)
             SELECT DISTINCT o.projection, 'post:' || p.id, 1 FROM posts p, projection_offsets o WHERE p.text = 'its first event is lost'";
        app.execute(found).await;
        let applied = "SELECT count(*) FROM unreadable_records WHERE state = 'APPLIED'";
        projecting(app, "all is applied", async || {
            app.count(POSTS_BEHIND).await == 0 && app.count(applied).await == 3
        })
        .await;
    })
    .await;
}

/// A way to a server that can be shut: then whoever is on it is cut off, and nobody comes through.
struct Gate {
    url: String,
    open: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

async fn gate(to: &str) -> Gate {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (head, rest) = to.rsplit_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
    let (open, opened) = watch::channel(true);
    let (mut tasks, address) = (JoinSet::new(), address.to_owned());
    tasks.spawn(async move {
        let mut through = JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let (address, mut opened) = (address.clone(), opened.clone());
            through.spawn(async move {
                if !*opened.borrow() {
                    return;
                }
                let Ok(mut far) = TcpStream::connect(&address).await else { return };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    _ = opened.wait_for(|open| !open) => {}
                }
            });
        }
    });
    Gate { url, open, _tasks: tasks }
}

/// A shard that is away holds up its own events alone, and gets them when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_shards_are_projected_while_one_is_away() {
    with_roles(&[Role::Server], async |app| {
        let (mut there, mut here) = (None, Vec::new());
        for number in 0.. {
            let person = app.sign_up(&format!("person{number}")).await;
            let raw: UserId = plaza::graphql::ids::parse(&person.id).unwrap();
            match app.app.domain.cluster.shard_of_id(raw) {
                ShardIndex(0) => there = Some(person),
                _ => here.push(person),
            }
            if there.is_some() && here.len() >= 3 {
                break;
            }
        }
        let there = there.unwrap();
        let mut config = app.app.config.as_ref().clone();
        let gate = gate(config.postgres.shards[0].primary.expose_secret()).await;
        config.postgres.shards[0].primary = gate.url.clone().into();
        let other = App::build(config, Clock::System).await.unwrap();
        for role in [Role::Relay, Role::Projector] {
            start_without_ports(&other, role);
        }
        let followers = async |wanted: i64| {
            app.until(&format!("{wanted} followers are projected"), async || {
                app.count("SELECT count(*) FROM followers WHERE active").await == wanted
            })
            .await;
        };
        app.follow(&here[0], &here[1]).await;
        app.follow(&here[0], &there).await;
        followers(2).await;
        gate.open.send_replace(false);
        app.follow(&here[1], &there).await;
        app.follow(&here[1], &here[0]).await;
        followers(3).await;
        app.follow(&here[2], &here[0]).await;
        followers(4).await;
        gate.open.send_replace(true);
        followers(5).await;
        app.follow(&here[2], &there).await;
        app.follow(&there, &here[2]).await;
        followers(7).await;
        other.tasks.drain().await.unwrap();
    })
    .await;
}

/// The same for views: while any one shard is away, also the first one, those of the others' posts
/// are counted, and its own when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn the_views_of_other_shards_are_counted_while_one_is_away() {
    for away in [ShardIndex(0), ShardIndex(1)] {
        with_roles(&[Role::Server], async |app| {
            let there = app.sign_up_on(away, "there").await;
            let here = app.sign_up_on(ShardIndex(2), "here").await;
            let (of_there, of_here) = (app.post(&there, "x").await, app.post(&here, "x").await);
            let mut config = app.app.config.as_ref().clone();
            let primary = &mut config.postgres.shards[away.0].primary;
            let gate = gate(primary.expose_secret()).await;
            *primary = gate.url.clone().into();
            let other = App::build(config, Clock::System).await.unwrap();
            start_without_ports(&other, Role::Projector);
            let view = async |viewer: Option<&Person>, post: &str| {
                let query =
                    "mutation($id: ID!) { postViewsRecord(input: {postIds: [$id]}) { recorded } }";
                let answer = match viewer {
                    Some(viewer) => app.ask(viewer, query, json!({ "id": post })).await,
                    None => app.ask_anonymously(query, json!({ "id": post })).await,
                };
                assert_eq!(answer.at("/postViewsRecord/recorded"), 1);
            };
            let counted = async |wanted: i64| {
                app.until(&format!("{wanted} views are counted"), async || {
                    let counted = "SELECT coalesce(sum(counted), 0)::bigint FROM view_totals";
                    app.count(counted).await == wanted
                })
                .await;
            };
            view(None, &of_there).await;
            view(None, &of_here).await;
            counted(2).await;
            gate.open.send_replace(false);
            view(Some(&here), &of_there).await;
            view(Some(&there), &of_here).await;
            counted(3).await;
            gate.open.send_replace(true);
            counted(4).await;
            let late = "SELECT coalesce(sum(late + unreadable), 0)::bigint FROM view_totals";
            assert_eq!(app.count(late).await, 0);
            other.tasks.drain().await.unwrap();
        })
        .await;
    }
}

/// The same for a process that begins while a shard is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_projector_begins_without_a_shard_that_is_away() {
    with_roles(&[Role::Server, Role::Relay], async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let raw: UserId = plaza::graphql::ids::parse(&ann.id).unwrap();
        let of_ann = app.app.domain.cluster.shard_of_id(raw);
        let away = app.app.domain.cluster.indexes().find(|shard| *shard != of_ann).unwrap();
        let mut config = app.app.config.as_ref().clone();
        let dead = "postgres://plaza:none@127.0.0.1:1/plaza";
        config.postgres.shards[away.0].primary = dead.into();
        let other = App::build(config, Clock::System).await.unwrap();
        start_without_ports(&other, Role::Projector);
        app.follow(&bob, &ann).await;
        app.until("the follow is projected", async || {
            app.count("SELECT count(*) FROM followers WHERE active").await == 1
        })
        .await;
        other.tasks.drain().await.unwrap();
    })
    .await;
}

/// A shard whose clock is behind takes likes, and issues no id for their notifications. What is
/// seen at the socket is the effect: rows alone would be written by a projection that fails after
/// each batch, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_shards_are_notified_while_the_clock_of_one_is_behind() {
    with_app(async |app| {
        let ann = app.sign_up_on(ShardIndex(0), "ann").await;
        let bob = app.sign_up_on(ShardIndex(1), "bob").await;
        let cy = app.sign_up("cyd").await;
        let (of_ann, of_bob) = (app.post(&ann, "waits").await, app.post(&bob, "goes on").await);
        let query =
            "subscription($after: String) { notificationReceived(after: $after) { node { kind } } }";
        let mut socket = Socket::of(app, Some(&bob)).await;
        // From the very first: `v1:notification:0`.
        socket.subscribe("1", query, json!({ "after": "djE6bm90aWZpY2F0aW9uOjA" })).await;
        app.follow(&ann, &bob).await;
        let kind = |event: Value| event["notificationReceived"]["node"]["kind"].clone();
        assert_eq!(kind(socket.next("1").await), "FOLLOWED", "it listens");

        let refusing = session(&app.app.config.postgres.shards[0].primary).await;
        let step = async |by: i64| {
            let set = format!("SELECT setval('id_clock', last_value + ({by})) FROM id_clock");
            refusing.batch_execute(&set).await.unwrap();
        };
        step(600_000).await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        app.ask(&cy, like, json!({ "id": of_ann })).await;
        app.until("the like is sent", async || {
            app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0
        })
        .await;
        app.ask(&cy, like, json!({ "id": of_bob })).await;
        assert_eq!(kind(socket.next("1").await), "LIKED");
        let likes = "SELECT count(*) FROM notifications WHERE kind = 'LIKED'";
        assert_eq!(app.count(likes).await, 1);

        step(-600_000).await;
        app.until("ann is notified too", async || app.count(likes).await == 2).await;
    })
    .await;
}
