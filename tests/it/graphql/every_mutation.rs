//! A write has a name: every mutation of the schema is sent with a key, then the world is changed so
//! that nothing of what it asked for is so any longer, then it is sent again and must be answered as
//! before. The key with anything else is a conflict, on whichever shard that would be written. A
//! mutation that has no entry here fails the test.

use std::collections::BTreeSet;

use futures_util::future::LocalBoxFuture;
use plaza::graphql::ids::{global, parse_any};
use plaza::ids::{Id, NotificationId, bucket_of};
use plaza::stores::postgres::ShardIndex;
use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp, with_config};

/// Mutations that are not told apart by a key, and why.
const UNNAMED: [(&str, &str); 5] = [
    ("logIn", "proves who asks, and begins a session each time: tokens are not stored"),
    ("sessionRefresh", "its refresh token names it: graphql/identity.rs"),
    ("logOut", "its second try has no session to ask with"),
    ("sessionRevokeOthers", "has no input: graphql/tokens.rs sends it again with its key"),
    ("postViewsRecord", "telemetry: it takes no part in idempotency"),
];
/// Told apart by a key without anybody who is logged in.
const ANONYMOUS: &str = "signUp";

/// How a key reaches plaza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In the field's input.
    Input,
    /// In the client's header.
    Header,
    /// In nginx's.
    Proxy,
}

/// A mutation to be sent, and sent again.
struct Case<'a> {
    by: Person,
    /// What its answer is compared by.
    selection: &'static str,
    input: Value,
    /// Another input, for a shard of its own where that can be.
    other: Value,
    /// Changes the world so that nothing holds that the mutation asked for.
    changed: LocalBoxFuture<'a, ()>,
}

fn shard_of(app: &TestApp, id: &str) -> ShardIndex {
    app.app.domain.cluster.shard_of(bucket_of(parse_any(id).unwrap().1))
}

fn raw(id: &str) -> i64 {
    parse_any(id).unwrap().1
}

/// Somebody on another shard than these are on.
async fn elsewhere(app: &TestApp, handle: &str, than: &[&Person]) -> Person {
    for number in 0.. {
        let person = app.sign_up(&format!("{handle}_{number}")).await;
        if than.iter().all(|other| shard_of(app, &other.id) != shard_of(app, &person.id)) {
            return person;
        }
    }
    unreachable!()
}

async fn done(app: &TestApp, by: &Person, mutation: &str, selection: &str, input: Value) -> Answer {
    let answer = app.ask(by, &text(mutation, selection), json!({ "input": input })).await;
    assert_eq!(answer.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
    answer
}

/// A mutation's text, with its input as a variable.
fn text(mutation: &str, selection: &str) -> String {
    let input = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    format!(
        "mutation($input: {input}!) {{ {mutation}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
    )
}

async fn to_a_user(app: &TestApp, by: &Person, mutation: &str, user: &Person) {
    done(app, by, mutation, "user { id }", json!({ "userId": user.id })).await;
}

async fn private(app: &TestApp, person: &Person) {
    done(app, person, "profileUpdate", "user { id }", json!({ "isPrivate": true })).await;
}

async fn deleted(app: &TestApp, by: &Person, post: &str) {
    done(app, by, "postDelete", "deletedPostId", json!({ "postId": post })).await;
}

/// They go private, block the other and delete the post: nobody else can do anything with it.
async fn gone(app: &TestApp, author: &Person, post: &str, other: &Person) {
    private(app, author).await;
    to_a_user(app, author, "userBlock", other).await;
    deleted(app, author, post).await;
}

async fn product(app: &TestApp, seller: &Person) -> String {
    let input = json!({ "title": "Lamp", "description": "", "price": { "amount": "100", "currency": "EUR" }, "stock": 9 });
    done(app, seller, "productCreate", "product { id }", input)
        .await
        .text("/productCreate/product/id")
}

async fn ordered(app: &TestApp, buyer: &Person, product: &str) -> String {
    let input = json!({ "lines": [{ "productId": product, "quantity": 1 }] });
    let placed = done(app, buyer, "orderPlace", "order { id }", input).await;
    let id = placed.text("/orderPlace/order/id");
    let settled = "query($id: ID!) { order(id: $id) { isSettled } }";
    app.until("it is settled", async || {
        app.ask(buyer, settled, json!({ "id": id })).await.at("/order/isSettled") == true
    })
    .await;
    id
}

/// A mutation about a person that the two have nothing to do with each other after.
async fn about_a_user<'a>(
    app: &'a TestApp,
    (by, user, third): (Person, Person, Person),
    changed: LocalBoxFuture<'a, ()>,
) -> Case<'a> {
    let (input, other) = (json!({ "userId": user.id }), json!({ "userId": third.id }));
    let blocked = {
        let (by, user) = (by.clone(), user);
        Box::pin(async move {
            changed.await;
            to_a_user(app, &user, "userBlock", &by).await;
        })
    };
    Case { by, selection: "user { id }", input, other, changed: blocked }
}

