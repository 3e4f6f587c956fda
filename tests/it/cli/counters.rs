//! Counts that drifted: found, and counted again beside writers.

use plaza::cli::counters::{Audited, audit};
use serde_json::json;

use crate::app::{TestApp, with_app};

async fn audited(app: &TestApp, repair: bool) -> Vec<Audited> {
    audit(&app.app.config, repair).await.expect("the servers")
}

fn differing(audited: &[Audited]) -> Vec<&'static str> {
    audited.iter().filter(|one| !one.differing.is_empty()).map(|one| one.counts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_drifted_is_found_and_counted_again() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        let post = app.post(&ann, "x").await;
        let acts = "mutation($post: ID!) {
            postLike(input: {postId: $post}) { userErrors { code } }
            commentCreate(input: {postId: $post, text: \"c\"}) { userErrors { code } }
            postRepost(input: {postId: $post}) { userErrors { code } } }";
        let done = app.ask(&bob, acts, json!({ "post": post })).await;
        assert_eq!(done.body.get("errors"), None, "{}", done.body);
        app.until("everything is counted", async || {
            let counts = audited(app, false).await;
            counts.iter().all(|one| one.checked > 0 && one.behind == 0)
                && app.count("SELECT count(*) FROM share_counts WHERE repost_count = 1").await == 1
                && app.count("SELECT count(*) FROM post_counts WHERE comment_count = 1").await == 1
        })
        .await;
        assert_eq!(differing(&audited(app, false).await), Vec::<&str>::new());

        app.execute(
            "UPDATE post_counts SET like_count = 7;
             UPDATE user_counts SET following_count = 7;
             UPDATE follower_counts SET follower_count = 7;
             UPDATE share_counts SET quote_count = 7",
        )
        .await;
        let found = audited(app, false).await;
        assert_eq!(
            differing(&found),
            [
                "likes and comments of posts",
                "posts and follows of people",
                "followers of people",
                "reposts and quotes of posts"
            ]
        );
        let likes = &found[0].differing;
        assert!(likes.iter().any(|one| one.stored == "likes 7, comments 1"), "{likes:?}");
        assert!(likes.iter().any(|one| one.counted == "likes 1, comments 1"), "{likes:?}");
        // Nothing was changed by looking.
        assert_eq!(audited(app, false).await, found);

        // Writers go on meanwhile.
        let writing = async {
            for text in ["a", "b", "c", "d", "e", "f"] {
                let other = app.post(&ann, text).await;
                app.ask(&bob, acts, json!({ "post": other })).await;
                app.ask(&bob, acts, json!({ "post": post })).await;
            }
        };
        let (repaired, ()) = tokio::join!(audited(app, true), writing);
        assert!(repaired.iter().all(|one| one.repaired));
        app.until("every count is right", async || {
            // One that was behind when it was looked at is compared by the next run.
            audited(app, true).await;
            let counts = audited(app, false).await;
            counts.iter().all(|one| one.differing.is_empty() && one.behind == 0)
        })
        .await;
        let read = "query($id: ID!) { node(id: $id) { ... on Post { likeCount } } }";
        app.until("whoever reads sees it", async || {
            app.ask(&bob, read, json!({ "id": post })).await.at("/node/likeCount") == 1
        })
        .await;
    })
    .await;
}
