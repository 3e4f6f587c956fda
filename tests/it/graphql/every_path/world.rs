//! Users who stand to each other in every way, and what the target of all questions has made.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp};
use Kind::{Content, Own, Person as Who, Voice};

/// Kinds of what a person has, by who may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// That they are there: name, handle.
    Person,
    /// What they say to everybody: comments on others' posts, products.
    Voice,
    /// What they say to those who follow them: posts, and what is said there.
    Content,
    /// What is theirs alone: orders, sessions, notifications.
    Own,
}

/// A text that gives something away, and what it gives away.
pub type Marks = Vec<(String, Kind)>;

/// Somebody who asks.
pub struct Principal {
    pub name: &'static str,
    pub person: Option<Person>,
}

/// The target has one of everything; the others stand to the target as their names say.
pub struct World {
    pub target: Person,
    pub post: String,
    pub stage: String,
    /// The witness's, of the post.
    pub quote: String,
    /// The follower's comment on the post, which the target has answered.
    pub reply: String,
    pub product: String,
    pub order: String,
    pub session: String,
    /// An image that nothing shows.
    pub spare: String,
    pub others: BTreeMap<&'static str, Person>,
    /// Ids that anybody may try: `node(id:)` and the like.
    pub ids: Vec<String>,
    pub orders: Vec<String>,
    pub marks: Marks,
    /// Marks that somebody has of their own, whatever the target is to them: what a receipt of
    /// theirs says, a comment that they wrote; and the field by which they find it.
    pub own: Vec<(&'static str, String, &'static str)>,
}

impl World {
    pub fn principals(&self) -> Vec<Principal> {
        let others = self.others.iter().filter(|(name, _)| **name != "witness");
        let known = others.map(|(name, person)| Principal { name, person: Some(person.clone()) });
        known
            .chain([
                Principal { name: "owner", person: Some(self.target.clone()) },
                Principal { name: "anonymous", person: None },
            ])
            .collect()
    }
}

pub async fn ask(app: &TestApp, principal: &Principal, query: &str, variables: Value) -> Answer {
    let token = principal.person.as_ref().map(|person| format!("Bearer {}", person.token));
    let headers: Vec<(&str, &str)> =
        token.iter().map(|token| ("authorization", token.as_str())).collect();
    app.send(&headers, query, variables).await
}

/// The first error's code, empty when there is none.
pub fn code(answer: &Answer) -> &str {
    answer.body.pointer("/errors/0/extensions/code").and_then(Value::as_str).unwrap_or_default()
}

pub async fn comment(app: &TestApp, person: &Person, post: &str, text: &str) -> String {
    let query = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text}) { comment { id } } }";
    app.ask(person, query, json!({ "id": post, "text": text }))
        .await
        .text("/commentCreate/comment/id")
}

pub async fn offer(app: &TestApp, person: &Person, title: &str) -> String {
    let query =
        "mutation($title: String!) { productCreate(input: {title: $title, description: $title, price: {amount: \"100\", currency: \"EUR\"},
        stock: 9}) { product { id } } }";
    app.ask(person, query, json!({ "title": title })).await.text("/productCreate/product/id")
}

pub async fn order(app: &TestApp, person: &Person, product: &str) -> String {
    let query = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
    app.ask(person, query, json!({ "id": product })).await.text("/orderPlace/order/id")
}

pub async fn act(app: &TestApp, person: &Person, mutation: &str, id: &str) {
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ code }} }} }}"
    );
    let done = app.ask(person, &query, json!({ "id": id })).await;
    assert_eq!(done.at(&format!("/{mutation}/userErrors")), json!([]), "{mutation}");
}