/// The case of a mutation; `None` when there is none. `n` tells its people apart.
async fn case<'a>(app: &'a TestApp, mutation: &str, n: &str) -> Option<Case<'a>> {
    let name = |role: &str| format!("{role}_{n}");
    let by = app.sign_up(&name("by")).await;
    let author = elsewhere(app, &name("au"), &[&by]).await;
    let third = elsewhere(app, &name("th"), &[&by, &author]).await;
    let post = app.post(&author, "a post").await;
    let other_post = app.post(&third, "another post").await;
    let nothing: LocalBoxFuture<'a, ()> = Box::pin(async {});
    let posts = (json!({ "postId": post }), json!({ "postId": other_post }));
    let vanish = {
        let (author, post, by) = (author.clone(), post.clone(), by.clone());
        async move { gone(app, &author, &post, &by).await }
    };
    let about_a_post = |selection: &'static str, changed: LocalBoxFuture<'a, ()>| Case {
        by: by.clone(),
        selection,
        input: posts.0.clone(),
        other: posts.1.clone(),
        changed,
    };
    Some(match mutation {
        "postCreate" => {
            let lamp = product(app, &author).await;
            let input = json!({ "text": "a quote", "quotedPostId": post, "productId": lamp });
            let changed = {
                let by = by.clone();
                async move {
                    let mine = "query($id: ID!) { node(id: $id) { ... on User { posts(first: 1) { nodes { id } } } } }";
                    let mine = app.ask(&by, mine, json!({ "id": by.id })).await;
                    deleted(app, &by, &mine.text("/node/posts/nodes/0/id")).await;
                    vanish.await;
                }
            };
            let selection = "post { id text isQuote }";
            Case {
                by,
                selection,
                input,
                other: json!({ "text": "something else" }),
                changed: Box::pin(changed),
            }
        }
        "postDelete" => {
            let (one, two) = (app.post(&by, "one").await, app.post(&by, "two").await);
            let (input, other) = (json!({ "postId": one }), json!({ "postId": two }));
            Case { by, selection: "deletedPostId", input, other, changed: nothing }
        }
        "postLike" | "postUnlike" => about_a_post("post { id text }", Box::pin(vanish)),
        "postRepost" => {
            let (by, original) = (by.clone(), post.clone());
            let changed = async move {
                done(app, &by, "postUnrepost", "post { id }", json!({ "postId": original })).await;
                vanish.await;
            };
            about_a_post("post { id } repost { id }", Box::pin(changed))
        }
        "postUnrepost" => {
            done(app, &by, "postRepost", "post { id }", posts.0.clone()).await;
            about_a_post("post { id text }", Box::pin(vanish))
        }
        "commentCreate" => Case {
            by: by.clone(),
            selection: "comment { id text }",
            input: json!({ "postId": post, "text": "a comment" }),
            other: json!({ "postId": other_post, "text": "a comment" }),
            changed: Box::pin(vanish),
        },
        "userFollow" | "userUnfollow" | "userBlock" | "userUnblock" => {
            about_a_user(app, (by, author, third), nothing).await
        }
        "followRequestAccept" | "followRequestReject" => {
            private(app, &by).await;
            for asks in [&author, &third] {
                to_a_user(app, asks, "userFollow", &by).await;
            }
            about_a_user(app, (by, author, third), nothing).await
        }
        "userSuspend" | "userUnsuspend" => {
            let admin = raw(&by.id);
            app.execute(&format!("UPDATE users SET is_admin = true WHERE id = {admin}")).await;
            let (input, other) = (json!({ "userId": author.id }), json!({ "userId": third.id }));
            let changed = async move {
                app.execute(&format!("UPDATE users SET is_admin = false WHERE id = {admin}")).await;
            };
            Case { by, selection: "user { id }", input, other, changed: Box::pin(changed) }
        }
        "profileUpdate" => {
            let face = crate::images::ready(app, &by, "", "AVATAR").await;
            let input = json!({ "displayName": "First", "avatarImageId": face });
            let person = by.clone();
            let changed = async move {
                let second = json!({ "displayName": "Second", "avatarImageId": null });
                done(app, &person, "profileUpdate", "user { id }", second).await;
            };
            let (selection, other) = ("user { id displayName }", json!({ "displayName": "Other" }));
            Case { by, selection, input, other, changed: Box::pin(changed) }
        }
        "productCreate" => {
            let offer = |title: &str| json!({ "title": title, "description": "", "price": { "amount": "100", "currency": "EUR" }, "stock": 1 });
            let (input, other) = (offer("Lamp"), offer("Chair"));
            Case { by, selection: "product { id title }", input, other, changed: nothing }
        }
        "orderPlace" => {
            let lamp = product(app, &author).await;
            let lines =
                |quantity| json!({ "lines": [{ "productId": lamp, "quantity": quantity }] });
            let (buyer, seller) = (by.clone(), author.clone());
            let changed = async move { to_a_user(app, &seller, "userBlock", &buyer).await };
            let (input, other) = (lines(1), lines(2));
            Case { by, selection: "order { id }", input, other, changed: Box::pin(changed) }
        }
        "orderCancel" | "orderRefund" => {
            let lamp = product(app, &author).await;
            let (one, two) = (ordered(app, &by, &lamp).await, ordered(app, &by, &lamp).await);
            let (first, second) = (raw(&one), raw(&two));
            if mutation == "orderCancel" {
                app.execute(&format!(
                    "UPDATE orders SET status = 'RESERVED' WHERE id IN ({first}, {second})"
                ))
                .await;
            }
            let changed = async move {
                app.until("the saga has run", async || {
                    let settled = "SELECT count(*) FROM orders WHERE status IN ('CANCELLED', 'REFUNDED') AND id =";
                    app.count(&format!("{settled} {first}")).await == 1
                })
                .await;
                app.execute(&format!("UPDATE orders SET status = 'REJECTED' WHERE id = {first}"))
                    .await;
            };
            let (input, other) = (json!({ "orderId": one }), json!({ "orderId": two }));
            Case { by, selection: "order { id }", input, other, changed: Box::pin(changed) }
        }
        "imageCreate" => {
            let owner = raw(&by.id);
            let changed = async move {
                app.execute(&format!("DELETE FROM images WHERE owner_id = {owner}")).await;
            };
            let (input, other) = (json!({ "byteCount": 9 }), json!({ "byteCount": 10 }));
            let selection = "image { id status } uploadUrl";
            Case { by, selection, input, other, changed: Box::pin(changed) }
        }
        "imageUpdate" => {
            let image = crate::images::ready(app, &by, "", "POST").await;
            let (input, other) = (
                json!({ "imageId": image, "altText": "a" }),
                json!({ "imageId": image, "altText": "b" }),
            );
            let person = by.clone();
            let changed = async move {
                let shown = json!({ "text": "x", "imageIds": [image] });
                let made = done(app, &person, "postCreate", "post { id }", shown).await;
                deleted(app, &person, &made.text("/postCreate/post/id")).await;
            };
            let selection = "image { id status altText }";
            Case { by, selection, input, other, changed: Box::pin(changed) }
        }
        "notificationsMarkRead" => {
            let owner = raw(&by.id);
            for follower in [&author, &third] {
                to_a_user(app, follower, "userFollow", &by).await;
            }
            let count = format!("SELECT count(*) FROM notifications WHERE user_id = {owner}");
            app.until("both are there", async || app.count(&count).await == 2).await;
            let of = async |which: &str| {
                let id = format!(
                    "SELECT coalesce({which}(id), 0)::bigint FROM notifications WHERE user_id = {owner}"
                );
                json!({ "upTo": global(NotificationId::from_i64(app.count(&id).await)) })
            };
            let (input, other) = (of("min").await, of("max").await);
            let changed = async move {
                app.execute(&format!("DELETE FROM notifications WHERE user_id = {owner}")).await;
            };
            Case {
                by,
                selection: "viewer { user { id } }",
                input,
                other,
                changed: Box::pin(changed),
            }
        }
        "notificationPreferencesUpdate" => {
            let choice =
                |from: &str| json!({ "preferences": [{ "kind": "LIKED", "delivery": from }] });
            let (input, other) = (choice("NOBODY"), choice("FOLLOWED"));
            Case { by, selection: "preferences { kind delivery }", input, other, changed: nothing }
        }
        "sessionRevoke" => {
            let log_in = "mutation($handle: String!) { logIn(input: {handle: $handle, password: \"correct horse\"}) { accessToken } }";
            for _ in 0..2 {
                app.ask_anonymously(log_in, json!({ "handle": name("by") }))
                    .await
                    .text("/logIn/accessToken");
            }
            let sessions =
                app.ask(&by, "{ viewer { sessions { id isCurrent } } }", json!({})).await;
            let others: Vec<Value> = sessions
                .at("/viewer/sessions")
                .as_array()
                .unwrap()
                .iter()
                .filter(|session| session["isCurrent"] == false)
                .map(|session| json!({ "sessionId": session["id"] }))
                .collect();
            let (input, other) = (others[0].clone(), others[1].clone());
            Case { by, selection: "revoked", input, other, changed: nothing }
        }
        _ => return None,
    })
}

