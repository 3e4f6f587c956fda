//! A session sees each of its own changes in its next request, whatever the replicas have replayed
//! and the caches hold; and what it has seen once, it sees ever after.

use serde_json::json;

use crate::app::with_app;

/// Each change is made and undone so often: a replica that is fast enough by luck is so a few
/// times, not always.
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_and_an_unfollow_are_seen_at_once() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.post(&ann, "hello").await;
        let unfollow = "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";
        let posts = "query($handle: String!) { user(handle: $handle) { posts(first: 5) { nodes { text } } } }";
        // What ann wrote, bob sees when the replica has it: that is not the promise here.
        app.until("bob sees ann's post", async || {
            app.ask(&bob, posts, json!({ "handle": "ann" })).await.at("/user/posts/nodes") == json!([{ "text": "hello" }])
        })
        .await;
        let seen = "query { user(handle: \"ann\") { viewerIsFollowing }
            viewer { user { followingCount following(first: 5) { nodes { handle } } } home(first: 5) { nodes { text } } } }";
        for round in 0..ROUNDS {
            app.follow(&bob, &ann).await;
            let expected = json!({ "user": { "viewerIsFollowing": true }, "viewer": {
                "user": { "followingCount": 1, "following": { "nodes": [{ "handle": "ann" }] } }, "home": { "nodes": [{ "text": "hello" }] } } });
            assert_eq!(app.ask(&bob, seen, json!({})).await.body["data"], expected, "followed, round {round}");
            let gone = app.ask(&bob, unfollow, json!({ "id": ann.id })).await;
            assert_eq!(gone.at("/userUnfollow/user/viewerIsFollowing"), false);
            let expected = json!({ "user": { "viewerIsFollowing": false }, "viewer": {
                "user": { "followingCount": 0, "following": { "nodes": [] } }, "home": { "nodes": [] } } });
            assert_eq!(app.ask(&bob, seen, json!({})).await.body["data"], expected, "unfollowed, round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_a_comment_and_a_deletion_are_seen_at_once() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let id = app.post(&ann, "hello").await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        let unlike = "mutation($id: ID!) { postUnlike(input: {postId: $id}) { userErrors { code } } }";
        let comment = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text}) { comment { id } userErrors { code } } }";
        let seen = "query($id: ID!) { post(id: $id) { likeCount viewerHasLiked commentCount comments(first: 100) { nodes { text } } } }";
        let mut comments = Vec::new();
        for round in 0..ROUNDS {
            let text = format!("comment {round}");
            app.ask(&bob, comment, json!({ "id": id, "text": text })).await;
            comments.push(json!({ "text": text }));
            for (change, liked) in [(like, true), (unlike, false)] {
                app.ask(&bob, change, json!({ "id": id })).await;
                let expected = json!({ "likeCount": i32::from(liked), "viewerHasLiked": liked, "commentCount": comments.len(),
                    "comments": { "nodes": comments } });
                assert_eq!(app.ask(&bob, seen, json!({ "id": id })).await.at("/post"), expected, "round {round}");
            }
        }
        for round in 0..ROUNDS {
            let id = app.post(&ann, "short-lived").await;
            app.ask(&ann, "mutation($id: ID!) { postDelete(input: {postId: $id}) { deletedPostId } }", json!({ "id": id })).await;
            let seen = "query($id: ID!) { post(id: $id) { id } viewer { user { postCount posts(first: 5) { nodes { text } } } } }";
            let expected = json!({ "post": null, "viewer": { "user": { "postCount": 1, "posts": { "nodes": [{ "text": "hello" }] } } } });
            assert_eq!(app.ask(&ann, seen, json!({ "id": id })).await.body["data"], expected, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_a_product_and_an_order_are_seen_at_once() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let offer = "mutation($title: String!) { productCreate(input: {title: $title, description: \"\", price: {amount: \"100\", currency: \"EUR\"},
            stock: 3}) { product { id } userErrors { code } } }";
        let place = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } userErrors { code } } }";
        let edit = "mutation($bio: String!) { profileUpdate(input: {bio: $bio}) { userErrors { code } } }";
        for round in 0..ROUNDS {
            let bio = format!("bio {round}");
            app.ask(&ann, edit, json!({ "bio": bio })).await;
            let seen = app.ask(&ann, "{ user(handle: \"ann\") { bio } viewer { user { bio } } }", json!({})).await;
            assert_eq!(seen.body["data"], json!({ "user": { "bio": bio }, "viewer": { "user": { "bio": bio } } }));

            let title = format!("lamp {round}");
            let product = app.ask(&ann, offer, json!({ "title": title })).await.text("/productCreate/product/id");
            let query = "query($id: ID!) { product(id: $id) { title stock } products(first: 1) { nodes { id } } }";
            let seen = app.ask(&ann, query, json!({ "id": product })).await;
            assert_eq!(seen.at("/product"), json!({ "title": title, "stock": 3 }));
            assert_eq!(seen.text("/products/nodes/0/id"), product, "the newest of all shards");

            let order = app.ask(&bob, place, json!({ "id": product })).await.text("/orderPlace/order/id");
            let query = "query($id: ID!) { order(id: $id) { lines { quantity } } viewer { orders(first: 1) { nodes { id } } } }";
            let seen = app.ask(&bob, query, json!({ "id": order })).await;
            assert_eq!(seen.at("/order/lines"), json!([{ "quantity": 1 }]));
            assert_eq!(seen.text("/viewer/orders/nodes/0/id"), order);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_never_unseen() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let id = app.post(&ann, "hello").await;
        let comment = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text}) { comment { id } userErrors { code } } }";
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
        let seen = "query($id: ID!) { post(id: $id) { comments(first: 100) { nodes { text } } } }";
        let written = async {
            for number in 0..40 {
                app.ask(&ann, comment, json!({ "id": id, "text": number.to_string() })).await;
            }
        };
        // His own writes send him to the primary at times, and the next read is to have no less
        // than that one.
        let read = async {
            let mut most = 0;
            for round in 0.. {
                if round % 5 == 0 {
                    app.ask(&bob, like, json!({ "id": id })).await;
                }
                let count = app.ask(&bob, seen, json!({ "id": id })).await.at("/post/comments/nodes").as_array().unwrap().len();
                assert!(count >= most, "{count} comments after {most}");
                most = count;
                if count == 40 {
                    break;
                }
            }
        };
        tokio::join!(written, read);
    })
    .await;
}
