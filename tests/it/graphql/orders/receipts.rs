//! A receipt says what was bought, for ever; and what money is written in.

use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app};

const OFFER: &str = "mutation($title: String!, $amount: String!) {
    productCreate(input: {title: $title, description: \"\", price: {amount: $amount, currency: \"EUR\"}, stock: 5}) {
        product { id price { amount } } userErrors { code path } } }";
const PLACE: &str = "mutation($lines: [OrderLineInput!]!) { orderPlace(input: {lines: $lines}) {
    order { id } userErrors { code path } } }";
const RECEIPT: &str = "query($id: ID!) { order(id: $id) { status total { amount }
    lines { title quantity unitPrice { amount } product { title } } } }";

async fn offer(app: &TestApp, seller: &Person, title: &str) -> String {
    let made = app.ask(seller, OFFER, json!({ "title": title, "amount": "250" })).await;
    made.text("/productCreate/product/id")
}

async fn receipt(app: &TestApp, buyer: &Person, order: &str) -> Value {
    app.ask(buyer, RECEIPT, json!({ "id": order })).await.at("/order")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_what_was_bought_when_the_product_can_no_longer_be_seen() {
    with_app(async |app| {
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let products = [offer(app, &seller, "lamp").await, offer(app, &seller, "shade").await];
        let lines = json!([{ "productId": products[0], "quantity": 2 }, { "productId": products[1], "quantity": 1 }]);
        let order = app.ask(&buyer, PLACE, json!({ "lines": lines })).await.text("/orderPlace/order/id");
        app.until("it is confirmed", async || receipt(app, &buyer, &order).await["status"] == "CONFIRMED").await;
        let lines = |products: [Value; 2]| {
            let line = |title: &str, quantity: i32, product: &Value| {
                json!({ "title": title, "quantity": quantity, "unitPrice": { "amount": "250" }, "product": product })
            };
            json!([line("lamp", 2, &products[0]), line("shade", 1, &products[1])])
        };
        let seen = receipt(app, &buyer, &order).await;
        assert_eq!(seen["lines"], lines([json!({ "title": "lamp" }), json!({ "title": "shade" })]));

        let block = "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&seller, block, json!({ "id": buyer.id })).await;
        app.until("the products are hidden", async || {
            let seen = receipt(app, &buyer, &order).await;
            seen["lines"] == lines([Value::Null, Value::Null]) && seen["total"] == json!({ "amount": "750" })
        })
        .await;

        // Lines from before titles were stored: looked up, whoever sells it.
        app.execute("UPDATE order_lines SET title = NULL").await;
        app.until("the titles are there all the same", async || {
            receipt(app, &buyer, &order).await["lines"] == lines([Value::Null, Value::Null])
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_buys_from_themselves() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (mine, other) = (offer(app, &ann, "mine").await, offer(app, &bob, "other").await);
        let line = |id: &str| json!({ "productId": id, "quantity": 1 });
        for lines in [json!([line(&mine)]), json!([line(&other), line(&mine)])] {
            let refused = app.ask(&ann, PLACE, json!({ "lines": lines })).await.at("/orderPlace");
            let why = json!([{ "code": "INVALID", "path": ["input", "lines"] }]);
            assert_eq!(refused, json!({ "order": null, "userErrors": why }));
        }
        assert_eq!(app.count("SELECT count(*) FROM orders").await, 0);
        app.ask(&ann, PLACE, json!({ "lines": [line(&other)] })).await.text("/orderPlace/order/id");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_written_as_it_is_printed() {
    with_app(async |app| {
        let ann = app.sign_up("ann").await;
        for amount in [
            "+100",
            "0100",
            " 100",
            "100 ",
            "\u{ff11}\u{ff10}\u{ff10}",
            "1e2",
            "1_00",
            "0x64",
            "-0",
            "\u{661}",
        ] {
            let refused = app.ask(&ann, OFFER, json!({ "title": "t", "amount": amount })).await;
            assert_eq!(
                refused.at("/productCreate/userErrors"),
                json!([{ "code": "INVALID", "path": ["input", "price", "amount"] }]),
                "{amount:?}"
            );
        }
        for amount in ["1", "100", "1000000000000"] {
            let made = app.ask(&ann, OFFER, json!({ "title": "t", "amount": amount })).await;
            assert_eq!(made.text("/productCreate/product/price/amount"), amount);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_is_notified_of_a_refund() {
    with_app(async |app| {
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let product = offer(app, &seller, "lamp").await;
        let lines = json!([{ "productId": product, "quantity": 1 }]);
        let order = app.ask(&buyer, PLACE, json!({ "lines": lines })).await.text("/orderPlace/order/id");
        app.until("it is confirmed", async || receipt(app, &buyer, &order).await["status"] == "CONFIRMED").await;
        let refund = "mutation($id: ID!) { orderRefund(input: {orderId: $id}) { userErrors { code } } }";
        app.ask(&buyer, refund, json!({ "id": order })).await;
        let listed = "{ viewer { notifications(first: 10) { nodes { kind product { title } order { id } } } } }";
        app.until("the seller is notified", async || {
            app.ask(&seller, listed, json!({})).await.at_or_null("/viewer/notifications/nodes/0")
                == json!({ "kind": "ORDER_REFUNDED", "product": { "title": "lamp" }, "order": null })
        })
        .await;
        app.until("so is the buyer", async || {
            app.ask(&buyer, listed, json!({})).await.at_or_null("/viewer/notifications/nodes/0")
                == json!({ "kind": "ORDER_REFUNDED", "product": null, "order": { "id": order } })
        })
        .await;
    })
    .await;
}
