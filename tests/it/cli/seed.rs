//! Seeding: goes on where it was killed, and what is seeded is like what has come to be.

use plaza::cli::ledger::verify;
use plaza::cli::seed::{SeedArgs, run};
use plaza::cli::shards::{CheckArgs, distribution};
use plaza::protocol::routing::Topic;
use plaza::read_models::readers;
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_roles};
use crate::template::session;

const WRONG_COUNTS: &str = "SELECT
    (SELECT count(*) FROM posts p JOIN post_counts c ON c.post_id = p.id WHERE c.version <> p.version
        OR c.like_count <> (SELECT count(*) FROM likes l WHERE l.post_id = p.id)
        OR c.comment_count <> (SELECT count(*) FROM comments m WHERE m.post_id = p.id))
  + (SELECT count(*) FROM users u LEFT JOIN user_counts c ON c.user_id = u.id WHERE c.activity_version IS DISTINCT FROM u.activity_version
        OR c.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                         - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id)
        OR c.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active))
  + (SELECT count(*) FROM users u LEFT JOIN follower_counts c ON c.user_id = u.id WHERE coalesce(c.follower_count, 0)
        <> (SELECT count(*) FROM followers f WHERE f.followee_id = u.id AND f.active))
  + (SELECT count(*) FROM (SELECT post_id,
            count(*) FILTER (WHERE active AND NOT is_quote) AS reposts,
            count(*) FILTER (WHERE active AND is_quote) AS quotes FROM shares GROUP BY post_id) s
        FULL JOIN share_counts c USING (post_id)
        WHERE s.reposts IS DISTINCT FROM c.repost_count OR s.quotes IS DISTINCT FROM c.quote_count)
  + (SELECT count(*) FROM (SELECT sum(orders) AS orders FROM product_sales) s
        WHERE coalesce(s.orders, 0) <> (SELECT count(*) FROM reservations WHERE status = 'SOLD'))";

fn args() -> SeedArgs {
    SeedArgs { users: Some(400), random_seed: 5, ..SeedArgs::default() }
}

async fn seed(app: &TestApp, args: SeedArgs) {
    run(app.app.config.as_ref().clone(), args).await.expect("a seeding");
}

