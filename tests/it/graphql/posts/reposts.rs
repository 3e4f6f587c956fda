//! Reposts: who has them in their home, who is counted, what a watcher hears.

use serde_json::json;

use super::{REPOST, UNREPOST, counts, delete, home, repost, unrepost};
use crate::app::{with_app, with_config};

#[tokio::test(flavor = "multi_thread")]
async fn a_repost_reaches_the_followers_is_counted_and_told_and_goes_again() {
    with_app(async |app| {
        let (ann, bob, eve) = (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        app.follow(&eve, &bob).await;
        let post = app.post(&ann, "worth it").await;
        let made = app.ask(&bob, REPOST, json!({ "id": post })).await;
        assert_eq!(made.at("/postRepost/post"), json!({ "id": post, "text": "worth it", "viewerHasReposted": true }));
        assert_eq!(made.at("/postRepost/repost/repostOf/id"), json!(post));
        assert_eq!(made.at("/postRepost/repost/text"), "");
        let own = made.text("/postRepost/repost/id");
        assert_eq!(repost(app, &bob, &post).await, own, "again is the same");
        assert_eq!(repost(app, &bob, &own).await, own, "a repost of a repost is one of the original");
        app.until("eve has it", async || home(app, &eve, 20).await == ["bob: ann: worth it"]).await;
        app.until("it is counted", async || counts(app, &ann, &post).await == (json!(1), json!(0))).await;
        let told = "{ viewer { notifications(first: 9) { nodes { kind actor { handle } post { id } } } } }";
        app.until("ann is told", async || {
            app.ask(&ann, told, json!({})).await.at("/viewer/notifications/nodes")
                == json!([{ "kind": "REPOST", "actor": { "handle": "bob" }, "post": { "id": post } }])
        })
        .await;
        // What is done to a repost is done to the original.
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { id likeCount } userErrors { code } } }";
        assert_eq!(app.ask(&eve, like, json!({ "id": own })).await.at("/postLike/post"), json!({ "id": post, "likeCount": 1 }));
        let profile = "{ user(handle: \"bob\") { postCount posts(first: 5) { nodes { likeCount viewerHasLiked repostOf { text } } } } }";
        let shown = json!([{ "likeCount": 1, "viewerHasLiked": true, "repostOf": { "text": "worth it" } }]);
        assert_eq!(app.ask(&eve, profile, json!({})).await.at("/user"), json!({ "postCount": 0, "posts": { "nodes": shown } }));

        unrepost(app, &bob, &post).await;
        unrepost(app, &bob, &post).await;
        assert_eq!(app.ask(&bob, profile, json!({})).await.at("/user/posts/nodes"), json!([]));
        app.until("eve no longer has it", async || home(app, &eve, 20).await.is_empty()).await;
        app.until("it is counted off", async || counts(app, &ann, &post).await == (json!(0), json!(0))).await;
        // Anew, and by deleting it like any post.
        let second = repost(app, &bob, &post).await;
        assert_ne!(second, own);
        app.until("eve has it again", async || home(app, &eve, 20).await.len() == 1).await;
        delete(app, &bob, &second).await;
        app.until("eve no longer has it", async || home(app, &eve, 20).await.is_empty()).await;
        let again = app.ask(&bob, "query($id: ID!) { post(id: $id) { viewerHasReposted } }", json!({ "id": post })).await;
        assert_eq!(again.at("/post/viewerHasReposted"), false);
        assert_eq!(app.count("SELECT count(*) FROM reposts").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_reposts_at_once_one_is_made() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let post = app.post(&ann, "hot").await;
        let made = futures_util::future::join_all((0..8).map(|_| repost(app, &bob, &post))).await;
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        app.until("it is counted once", async || {
            counts(app, &ann, &post).await == (json!(1), json!(0))
        })
        .await;
        futures_util::future::join_all((0..4).map(|_| unrepost(app, &bob, &post))).await;
        app.until("and counted off", async || {
            counts(app, &ann, &post).await == (json!(0), json!(0))
        })
        .await;
        assert_eq!(app.count("SELECT count(*) FROM posts WHERE repost_of IS NOT NULL").await, 1);
        let versions = app.count("SELECT coalesce(sum(version), 0)::bigint FROM posts").await;
        assert_eq!(versions, 3, "the repost was made and deleted, the original did not change");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_answers_as_before_whatever_happened_since() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (post, other) = (app.post(&ann, "one").await, app.post(&ann, "two").await);
        let first = app
            .ask_with_key(&bob, "k1", REPOST, json!({ "id": post }))
            .await
            .text("/postRepost/repost/id");
        assert_eq!(
            app.ask_with_key(&bob, "k1", REPOST, json!({ "id": post }))
                .await
                .text("/postRepost/repost/id"),
            first
        );
        let conflict = app.ask_with_key(&bob, "k1", REPOST, json!({ "id": other })).await;
        assert_eq!(conflict.text("/postRepost/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        app.ask_with_key(&bob, "k2", UNREPOST, json!({ "id": post })).await;
        repost(app, &bob, &post).await;
        // The answer to a request that came before, delivered late: it must not take the new one
        // back.
        app.ask_with_key(&bob, "k2", UNREPOST, json!({ "id": post })).await;
        let seen = app
            .ask(
                &bob,
                "query($id: ID!) { post(id: $id) { viewerHasReposted } }",
                json!({ "id": post }),
            )
            .await;
        assert_eq!(seen.at("/post/viewerHasReposted"), true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_shows_a_post_once_and_the_next_repost_when_the_first_is_gone() {
    with_app(async |app| {
        let reader = app.sign_up("reader").await;
        let mut friends = Vec::new();
        for name in ["ann", "bob", "eve"] {
            let friend = app.sign_up(name).await;
            app.follow(&reader, &friend).await;
            friends.push(friend);
        }
        let stranger = app.sign_up("stranger").await;
        let (ann, bob, eve) = (&friends[0], &friends[1], &friends[2]);
        let far = app.post(&stranger, "from afar").await;
        let near = app.post(ann, "from near").await;
        repost(app, bob, &near).await;
        let firsts = repost(app, bob, &far).await;
        repost(app, eve, &far).await;
        app.post(ann, "newest").await;
        let must = ["ann: newest", "bob: stranger: from afar", "ann: from near"];
        for page in [1, 2, 20] {
            app.until("each once", async || home(app, &reader, page).await == must).await;
        }
        delete(app, bob, &firsts).await;
        for page in [1, 20] {
            app.until("the next one", async || {
                home(app, &reader, page).await[1] == "eve: stranger: from afar"
            })
            .await;
        }
        delete(app, ann, &near).await;
        delete(app, &stranger, &far).await;
        app.until("nothing of what is gone", async || {
            home(app, &reader, 20).await == ["ann: newest"]
        })
        .await;
        assert_eq!(
            app.count("SELECT count(*) FROM reposts").await,
            2,
            "the reposts are there, and are of nothing"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_comes_again_beyond_forty_others_from_every_source() {
    with_config(
        // What is older than thirty posts comes from the shards.
        |config| config.feed.timeline_length = 30,
        async |app| {
            let (reader, ann, bob) =
                (app.sign_up("reader").await, app.sign_up("ann").await, app.sign_up("bob").await);
            app.follow(&reader, &ann).await;
            app.follow(&reader, &bob).await;
            let first = app.post(&ann, "first").await;
            let mut must = vec!["ann: first".to_owned()];
            for number in 0..45 {
                if number == 20 {
                    // Within forty: left out.
                    repost(app, &bob, &first).await;
                }
                app.post(&ann, &format!("{number}")).await;
                must.push(format!("ann: {number}"));
            }
            let (_, second) = (unrepost(app, &bob, &first).await, repost(app, &bob, &first).await);
            must.push("bob: ann: first".to_owned());
            app.post(&ann, "last").await;
            must.push("ann: last".to_owned());
            must.reverse();
            for page in [3, 50] {
                app.until("it came again", async || home(app, &reader, page).await == must).await;
            }
            delete(app, &bob, &second).await;
            app.until("and is gone", async || home(app, &reader, 20).await.len() == must.len() - 1)
                .await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reposts_of_a_pulled_author_and_of_a_rebuilt_timeline_are_there() {
    with_config(
        |config| {
            config.feed.pull_from = 1;
            config.feed.push_below = 0;
        },
        async |app| {
            let (fan, star, ann) =
                (app.sign_up("fan").await, app.sign_up("star").await, app.sign_up("ann").await);
            let post = app.post(&ann, "found by a star").await;
            app.follow(&fan, &star).await;
            app.until("the star is pulled", async || {
                app.count("SELECT count(*) FROM users WHERE pull_since IS NOT NULL").await == 1
            })
            .await;
            app.app.domain.pull_authors.refresh(&app.app.domain).await.expect("refreshed");
            assert!(home(app, &fan, 20).await.is_empty());
            repost(app, &star, &post).await;
            app.until("the fan has it", async || {
                home(app, &fan, 20).await == ["star: ann: found by a star"]
            })
            .await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_of_a_repost_once() {
    with_app(async |app| {
        let (reader, ann, bob) = (app.sign_up("reader").await, app.sign_up("ann").await, app.sign_up("bob").await);
        let stranger = app.sign_up("stranger").await;
        app.follow(&reader, &ann).await;
        app.follow(&reader, &bob).await;
        app.until("the follows are known", async || app.count("SELECT count(*) FROM followers").await == 2).await;
        let mut socket = crate::websocket::Socket::of(app, Some(&reader)).await;
        socket.subscribe("1", "subscription { homeUpdated { node { text author { handle } repostOf { text } } } }", json!({})).await;
        app.until("the home is watched", async || crate::websocket::resume::streams(app).await == 1).await;
        let far = app.post(&stranger, "far away").await;
        let near = app.post(&ann, "near").await;
        let heard = socket.next("1").await;
        assert_eq!(heard["homeUpdated"]["node"]["text"], "near");
        repost(app, &bob, &near).await;
        repost(app, &bob, &far).await;
        // The repost of what is right below it in the home is told to nobody.
        let heard = socket.next("1").await;
        let must = json!({ "text": "", "author": { "handle": "bob" }, "repostOf": { "text": "far away" } });
        assert_eq!(heard["homeUpdated"]["node"], must);
    })
    .await;
}
