//! What no cache may show any more, whatever happens to Redis while it is changed: hung for a
//! moment or for long, cut off from one process, emptied, restarted, given back with an old dump.

use std::time::{Duration, Instant};

use plaza::cli::roles::Role;
use serde_json::json;

use super::own_redis::OwnRedis;
use crate::app::{Person, TestApp, with_roles_and_config};

/// How long something changed may be shown as it was: "about a second", on a machine that others
/// keep busy. Far below the minutes that a cache which nothing invalidated would show it for.
const SOON: Duration = Duration::from_secs(20);

/// Who is there, what they wrote, and who looks.
struct Scene {
    private: Person,
    suspended: Person,
    blocker: Person,
    blocked: Person,
    renamed: Person,
    followed: Person,
    reader: Person,
    admin: Person,
    /// By `private`, `suspended`, `blocker`, and one by `renamed` that is deleted.
    posts: [String; 4],
}

impl Scene {
    async fn new(app: &TestApp) -> Self {
        let private = app.sign_up("private_one").await;
        let suspended = app.sign_up("suspended").await;
        let blocker = app.sign_up("blocker").await;
        let renamed = app.sign_up("renamed").await;
        let followed = app.sign_up("followed").await;
        let posts = [
            app.post(&private, "of private").await,
            app.post(&suspended, "of suspended").await,
            app.post(&blocker, "of blocker").await,
            app.post(&renamed, "deleted").await,
        ];
        app.post(&followed, "of followed").await;
        let (blocked, reader) = (app.sign_up("blocked").await, app.sign_up("reader").await);
        let admin = app.sign_up("warden").await;
        app.count("WITH made AS (UPDATE users SET is_admin = true WHERE handle = 'warden' RETURNING 1) SELECT count(*) FROM made").await;
        app.follow(&reader, &suspended).await;
        Self { private, suspended, blocker, blocked, renamed, followed, reader, admin, posts }
    }

