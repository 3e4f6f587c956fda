//! Posts about a product.

use serde_json::json;

use crate::app::with_app;

#[tokio::test(flavor = "multi_thread")]
async fn a_post_about_no_product_is_told_all_its_faults() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        let create = "mutation($title: String!) { productCreate(input: {title: $title, description: \"\", price: {amount: \"100\", currency: \"EUR\"}, stock: 1}) {
            product { id } userErrors { code } } }";
        let product = app.ask(&ann, create, json!({ "title": "a thing" })).await.text("/productCreate/product/id");
        let bob = app.sign_up("bob").await;
        let post = "mutation($text: String!, $product: ID) { postCreate(input: {text: $text, productId: $product}) { post { id } userErrors { code path } } }";
        let answer = app.ask(&bob, post, json!({ "text": "look", "product": product })).await;
        assert_eq!(answer.at("/postCreate/userErrors"), json!([]));
        let none = app.ask(&bob, post, json!({ "text": "", "product": product })).await;
        assert_eq!(none.at("/postCreate/userErrors").as_array().unwrap().len(), 1);
    })
    .await;
}