/// Sends a mutation under a key.
async fn send(
    app: &TestApp,
    way: Way,
    key: &str,
    attempt: u32,
    case: &Case<'_>,
    mutation: &str,
    input: &Value,
) -> Answer {
    let mut input = input.clone();
    let (authorization, attempt) = (format!("Bearer {}", case.by.token), attempt.to_string());
    let mut headers = vec![("authorization", authorization.as_str())];
    match way {
        Way::Input => input["clientKey"] = json!(key),
        Way::Header => headers.push(("idempotency-key", key)),
        Way::Proxy => headers.extend([
            ("idempotency-key", key),
            ("x-plaza-key", "proxy"),
            ("x-plaza-attempt", &attempt),
        ]),
    }
    app.send(&headers, &text(mutation, case.selection), json!({ "input": input })).await
}

async fn mutations(app: &TestApp) -> BTreeSet<String> {
    let query = "{ __schema { mutationType { fields { name } } } }";
    let fields = app.ask_anonymously(query, json!({})).await.at("/__schema/mutationType/fields");
    fields
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether anything was rejected as a conflict, and nothing was done.
fn is_conflict(answer: &Answer, mutation: &str) -> bool {
    answer.body.pointer(&format!("/data/{mutation}/userErrors/0/code"))
        == Some(&json!("IDEMPOTENCY_CONFLICT"))
}

/// Another mutation on the viewer's own shard, and one on somebody else's.
async fn others(
    app: &TestApp,
    way: Way,
    key: &str,
    case: &Case<'_>,
    mutation: &str,
    foreign: &str,
) {
    let own = ("postCreate", "post { id }", json!({ "text": "under a key that is taken" }));
    let theirs = ("commentCreate", "comment { id }", json!({ "postId": foreign, "text": "so" }));
    for (other, selection, input) in [own, theirs] {
        if other != mutation {
            let case = Case {
                selection,
                by: case.by.clone(),
                input: json!({}),
                other: json!({}),
                changed: Box::pin(async {}),
            };
            let answer = send(app, way, key, 1, &case, other, &input).await;
            assert!(
                is_conflict(&answer, other),
                "{mutation}, then {other}, {way:?}: {}",
                answer.body
            );
        }
    }
}

async fn every_mutation(way: Way) {
    let limits = |config: &mut plaza::config::Config| {
        config.limits.images_per_hour = 1_000;
        config.orders.saga_in_request = false;
    };
    with_config(limits, async |app| {
        let mut missing = Vec::new();
        for (number, mutation) in mutations(app).await.into_iter().enumerate() {
            if mutation == ANONYMOUS || UNNAMED.iter().any(|(name, _)| *name == mutation) {
                continue;
            }
            let Some(mut case) = case(app, &mutation, &number.to_string()).await else {
                missing.push(mutation);
                continue;
            };
            let key = format!("key-{number}");
            let first = send(app, way, &key, 1, &case, &mutation, &case.input).await;
            let errors = first.body.pointer(&format!("/data/{mutation}/userErrors"));
            assert_eq!(errors, Some(&json!([])), "{mutation}, {way:?}: {}", first.body);
            std::mem::replace(&mut case.changed, Box::pin(async {})).await;
            let again = send(app, way, &key, 2, &case, &mutation, &case.input).await;
            assert_eq!(again.body, first.body, "{mutation}, {way:?}, again");
            if way != Way::Proxy {
                let other = send(app, way, &key, 1, &case, &mutation, &case.other).await;
                assert!(
                    is_conflict(&other, &mutation),
                    "{mutation}, {way:?}, another input: {}",
                    other.body
                );
                let stranger = elsewhere(app, &format!("st_{number}"), &[&case.by]).await;
                let foreign = app.post(&stranger, "a stage").await;
                others(app, way, &key, &case, &mutation, &foreign).await;
                let last = send(app, way, &key, 1, &case, &mutation, &case.input).await;
                assert_eq!(last.body, first.body, "{mutation}, {way:?}, after the conflicts");
            }
        }
        assert!(missing.is_empty(), "no case in this file: {missing:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_input_names_one_mutation_on_every_shard_whatever_happens_after_it() {
    every_mutation(Way::Input).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_header_names_one_mutation_on_every_shard_whatever_happens_after_it() {
    every_mutation(Way::Header).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_sends_again_is_answered_as_before_whatever_happened_in_between() {
    every_mutation(Way::Proxy).await;
}

#[test]
fn what_is_not_named_is_said_why() {
    for (name, why) in UNNAMED {
        assert!(!name.is_empty() && why.len() > 20, "{name}");
    }
}
