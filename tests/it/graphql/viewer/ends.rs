//! The viewer's own lists, from either end.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app};

/// A list's ids from its beginning, then from its end, by pages of two.
async fn read(app: &TestApp, viewer: &Person, field: &str) -> [Vec<Value>; 2] {
    let mut both = [Vec::new(), Vec::new()];
    let ends = [("first", "after", "Next", "end"), ("last", "before", "Previous", "start")];
    for (seen, (count, place, more, edge)) in both.iter_mut().zip(ends) {
        let query = format!(
            "query($at: String) {{ viewer {{ {field}({count}: 2, {place}: $at) {{
                 nodes {{ id }} pageInfo {{ more: has{more}Page at: {edge}Cursor }} }} }} }}"
        );
        let mut at = Value::Null;
        loop {
            let page = app.ask(viewer, &query, json!({ "at": at })).await.at("/viewer");
            let mut nodes = page[field]["nodes"].as_array().unwrap().clone();
            if count == "last" {
                nodes.reverse();
            }
            seen.extend(nodes);
            if page[field]["pageInfo"]["more"] == false {
                break;
            }
            at = page[field]["pageInfo"]["at"].clone();
        }
    }
    both
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_ones_own_are_read_from_either_end() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let hide = "mutation { profileUpdate(input: {isPrivate: true}) { user { id } } }";
        app.ask(&ann, hide, json!({})).await;
        let offer = "mutation { productCreate(input: {title: \"a chair\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
        let buy = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
        let block =
            "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        let follow =
            "mutation($id: ID!) { userFollow(input: {userId: $id}) { userErrors { code } } }";
        for number in 0..5 {
            let seller = app.sign_up(&format!("seller_{number}")).await;
            let product =
                app.ask(&seller, offer, json!({})).await.text("/productCreate/product/id");
            app.ask(&ann, buy, json!({ "id": product })).await;
            app.ask(&seller, follow, json!({ "id": ann.id })).await;
            let foe = app.sign_up(&format!("foe_{number}")).await;
            app.ask(&ann, block, json!({ "id": foe.id })).await;
            let private = app.sign_up(&format!("private_{number}")).await;
            app.ask(&private, hide, json!({})).await;
            app.ask(&ann, follow, json!({ "id": private.id })).await;
        }
        for field in ["orders", "blockedUsers", "followRequests", "sentFollowRequests"] {
            app.until(&format!("five {field}, from either end"), async || {
                let [forwards, mut backwards] = read(app, &ann, field).await;
                backwards.reverse();
                forwards.len() == 5 && forwards == backwards
            })
            .await;
        }
        let authorization = format!("Bearer {}", ann.token);
        for (arguments, why) in [
            ("first: 2, before: \"x\"", "`before` goes with `last`"),
            ("last: 2, after: \"x\"", "`after` goes with `first`, not with `last`"),
            ("last: 2, before: \"x\"", "`before` is not a cursor of this list"),
            ("last: 0", "`last` must be 1 to 100"),
            ("last: 101", "`last` must be 1 to 100"),
        ] {
            let query = format!("{{ viewer {{ orders({arguments}) {{ nodes {{ id }} }} }} }}");
            let refused = app.send(&[("authorization", &authorization)], &query, json!({})).await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{arguments}");
            let message = refused.body["errors"][0]["message"].as_str().unwrap();
            assert!(message.starts_with(why), "{arguments}: {message}");
        }
    })
    .await;
}
