//! Home feeds: who sees what, how soon, and that nothing is ever missing.

use serde_json::json;

use crate::app::{with_app, with_config, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_post_reaches_the_followers_and_nobody_else() {
    with_app(async |app| {
        let (ann, bob, eve) =
            (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        app.follow(&bob, &ann).await;
        assert_eq!(app.home(&bob, 20).await, Vec::<String>::new());
        app.post(&ann, "hello").await;
        app.until("bob has it", async || app.home(&bob, 20).await == ["hello"]).await;
        assert_eq!(app.home(&eve, 20).await, Vec::<String>::new());
        assert_eq!(app.home(&ann, 20).await, ["hello"]);
    })
    .await;
}

/// Nobody fans out here: the author does not wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_posts_are_at_home_at_once() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&ann, &bob).await;
        app.post(&ann, "before there was a timeline").await;
        assert_eq!(app.home(&ann, 20).await, ["before there was a timeline"]);
        let id = app.post(&ann, "on the timeline").await;
        assert_eq!(app.home(&ann, 1).await, ["on the timeline", "before there was a timeline"]);
        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }";
        app.ask(&ann, delete, json!({ "id": id })).await;
        assert_eq!(app.home(&ann, 20).await, ["before there was a timeline"]);
        assert_eq!(app.home(&bob, 20).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_brings_the_past_and_an_unfollow_takes_everything() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        for number in 0..5 {
            app.post(&ann, &format!("{number}")).await;
        }
        assert!(app.home(&bob, 20).await.is_empty());
        app.follow(&bob, &ann).await;
        assert_eq!(app.home(&bob, 2).await, ["4", "3", "2", "1", "0"], "at once: bob has written, and reads his write");
        let unfollow = "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";
        app.ask(&bob, unfollow, json!({ "id": ann.id })).await;
        assert!(app.home(&bob, 20).await.is_empty());
        app.follow(&bob, &ann).await;
        app.post(&ann, "5").await;
        app.until("the newest comes too", async || app.home(&bob, 20).await.len() == 6).await;
        let counts = "query($handle: String!) { user(handle: $handle) { followerCount followers(first: 5) { nodes { handle } } } }";
        app.until("ann's side knows", async || {
            let seen = app.ask(&ann, counts, json!({ "handle": "ann" })).await;
            seen.at("/user/followerCount") == 1 && seen.at("/user/followers/nodes") == json!([{ "handle": "bob" }])
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_post_disappears_from_every_feed() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let id = app.post(&ann, "gone soon").await;
        app.post(&ann, "stays").await;
        app.until("both are there", async || app.home(&bob, 20).await.len() == 2).await;
        app.ask(
            &ann,
            "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }",
            json!({ "id": id }),
        )
        .await;
        app.until("one has gone", async || app.home(&bob, 20).await == ["stays"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrolling_goes_on_to_the_first_post_ever_without_a_gap_or_a_repeat() {
    with_config(
        |config| config.feed.timeline_length = 100,
        async |app| {
            let reader = app.sign_up("reader").await;
            let mut authors = Vec::new();
            for number in 0..4 {
                let author = app.sign_up(&format!("author{number}")).await;
                app.follow(&reader, &author).await;
                authors.push(author);
            }
            let mut must = Vec::new();
            for number in 0..260 {
                let text = format!("{number}");
                app.post(&authors[number % 4], &text).await;
                must.push(text);
                if number == 50 {
                    // From here on there is a timeline that grows past its length and is trimmed.
                    app.until("half a hundred", async || app.home(&reader, 20).await.len() == 51)
                        .await;
                }
            }
            must.reverse();
            app.until("all are there", async || app.home(&reader, 7).await == must).await;
            assert_eq!(app.home(&reader, 100).await, must);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_with_many_followers_is_pulled_and_pushed_again() {
    with_config(
        |config| {
            config.feed.pull_from = 3;
            config.feed.push_below = 2;
        },
        async |app| {
            let star = app.sign_up("star").await;
            app.post(&star, "before").await;
            let mut fans = Vec::new();
            for number in 0..3 {
                let fan = app.sign_up(&format!("fan{number}")).await;
                app.follow(&fan, &star).await;
                fans.push(fan);
            }
            app.until("the star is pulled", async || {
                app.count("SELECT count(*) FROM users WHERE pull_since IS NOT NULL").await == 1
            })
            .await;
            app.app.domain.pull_authors.refresh(&app.app.domain).await.expect("refreshed");
            app.post(&star, "pulled").await;
            for fan in &fans {
                app.until("every fan has both", async || {
                    app.home(fan, 20).await == ["pulled", "before"]
                })
                .await;
            }
            let unfollow =
                "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { userErrors { code } } }";
            for fan in &fans[..2] {
                app.ask(fan, unfollow, json!({ "id": star.id })).await;
            }
            app.until("the star is pushed", async || {
                app.count("SELECT count(*) FROM users WHERE pull_since IS NOT NULL").await == 0
            })
            .await;
            app.app.domain.pull_authors.refresh(&app.app.domain).await.expect("refreshed");
            app.post(&star, "pushed").await;
            app.until("the last fan has all", async || {
                app.home(&fans[2], 20).await == ["pushed", "pulled", "before"]
            })
            .await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lost_everything_costs_no_post() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        for number in 0..10 {
            app.post(&ann, &format!("{number}")).await;
        }
        app.until("all are there", async || app.home(&bob, 20).await.len() == 10).await;
        let redis =
            redis::Client::open(secrecy::ExposeSecret::expose_secret(&app.app.config.redis.url))
                .unwrap();
        let mut connection = redis.get_multiplexed_async_connection().await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{}:*", app.app.config.redis.key_prefix))
            .query_async(&mut connection)
            .await
            .unwrap();
        let _: i64 = redis::cmd("DEL").arg(&keys).query_async(&mut connection).await.unwrap();
        app.post(&ann, "after").await;
        app.until("all and the new one", async || app.home(&bob, 3).await.len() == 11).await;
        assert_eq!(app.home(&bob, 20).await[0], "after");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_makes_nothing_wrong() {
    with_config(
        // Nobody listens there.
        |config| config.redis.url = "redis://127.0.0.1:1/0".into(),
        async |app| {
            let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
            app.follow(&bob, &ann).await;
            app.post(&ann, "one").await;
            let id = app.post(&ann, "two").await;
            assert_eq!(app.home(&bob, 1).await, ["two", "one"]);
            let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { likeCount } userErrors { code } } }";
            assert_eq!(app.ask(&bob, like, json!({ "id": id })).await.at("/postLike/post/likeCount"), 1);
            assert_eq!(app.ask(&bob, "{ viewer { user { followingCount } } }", json!({})).await.at("/viewer/user/followingCount"), 1);
        },
    )
    .await;
}
