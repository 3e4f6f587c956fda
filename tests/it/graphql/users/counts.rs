//! Counts of what a user has done, while no projection runs.

use serde_json::json;

use crate::app::{Person, TestApp, with_server};

/// Users whose stored counts are not as of their last act, or not those of the rows.
const WRONG: &str = "
    SELECT count(*) FROM users u JOIN user_counts c ON c.user_id = u.id
    WHERE c.activity_version <> u.activity_version
       OR c.following_count <> (SELECT count(*) FROM follows f
                                WHERE f.follower_id = u.id AND f.active)
       OR c.post_count <> (SELECT count(*) FROM posts p
                           WHERE p.author_id = u.id AND NOT p.deleted AND p.repost_of IS NULL)";

async fn act(app: &TestApp, who: &Person, name: &str, input: &str, id: &str) -> String {
    let query = format!(
        "mutation($id: ID!) {{ {name}(input: {{{input}: $id}}) {{ userErrors {{ code }} }} }}"
    );
    let answer = app.ask(who, &query, json!({ "id": id })).await;
    assert_eq!(answer.at(&format!("/{name}/userErrors")), json!([]), "{name}");
    assert_eq!(app.count(WRONG).await, 0, "after {name}");
    id.to_owned()
}

async fn post(app: &TestApp, who: &Person) -> String {
    let query = "mutation { postCreate(input: {text: \"so\"}) { post { id } } }";
    let id = app.ask(who, query, json!({})).await.text("/postCreate/post/id");
    assert_eq!(app.count(WRONG).await, 0, "after postCreate");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_adds_to_the_counts_of_who_did_it() {
    with_server(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let begin = "
            INSERT INTO user_counts (user_id, post_count, following_count, activity_version)
            SELECT id, 0, 0, activity_version FROM users";
        app.execute(begin).await;
        let (first, _) = (post(app, &ann).await, post(app, &ann).await);
        act(app, &bob, "postRepost", "postId", &first).await;
        act(app, &bob, "postUnrepost", "postId", &first).await;
        act(app, &bob, "postRepost", "postId", &first).await;
        act(app, &ann, "postDelete", "postId", &first).await;
        act(app, &ann, "postDelete", "postId", &first).await;
        act(app, &ann, "userFollow", "userId", &bob.id).await;
        act(app, &ann, "userUnfollow", "userId", &bob.id).await;
        let hide = "mutation { profileUpdate(input: {isPrivate: true}) { user { id } } }";
        app.ask(&bob, hide, json!({})).await;
        act(app, &ann, "userFollow", "userId", &bob.id).await;
        act(app, &ann, "userUnfollow", "userId", &bob.id).await;
        act(app, &ann, "userFollow", "userId", &bob.id).await;
        act(app, &bob, "followRequestAccept", "userId", &ann.id).await;
        act(app, &ann, "userBlock", "userId", &bob.id).await;
        let counted =
            "SELECT coalesce(sum(post_count * 10 + following_count), 0)::bigint FROM user_counts";
        assert_eq!(app.count(counted).await, 10, "one post is left, and no follow");
    })
    .await;
}
