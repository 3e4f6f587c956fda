//! Mutations made of the schema, each with inputs that are good, as often as it is sent: what one
//! has made, a later one undoes.

use async_graphql::parser::types::FieldDefinition;
use serde_json::{Value, json};

use super::operation::{By, Inputs, Link, Operation};
use super::queries::{below, named};
use super::schema::Schema;
use super::world::{OURS, World};
use crate::client::{global_id, raw_id};

/// The order in which they are sent: what one needs is made by one before it. One that the schema
/// has and this list lacks is reported as not measured.
pub const ORDER: [&str; 31] = [
    "productCreate",
    "postCreate",
    "commentCreate",
    "postLike",
    "postUnlike",
    "postRepost",
    "postUnrepost",
    "postDelete",
    "postViewsRecord",
    "userFollow",
    "userUnfollow",
    "userBlock",
    "userUnblock",
    "followRequestAccept",
    "followRequestReject",
    "profileUpdate",
    "imageCreate",
    "imageUpdate",
    "notificationPreferencesUpdate",
    "notificationsMarkRead",
    "orderPlace",
    "orderCancel",
    "orderRefund",
    "signUp",
    "userSuspend",
    "userUnsuspend",
    "logIn",
    "sessionRefresh",
    "logOut",
    "sessionRevoke",
    "sessionRevokeOthers",
];
/// Requests that are prepared for one: more than half a second of CPU takes.
const MANY: usize = 400;
/// Images that are announced and not shown yet: a user may have 40.
const IMAGES: usize = 36;
/// Passwords hashed: each takes a core for a while.
const HASHED: usize = 40;

/// A mutation's text: all that its payload says, and of each object its id.
fn text(schema: &Schema, field: &FieldDefinition) -> String {
    let name = field.name.node.as_str();
    let payload = schema.fields(named(&field.ty.node.base)).into_iter().map(|shown| {
        let of = schema.fields(named(&shown.ty.node.base));
        match of.iter().any(|field| field.name.node == "id") {
            true => format!("{} {{ id }}", shown.name.node),
            false => format!("{}{}", shown.name.node, below(schema, shown)),
        }
    });
    let payload = payload.collect::<Vec<String>>().join(" ");
    match field.arguments.first() {
        Some(input) => format!(
            "mutation($input: {}!) {{ {name}(input: $input) {{ {payload} }} }}",
            Schema::type_of(&input.node)
        ),
        None => format!("mutation {{ {name} {{ {payload} }} }}"),
    }
}

fn once(inputs: impl IntoIterator<Item = Value>) -> Inputs {
    Inputs::Once(inputs.into_iter().take(MANY).map(|input| json!({ "input": input })).collect())
}

/// Inputs that differ by their number.
fn numbered(input: impl Fn(usize) -> Value) -> Inputs {
    once((0..MANY).map(input))
}

fn each(name: &str, ids: &[String]) -> Inputs {
    once(ids.iter().map(|id| json!({ name: id })))
}

/// Two halves: one for each of two mutations that use the same things up.
fn halves(all: &[String]) -> (&[String], &[String]) {
    all.split_at(all.len() / 2)
}

/// A product of a run.
pub fn product(number: usize, stock: u32) -> Value {
    json!({
        "title": format!("A chair, number {number}"),
        "description": "Of oak, with four legs and a seat of woven paper.",
        "price": { "amount": "100", "currency": "EUR" },
        "stock": stock,
    })
}

/// A new user of a run.
pub fn new_user(handle: &str, password: &str) -> Value {
    json!({
        "handle": handle,
        "displayName": "Who costs",
        "email": format!("{handle}@example.org"),
        "password": password,
    })
}

/// What a mutation is given; nothing where it is not known, or where there is nothing to give.
fn inputs(world: &World, name: &str) -> Option<Inputs> {
    let kept = |of: &str| world.kept.get(of).map(Vec::as_slice).unwrap_or_default();
    let strangers = world.people.iter().rev().map(|(_, id)| json!({ "userId": id }));
    let users: Vec<String> = kept("signUp")
        .iter()
        .filter_map(|viewer| Some(global_id("User", raw_id(viewer)?)))
        .collect();
    Some(match name {
        "productCreate" => numbered(|number| product(number, 1)),
        "postCreate" => {
            numbered(|number| json!({ "text": format!("What a post costs: {number}") }))
        }
        "commentCreate" => {
            let posts = world.posts.iter().cycle().enumerate().take(MANY);
            once(
                posts.map(
                    |(number, id)| json!({ "postId": id, "text": format!("So it is: {number}") }),
                ),
            )
        }
        "postLike" | "postRepost" => each("postId", &world.posts),
        "postUnlike" => each("postId", kept("postLike")),
        "postUnrepost" => each("postId", kept("postRepost")),
        "postDelete" => each("postId", kept("postCreate")),
        "postViewsRecord" => {
            let views = world.posts.iter().map(|id| json!({ "input": { "postIds": [id] } }));
            Inputs::Again(views.collect())
        }
        "userFollow" | "userBlock" => once(strangers),
        "userUnfollow" => each("userId", kept("userFollow")),
        "userUnblock" => each("userId", kept("userBlock")),
        "followRequestAccept" => each("userId", halves(&world.asking).0),
        "followRequestReject" => each("userId", halves(&world.asking).1),
        "profileUpdate" => numbered(|number| json!({ "bio": format!("Of {number} words") })),
        "imageCreate" => once((1..=IMAGES).map(|bytes| json!({ "byteCount": bytes }))),
        "imageUpdate" => {
            let images = kept("imageCreate").iter().cycle().enumerate().take(MANY);
            once(
                images.map(|(number, id)| json!({ "imageId": id, "altText": format!("{number}") })),
            )
        }
        "notificationPreferencesUpdate" => numbered(|number| {
            let delivery = if number.is_multiple_of(2) { "FOLLOWED" } else { "EVERYBODY" };
            json!({ "preferences": [{ "kind": "LIKED", "delivery": delivery }] })
        }),
        "notificationsMarkRead" => {
            let newest = json!({ "input": { "upTo": world.newest_notification.as_ref()? } });
            Inputs::Again(vec![newest])
        }
        "orderPlace" | "orderCancel" => {
            numbered(|_| json!({ "lines": [{ "productId": world.sold, "quantity": 1 }] }))
        }
        "orderRefund" => each("orderId", kept("orderPlace")),
        "signUp" => {
            let handles = (0..HASHED).map(|number| format!("{OURS}{}_{number}", world.stamp));
            once(handles.map(|handle| new_user(&handle, &world.password)))
        }
        "userSuspend" | "userUnsuspend" => each("userId", &users),
        "logIn" => {
            let input = json!({ "handle": world.viewer.handle, "password": world.password });
            Inputs::Again(vec![json!({ "input": input })])
        }
        "sessionRefresh" => {
            let first = json!({ "input": { "refreshToken": kept("logIn").last()? } });
            let from = "/sessionRefresh/refreshToken".to_owned();
            Inputs::Chain(first, Link { from, into: "/input/refreshToken" })
        }
        "sessionRevoke" => each("sessionId", &world.sessions),
        "logOut" | "sessionRevokeOthers" => Inputs::Again(vec![json!({})]),
        _ => return None,
    })
}

