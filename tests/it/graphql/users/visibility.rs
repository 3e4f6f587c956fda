//! Who sees what: a private person, a block, a suspension, through every door.

use plaza::cli::roles::{Role, start_without_ports};
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_roles};

/// What somebody can find of a person and a post of theirs, by every way there is.
async fn doors(
    app: &TestApp,
    viewer: Option<&Person>,
    target: &Person,
    post: &str,
    comment: &str,
) -> Value {
    let query = "query($handle: String!, $user: ID!, $post: ID!, $comment: ID!) {
        user(handle: $handle) { handle posts(first: 5) { nodes { text } }
        followers(first: 5) { nodes { handle } } following(first: 5) { nodes { handle } } }
        byNode: node(id: $user) { id }
        post(id: $post) { text likeCount comments(first: 5) { nodes { text } } }
        nodes(ids: [$post, $comment]) { id }
        viewer { home(first: 5) { nodes { text } } }
    }";
    let variables =
        json!({ "handle": "target", "user": target.id, "post": post, "comment": comment });
    let answer = match viewer {
        Some(viewer) => app.ask(viewer, query, variables).await,
        None => app.ask_anonymously(query, variables).await,
    };
    answer.at("")
}

/// Which doors are open.
fn shown(seen: &Value) -> [bool; 5] {
    [
        !seen["user"]["posts"]["nodes"].as_array().is_none_or(Vec::is_empty),
        seen["post"].is_object(),
        !seen["post"]["comments"]["nodes"].as_array().is_none_or(Vec::is_empty),
        seen["nodes"][0].is_object(),
        seen["nodes"][1].is_object(),
    ]
}

/// Asked where nothing is under way: while a change reaches the replicas, a request may read one
/// door before it and one after it.
fn sees_content(seen: &Value) -> bool {
    let shown = shown(seen);
    assert!(shown == [shown[0]; 5], "every door or none: {seen}");
    shown[0]
}

/// Whether they are found by handle and by id: two shards, of which a visitor without a session may
/// read any replica.
fn is_found(seen: &Value) -> bool {
    seen["user"].is_object() && seen["byNode"].is_object()
}

fn is_gone(seen: &Value) -> bool {
    seen["user"].is_null() && seen["byNode"].is_null()
}

async fn act(app: &TestApp, person: &Person, mutation: &str, id: &str) -> Value {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    app.ask(person, &query, json!({ "id": id })).await.at(&format!("/{mutation}/userErrors"))
}

struct Scene {
    target: Person,
    follower: Person,
    stranger: Person,
    post: String,
    comment: String,
}

