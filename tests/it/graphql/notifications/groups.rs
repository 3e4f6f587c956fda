//! Notifications: told together, counted, marked as read, chosen.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_server};
use crate::websocket::Socket;

const GROUPS: &str =
    "query($first: Int!, $after: String) { viewer { unreadNotificationCount notificationGroups(first: $first, after: $after) {
    edges { cursor node { kind actorCount notificationCount isUnread actors { handle }
            latest { id post { id } actor { handle } } } }
    pageInfo { hasNextPage endCursor } } } }";
const LIKE: &str = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
const COMMENT: &str = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"so\"}) { userErrors { code } } }";
const READ: &str = "mutation($id: ID!) { notificationsMarkRead(input: {upTo: $id}) { viewer { unreadNotificationCount } userErrors { code path } } }";
const CHOOSE: &str =
    "mutation($preferences: [NotificationPreferenceInput!]!) { notificationPreferencesUpdate(input: {preferences: $preferences}) {
    preferences { kind delivery } userErrors { code path } } }";

async fn groups(app: &TestApp, person: &Person) -> Vec<Value> {
    let answer = app.ask(person, GROUPS, json!({ "first": 50, "after": null })).await;
    let edges = answer.at("/viewer/notificationGroups/edges");
    edges.as_array().unwrap().iter().map(|edge| edge["node"].clone()).collect()
}

async fn unread(app: &TestApp, person: &Person) -> i64 {
    app.ask(person, "{ viewer { unreadNotificationCount } }", json!({}))
        .await
        .at("/viewer/unreadNotificationCount")
        .as_i64()
        .unwrap()
}

async fn told(app: &TestApp, count: i64) {
    app.until("all is told", async || {
        app.count("SELECT count(*) FROM notifications").await == count
    })
    .await;
}

struct Scene {
    author: Person,
    fans: Vec<Person>,
    posts: Vec<String>,
}