/// How many rows each table has, all shards together.
async fn rows(app: &TestApp) -> Vec<(&'static str, i64)> {
    let mut rows = Vec::new();
    for table in [
        "users",
        "follows",
        "followers",
        "posts",
        "likes",
        "comments",
        "post_counts",
        "products",
        "orders",
        "reservations",
        "reposts",
        "shares",
        "share_counts",
        "hashtags",
    ] {
        rows.push((table, app.count(&format!("SELECT count(*) FROM {table}")).await));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeding_that_is_killed_goes_on_where_it_stopped_and_repeats_nothing() {
    let mut whole = Vec::new();
    with_roles(&[], async |app| {
        seed(app, args()).await;
        whole = rows(app).await;
        assert_eq!(whole[0], ("users", 400));
        assert_eq!(whole[1].1, whole[2].1, "both sides of every follow");
        for (what, at_least) in [
            ("reposts r JOIN posts p ON p.id = r.post_id AND p.repost_of = r.original_id", 50),
            ("shares WHERE active AND NOT is_quote", 50),
            ("posts WHERE quoted_post_id IS NOT NULL", 30),
            ("shares WHERE active AND is_quote", 30),
            ("posts WHERE entities::text LIKE '%\"user\"%'", 40),
        ] {
            let found = app.count(&format!("SELECT count(*) FROM {what}")).await;
            assert!(found >= at_least, "{found} {what}");
        }
        assert_eq!(app.count(WRONG_COUNTS).await, 0);
        assert_eq!(
            app.count("SELECT count(*) FROM outbox").await,
            0,
            "nothing is told of what is seeded"
        );
        // Again, and with more: only what is missing comes.
        seed(app, args()).await;
        assert_eq!(rows(app).await, whole);
        seed(app, SeedArgs { posts: Some(1_300), ..args() }).await;
        assert_eq!(app.count("SELECT count(*) FROM users").await, 400);
        assert_eq!(app.count(WRONG_COUNTS).await, 0);
        let check = CheckArgs { max_skew: 100.0, seconds: 0, json: false };
        let found = distribution(&app.app.config, &check).await.expect("a distribution");
        assert!(
            found.even
                && found.people == 400
                && found.requests.by_shard.iter().all(|requests| *requests > 0),
            "{found:?}"
        );
        let strict = CheckArgs { max_skew: 0.0, ..check };
        assert!(!distribution(&app.app.config, &strict).await.expect("a distribution").even);
    })
    .await;
    // Boxed: the two scenes of this test are large.
    Box::pin(with_roles(&[], async |app| {
        let config = app.app.config.as_ref().clone();
        // One shard cannot take posts: there it stands still, in the middle of its work, until it
        // is killed.
        let holder = session(&config.postgres.shards[0].primary).await;
        holder.batch_execute("BEGIN; LOCK TABLE posts IN SHARE MODE").await.expect("the lock");
        let killed = tokio::task::spawn(async move { run(config, args()).await });
        app.until("the other shards have their posts", async || {
            // The table of notes is not there before the seeding has begun.
            let noted = "SELECT CASE WHEN to_regclass('seeded_chunks') IS NULL THEN 0::bigint ELSE (xpath('/row/c/text()', query_to_xml(
                'SELECT count(*) AS c FROM seeded_chunks WHERE step LIKE ''%Posts%''', false, true, '')))[1]::text::bigint END";
            app.count(noted).await == 3
        })
        .await;
        killed.abort();
        assert!(killed.await.is_err_and(|error| error.is_cancelled()), "it was killed before its end");
        holder.batch_execute("ROLLBACK").await.expect("the lock is given back");
        assert_eq!(app.count("SELECT count(*) FROM users").await, 0, "people come last");
        seed(app, SeedArgs { if_empty: true, ..args() }).await;
        assert_eq!(rows(app).await, whole);
        assert_eq!(app.count(WRONG_COUNTS).await, 0);
    }))
    .await;
}

async fn log_in(app: &TestApp, handle: &str) -> Person {
    let query =
        "mutation($handle: String!) { logIn(input: {handle: $handle, password: \"plaza-demo-1\"}) {
        accessToken viewer { user { id } } userErrors { message } } }";
    let answer = app.ask_anonymously(query, json!({ "handle": handle })).await;
    Person { id: answer.text("/logIn/viewer/user/id"), token: answer.text("/logIn/accessToken") }
}