async fn scene(app: &TestApp) -> Scene {
    let (target, follower, stranger) =
        (app.sign_up("target").await, app.sign_up("follower").await, app.sign_up("stranger").await);
    app.follow(&follower, &target).await;
    let post = app.post(&target, "mine").await;
    let query = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"well\"}) { comment { id } } }";
    let comment =
        app.ask(&target, query, json!({ "id": post })).await.text("/commentCreate/comment/id");
    app.until("the follow is known", async || {
        app.count("SELECT count(*) FROM followers WHERE active").await == 1
    })
    .await;
    // Each door is on a shard of its own, whose replicas may be a while behind.
    for viewer in [None, Some(&follower), Some(&stranger)] {
        app.until("all is on the replicas", async || {
            shown(&doors(app, viewer, &target, &post, &comment).await) == [true; 5]
        })
        .await;
    }
    Scene { target, follower, stranger, post, comment }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_person_is_read_by_those_they_let() {
    with_app(async |app| {
        let Scene { target, follower, stranger, post, comment } = scene(app).await;
        let doors =
            async |viewer: Option<&Person>| doors(app, viewer, &target, &post, &comment).await;
        app.ask(
            &target,
            "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }",
            json!({}),
        )
        .await;
        for viewer in [Some(&stranger), None] {
            app.until("it is private on the replicas", async || {
                shown(&doors(viewer).await) == [false; 5]
            })
            .await;
        }
        for (who, viewer, content) in [
            ("owner", Some(&target), true),
            ("follower", Some(&follower), true),
            ("stranger", Some(&stranger), false),
            ("anonymous", None, false),
        ] {
            app.until(&format!("the {who} finds them"), async || {
                let seen = doors(viewer).await;
                is_found(&seen) && shown(&seen) == [content; 5]
            })
            .await;
            let seen = doors(viewer).await;
            assert_eq!(sees_content(&seen), content, "{who}: {seen}");
            assert!(content || seen["user"]["followers"]["nodes"] == json!([]), "{who}: {seen}");
        }
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        let refused = app.ask(&stranger, like, json!({ "id": post })).await;
        assert_eq!(refused.at("/postLike/userErrors/0/code"), "NOT_FOUND");

        // A follow is only asked for, until it is granted.
        assert_eq!(act(app, &stranger, "userFollow", &target.id).await, json!([]));
        assert!(!sees_content(&doors(Some(&stranger)).await));
        let asking = "{ viewer { followRequests(first: 5) { nodes { handle } } } }";
        app.until("the request is known", async || {
            app.ask(&target, asking, json!({})).await.at("/viewer/followRequests/nodes")
                == json!([{ "handle": "stranger" }])
        })
        .await;
        assert_eq!(act(app, &target, "followRequestAccept", &stranger.id).await, json!([]));
        app.until("the stranger is let in", async || {
            shown(&doors(Some(&stranger)).await) == [true; 5]
        })
        .await;
        assert_eq!(act(app, &stranger, "userUnfollow", &target.id).await, json!([]));
        assert!(!sees_content(&doors(Some(&stranger)).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_hides_both_from_each_other() {
    with_app(async |app| {
        let Scene { target, follower, stranger, post, comment } = scene(app).await;
        let doors =
            async |viewer: Option<&Person>| doors(app, viewer, &target, &post, &comment).await;
        assert!(sees_content(&doors(Some(&follower)).await));
        assert_eq!(act(app, &target, "userBlock", &follower.id).await, json!([]));
        app.until("the blocked see nothing", async || is_gone(&doors(Some(&follower)).await)).await;
        let seen = doors(Some(&follower)).await;
        assert!(!sees_content(&seen), "{seen}");
        assert_eq!(seen["viewer"]["home"]["nodes"], json!([]), "{seen}");
        assert!(sees_content(&doors(Some(&stranger)).await), "nobody else is touched");
        app.until("the follow has ended", async || {
            app.count("SELECT count(*) FROM follows WHERE active").await == 0
        })
        .await;
        assert_eq!(
            act(app, &follower, "userFollow", &target.id).await,
            json!([{ "code": "NOT_FOUND" }])
        );
        let seen = app
            .ask(&target, "{ user(handle: \"follower\") { viewerIsBlocking } }", json!({}))
            .await;
        assert_eq!(seen.at("/user/viewerIsBlocking"), true, "who blocks can find whom, to end it");

        assert_eq!(act(app, &target, "userUnblock", &follower.id).await, json!([]));
        app.until("all is seen again", async || shown(&doors(Some(&follower)).await) == [true; 5])
            .await;
    })
    .await;
}

/// However late it is heard of: by then it may be over.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_over_has_ended_the_follow_all_the_same() {
    let scene = [Role::Server, Role::Relay];
    with_roles(&scene, async |app| {
        let (target, follower) = (app.sign_up("target").await, app.sign_up("follower").await);
        app.follow(&follower, &target).await;
        assert_eq!(act(app, &target, "userBlock", &follower.id).await, json!([]));
        assert_eq!(act(app, &target, "userUnblock", &follower.id).await, json!([]));
        app.until("all is sent", async || {
            app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0
        })
        .await;
        start_without_ports(&app.app, Role::Projector);
        app.until("the follow has ended", async || {
            app.count("SELECT count(*) FROM follows WHERE active").await == 0
        })
        .await;
        app.follow(&follower, &target).await;
        assert_eq!(app.count("SELECT count(*) FROM follows WHERE active").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suspended_are_seen_by_nobody_and_cannot_act() {
    with_app(async |app| {
        let Scene { target, follower, stranger, post, comment } = scene(app).await;
        let suspend = "mutation($id: ID!) { userSuspend(input: {userId: $id}) { userErrors { code } } }";
        let token = format!("Bearer {}", stranger.token);
        let refused = app.send(&[("authorization", &token)], suspend, json!({ "id": target.id })).await;
        assert_eq!(refused.code(), "FORBIDDEN");
        app.count("WITH made AS (UPDATE users SET is_admin = true WHERE handle = 'stranger' RETURNING 1) SELECT count(*) FROM made").await;
        assert_eq!(act(app, &stranger, "userSuspend", &target.id).await, json!([]));
        for viewer in [Some(&follower), Some(&stranger), None] {
            app.until("nobody sees them", async || {
                let seen = doors(app, viewer, &target, &post, &comment).await;
                is_gone(&seen) && shown(&seen) == [false; 5]
            })
            .await;
        }
        plaza::domain::identity::revocations::refresh(&app.app.domain).await.unwrap();
        let token = format!("Bearer {}", target.token);
        assert_eq!(app.send(&[("authorization", &token)], "{ viewer { user { id } } }", json!({})).await.status, 401);
        let log_in = "mutation { logIn(input: {handle: \"target\", password: \"correct horse\"}) { accessToken userErrors { code } } }";
        assert_eq!(app.ask_anonymously(log_in, json!({})).await.at("/logIn/userErrors/0/code"), "NOT_ALLOWED");
        assert_eq!(act(app, &stranger, "userUnsuspend", &target.id).await, json!([]));
        app.until("they are back", async || is_found(&doors(app, None, &target, &post, &comment).await)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_one_blocks_is_listed_page_by_page_and_is_nobody_elses_to_see() {
    with_app(async |app| {
        let me = app.sign_up("myself").await;
        let query = "query($after: String) { viewer { blockedUsers(first: 2, after: $after) \
            { edges { cursor node { handle } } pageInfo { hasNextPage endCursor } } } }";
        let handles = |answer: &Value| -> Vec<String> {
            let edges = answer["edges"].as_array().unwrap();
            edges.iter().map(|edge| edge["node"]["handle"].as_str().unwrap().to_owned()).collect()
        };
        let ask = async |who: &Person, after: Value| {
            app.ask(who, query, json!({ "after": after })).await.at("/viewer/blockedUsers")
        };
        assert_eq!(handles(&ask(&me, json!(null)).await), Vec::<String>::new());
        let mut others = Vec::new();
        for name in ["one", "two", "three"] {
            let other = app.sign_up(name).await;
            assert_eq!(act(app, &me, "userBlock", &other.id).await, json!([]));
            others.push(other);
        }
        let first = ask(&me, json!(null)).await;
        assert_eq!(handles(&first), ["three", "two"], "the newest block first");
        assert_eq!(first["pageInfo"]["hasNextPage"], json!(true));
        // Blocked in the meantime: before the page that was read, so not on the next.
        let four = app.sign_up("four").await;
        assert_eq!(act(app, &me, "userBlock", &four.id).await, json!([]));
        let second = ask(&me, first["pageInfo"]["endCursor"].clone()).await;
        assert_eq!(handles(&second), ["one"]);
        assert_eq!(second["pageInfo"]["hasNextPage"], json!(false));

        assert_eq!(act(app, &me, "userUnblock", &others[1].id).await, json!([]));
        assert_eq!(handles(&ask(&me, json!(null)).await), ["four", "three"]);
        assert_eq!(handles(&ask(&four, json!(null)).await), Vec::<String>::new());
        let token = format!("Bearer {}", me.token);
        let bad = app.send(&[("authorization", &token)], query, json!({ "after": "x" })).await;
        assert_eq!(bad.code(), "BAD_USER_INPUT");
    })
    .await;
}