pub async fn world(app: &TestApp) -> World {
    let mut others = BTreeMap::new();
    for name in ["follower", "stranger", "blocked", "blocker", "witness"] {
        others.insert(name, app.sign_up(name).await);
    }
    let target = app.sign_up("target").await;
    let log_in = "mutation { logIn(input: {handle: \"target\", password: \"correct horse\"}) { accessToken } }";
    let token = app
        .send(&[("user-agent", "mark-agent")], log_in, json!({}))
        .await
        .text("/logIn/accessToken");
    let target = Person { token, ..target };
    app.ask(&target, "mutation { profileUpdate(input: {displayName: \"mark-name\", bio: \"mark-bio\"}) { user { id } } }", json!({})).await;
    for name in ["follower", "blocked", "blocker"] {
        app.follow(&others[name], &target).await;
    }
    let witness = &others["witness"];
    app.follow(&target, witness).await;
    let product = offer(app, &target, "mark-product").await;
    let shown = crate::images::ready(app, &target, "mark-alt", "POST").await;
    let face = crate::images::ready(app, &target, "mark-face", "AVATAR").await;
    let spare = crate::images::ready(app, &target, "mark-spare", "POST").await;
    let query = "mutation($id: ID!) { profileUpdate(input: {avatarImageId: $id}) { user { avatar { id } } } }";
    assert_eq!(
        app.ask(&target, query, json!({ "id": face })).await.text("/profileUpdate/user/avatar/id"),
        face
    );
    let query = "mutation($id: ID!, $image: ID!) { postCreate(input: {text: \"mark-post #marked @follower @stranger @blocked @blocker\", productId: $id, imageIds: [$image]}) { post { id } } }";
    let post = app
        .ask(&target, query, json!({ "id": product, "image": shown }))
        .await
        .text("/postCreate/post/id");
    let reply = comment(app, &others["follower"], &post, "mark-reply").await;
    let answer = "mutation($post: ID!, $to: ID!) { commentCreate(input: {postId: $post, text: \"mark-answer\", inReplyToId: $to}) { comment { id } } }";
    let answer = app
        .ask(&target, answer, json!({ "post": post, "to": reply }))
        .await
        .text("/commentCreate/comment/id");
    let stage = app.post(witness, "a stage").await;
    for name in ["follower", "stranger", "blocked", "blocker"] {
        app.follow(&others[name], witness).await;
    }
    // The witness shares what the target wrote: whoever sees the witness comes to it that way too.
    let share = "mutation($id: ID!) { postRepost(input: {postId: $id}) { repost { id } }
        postCreate(input: {text: \"a look\", quotedPostId: $id}) { post { id } } }";
    let shared = app.ask(witness, share, json!({ "id": post })).await;
    let (repost, quote) =
        (shared.text("/postRepost/repost/id"), shared.text("/postCreate/post/id"));
    let said = comment(app, &target, &stage, "mark-comment").await;
    let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
    app.ask(&target, like, json!({ "id": stage })).await;
    // Each notifies the other; each has bought from the target, who has bought from the witness.
    for name in ["blocked", "blocker", "follower"] {
        app.ask(&others[name], like, json!({ "id": post })).await;
        let theirs = app.post(&others[name], "theirs").await;
        app.ask(&target, like, json!({ "id": theirs })).await;
        comment(app, &target, &theirs, "mark-comment").await;
    }
    let theirs = offer(app, witness, "a chair").await;
    let own = order(app, &target, &theirs).await;
    let mut orders = vec![own.clone()];
    for name in ["blocked", "blocker", "follower"] {
        orders.push(order(app, &others[name], &product).await);
    }
    let sessions = app
        .ask(&target, "{ viewer { sessions { id isCurrent } } }", json!({}))
        .await
        .at("/viewer/sessions");
    let session = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["isCurrent"] == true)
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let own_ids = "{ viewer { id notificationGroups(first: 1) { nodes { id } } } }";
    app.until("the target has notifications", async || {
        let seen = app.ask(&target, own_ids, json!({})).await;
        seen.at("/viewer/notificationGroups/nodes").as_array().is_some_and(|all| !all.is_empty())
    })
    .await;
    let viewer = app.ask(&target, own_ids, json!({})).await.text("/viewer/id");
    let group =
        app.ask(&target, own_ids, json!({})).await.text("/viewer/notificationGroups/nodes/0/id");
    act(app, &target, "userBlock", &others["blocked"].id).await;
    act(app, &others["blocker"], "userBlock", &target.id).await;
    let marks = [
        ("mark-name", Who),
        ("mark-bio", Who),
        ("\"target\"", Who),
        (target.id.as_str(), Who),
        ("mark-face", Who),
        (face.as_str(), Who),
        ("mark-comment", Voice),
        (said.as_str(), Voice),
        ("mark-product", Voice),
        (product.as_str(), Voice),
        ("mark-post", Content),
        (post.as_str(), Content),
        ("mark-alt", Content),
        (shown.as_str(), Content),
        (repost.as_str(), Content),
        ("mark-reply", Content),
        (reply.as_str(), Content),
        ("mark-answer", Content),
        (answer.as_str(), Content),
        ("mark-spare", Own),
        (spare.as_str(), Own),
        ("mark-agent", Own),
        (session.as_str(), Own),
        (own.as_str(), Own),
        (viewer.as_str(), Own),
    ];
    World {
        ids: [
            &target.id, &post, &product, &reply, &said, &stage, &own, &shown, &face, &spare,
            &repost, &quote, &answer, &session, &viewer, &group,
        ]
        .into_iter()
        .chain(&orders)
        .cloned()
        .collect(),
        marks: marks.into_iter().map(|(mark, kind)| (mark.to_owned(), kind)).collect(),
        // The stranger buys among the mutations.
        own: ["blocked", "blocker", "follower", "stranger"]
            .map(|buyer| (buyer, "mark-product".to_owned(), "lines"))
            .into_iter()
            .chain(["mark-reply", &reply].map(|mark| ("follower", mark.to_owned(), "node(id:")))
            .chain(["mark-reply", &reply].map(|mark| ("follower", mark.to_owned(), "nodes(ids:")))
            .collect(),
        target,
        post,
        stage,
        quote,
        reply,
        product,
        order: own,
        session,
        spare,
        others,
        orders,
    }
}
