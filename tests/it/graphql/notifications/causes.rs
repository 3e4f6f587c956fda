//! A notification follows its cause; a request is answered; what one did oneself can be taken back.

use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_roles};
use crate::websocket::Socket;

const LISTED: &str = "{ viewer { unreadNotificationCount
    notifications(first: 50) {
        nodes { id kind actor { handle } post { id } comment { id } } pageInfo { hasNextPage } }
    notificationGroups(first: 50) { nodes { kind notificationCount } } } }";

async fn on_post(app: &TestApp, person: &Person, mutation: &str, post: &str) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{postId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    let done = app.ask(person, &query, json!({ "id": post })).await;
    assert_eq!(done.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

async fn on_user(app: &TestApp, person: &Person, mutation: &str, other: &Person) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    let done = app.ask(person, &query, json!({ "id": other.id })).await;
    assert_eq!(done.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

async fn comment(app: &TestApp, person: &Person, post: &str) -> String {
    let query = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"so\"}) { comment { id } userErrors { code } } }";
    app.ask(person, query, json!({ "id": post })).await.text("/commentCreate/comment/id")
}

async fn private(app: &TestApp, person: &Person, is_private: bool) {
    let query = "mutation($is: Boolean!) { profileUpdate(input: {isPrivate: $is}) { user { isPrivate } userErrors { code } } }";
    let done = app.ask(person, query, json!({ "is": is_private })).await;
    assert_eq!(done.at("/profileUpdate/user/isPrivate"), is_private);
}

/// What stands for an answer whose parts are of different moments.
const IN_BETWEEN: &str = "in between";

/// The kinds that are listed, sorted; the count and the groups must agree with the list.
async fn kinds(app: &TestApp, person: &Person) -> Vec<String> {
    let seen = app.ask(person, LISTED, json!({})).await.at("/viewer");
    let kind = |node: &Value| node["kind"].as_str().unwrap().to_owned();
    let nodes = seen["notifications"]["nodes"].as_array().unwrap().clone();
    let mut kinds: Vec<String> = nodes.iter().map(kind).collect();
    kinds.sort_unstable();
    let grouped: i64 = seen["notificationGroups"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["notificationCount"].as_i64().unwrap())
        .sum();
    // Replicas may differ for a moment: such an answer is no answer.
    if grouped != i64::try_from(kinds.len()).unwrap()
        || seen["unreadNotificationCount"] != json!(kinds.len())
    {
        return vec![IN_BETWEEN.to_owned()];
    }
    kinds
}

async fn come_to(app: &TestApp, person: &Person, what: &str, wanted: &[&str]) {
    app.until(what, async || kinds(app, person).await == wanted).await;
}

async fn newest(app: &TestApp, person: &Person) -> String {
    app.ask(person, LISTED, json!({})).await.text("/viewer/notifications/nodes/0/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_is_not_listed_and_what_is_done_again_is_new() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let post = app.post(&ann, "hello").await;
        let all = ["COMMENTED", "FOLLOWED", "LIKED", "REPOST"];
        on_post(app, &bob, "postLike", &post).await;
        on_post(app, &bob, "postRepost", &post).await;
        comment(app, &bob, &post).await;
        on_user(app, &bob, "userFollow", &ann).await;
        come_to(app, &ann, "all four are listed", &all).await;
        let seen = newest(app, &ann).await;

        on_post(app, &bob, "postUnlike", &post).await;
        on_post(app, &bob, "postUnrepost", &post).await;
        on_user(app, &bob, "userUnfollow", &ann).await;
        come_to(app, &ann, "what was taken back is gone", &["COMMENTED"]).await;

        // What the client has on its screen can be marked as read, whatever became of it.
        let read = "mutation($id: ID!) { notificationsMarkRead(input: {upTo: $id}) { viewer { unreadNotificationCount } userErrors { code } } }";
        let read = app.ask(&ann, read, json!({ "id": seen })).await;
        assert_eq!(read.at("/notificationsMarkRead/userErrors"), json!([]));
        assert_eq!(read.at("/notificationsMarkRead/viewer/unreadNotificationCount"), 0);

        on_post(app, &bob, "postLike", &post).await;
        app.until("the like is listed again, and unread", async || {
            let listed = app.ask(&ann, LISTED, json!({})).await.at("/viewer");
            listed["unreadNotificationCount"] == 1 && listed["notifications"]["nodes"][0]["kind"] == "LIKED"
        })
        .await;
        on_post(app, &bob, "postRepost", &post).await;
        on_user(app, &bob, "userFollow", &ann).await;
        app.until("so are the others", async || {
            app.ask(&ann, LISTED, json!({})).await.at("/viewer/unreadNotificationCount") == 3
        })
        .await;

        // A block ends a follow; the end of a block does not bring it back.
        on_user(app, &ann, "userBlock", &bob).await;
        app.until("nothing of theirs is listed", async || {
            app.ask(&ann, LISTED, json!({})).await.at("/viewer/notifications/nodes") == json!([])
        })
        .await;
        on_user(app, &ann, "userUnblock", &bob).await;
        app.until("the follow is over", async || app.count("SELECT count(*) FROM followers WHERE active").await == 0).await;
        app.until("all but the follow are listed again", async || {
            let nodes = app.ask(&ann, LISTED, json!({})).await.at("/viewer/notifications/nodes");
            let mut kinds: Vec<String> =
                nodes.as_array().unwrap().iter().map(|node| node["kind"].as_str().unwrap().to_owned()).collect();
            kinds.sort_unstable();
            kinds == ["COMMENTED", "LIKED", "REPOST"]
        })
        .await;

        // Nothing is said of a post that is deleted.
        on_post(app, &ann, "postDelete", &post).await;
        app.until("nothing is left", async || {
            app.ask(&ann, LISTED, json!({})).await.at("/viewer/notifications/nodes") == json!([])
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_so_is_not_resumed_over_a_socket() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (gone, stays) = (app.post(&ann, "gone").await, app.post(&ann, "stays").await);
        on_post(app, &bob, "postLike", &gone).await;
        comment(app, &bob, &gone).await;
        on_post(app, &bob, "postLike", &stays).await;
        on_post(app, &bob, "postUnlike", &stays).await;
        on_post(app, &ann, "postDelete", &gone).await;
        comment(app, &bob, &stays).await;
        come_to(app, &ann, "the comment is listed", &["COMMENTED"]).await;
        let query = "subscription($after: String) { notificationReceived(after: $after) { node { kind post { text } } } }";
        let mut socket = Socket::of(app, Some(&ann)).await;
        let first = app.ask(&ann, "{ viewer { notifications(first: 1) { edges { cursor } } } }", json!({})).await;
        assert!(first.at("/viewer/notifications/edges/0/cursor").is_string());
        // From the very first: `v1:notification:0`.
        socket.subscribe("1", query, json!({ "after": "djE6bm90aWZpY2F0aW9uOjA" })).await;
        let event = socket.next("1").await["notificationReceived"]["node"].clone();
        assert_eq!(event, json!({ "kind": "COMMENTED", "post": { "text": "stays" } }));
    })
    .await;
}

/// The handles of those who ask to follow a person.
async fn asking(app: &TestApp, person: &Person) -> Value {
    let query = "{ viewer { followRequests(first: 50) { nodes { handle } } } }";
    app.ask(person, query, json!({})).await.at("/viewer/followRequests/nodes")
}

/// (follows, has asked to follow, is followed by) as a viewer sees another.
async fn ties(app: &TestApp, viewer: &Person, handle: &str) -> [bool; 3] {
    let query = "query($handle: String!) { user(handle: $handle) { viewerIsFollowing viewerHasRequestedToFollow isFollowingViewer } }";
    let user = app.ask(viewer, query, json!({ "handle": handle })).await.at("/user");
    ["viewerIsFollowing", "viewerHasRequestedToFollow", "isFollowingViewer"]
        .map(|field| user[field] == true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_every_time_it_is_made_until_it_is_answered() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        private(app, &ann, true).await;
        app.until("it is known", async || {
            app.ask(&bob, "{ user(handle: \"ann\") { isPrivate } }", json!({}))
                .await
                .at("/user/isPrivate")
                == true
        })
        .await;
        let mut before = String::new();
        for answer in ["followRequestReject", "followRequestAccept"] {
            on_user(app, &bob, "userFollow", &ann).await;
            assert_eq!(ties(app, &bob, "ann").await, [false, true, false]);
            come_to(app, &ann, "the request is listed", &["FOLLOW_REQUESTED"]).await;
            // Of what another did, one replica may know before the next.
            app.until("he is among those who ask", async || {
                asking(app, &ann).await == json!([{ "handle": "bob" }])
            })
            .await;
            app.until("it is a new one", async || newest(app, &ann).await != before).await;
            before = newest(app, &ann).await;
            on_user(app, &ann, answer, &bob).await;
            app.until("the request is no longer listed", async || {
                let kinds = kinds(app, &ann).await;
                !kinds.iter().any(|kind| ["FOLLOW_REQUESTED", IN_BETWEEN].contains(&&**kind))
                    && asking(app, &ann).await == json!([])
            })
            .await;
        }
        come_to(app, &ann, "the follow is listed", &["FOLLOWED"]).await;
        come_to(app, &bob, "the answer is listed", &["FOLLOW_ACCEPTED"]).await;
        app.until("bob sees that he follows", async || {
            ties(app, &bob, "ann").await == [true, false, false]
        })
        .await;
        app.until("ann sees who follows her", async || {
            ties(app, &ann, "bob").await == [false, false, true]
        })
        .await;

        // Over, and asked for again, and taken back.
        on_user(app, &bob, "userUnfollow", &ann).await;
        come_to(app, &ann, "no follow is listed", &[]).await;
        come_to(app, &bob, "no answer is listed", &[]).await;
        on_user(app, &bob, "userFollow", &ann).await;
        come_to(app, &ann, "the request is listed again", &["FOLLOW_REQUESTED"]).await;
        on_user(app, &bob, "userUnfollow", &ann).await;
        come_to(app, &ann, "the request is gone", &[]).await;
        assert_eq!(ties(app, &bob, "ann").await, [false, false, false]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_follows_when_the_account_becomes_public() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        private(app, &ann, true).await;
        let mut fans = Vec::new();
        for number in 0..6 {
            let fan = app.sign_up(&format!("fan_{number}")).await;
            app.until("it is known", async || {
                app.ask(&fan, "{ user(handle: \"ann\") { isPrivate } }", json!({})).await.at("/user/isPrivate") == true
            })
            .await;
            on_user(app, &fan, "userFollow", &ann).await;
            fans.push(fan);
        }
        app.until("all ask", async || asking(app, &ann).await.as_array().unwrap().len() == 6).await;
        // One takes it back, one is answered, one is turned down.
        on_user(app, &fans[0], "userUnfollow", &ann).await;
        on_user(app, &ann, "followRequestAccept", &fans[1]).await;
        on_user(app, &ann, "followRequestReject", &fans[2]).await;
        private(app, &ann, false).await;
        assert_eq!(asking(app, &ann).await, json!([]), "nobody asks a public account");
        app.until("those who waited follow", async || {
            app.count("SELECT count(*) FROM followers WHERE active").await == 4
                && app.count("SELECT count(*) FROM follow_requests").await == 0
                && app.count("SELECT count(*) FROM follows WHERE requested").await == 0
        })
        .await;
        for (number, fan) in fans.iter().enumerate() {
            let follows = [1, 3, 4, 5].contains(&number);
            app.until("each knows", async || ties(app, fan, "ann").await == [follows, false, false]).await;
            let wanted: &[&str] = if follows { &["FOLLOW_ACCEPTED"] } else { &[] };
            come_to(app, fan, "each is notified", wanted).await;
        }
        let followers = "{ user(handle: \"ann\") { followers(first: 10) { nodes { handle } } } }";
        app.until("in the order in which they had asked", async || {
            app.ask(&ann, followers, json!({})).await.at("/user/followers/nodes")
                == json!([{ "handle": "fan_5" }, { "handle": "fan_4" }, { "handle": "fan_3" }, { "handle": "fan_1" }])
        })
        .await;
        app.post(&ann, "for all").await;
        app.until("a post reaches them", async || app.home(&fans[4], 10).await == ["for all"]).await;
    })
    .await;
}

/// A request whose event comes after the account has become public, and after the job that grants
/// what waits has found nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_on_its_way_is_granted_too() {
    with_roles(&[Role::Server], async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        private(app, &ann, true).await;
        app.until("it is known", async || {
            let query = "{ user(handle: \"ann\") { isPrivate } }";
            app.ask(&bob, query, json!({})).await.at("/user/isPrivate") == true
        })
        .await;
        on_user(app, &bob, "userFollow", &ann).await;
        private(app, &ann, false).await;
        assert_eq!(ties(app, &bob, "ann").await, [false, true, false]);
        let other = App::build(app.app.config.as_ref().clone(), Clock::System).await.unwrap();
        for role in [Role::Relay, Role::Worker] {
            start_without_ports(&other, role);
        }
        app.until("the job is sent", async || {
            app.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await == 0
        })
        .await;
        start_without_ports(&other, Role::Projector);
        app.until("bob follows", async || {
            ties(app, &bob, "ann").await == [true, false, false]
                && app.count("SELECT count(*) FROM follow_requests").await == 0
                && app.count("SELECT count(*) FROM followers WHERE active").await == 1
        })
        .await;
        other.tasks.drain().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_can_take_back_what_one_did_and_find_what_one_wrote_whatever_became_of_the_post() {
    with_app(async |app| {
        let bob = app.sign_up("bob").await;
        for (number, fate) in ["deleted", "private", "blocks"].into_iter().enumerate() {
            let ann = app.sign_up(&format!("ann_{number}")).await;
            let post = app.post(&ann, fate).await;
            let seen = "query($id: ID!) { post(id: $id) { id } }";
            app.until("the post is seen", async || app.ask(&bob, seen, json!({ "id": post })).await.at("/post").is_object()).await;
            on_post(app, &bob, "postLike", &post).await;
            on_post(app, &bob, "postRepost", &post).await;
            let comment = comment(app, &bob, &post).await;
            let answer = "mutation($id: ID!, $to: ID!) { commentCreate(input: {postId: $id, text: \"others'\", inReplyToId: $to}) {
                comment { id } userErrors { code } } }";
            let eve = app.sign_up(&format!("eve_{number}")).await;
            app.ask(&eve, answer, json!({ "id": post, "to": comment })).await.text("/commentCreate/comment/id");
            let found = "query($id: ID!) { node(id: $id) { id ... on Comment { text author { handle } replies(first: 5) { nodes { text } } } } }";
            app.until("the answer is there", async || {
                app.ask(&bob, found, json!({ "id": comment })).await.at_or_null("/node/replies/nodes") == json!([{ "text": "others'" }])
            })
            .await;
            match fate {
                "deleted" => on_post(app, &ann, "postDelete", &post).await,
                "private" => private(app, &ann, true).await,
                _ => on_user(app, &ann, "userBlock", &bob).await,
            }
            app.until("the post is hidden", async || app.ask(&bob, seen, json!({ "id": post })).await.at("/post").is_null()).await;
            assert_eq!(
                app.ask(&bob, found, json!({ "id": comment })).await.at("/node"),
                json!({ "id": comment, "text": "so", "author": { "handle": "bob" }, "replies": { "nodes": [] } }),
                "{fate}"
            );
            // Twice: the second time there is nothing to take back, which is fine.
            for _ in 0..2 {
                on_post(app, &bob, "postUnlike", &post).await;
                on_post(app, &bob, "postUnrepost", &post).await;
            }
            assert_eq!(app.count("SELECT count(*) FROM likes").await, 0, "{fate}");
            assert_eq!(app.count("SELECT count(*) FROM reposts").await, 0, "{fate}");
            assert_eq!(app.count("SELECT count(*) FROM posts WHERE text = 'deleted' AND NOT deleted").await, 0);

            // Of what one never liked and may not see nothing is disclosed.
            let other = app.sign_up(&format!("cid_{number}")).await;
            if fate != "blocks" {
                for mutation in ["postUnlike", "postUnrepost"] {
                    let query = format!(
                        "mutation($id: ID!) {{ {mutation}(input: {{postId: $id}}) {{ userErrors {{ code }} }} }}"
                    );
                    app.until("it is not there for them", async || {
                        let refused = app.ask(&other, &query, json!({ "id": post })).await;
                        refused.at(&format!("/{mutation}/userErrors")) == json!([{ "code": "NOT_FOUND" }])
                    })
                    .await;
                }
            }
        }
    })
    .await;
}