/// The handle of somebody who sells and is not alice.
async fn handle_of(app: &TestApp) -> String {
    let sellers = "{ products(first: 20) { nodes { seller { handle } } } }";
    let found = app.ask_anonymously(sellers, json!({})).await.at("/products/nodes");
    let handles = found.as_array().unwrap().iter();
    let mut handles = handles.map(|product| product["seller"]["handle"].as_str().unwrap());
    handles.find(|handle| *handle != "alice").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seeded_can_be_liked_commented_unfollowed_and_bought_and_no_projection_stumbles() {
    with_app(async |app| {
        seed(app, args()).await;
        let alice = log_in(app, "alice").await;
        let somebody = log_in(app, &handle_of(app).await).await;
        let seen = app
            .ask(
                &somebody,
                "{ user(handle: \"alice\") { followerCount posts(first: 1) { nodes { id likeCount } } }
                viewer { user { following(first: 1) { nodes { id } } } } products(first: 1) { nodes { id } } }",
                json!({}),
            )
            .await;
        let (post, likes) = (seen.text("/user/posts/nodes/0/id"), seen.at("/user/posts/nodes/0/likeCount").as_i64().unwrap());
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { likeCount viewerHasLiked } userErrors { message } } }";
        let liked = app.ask(&alice, like, json!({ "id": post })).await;
        assert_eq!(liked.at("/postLike/post/viewerHasLiked"), true);
        assert!(liked.at("/postLike/post/likeCount").as_i64().unwrap() >= likes);
        let unfollow = "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { message } } }";
        let followed = seen.text("/viewer/user/following/nodes/0/id");
        assert_eq!(app.ask(&somebody, unfollow, json!({ "id": followed })).await.at("/userUnfollow/user/viewerIsFollowing"), false);
        let buy =
            "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } userErrors { message } } }";
        app.ask(&alice, buy, json!({ "id": seen.text("/products/nodes/0/id") })).await.text("/orderPlace/order/id");
        app.until("everything is sent and every count equals its rows", async || {
            app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0
                && app.count("SELECT count(*) FROM orders WHERE status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING')").await == 0
                && app.count(WRONG_COUNTS).await == 0
        })
        .await;
        let bio = "mutation { profileUpdate(input: {bio: \"changed\"}) { user { bio } } }";
        assert_eq!(app.ask(&alice, bio, json!({})).await.at("/profileUpdate/user/bio"), "changed");
        // A projection that finds a version missing stops there, and would not know the new one.
        let changed = "SELECT count(*) FROM projection_versions WHERE version = 1 AND projection = 'users'
                    AND aggregate LIKE 'user:%'";
        app.until("the change of a seeded user is applied", async || app.count(changed).await == 1)
            .await;
        let told = "SELECT count(*) FROM projection_versions WHERE version = 1 AND projection IN ('post_counts', 'notifications')
                    AND aggregate LIKE 'post:%'";
        app.until("every projection has applied the first event", async || app.count(told).await == 2).await;
        let edges = "SELECT count(*) FROM projection_versions WHERE version = 1 AND aggregate LIKE 'edge:%'";
        app.until("both sides know that the follow has ended", async || app.count(edges).await >= 2).await;
    })
    .await;
}

