//! Reposts and quotes: who has them in their home, who is counted, who may.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_config};

const REPOST: &str =
    "mutation($id: ID!) { postRepost(input: {postId: $id}) { post { id text viewerHasReposted } repost { id text repostOf { id } }
    userErrors { code path } } }";
const UNREPOST: &str = "mutation($id: ID!) { postUnrepost(input: {postId: $id}) { post { id viewerHasReposted } userErrors { code path } } }";
const QUOTE: &str =
    "mutation($text: String!, $id: ID!) { postCreate(input: {text: $text, quotedPostId: $id}) {
    post { id isQuote quotedPost { id text } } userErrors { code path } } }";

async fn repost(app: &TestApp, person: &Person, post: &str) -> String {
    app.ask(person, REPOST, json!({ "id": post })).await.text("/postRepost/repost/id")
}

async fn unrepost(app: &TestApp, person: &Person, post: &str) {
    let done = app.ask(person, UNREPOST, json!({ "id": post })).await;
    assert_eq!(done.at("/postUnrepost/userErrors"), json!([]));
}

async fn quote(app: &TestApp, person: &Person, text: &str, post: &str) -> String {
    app.ask(person, QUOTE, json!({ "text": text, "id": post })).await.text("/postCreate/post/id")
}

async fn delete(app: &TestApp, person: &Person, post: &str) {
    app.ask(
        person,
        "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }",
        json!({ "id": post }),
    )
    .await;
}

async fn act(app: &TestApp, person: &Person, mutation: &str, other: &Person) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    app.ask(person, &query, json!({ "id": other.id })).await;
}

/// A home feed as `author: text`, a repost as `reposter: author: text`, page by page.
async fn home(app: &TestApp, person: &Person, page: usize) -> Vec<String> {
    let query = "query($first: Int!, $after: String) { viewer { home(first: $first, after: $after) {
        nodes { text author { handle } repostOf { text author { handle } } } pageInfo { hasNextPage endCursor } } } }";
    let line = |post: &Value| {
        let of = |post: &Value| {
            format!(
                "{}: {}",
                post["author"]["handle"].as_str().unwrap(),
                post["text"].as_str().unwrap()
            )
        };
        if post["repostOf"].is_null() {
            of(post)
        } else {
            format!("{}{}", of(post), of(&post["repostOf"]))
        }
    };
    let (mut lines, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = app.ask(person, query, json!({ "first": page, "after": after })).await;
        lines.extend(answer.at("/viewer/home/nodes").as_array().unwrap().iter().map(line));
        if answer.at("/viewer/home/pageInfo/hasNextPage") == false {
            return lines;
        }
        after = answer.at("/viewer/home/pageInfo/endCursor");
    }
}

