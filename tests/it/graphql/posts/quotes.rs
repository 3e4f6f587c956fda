//! Quotes, and what a repost or a quote may not name.

use serde_json::json;

use super::{QUOTE, REPOST, UNREPOST, act, counts, delete, home, quote, repost, unrepost};
use crate::app::with_app;

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

#[tokio::test(flavor = "multi_thread")]
async fn who_likes_reposts_and_quotes_a_post_is_listed() {
    with_app(async |app| {
        let (ann, bob, eve) =
            (app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("eve").await);
        let post = app.post(&ann, "mine").await;
        for who in [&bob, &eve] {
            let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
            app.ask(who, like, json!({ "id": post })).await;
            repost(app, who, &post).await;
        }
        quote(app, &bob, "look", &post).await;
        let seen = async |viewer| {
            let query = "query($id: ID!) { post(id: $id) { likers { nodes { handle } }
                reposts { nodes { text author { handle } repostOf { text } } } quotes { nodes { text author { handle } } } } }";
            app.ask(viewer, query, json!({ "id": post })).await.at("/post")
        };
        let (by_bob, by_eve) = (json!({ "handle": "bob" }), json!({ "handle": "eve" }));
        let repost_of = json!({ "text": "mine" });
        let quotes = json!({ "nodes": [{ "text": "look", "author": by_bob }] });
        app.until("both are listed, the newest first", async || {
            seen(&ann).await
                == json!({
                    "likers": { "nodes": [by_eve, by_bob] },
                    "reposts": { "nodes": [
                        { "text": "", "author": by_eve, "repostOf": repost_of },
                        { "text": "", "author": by_bob, "repostOf": repost_of },
                    ] },
                    "quotes": quotes,
                })
        })
        .await;
        // Of one who blocks the viewer nothing is said, and what was taken back is not listed.
        act(app, &eve, "userBlock", &ann).await;
        unrepost(app, &bob, &post).await;
        app.until("bob alone likes it, and his quote is left", async || {
            let seen = seen(&ann).await;
            seen["likers"]["nodes"] == json!([by_bob])
                && seen["reposts"]["nodes"] == json!([])
                && seen["quotes"] == quotes
        })
        .await;
    })
    .await;
}