/// Five people who like one post, two of whom like another and comment on it; the first follows its
/// author, who follows the first.
async fn scene(app: &TestApp) -> Scene {
    let author = app.sign_up("author").await;
    let mut fans = Vec::new();
    for number in 0..5 {
        fans.push(app.sign_up(&format!("fan_{number}")).await);
    }
    let posts = vec![app.post(&author, "one").await, app.post(&author, "two").await];
    for fan in &fans {
        app.ask(fan, LIKE, json!({ "id": posts[0] })).await;
    }
    told(app, 5).await;
    for fan in &fans[..2] {
        app.ask(fan, LIKE, json!({ "id": posts[1] })).await;
        app.ask(fan, COMMENT, json!({ "id": posts[1] })).await;
    }
    app.ask(&fans[0], COMMENT, json!({ "id": posts[1] })).await;
    told(app, 10).await;
    app.follow(&fans[0], &author).await;
    told(app, 11).await;
    app.follow(&author, &fans[0]).await;
    told(app, 12).await;
    Scene { author, fans, posts }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_together_is_told_together_and_read_up_to_a_point() {
    with_app(async |app| {
        let Scene { author, fans, posts } = scene(app).await;
        app.until("the replicas have all", async || {
            groups(app, &author).await.len() == 4 && unread(app, &author).await == 11
        })
        .await;
        let shown = groups(app, &author).await;
        let kinds: Vec<(String, i64, i64)> = shown
            .iter()
            .map(|group| {
                let number = |name: &str| group[name].as_i64().unwrap();
                (
                    group["kind"].as_str().unwrap().to_owned(),
                    number("actorCount"),
                    number("notificationCount"),
                )
            })
            .collect();
        assert_eq!(kinds[0], ("FOLLOWED".to_owned(), 1, 1));
        assert!(
            kinds.contains(&("LIKED".to_owned(), 5, 5))
                && kinds.contains(&("LIKED".to_owned(), 2, 2)),
            "{kinds:?}"
        );
        assert!(kinds.contains(&("COMMENTED".to_owned(), 2, 3)), "{kinds:?}");
        let last = shown.last().unwrap();
        assert_eq!(
            (&last["kind"], &last["latest"]["post"]["id"]),
            (&json!("LIKED"), &json!(posts[0])),
            "the oldest"
        );
        assert_eq!(last["actors"].as_array().unwrap().len(), 3, "the last three are named");
        assert_eq!(last["actors"][0]["handle"], last["latest"]["actor"]["handle"]);
        assert!(shown.iter().all(|group| group["isUnread"] == true));

        // Up to the oldest group's newest; then all; then back, which does nothing.
        let (oldest, newest) = (last["latest"]["id"].clone(), shown[0]["latest"]["id"].clone());
        let read = app.ask(&author, READ, json!({ "id": oldest })).await;
        assert_eq!(
            read.at("/notificationsMarkRead"),
            json!({ "viewer": { "unreadNotificationCount": 6 }, "userErrors": [] })
        );
        assert_eq!(groups(app, &author).await.last().unwrap()["isUnread"], false);
        for id in [&newest, &oldest, &newest] {
            let read = app.ask(&author, READ, json!({ "id": id })).await;
            assert_eq!(read.at("/notificationsMarkRead/viewer/unreadNotificationCount"), 0);
        }
        for (id, code) in
            [(json!(posts[0]), "INVALID"), (json!("x"), "INVALID"), (newest.clone(), "NOT_FOUND")]
        {
            let refused = app.ask(&fans[1], READ, json!({ "id": id })).await;
            assert_eq!(
                refused.at("/notificationsMarkRead/userErrors"),
                json!([{ "code": code, "path": ["input", "upTo"] }]),
                "{id}"
            );
        }
        let again = async || {
            app.ask_with_key(&author, "key", READ, json!({ "id": newest }))
                .await
                .at("/notificationsMarkRead/userErrors")
        };
        assert_eq!((again().await, again().await), (json!([]), json!([])));
        let other = app.ask_with_key(&author, "key", READ, json!({ "id": oldest })).await;
        assert_eq!(other.at("/notificationsMarkRead/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        let nobody = app.ask_anonymously(READ, json!({ "id": newest })).await;
        assert_eq!(nobody.code(), "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_groups_are_of_what_there_was_when_the_first_was_asked_for() {
    with_app(async |app| {
        let Scene { author, fans, posts } = scene(app).await;
        app.until("the replicas have all", async || groups(app, &author).await.len() == 4).await;
        let wanted: Vec<Value> =
            groups(app, &author).await.iter().map(|group| group["latest"]["id"].clone()).collect();
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = app.ask(&author, GROUPS, json!({ "first": 1, "after": after })).await;
            let edges = page.at("/viewer/notificationGroups/edges");
            seen.extend(
                edges.as_array().unwrap().iter().map(|edge| edge["node"]["latest"]["id"].clone()),
            );
            after = page.at("/viewer/notificationGroups/pageInfo/endCursor");
            if page.at("/viewer/notificationGroups/pageInfo/hasNextPage") == false {
                break;
            }
            // The oldest group would become the newest.
            let before = app.count("SELECT count(*) FROM notifications").await;
            app.ask(&fans[seen.len()], COMMENT, json!({ "id": posts[0] })).await;
            told(app, before + 1).await;
        }
        assert_eq!(seen, wanted);
        app.until("a new first page has them", async || groups(app, &author).await.len() == 5)
            .await;
        for bad in ["x", "", "djE6Tm90aWZpY2F0aW9uOjc"] {
            let token = format!("Bearer {}", author.token);
            let refused = app
                .send(&[("authorization", &token)], GROUPS, json!({ "first": 1, "after": bad }))
                .await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{bad}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_are_not_wanted_are_not_told_counted_or_listed_until_they_are() {
    with_app(async |app| {
        let Scene { author, fans, .. } = scene(app).await;
        app.until("the replicas have all", async || unread(app, &author).await == 11).await;
        let choose = async |kind: &str, delivery: &str| {
            let chosen = app.ask(&author, CHOOSE, json!({ "preferences": [{ "kind": kind, "delivery": delivery }] })).await;
            assert_eq!(chosen.at("/notificationPreferencesUpdate/userErrors"), json!([]));
            let preferences = chosen.at("/notificationPreferencesUpdate/preferences");
            assert!(preferences.as_array().unwrap().contains(&json!({ "kind": kind, "delivery": delivery })), "{preferences}");
        };
        choose("LIKED", "NOBODY").await;
        assert_eq!(unread(app, &author).await, 4);
        assert_eq!(groups(app, &author).await.len(), 2);
        let listed = app
            .ask(&author, "{ viewer { notifications(first: 50) { nodes { kind } } notificationPreferences { kind delivery } } }", json!({}))
            .await;
        assert_eq!(listed.at("/viewer/notifications/nodes").as_array().unwrap().len(), 4);
        assert!(
            listed.at("/viewer/notificationPreferences").as_array().unwrap().contains(&json!({ "kind": "LIKED", "delivery": "NOBODY" }))
        );
        // The author follows the first of them: one like of two posts each, one comment of three is
        // another's.
        choose("LIKED", "FOLLOWED").await;
        choose("COMMENTED", "FOLLOWED").await;
        assert_eq!(unread(app, &author).await, 2 + 2 + 1);
        choose("LIKED", "EVERYBODY").await;
        choose("COMMENTED", "EVERYBODY").await;
        assert_eq!(unread(app, &author).await, 11);
        // Whom they block is not counted among the others.
        let block = "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&author, block, json!({ "id": fans[1].id })).await;
        app.until("the block is known", async || unread(app, &author).await == 11 - 3).await;
        assert!(groups(app, &author).await.iter().all(|group| !group["actors"].to_string().contains("fan_1")));
        let many: Vec<Value> = (0..51).map(|_| json!({ "kind": "LIKED", "delivery": "NOBODY" })).collect();
        let refused = app.ask(&author, CHOOSE, json!({ "preferences": many })).await;
        assert_eq!(refused.at("/notificationPreferencesUpdate/userErrors/0/code"), "INVALID");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_is_not_told_live_either() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let post = app.post(&ann, "hello").await;
        let mut socket = Socket::of(app, Some(&ann)).await;
        // From the very first: `v1:notification:0`.
        let query = "subscription($after: String) { notificationReceived(after: $after) { node { kind } } }";
        socket.subscribe("1", query, json!({ "after": "djE6bm90aWZpY2F0aW9uOjA" })).await;
        let off = json!({ "preferences": [{ "kind": "LIKED", "delivery": "NOBODY" }] });
        assert_eq!(app.ask(&ann, CHOOSE, off).await.at("/notificationPreferencesUpdate/userErrors"), json!([]));
        app.ask(&bob, LIKE, json!({ "id": post })).await;
        told(app, 1).await;
        app.ask(&bob, COMMENT, json!({ "id": post })).await;
        assert_eq!(socket.next("1").await["notificationReceived"]["node"]["kind"], "COMMENTED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_as_read_is_one_transaction_and_groups_are_one_read() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.count(
            "WITH made AS (INSERT INTO notifications (id, user_id, kind, actor_id, subject_id)
             SELECT next_id(((id >> 12) & 1023)::integer), id, 'ORDER_CONFIRMED', 0, 1 FROM users RETURNING 1) SELECT count(*) FROM made",
        )
        .await;
        app.until("it is on the replica", async || groups(app, &ann).await.len() == 1).await;
        let id = groups(app, &ann).await[0]["latest"]["id"].clone();
        let statements = || app.app.domain.cluster.statements();
        let before = statements();
        app.ask_with_key(&ann, "budget", READ, json!({ "id": id })).await;
        // BEGIN, idempotency key, the settings, answer, COMMIT, position; then the count for the
        // payload: settings, rows, relations.
        let sent = statements() - before;
        assert!(sent <= 9, "{sent} statements");
        let before = statements();
        app.ask(&ann, "{ viewer { notificationGroups(first: 10) { nodes { kind } } } }", json!({})).await;
        let sent = statements() - before;
        assert!(sent <= 3, "{sent} statements: rows, settings, relations");
    })
    .await;
}