/// Waits until the ledger finds nothing wrong, and nothing on its way.
async fn settle(app: &TestApp) {
    app.until("the ledger is clean", async || {
        let checks = verify(&app.app.config).await.expect("the servers");
        checks.iter().all(|check| check.waiting == 0 && check.wrong == 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_repost_and_a_seeded_quote_are_taken_back_and_no_projection_stumbles() {
    with_app(async |app| {
        seed(app, args()).await;
        // The replicas may be a little behind what was seeded.
        let shared = async |count: &str| -> Option<String> {
            let newest = "{ posts(first: 80) { nodes { id repostCount quoteCount } } }";
            let newest = app.ask_anonymously(newest, json!({})).await.at("/posts/nodes");
            let mut posts = newest.as_array().unwrap().iter();
            let post = posts.find(|post| post[count].as_i64() > Some(0))?;
            Some(post["id"].as_str().unwrap().to_owned())
        };
        app.until("something was reposted, and something quoted", async || {
            shared("repostCount").await.is_some() && shared("quoteCount").await.is_some()
        })
        .await;
        let reposted = shared("repostCount").await.unwrap();
        let quoted = shared("quoteCount").await.unwrap();
        let query = "query($reposted: ID!, $quoted: ID!) {
            reposted: post(id: $reposted) { repostCount
                reposts(first: 50) { nodes { author { handle } repostOf { id } } } }
            quoted: post(id: $quoted) { quoteCount
                quotes(first: 50) { nodes { id author { handle } quotedPost { id } } } } }";
        let ids = json!({ "reposted": reposted, "quoted": quoted });
        let listed = async || {
            let seen = app.ask_anonymously(query, ids.clone()).await;
            let id = |pointer: &str| seen.at_or_null(pointer);
            let is_there = id("/reposted/reposts/nodes/0/repostOf/id") == json!(reposted)
                && id("/quoted/quotes/nodes/0/quotedPost/id") == json!(quoted);
            is_there.then_some(seen)
        };
        app.until("who shares is listed", async || listed().await.is_some()).await;
        let seen = listed().await.unwrap();
        let counts = |seen: &Value| {
            let of = |pointer: &str| seen.pointer(pointer).and_then(Value::as_i64).unwrap();
            (of("/reposted/repostCount"), of("/quoted/quoteCount"))
        };
        let (reposts, quotes) = counts(&seen.at(""));
        let reposter = log_in(app, &seen.text("/reposted/reposts/nodes/0/author/handle")).await;
        let quoter = log_in(app, &seen.text("/quoted/quotes/nodes/0/author/handle")).await;
        let undo = "mutation($id: ID!) { postUnrepost(input: {postId: $id}) { userErrors { message } } }";
        let undone = app.ask(&reposter, undo, json!({ "id": reposted })).await;
        assert_eq!(undone.at("/postUnrepost/userErrors"), json!([]));
        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { userErrors { message } } }";
        let quote = json!({ "id": seen.text("/quoted/quotes/nodes/0/id") });
        assert_eq!(app.ask(&quoter, delete, quote).await.at("/postDelete/userErrors"), json!([]));
        let of_shares = readers(&app.app.config.feed).into_iter();
        let of_shares = of_shares.filter(|(_, topics)| topics.contains(&Topic::References)).count();
        let ended = "SELECT count(*) FROM projection_versions WHERE aggregate LIKE 'share:%' AND version = 2";
        app.until("whoever reads of shares knows that two have ended", async || {
            app.count(ended).await == 2 * i64::try_from(of_shares).unwrap()
        })
        .await;
        app.until("there is one less of each", async || {
            let now = app.ask_anonymously(query, ids.clone()).await;
            counts(&now.at("")) == (reposts - 1, quotes - 1)
        })
        .await;
        app.until("every count equals its rows", async || app.count(WRONG_COUNTS).await == 0).await;
        settle(app).await;
    })
    .await;
}

/// What alice opens on, right after the seeding and when everything has arrived.
async fn alice_opens_the_demo(app: &TestApp) {
    let alice = log_in(app, "alice").await;
    let query = "{ viewer { unreadNotificationCount
        user { avatar { url } posts(first: 5) { nodes { text commentCount likeCount } } }
        orders(first: 5) { nodes { status createdAt } }
        analytics { views(size: HOUR, last: 24) { views reach }
            topPosts(first: 5) { views post { text } } }
        notifications(first: 50) { nodes { kind } }
        home(first: 20) { nodes { createdAt text author { displayName avatar { url } } images { altText url } } } } }";
    let time = |value: &Value| {
        chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().to_utc()
    };
    let at_first = app.ask(&alice, query, json!({})).await.at("/viewer");
    let order = &at_first["orders"]["nodes"][0];
    assert!(
        ["PENDING", "RESERVED", "PAID", "CONFIRMED"].contains(&order["status"].as_str().unwrap()),
        "{order}"
    );
    let newest = time(&at_first["home"]["nodes"][0]["createdAt"]);
    assert!(time(&order["createdAt"]) >= newest, "it was placed after all that was written");

    let kinds = |seen: &Value| -> Vec<String> {
        let nodes = seen["viewer"]["notifications"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["kind"].as_str().unwrap().to_owned()).collect()
    };
    app.until("everything has arrived", async || {
        let seen = app.ask(&alice, query, json!({})).await.at("");
        let kinds = kinds(&seen);
        let told = |kind: &str| kinds.iter().filter(|told| *told == kind).count();
        let viewed = seen["viewer"]["analytics"]["topPosts"].as_array().unwrap();
        told("MENTION") >= 3
            && told("ORDERED") == 2
            && told("REPLY") >= 1
            && told("QUOTE") == 1
            && told("REPOST") == 1
            && told("LIKED") >= 3
            && seen["viewer"]["orders"]["nodes"][0]["status"] == "CONFIRMED"
            && viewed.iter().any(|top| top["post"]["text"].as_str().unwrap().contains("notebooks"))
    })
    .await;
    let seen = app.ask(&alice, query, json!({})).await.at("/viewer");
    assert!(seen["unreadNotificationCount"].as_i64().unwrap() >= 10, "{seen}");
    assert!(seen["user"]["avatar"]["url"].is_string(), "{seen}");
    let views = &seen["analytics"]["views"];
    assert!(views["views"].as_i64() > Some(60) && views["reach"].as_i64() > Some(20), "{views}");
    let home = seen["home"]["nodes"].as_array().unwrap();
    assert!(home.iter().filter(|post| is_pictured(post)).count() >= 2);
    assert!(home.iter().any(|post| post["author"]["avatar"]["url"].is_string()));
    let newest = time(&home[0]["createdAt"]);
    assert!((app.app.domain.clock.now() - newest).num_hours() < 1, "seeded time ends now");
}