async fn counts(app: &TestApp, person: &Person, post: &str) -> (Value, Value) {
    let seen = app
        .ask(
            person,
            "query($id: ID!) { post(id: $id) { repostCount quoteCount } }",
            json!({ "id": post }),
        )
        .await;
    (seen.at("/post/repostCount"), seen.at("/post/quoteCount"))
}

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
async fn what_private_people_write_is_not_passed_on_and_a_block_takes_reposts_away() {
    with_app(async |app| {
        let (ann, bob, eve) =
            (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        app.follow(&bob, &ann).await;
        app.follow(&eve, &bob).await;
        let open = app.post(&ann, "open").await;
        repost(app, &bob, &open).await;
        let quoting = quote(app, &bob, "look", &open).await;
        app.until("eve has both", async || {
            home(app, &eve, 20).await == ["bob: look", "bob: ann: open"]
        })
        .await;
        let quoted = "query($id: ID!) { post(id: $id) { isQuote quotedPost { text } } }";
        assert_eq!(
            app.ask(&eve, quoted, json!({ "id": quoting })).await.at("/post/quotedPost/text"),
            "open"
        );

        act(app, &eve, "userBlock", &ann).await;
        assert_eq!(home(app, &eve, 20).await, ["bob: look"], "at once: eve reads her write");
        let hidden = app.ask(&eve, quoted, json!({ "id": quoting })).await.at("/post");
        assert_eq!(hidden, json!({ "isQuote": true, "quotedPost": null }));
        assert_eq!(
            app.ask(&eve, REPOST, json!({ "id": open }))
                .await
                .text("/postRepost/userErrors/0/code"),
            "NOT_FOUND"
        );
        act(app, &eve, "userUnblock", &ann).await;
        app.until("and back", async || home(app, &eve, 20).await.len() == 2).await;

        app.ask(
            &ann,
            "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }",
            json!({}),
        )
        .await;
        app.until("eve no longer sees what ann wrote", async || {
            home(app, &eve, 20).await == ["bob: look"]
        })
        .await;
        let mine = app.post(&ann, "mine").await;
        app.until("bob has it", async || {
            home(app, &bob, 20).await.first().is_some_and(|line| line == "ann: mine")
        })
        .await;
        let refused = app.ask(&bob, REPOST, json!({ "id": mine })).await;
        assert_eq!(
            refused.at("/postRepost/userErrors"),
            json!([{ "code": "NOT_ALLOWED", "path": ["input", "postId"] }])
        );
        let refused = app.ask(&bob, QUOTE, json!({ "text": "x", "id": mine })).await;
        assert_eq!(
            refused.at("/postCreate/userErrors"),
            json!([{ "code": "NOT_ALLOWED", "path": ["input", "quotedPostId"] }])
        );
        // What one may no longer see one can still take back; and oneself one may pass on.
        app.ask(
            &bob,
            "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { userErrors { code } } }",
            json!({ "id": ann.id }),
        )
        .await;
        unrepost(app, &bob, &open).await;
        assert_eq!(
            app.ask(&bob, UNREPOST, json!({ "id": mine }))
                .await
                .text("/postUnrepost/userErrors/0/code"),
            "NOT_FOUND"
        );
        repost(app, &ann, &mine).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_a_post_that_stands_when_the_quoted_is_gone() {
    with_app(async |app| {
        let (ann, bob, eve) = (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        let post = app.post(&ann, "a claim").await;
        let passed_on = repost(app, &bob, &post).await;
        let made = app.ask(&eve, QUOTE, json!({ "text": "I doubt it", "id": passed_on })).await;
        let quoting = made.text("/postCreate/post/id");
        assert_eq!(made.at("/postCreate/post"), json!({ "id": quoting, "isQuote": true, "quotedPost": { "id": post, "text": "a claim" } }));
        app.until("it is counted", async || counts(app, &ann, &post).await == (json!(1), json!(1))).await;
        // Beside the repost: what several people do at once is told in the order in which it
        // arrives.
        let told = "{ viewer { notifications(first: 5) { nodes { kind actor { handle } post { id } } } } }";
        let quote_told = json!({ "kind": "QUOTE", "actor": { "handle": "eve" }, "post": { "id": quoting } });
        app.until("ann is told", async || {
            let told = app.ask(&ann, told, json!({})).await.at("/viewer/notifications/nodes");
            told.as_array().is_some_and(|told| told.contains(&quote_told))
        })
        .await;
        // Quotes of quotes end where the first post is: a post can only quote what was there before
        // it.
        let again = quote(app, &bob, "I doubt the doubt", &quoting).await;
        let nested = "query($id: ID!) { post(id: $id) { text quotedPost { text quotedPost { text quotedPost { text } } } } }";
        let seen = app.ask(&ann, nested, json!({ "id": again })).await;
        assert_eq!(seen.at("/post/quotedPost/quotedPost"), json!({ "text": "a claim", "quotedPost": null }));

        delete(app, &ann, &post).await;
        let after = "query($id: ID!) { post(id: $id) { text isQuote quotedPost { id } } }";
        app.until("the quoted post is gone, the quote stands", async || {
            app.ask(&bob, after, json!({ "id": quoting })).await.at("/post")
                == json!({ "text": "I doubt it", "isQuote": true, "quotedPost": null })
        })
        .await;
        assert_eq!(app.ask(&bob, REPOST, json!({ "id": post })).await.text("/postRepost/userErrors/0/code"), "NOT_FOUND");
        delete(app, &eve, &quoting).await;
        app.until("it is counted off", async || app.count("SELECT coalesce(sum(quote_count), 0)::bigint FROM share_counts").await == 1)
            .await;
        app.until("ann is told of nothing that is gone", async || {
            let told = app.ask(&ann, told, json!({})).await.at("/viewer/notifications/nodes");
            !told.to_string().contains("QUOTE")
        })
        .await;
    })
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

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_are_told_where_they_stand() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        for (query, field, path) in [
            (REPOST, "postRepost", "postId"),
            (UNREPOST, "postUnrepost", "postId"),
            (QUOTE, "postCreate", "quotedPostId"),
        ] {
            let refused = app.ask(&ann, query, json!({ "id": ann.id, "text": "x" })).await;
            assert_eq!(
                refused.at(&format!("/{field}/userErrors")),
                json!([{ "code": "INVALID", "path": ["input", path] }])
            );
        }
        let anonymous = app.ask_anonymously(REPOST, json!({ "id": "x" })).await;
        assert_eq!(anonymous.at("/postRepost/userErrors/0/code"), "INVALID");
    })
    .await;
}
