//! Posts, likes, comments, profiles: what is written is read at once.

use serde_json::json;

use crate::app::with_app;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_just_written_reads_its_write() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        for number in 1..=30 {
            let id = app.post(&ann, &format!("post {number}")).await;
            let query = "query($id: ID!) { post(id: $id) { text } viewer { user { postCount posts(first: 1) { nodes { id } } } } }";
            let seen = app.ask(&ann, query, json!({ "id": id })).await;
            assert_eq!(seen.text("/post/text"), format!("post {number}"));
            assert_eq!(seen.at("/viewer/user/postCount"), number);
            assert_eq!(seen.text("/viewer/user/posts/nodes/0/id"), id);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_count_once_and_can_be_taken_back() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let id = app.post(&ann, "like me").await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { likeCount viewerHasLiked } userErrors { code } } }";
        let unlike = "mutation($id: ID!) { postUnlike(input: {postId: $id}) { post { likeCount viewerHasLiked } userErrors { code } } }";
        for _ in 0..2 {
            let liked = app.ask(&bob, like, json!({ "id": id })).await;
            assert_eq!(liked.at("/postLike/post"), json!({ "likeCount": 1, "viewerHasLiked": true }));
        }
        for _ in 0..2 {
            let unliked = app.ask(&bob, unlike, json!({ "id": id })).await;
            assert_eq!(unliked.at("/postUnlike/post"), json!({ "likeCount": 0, "viewerHasLiked": false }));
        }
        assert_eq!(app.count("SELECT version FROM posts UNION ALL SELECT 0 LIMIT 1").await, 3, "what changed nothing has no version");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_paged_oldest_first() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let id = app.post(&ann, "discuss").await;
        let comment = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text}) {
            comment { text author { handle } } userErrors { code } } }";
        for number in 0..25 {
            app.ask(&ann, comment, json!({ "id": id, "text": format!("comment {number}") })).await;
        }
        let query = "query($id: ID!, $after: String) { post(id: $id) { commentCount comments(first: 10, after: $after) {
            nodes { text } pageInfo { hasNextPage endCursor } } } }";
        let (mut texts, mut after) = (Vec::new(), json!(null));
        loop {
            let page = app.ask(&ann, query, json!({ "id": id, "after": after })).await;
            assert_eq!(page.at("/post/commentCount"), 25);
            texts.extend(page.at("/post/comments/nodes").as_array().unwrap().iter().map(|node| node["text"].clone()));
            if page.at("/post/comments/pageInfo/hasNextPage") == false {
                break;
            }
            after = page.at("/post/comments/pageInfo/endCursor");
        }
        assert_eq!(texts, (0..25).map(|number| json!(format!("comment {number}"))).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_author_deletes_a_post_and_then_it_is_gone() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let id = app.post(&ann, "short-lived").await;
        let delete = "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId userErrors { code } } }";
        let refused = app.ask(&bob, delete, json!({ "id": id })).await;
        assert_eq!(refused.text("/postDelete/userErrors/0/code"), "NOT_ALLOWED");
        for _ in 0..2 {
            assert_eq!(app.ask(&ann, delete, json!({ "id": id })).await.text("/postDelete/deletedPostId"), id);
        }
        let query = "query($id: ID!) { post(id: $id) { text } node(id: $id) { id } viewer { user { postCount } } }";
        let seen = app.ask(&ann, query, json!({ "id": id })).await;
        assert_eq!(seen.body["data"], json!({ "post": null, "node": null, "viewer": { "user": { "postCount": 0 } } }));
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { id } userErrors { code } } }";
        assert_eq!(app.ask(&bob, like, json!({ "id": id })).await.text("/postLike/userErrors/0/code"), "NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_edited_and_found_by_handle() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let edit = "mutation { profileUpdate(input: {bio: \"  I write.  \"}) { user { bio displayName } userErrors { code } } }";
        assert_eq!(app.ask(&ann, edit, json!({})).await.at("/profileUpdate/user"), json!({ "bio": "I write.", "displayName": "ann" }));
        app.until("bob sees it", async || {
            app.ask(&bob, "{ user(handle: \"ANN\") { bio } }", json!({})).await.at_or_null("/user/bio") == "I write."
        })
        .await;
    })
    .await;
}
