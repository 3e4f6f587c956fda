//! Projections: level with the rows, whatever is repeated.

use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use serde_json::json;

use crate::app::{TestApp, with_app, with_roles};

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

/// Behind a missing event a partition waits, for as long as it takes and however often the
/// projector begins again; then nothing is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_waits_at_a_missing_event() {
    with_roles(&[Role::Server], async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let post = app.post(&ann, "its first event is lost").await;
        let lose = "WITH lost AS (UPDATE outbox SET sent_at = now() WHERE topic = 'posts' RETURNING 1) SELECT count(*) FROM lost";
        assert_eq!(app.count(lose).await, 1);
        app.ask(&bob, "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }", json!({ "id": post })).await;
        for number in 0..8 {
            app.post(&ann, &format!("after it {number}")).await;
        }
        let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
        let everywhere = shards * i64::from(app.app.config.kafka.partitions);
        let places = "SELECT count(*) FROM projection_offsets WHERE projection = 'post_counts'";
        projecting(app, "every shard has stored where it is", async || app.count(places).await == everywhere).await;
        assert!(app.count(POSTS_BEHIND).await > 0, "it did not wait");

        let found = "INSERT INTO projection_versions (projection, aggregate, version)
             SELECT DISTINCT o.projection, 'post:' || p.id, 1 FROM posts p, projection_offsets o WHERE p.text = 'its first event is lost'";
        app.execute(found).await;
        projecting(app, "all is applied", async || app.count(POSTS_BEHIND).await == 0).await;
    })
    .await;
}