/// A mutation; nothing where it is not known what to give, or where there is nothing to give.
pub fn mutation(schema: &Schema, world: &World, name: &str) -> Option<Operation> {
    let field =
        |name: &str| schema.fields("Mutation").into_iter().find(|field| field.name.node == name);
    let (own, inputs) = (text(schema, field(name)?), inputs(world, name)?);
    let mut operation = Operation::mutation(format!("Mutation.{name}"), own, inputs);
    operation.by = match name {
        "signUp" | "logIn" | "sessionRefresh" => By::Nobody,
        "followRequestAccept" | "followRequestReject" => By::Other,
        "logOut" => By::Sessions(world.session_tokens.clone()),
        _ => By::Viewer,
    };
    let of_answer = match name {
        "postCreate" | "postLike" | "postRepost" => Some("post/id"),
        "userFollow" | "userBlock" => Some("user/id"),
        "imageCreate" => Some("image/id"),
        "orderPlace" => Some("order/id"),
        "signUp" => Some("viewer/id"),
        "logIn" => Some("refreshToken"),
        _ => None,
    };
    operation.keeps = of_answer.map(|place| format!("/{name}/{place}"));
    if name == "orderCancel" {
        // Only an order that was placed a moment ago can be: both are measured together.
        let place = Operation { text: text(schema, field("orderPlace")?), ..operation };
        let cancel = "mutation($id: ID!) { orderCancel(input: {orderId: $id}) { order { id } userErrors { code } } }";
        let link = Link { from: "/orderPlace/order/id".to_owned(), into: "/id" };
        operation = Operation {
            name: "Mutation.orderPlace, then orderCancel".to_owned(),
            then: Some((cancel.to_owned(), link)),
            // The worker was faster.
            may_say: &["INVALID_STATE"],
            ..place
        };
    }
    (operation.most() > 0).then_some(operation)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::checked;
    use super::*;

    #[test]
    fn every_mutation_of_the_schema_is_sent_with_what_it_takes() {
        let (schema, world) = (Schema::parse(&checked::sdl()), checked::world());
        let fields = schema.fields("Mutation").into_iter();
        let served: BTreeSet<&str> = fields.map(|field| field.name.node.as_str()).collect();
        assert_eq!(served, BTreeSet::from(ORDER), "say what to give it in `inputs`");
        for name in ORDER {
            let operation = mutation(&schema, &world, name).unwrap_or_else(|| panic!("{name}"));
            checked::weigh(&operation);
            assert!(operation.writes && operation.most() > 1, "{name}");
        }
    }

    #[test]
    fn what_is_made_once_is_undone_once() {
        let (schema, mut world) = (Schema::parse(&checked::sdl()), checked::world());
        let unlike = mutation(&schema, &world, "postUnlike").unwrap();
        assert_eq!(unlike.variables(8), Some(&json!({ "input": { "postId": "post8" } })));
        assert_eq!(unlike.most(), 9);
        world.kept.clear();
        world.newest_notification = None;
        for name in ["postUnlike", "orderRefund", "sessionRefresh", "notificationsMarkRead"] {
            assert!(mutation(&schema, &world, name).is_none(), "{name}");
        }
        assert!(mutation(&schema, &world, "nothing").is_none());
        let asked = |name| mutation(&schema, &world, name).unwrap().variables(0).cloned();
        assert_ne!(asked("followRequestAccept"), asked("followRequestReject"));
    }

    #[test]
    fn an_order_is_cancelled_as_soon_as_it_is_placed() {
        let (schema, world) = (Schema::parse(&checked::sdl()), checked::world());
        let pair = mutation(&schema, &world, "orderCancel").unwrap();
        let (_, link) = pair.then.as_ref().unwrap();
        let answer = json!({ "data": { "orderPlace": { "order": { "id": "x" } } } });
        assert_eq!(link.follow(&answer, &json!({ "id": null })), Some(json!({ "id": "x" })));
        assert!(pair.text.contains("orderPlace(input: $input)"), "{}", pair.text);
    }
}