    /// What is still shown as it was before [`Scene::change`].
    async fn stale(&self, app: &TestApp) -> Vec<&'static str> {
        let query = "query($private: ID!, $suspended: ID!, $deleted: ID!, $blocked: ID!) {
            private: post(id: $private) { text } suspended: post(id: $suspended) { text } deleted: post(id: $deleted) { text }
            blocker: post(id: $blocked) { text } renamed: user(handle: \"renamed\") { displayName }
            viewer { home(first: 10) { nodes { text } } } }";
        let [private, suspended, blocked, deleted] = &self.posts;
        let variables = json!({ "private": private, "suspended": suspended, "deleted": deleted, "blocked": blocked });
        let as_reader = app.ask(&self.reader, query, variables.clone()).await;
        let as_blocked = app.ask(&self.blocked, query, variables).await;
        let mut stale = Vec::new();
        for (what, shown) in [
            ("a private post", !as_reader.at("/private").is_null()),
            ("a suspended person's post", !as_reader.at("/suspended").is_null()),
            ("a deleted post", !as_reader.at("/deleted").is_null()),
            ("a blocker's post", !as_blocked.at("/blocker").is_null()),
            ("an old name", as_reader.text("/renamed/displayName") == "renamed"),
            (
                "a home without whom one follows",
                !as_reader.body.to_string().contains("of followed"),
            ),
        ] {
            if shown {
                stale.push(what);
            }
        }
        stale
    }

    /// Both servers hold everything as it is before the change, in process memory and in Redis.
    async fn warm(&self, servers: &[TestApp]) {
        for server in servers {
            server
                .until("everything is shown and cached", async || {
                    server.app.domain.redis.is_trusted() && self.stale(server).await.len() == 6
                })
                .await;
            assert_eq!(self.stale(server).await.len(), 6);
        }
    }

    /// Hides and changes all of it, at one server and at the same time.
    async fn change(&self, app: &TestApp) {
        let user = |id: &str| json!({ "id": id });
        let post = &self.posts[3];
        let answers = tokio::join!(
            app.ask(
                &self.private,
                "mutation { profileUpdate(input: {isPrivate: true}) { userErrors { code } } }",
                json!({})
            ),
            app.ask(
                &self.renamed,
                "mutation { profileUpdate(input: {displayName: \"new\"}) { userErrors { code } } }",
                json!({})
            ),
            app.ask(
                &self.admin,
                "mutation($id: ID!) { userSuspend(input: {userId: $id}) { userErrors { code } } }",
                user(&self.suspended.id)
            ),
            app.ask(
                &self.blocker,
                "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }",
                user(&self.blocked.id)
            ),
            app.ask(
                &self.reader,
                "mutation($id: ID!) { userFollow(input: {userId: $id}) { userErrors { code } } }",
                user(&self.followed.id)
            ),
            app.ask(
                &self.renamed,
                "mutation($id: ID!) { postDelete(input: {postId: $id}) { userErrors { code } } }",
                user(post)
            ),
        );
        for answer in [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5] {
            assert!(answer.body.to_string().contains("\"userErrors\":[]"), "{}", answer.body);
        }
    }

    /// Soon nobody is shown anything of it, at any server, and it stays so.
    async fn hidden_soon(&self, servers: &[TestApp]) {
        let since = Instant::now();
        for server in servers {
            loop {
                let stale = self.stale(server).await;
                if stale.is_empty() {
                    break;
                }
                assert!(since.elapsed() < SOON, "shown after {:?}: {stale:?}", since.elapsed());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for _ in 0..10 {
            for server in servers {
                assert_eq!(self.stale(server).await, [""; 0], "shown again");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A scene at two servers that share a Redis of the test's own; the first one's wire to it is
/// handed on. Times are the product's.
async fn with_scene(
    test: impl AsyncFnOnce(&Scene, &[TestApp], &mut OwnRedis, &super::own_redis::Wire),
) {
    let mut redis = OwnRedis::start().await;
    let (wire, url) = (redis.wire().await, redis.url());
    let through_wire = wire.url.clone();
    with_roles_and_config(
        &Role::ALL,
        |config| {
            config.redis.url = through_wire.into();
            config.redis.timeout_ms = 250;
            config.redis.trust_ms = 1_500;
        },
        async |app| {
            let scene = Scene::new(app).await;
            let direct = |config: &mut plaza::config::Config| config.redis.url = url.clone().into();
            app.beside_another_server_with(direct, async |other| {
                let servers = [app.at(app.url.clone()), app.at(other.to_owned())];
                scene.warm(&servers).await;
                test(&scene, &servers, &mut redis, &wire).await;
                scene.hidden_soon(&servers).await;
            })
            .await;
        },
    )
    .await;
}

async fn hung_for(length: Duration) {
    with_scene(async |scene, servers, redis, _| {
        let began = Instant::now();
        redis.freeze();
        scene.change(&servers[0]).await;
        tokio::time::sleep(length.saturating_sub(began.elapsed())).await;
        redis.thaw();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_hung_for_a_second() {
    hung_for(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_hung_for_six_seconds() {
    hung_for(Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cut_off_from_the_process_that_changes_and_not_from_the_others() {
    with_scene(async |scene, servers, _, wire| {
        wire.hang(true);
        scene.change(&servers[0]).await;
        // At the other server already while it lasts.
        scene.hidden_soon(&servers[1..]).await;
        wire.hang(false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_emptied_after_it_was_invalidated() {
    with_scene(async |scene, servers, redis, _| {
        scene.change(&servers[0]).await;
        redis.flush().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_restarted_empty_meanwhile() {
    with_scene(async |scene, servers, redis, _| {
        let (changed, ()) = tokio::join!(Box::pin(scene.change(&servers[0])), redis.restart());
        changed
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_given_back_with_an_old_dump() {
    with_scene(async |scene, servers, redis, _| {
        redis.save().await;
        scene.change(&servers[0]).await;
        redis.restart().await;
    })
    .await;
}
