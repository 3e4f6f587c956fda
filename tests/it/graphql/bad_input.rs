//! What breaks a bound is told, typed, and changes nothing.

use serde_json::json;

use crate::app::with_server;

#[tokio::test(flavor = "multi_thread")]
async fn texts_out_of_bounds_are_user_errors() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code path } } }";
        for text in ["", "   ", "a\u{0}b", "a\u{1b}[31m", &"x".repeat(2_001)] {
            let refused = app.ask(&ann, query, json!({ "text": text })).await;
            assert_eq!(
                refused.at("/postCreate"),
                json!({ "post": null, "userErrors": [{ "code": "INVALID", "path": ["input", "text"] }] })
            );
        }
        // What looks like markup or SQL is text.
        for text in ["<script>alert(1)</script>", "'; DROP TABLE posts; --", "\u{1f600}", &"\u{e9}".repeat(2_000)] {
            let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { text } userErrors { code } } }";
            assert_eq!(app.ask(&ann, query, json!({ "text": text })).await.text("/postCreate/post/text"), text);
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_are_told() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { post { id } userErrors { code path } } }";
        for id in ["", "x", ann.id.as_str(), "UG9zdDotMQ", "\u{0}"] {
            let refused = app.ask(&ann, like, json!({ "id": id })).await;
            assert_eq!(refused.at("/postLike/userErrors"), json!([{ "code": "INVALID", "path": ["input", "postId"] }]), "{id}");
        }
        let unknown = app.ask(&ann, like, json!({ "id": "UG9zdDo0MjQyNDI" })).await;
        assert_eq!(unknown.text("/postLike/userErrors/0/code"), "NOT_FOUND");
        let node = app.ask_anonymously("{ node(id: \"nonsense\") { id } }", json!({})).await;
        assert_eq!((node.code(), node.at("/node")), ("BAD_USER_INPUT", json!(null)));
        let follow = "mutation($id: ID!) { userFollow(input: {userId: $id}) { user { id } userErrors { code } } }";
        assert_eq!(app.ask(&ann, follow, json!({ "id": ann.id })).await.text("/userFollow/userErrors/0/code"), "INVALID");
        assert_eq!(app.ask(&ann, follow, json!({ "id": "VXNlcjo0Mg" })).await.text("/userFollow/userErrors/0/code"), "NOT_FOUND");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_out_of_bounds_are_told() {
    with_server(async |app| {
        for first in [-1, 0, 101, i32::MAX] {
            let refused = app
                .ask_anonymously(
                    "query($first: Int!) { products(first: $first) { nodes { id } } }",
                    json!({ "first": first }),
                )
                .await;
            assert_eq!((refused.status, refused.code()), (200, "BAD_USER_INPUT"), "{first}");
        }
        let cursor = app
            .ask_anonymously(
                "{ products(first: 1, after: \"nonsense\") { nodes { id } } }",
                json!({}),
            )
            .await;
        assert_eq!(cursor.code(), "BAD_USER_INPUT");
        let none =
            app.ask_anonymously("{ products(first: null) { nodes { id } } }", json!({})).await;
        assert_eq!(none.code(), "GRAPHQL_VALIDATION_FAILED");
        let left_out = app.ask_anonymously("{ products { nodes { id } } }", json!({})).await;
        assert_eq!(left_out.at("/products/nodes"), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_and_quantities_out_of_bounds_are_user_errors() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let offer = "mutation($amount: String!, $currency: String!, $stock: Int!) { productCreate(input: {title: \"x\", description: \"\",
            price: {amount: $amount, currency: $currency}, stock: $stock}) { product { id } userErrors { code } } }";
        for (amount, currency, stock) in
            [("-1", "EUR", 1), ("0", "EUR", 1), ("1.5", "EUR", 1), ("9223372036854775808", "EUR", 1), ("1", "XXX", 1), ("1", "EUR", -1)]
        {
            let refused = app.ask(&ann, offer, json!({ "amount": amount, "currency": currency, "stock": stock })).await;
            assert_eq!(refused.text("/productCreate/userErrors/0/code"), "INVALID", "{amount} {currency} {stock}");
        }
        let made = app.ask(&ann, offer, json!({ "amount": "100", "currency": "EUR", "stock": 1 })).await;
        let place = "mutation($lines: [OrderLineInput!]!) { orderPlace(input: {lines: $lines}) { order { id } userErrors { code } } }";
        let id = made.text("/productCreate/product/id");
        for lines in [
            json!([]),
            json!([{ "productId": id, "quantity": 0 }]),
            json!([{ "productId": id, "quantity": 1001 }]),
            json!([{ "productId": "x", "quantity": 1 }]),
        ] {
            let refused = app.ask(&ann, place, json!({ "lines": lines })).await;
            assert_eq!(refused.text("/orderPlace/userErrors/0/code"), "INVALID", "{lines}");
        }
        assert_eq!(app.count("SELECT count(*) FROM orders").await, 0);
    })
    .await;
}
