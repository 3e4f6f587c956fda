//! Follows that change nothing.

use serde_json::json;

use crate::app::with_app;

const FOLLOW: &str = "mutation($id: ID!) { userFollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";

const UNFOLLOW: &str = "mutation($id: ID!) { userUnfollow(input: {userId: $id}) { user { viewerIsFollowing } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_that_changes_nothing_leaves_no_trace() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.ask(&ann, UNFOLLOW, json!({ "id": bob.id })).await;
        let activity = "SELECT sum(activity_version)::bigint FROM users";
        assert_eq!(
            app.count(
                "SELECT coalesce(sum(activity_version), 0)::bigint FROM users WHERE handle = 'ann'"
            )
            .await,
            1
        );
        for _ in 0..3 {
            assert_eq!(
                app.ask(&ann, FOLLOW, json!({ "id": bob.id }))
                    .await
                    .at("/userFollow/user/viewerIsFollowing"),
                true
            );
        }
        assert_eq!(
            app.count(
                "SELECT coalesce(sum(activity_version), 0)::bigint FROM users WHERE handle = 'ann'"
            )
            .await,
            2
        );
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'edges'").await, 1);
        app.ask(&ann, UNFOLLOW, json!({ "id": bob.id })).await;
        assert_eq!(
            app.ask(&ann, UNFOLLOW, json!({ "id": bob.id }))
                .await
                .at("/userUnfollow/user/viewerIsFollowing"),
            false
        );
        assert_eq!(app.count("SELECT count(*) FROM outbox WHERE topic = 'edges'").await, 2);
        let _ = activity;
    })
    .await;
}
