//! A case for each mutation: what is sent, and how the world is changed after it.

use futures_util::future::LocalBoxFuture;
use plaza::graphql::ids::{global, parse_any};
use plaza::ids::{Id, NotificationId, bucket_of};
use plaza::stores::postgres::ShardIndex;
use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp};

/// Told apart by a key without anybody who is logged in.
pub const ANONYMOUS: &str = "signUp";

/// A mutation to be sent, and sent again.
pub struct Case<'a> {
    pub by: Person,
    /// What its answer is compared by.
    pub selection: &'static str,
    pub input: Value,
    /// Another input, for a shard of its own where that can be.
    pub other: Value,
    /// Changes the world so that nothing holds that the mutation asked for.
    pub changed: LocalBoxFuture<'a, ()>,
}

pub fn shard_of(app: &TestApp, id: &str) -> ShardIndex {
    app.app.domain.cluster.shard_of(bucket_of(parse_any(id).unwrap().1))
}

pub fn raw(id: &str) -> i64 {
    parse_any(id).unwrap().1
}

/// Somebody on another shard than these are on.
pub async fn elsewhere(app: &TestApp, handle: &str, than: &[&Person]) -> Person {
    for number in 0.. {
        let person = app.sign_up(&format!("{handle}_{number}")).await;
        if than.iter().all(|other| shard_of(app, &other.id) != shard_of(app, &person.id)) {
            return person;
        }
    }
    unreachable!()
}

pub async fn done(
    app: &TestApp,
    by: &Person,
    mutation: &str,
    selection: &str,
    input: Value,
) -> Answer {
    let answer = app.ask(by, &text(mutation, selection), json!({ "input": input })).await;
    assert_eq!(answer.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
    answer
}

/// A mutation's text, with its input as a variable.
pub fn text(mutation: &str, selection: &str) -> String {
    let input = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    format!(
        "mutation($input: {input}!) {{ {mutation}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
    )
}

pub async fn to_a_user(app: &TestApp, by: &Person, mutation: &str, user: &Person) {
    done(app, by, mutation, "user { id }", json!({ "userId": user.id })).await;
}

pub async fn private(app: &TestApp, person: &Person) {
    done(app, person, "profileUpdate", "user { id }", json!({ "isPrivate": true })).await;
}

pub async fn deleted(app: &TestApp, by: &Person, post: &str) {
    done(app, by, "postDelete", "deletedPostId", json!({ "postId": post })).await;
}

/// They go private, block the other and delete the post: nobody else can do anything with it.
pub async fn gone(app: &TestApp, author: &Person, post: &str, other: &Person) {
    private(app, author).await;
    to_a_user(app, author, "userBlock", other).await;
    deleted(app, author, post).await;
}

pub async fn product(app: &TestApp, seller: &Person) -> String {
    let input = json!({ "title": "Lamp", "description": "", "price": { "amount": "100", "currency": "EUR" }, "stock": 9 });
    done(app, seller, "productCreate", "product { id }", input)
        .await
        .text("/productCreate/product/id")
}

pub async fn ordered(app: &TestApp, buyer: &Person, product: &str) -> String {
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
pub async fn about_a_user<'a>(
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
pub async fn case<'a>(app: &'a TestApp, mutation: &str, n: &str) -> Option<Case<'a>> {
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