fn is_pictured(post: &Value) -> bool {
    post["images"].as_array().is_some_and(|images| !images.is_empty())
}

/// What somebody opens on who has just signed up, before and after they follow somebody.
async fn a_new_person_opens_the_demo(app: &TestApp) {
    let nora = app.sign_up("nora").await;
    let query = "{ products(first: 40) { nodes { seller { id handle avatar { url } } } }
        posts(first: 50) { nodes { text isQuote author { id handle avatar { url } } images { url altText } entities { kind } } } }";
    let seen = app.ask(&nora, query, json!({})).await;
    let sellers = seen.at("/products/nodes");
    let sellers: Vec<&Value> =
        sellers.as_array().unwrap().iter().map(|product| &product["seller"]).collect();
    let bare: Vec<_> = sellers.iter().filter(|seller| seller["avatar"].is_null()).collect();
    assert!(sellers.len() >= 30 && bare.is_empty(), "suggested without a face: {bare:?}");
    let posts = seen.at("/posts/nodes");
    let posts = posts.as_array().unwrap();
    let bare: Vec<_> =
        posts.iter().take(40).filter(|post| post["author"]["avatar"].is_null()).collect();
    assert!(bare.is_empty(), "said by somebody without a face: {bare:?}");
    let pictured: Vec<_> = posts.iter().filter(|post| is_pictured(post)).collect();
    assert!(pictured.len() >= 24, "{} with pictures", pictured.len());
    let described =
        |post: &&&Value| post["images"][0]["altText"].as_str().unwrap().contains("ills");
    assert_eq!(pictured.iter().filter(described).count(), pictured.len(), "{pictured:?}");
    assert!(posts.iter().any(|post| post["isQuote"] == true));
    let mentions = |post: &&Value| {
        post["entities"].as_array().unwrap().iter().any(|entity| entity["kind"] == "MENTION")
    };
    assert!(posts.iter().filter(mentions).count() >= 4);

    let follow =
        "mutation($id: ID!) { userFollow(input: {userId: $id}) { userErrors { message } } }";
    for post in pictured.iter().take(3) {
        app.ask(&nora, follow, json!({ "id": post["author"]["id"] })).await;
    }
    app.until("her home has pictures and faces", async || {
        let home =
            "{ viewer { home(first: 20) { nodes { author { avatar { url } } images { url } } } } }";
        let home = app.ask(&nora, home, json!({})).await.at("/viewer/home/nodes");
        let home = home.as_array().unwrap();
        home.iter().any(is_pictured) && home.iter().all(|post| !post["author"]["avatar"].is_null())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alice_and_a_new_person_open_on_a_world_that_is_alive_and_the_scene_is_played_once() {
    with_app(async |app| {
        seed(app, SeedArgs { scene: true, ..args() }).await;
        Box::pin(alice_opens_the_demo(app)).await;
        Box::pin(a_new_person_opens_the_demo(app)).await;
        let faces = app.count("SELECT count(*) FROM users WHERE avatar IS NOT NULL").await;
        assert_eq!(faces, 100, "as many as there is room for");
        let posts = app.count("SELECT count(*) FROM posts").await;
        let views =
            "SELECT coalesce(sum(counted), 0)::bigint FROM view_totals WHERE partition = -1";
        let viewed = app.count(views).await;
        seed(app, SeedArgs { scene: true, if_empty: true, ..args() }).await;
        seed(app, SeedArgs { scene: true, ..args() }).await;
        assert_eq!(app.count("SELECT count(*) FROM posts").await, posts, "once");
        assert_eq!(app.count(views).await, viewed, "once");
        settle(app).await;
    })
    .await;
}
