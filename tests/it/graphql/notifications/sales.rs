//! What a seller is told of a sale: every product of theirs in the order, and how many.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app};

const TOLD: &str = "{ viewer { notifications(first: 20) { nodes {
    kind quantity lines { quantity product { title } } product { title } } } } }";

async fn offer(app: &TestApp, seller: &Person, title: &str) -> String {
    let query =
        "mutation($title: String!) { productCreate(input: {title: $title, description: \"\",
        price: {amount: \"1999\", currency: \"EUR\"}, stock: 9}) { product { id } } }";
    app.ask(seller, query, json!({ "title": title })).await.text("/productCreate/product/id")
}

async fn sold(app: &TestApp, seller: &Person, kind: &str) -> Option<Value> {
    let nodes = app.ask(seller, TOLD, json!({})).await.at("/viewer/notifications/nodes");
    nodes.as_array().unwrap().iter().find(|node| node["kind"] == kind).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_names_every_product_of_the_seller_in_the_order_and_how_many() {
    with_app(async |app| {
        let (seller, other) = (app.sign_up("seller").await, app.sign_up("other").await);
        let buyer = app.sign_up("buyer").await;
        let (bowl, cup) =
            (offer(app, &seller, "A bowl").await, offer(app, &seller, "A cup").await);
        let lamp = offer(app, &other, "A lamp").await;
        let place = "mutation($lines: [OrderLineInput!]!) { orderPlace(input: {lines: $lines}) { order { id } userErrors { code } } }";
        let line = |id: &str, quantity: i32| json!({ "productId": id, "quantity": quantity });
        let lines = [line(&bowl, 2), line(&cup, 3), line(&lamp, 4)];
        let placed = app.ask(&buyer, place, json!({ "lines": lines })).await;
        let order = placed.text("/orderPlace/order/id");

        let both = json!([
            { "quantity": 2, "product": { "title": "A bowl" } },
            { "quantity": 3, "product": { "title": "A cup" } },
        ]);
        let tells = async |person: &Person, kind: &str, lines: &Value, quantity: i32| {
            sold(app, person, kind).await.is_some_and(|told| {
                &told["lines"] == lines && told["quantity"] == json!(quantity)
            })
        };
        app.until("the seller is told of both", async || {
            tells(&seller, "ORDERED", &both, 5).await
        })
        .await;
        let its_own = json!([{ "quantity": 4, "product": { "title": "A lamp" } }]);
        app.until("another seller of theirs alone", async || {
            tells(&other, "ORDERED", &its_own, 4).await
        })
        .await;
        app.until("the buyer is told of the order", async || {
            sold(app, &buyer, "ORDER_CONFIRMED").await.is_some()
        })
        .await;
        let confirmed = sold(app, &buyer, "ORDER_CONFIRMED").await.unwrap();
        assert_eq!((&confirmed["lines"], &confirmed["quantity"]), (&Value::Null, &Value::Null));

        let refund = "mutation($id: ID!) { orderRefund(input: {orderId: $id}) { userErrors { code } } }";
        app.ask(&buyer, refund, json!({ "id": order })).await;
        app.until("what comes back is named, too", async || {
            tells(&seller, "ORDER_REFUNDED", &both, 5).await
        })
        .await;
    })
    .await;
}
