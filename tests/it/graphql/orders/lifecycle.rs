//! What becomes of an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plaza::domain::payments::{PaymentOutcome, PaymentProvider};
use plaza::domain::products::Money;
use plaza::domain::{Domain, Operation, orders};
use plaza::ids::{Id, OrderId};
use serde_json::{Value, json};

use crate::app::{Person, TestApp, with_app, with_config};

pub async fn offer(app: &TestApp, seller: &Person, stock: i32) -> String {
    let query =
        "mutation($stock: Int!) { productCreate(input: {title: \"Lamp\", description: \"\", price: {amount: \"1999\", currency: \"EUR\"},
        stock: $stock}) { product { id stock } userErrors { code path } } }";
    app.ask(seller, query, json!({ "stock": stock })).await.text("/productCreate/product/id")
}

async fn buy(app: &TestApp, buyer: &Person, product: &str, quantity: i32) -> String {
    let query = "mutation($id: ID!, $quantity: Int!) { orderPlace(input: {lines: [{productId: $id, quantity: $quantity}]}) {
        order { id status total { amount currency } } userErrors { code path } } }";
    let placed = app.ask(buyer, query, json!({ "id": product, "quantity": quantity })).await;
    assert_eq!(placed.text("/orderPlace/order/status"), "PENDING");
    placed.text("/orderPlace/order/id")
}

/// A provider that waits while it takes money, and cannot give it back the first time it is asked.
#[derive(Default)]
struct Hesitating {
    capturing: tokio::sync::Notify,
    go_on: tokio::sync::Notify,
    asked: AtomicU64,
    refunded: AtomicU64,
}

#[async_trait::async_trait]
impl PaymentProvider for Hesitating {
    async fn capture(&self, order: OrderId, _amount: &Money) -> Result<PaymentOutcome, String> {
        self.capturing.notify_one();
        self.go_on.notified().await;
        Ok(PaymentOutcome::Captured(format!("test-{order}")))
    }

    async fn refund(&self, _order: OrderId, _amount: &Money) -> Result<(), String> {
        if self.asked.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err("not now".to_owned());
        }
        self.refunded.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn order(app: &TestApp, buyer: &Person, id: &str) -> Value {
    app.ask(
        buyer,
        "query($id: ID!) { order(id: $id) { status reason nextStatuses isSettled } }",
        json!({ "id": id }),
    )
    .await
    .at("/order")
}

async fn end_of(app: &TestApp, buyer: &Person, id: &str) -> Value {
    app.until("the order is settled", async || {
        order(app, buyer, id).await["isSettled"] == json!(true)
    })
    .await;
    order(app, buyer, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_confirms_and_is_counted_for_its_seller() {
    with_app(async |app| {
        let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
        let product = offer(app, &seller, 5).await;
        let id = buy(app, &buyer, &product, 2).await;
        assert_eq!(end_of(app, &buyer, &id).await["status"], "CONFIRMED");
        let query = "query($id: ID!) { product(id: $id) { stock sales { orders quantity revenue { amount currency } } } }";
        app.until("the sale is counted", async || {
            app.ask(&seller, query, json!({ "id": product })).await.at("/product/sales")[0]["quantity"] == 2
        })
        .await;
        let seen = app.ask(&seller, query, json!({ "id": product })).await;
        assert_eq!(seen.at("/product/stock"), 3);
        assert_eq!(seen.at("/product/sales/0/revenue"), json!({ "amount": "3998", "currency": "EUR" }));
        let others = app.send(&[("authorization", &format!("Bearer {}", buyer.token))], query, json!({ "id": product })).await;
        assert_eq!((others.code(), others.at("/product/sales")), ("FORBIDDEN", json!(null)));
        assert_eq!(app.ask(&seller, "query($id: ID!) { order(id: $id) { status } }", json!({ "id": id })).await.at("/order"), json!(null));
    })
    .await;
}

const PLACE: &str =
    "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 2}]}) {
    order { status } userErrors { code } } }";

const JOBS_OF_ORDERS: &str = "SELECT count(*) FROM outbox WHERE topic = 'plaza.orders'";

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_inside_the_request_ends_with_the_answer_and_makes_no_job() {
    with_config(
        |config| config.orders.saga_in_request = true,
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 5).await;
            let placed = app.ask_with_key(&buyer, "once", PLACE, json!({ "id": product })).await;
            assert_eq!(placed.text("/orderPlace/order/status"), "CONFIRMED");
            let again = app.ask_with_key(&buyer, "once", PLACE, json!({ "id": product })).await;
            assert_eq!(again.text("/orderPlace/order/status"), "CONFIRMED");
            assert_eq!(
                app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await,
                3,
                "sold once"
            );
            assert_eq!(app.count(JOBS_OF_ORDERS).await, 0);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_inside_the_request_leaves_the_order_to_nobody_when_the_provider_is_down() {
    with_config(
        |config| {
            config.orders.saga_in_request = true;
            config.payments.fail_permille = 1_000;
        },
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 5).await;
            let placed = app.ask_with_key(&buyer, "once", PLACE, json!({ "id": product })).await;
            assert_eq!(placed.code(), "SHARD_UNAVAILABLE");
            assert_eq!(
                app.count("SELECT count(*) FROM orders WHERE status = 'RESERVED'").await,
                1,
                "its stock stays held"
            );
            assert_eq!(app.count(JOBS_OF_ORDERS).await, 0);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_pieces_are_sold_to_exactly_five_of_twenty_buyers() {
    with_app(async |app| {
        let seller = app.sign_up("seller").await;
        let product = offer(app, &seller, 5).await;
        let buyers = futures_util::future::join_all(
            (0..20).map(|number| async move { app.sign_up(&format!("buyer{number}")).await }),
        )
        .await;
        let ends = futures_util::future::join_all(buyers.iter().map(|buyer| async {
            let id = buy(app, buyer, &product, 1).await;
            end_of(app, buyer, &id).await
        }))
        .await;
        let confirmed = ends.iter().filter(|end| end["status"] == "CONFIRMED").count();
        let rejected = ends
            .iter()
            .filter(|end| end["status"] == "REJECTED" && end["reason"] == "OUT_OF_STOCK")
            .count();
        assert_eq!((confirmed, rejected), (5, 15));
        assert_eq!(app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await, 0);
        assert_eq!(app.count("SELECT count(*) FROM reservations WHERE status = 'SOLD'").await, 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_gives_the_stock_back() {
    with_config(
        |config| config.payments.decline_permille = 1000,
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 3).await;
            let id = buy(app, &buyer, &product, 3).await;
            let end = end_of(app, &buyer, &id).await;
            assert_eq!((&end["status"], &end["reason"]), (&json!("REJECTED"), &json!("PAYMENT_DECLINED")));
            app.until("the stock is back", async || app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await == 3).await;
            let cancel = "mutation($id: ID!) { orderCancel(input: {orderId: $id}) { order { status } userErrors { code } } }";
            assert_eq!(app.ask(&buyer, cancel, json!({ "id": id })).await.text("/orderCancel/userErrors/0/code"), "INVALID_STATE");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_payment_hangs_can_be_cancelled_and_everything_is_given_back() {
    with_config(
        |config| config.payments.latency_ms = 3_000,
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 3).await;
            let id = buy(app, &buyer, &product, 2).await;
            app.until("the stock is held", async || order(app, &buyer, &id).await["status"] == "RESERVED").await;
            let cancel = "mutation($id: ID!) { orderCancel(input: {orderId: $id}) { order { status } userErrors { code } } }";
            assert_eq!(app.ask(&buyer, cancel, json!({ "id": id })).await.text("/orderCancel/order/status"), "CANCELLED");
            app.until("the stock is back", async || app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await == 3).await;
            assert_eq!(order(app, &buyer, &id).await["status"], "CANCELLED");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_of_a_cancelled_order_is_given_back_though_the_first_try_failed() {
    with_config(
        // The worker's own run is busy with its provider while the test's runs are looked at.
        |config| config.payments.latency_ms = 5_000,
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 3).await;
            let id = buy(app, &buyer, &product, 2).await;
            app.until("the stock is held", async || order(app, &buyer, &id).await["status"] == "RESERVED").await;
            let raw = app.count("SELECT coalesce(sum(id), 0)::bigint FROM orders").await;
            let provider = Arc::new(Hesitating::default());
            let domain = Domain { payments: provider.clone(), ..(*app.app.domain).clone() };
            let domain = Arc::new(domain);
            let run = || async {
                let op = Operation::internal(&domain, Duration::from_secs(20));
                orders::process(&op, OrderId::from_i64(raw)).await
            };
            let cancel = async {
                provider.capturing.notified().await;
                let cancel = "mutation($id: ID!) { orderCancel(input: {orderId: $id}) { order { status } userErrors { code } } }";
                assert_eq!(app.ask(&buyer, cancel, json!({ "id": id })).await.text("/orderCancel/order/status"), "CANCELLED");
                provider.go_on.notify_one();
            };
            let (first, ()) = tokio::join!(run(), cancel);
            assert!(first.is_err(), "the refund failed, so the job must come again");
            run().await.expect("the second run");
            assert_eq!(provider.refunded.load(Ordering::SeqCst), 1);
            app.until("the stock is back", async || app.count("SELECT coalesce(sum(stock), 0)::bigint FROM products").await == 3).await;
        },
    )
    .await;
}

const REFUND: &str = "mutation($id: ID!, $key: String) { orderRefund(input: {orderId: $id, clientKey: $key}) { order { status }

    userErrors { code path } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_order_is_given_back_once_with_its_pieces_its_money_and_its_sale() {
    with_app(async |app| {
        let (seller, buyer, other) = (app.sign_up("seller").await, app.sign_up("buyer").await, app.sign_up("other").await);
        let product = offer(app, &seller, 5).await;
        let id = buy(app, &buyer, &product, 2).await;
        let confirmed = end_of(app, &buyer, &id).await;
        assert_eq!((&confirmed["status"], &confirmed["nextStatuses"]), (&json!("CONFIRMED"), &json!(["REFUNDING"])));
        let sold = async || {
            let query = "query($id: ID!) { product(id: $id) { stock sales { quantity } } }";
            app.ask(&seller, query, json!({ "id": product })).await.at("/product")
        };
        app.until("the sale is counted", async || sold().await["sales"] == json!([{ "quantity": 2 }])).await;
        let others = app.ask(&other, REFUND, json!({ "id": id })).await;
        assert_eq!((others.text("/orderRefund/userErrors/0/code"), others.at("/orderRefund/order")), ("NOT_FOUND".into(), json!(null)));
        // Twice with one key, once with another: one refund.
        for key in ["back", "back", "again"] {
            let answer = app.ask(&buyer, REFUND, json!({ "id": id, "key": key })).await;
            assert_eq!(answer.at("/orderRefund/userErrors"), json!([]));
        }
        app.until("it is refunded", async || order(app, &buyer, &id).await["status"] == "REFUNDED").await;
        assert_eq!(order(app, &buyer, &id).await["nextStatuses"], json!([]));
        app.until("the sale is not counted", async || sold().await == json!({ "stock": 5, "sales": [] })).await;
        assert_eq!(app.count("SELECT count(*) FROM payments WHERE status = 'REFUNDED'").await, 1);
        assert_eq!(app.count("SELECT count(*) FROM order_changes WHERE status = 'REFUNDING'").await, 1);
        let history = "query($id: ID!) { order(id: $id) { createdAt refundableUntil history { status at } } }";
        let told = app.ask(&buyer, history, json!({ "id": id })).await;
        let statuses: Vec<Value> = told.at("/order/history").as_array().unwrap().iter().map(|change| change["status"].clone()).collect();
        assert_eq!(json!(statuses), json!(["PENDING", "RESERVED", "PAID", "CONFIRMED", "REFUNDING", "REFUNDED"]));
        assert_eq!((told.at("/order/history/0/at"), told.at("/order/refundableUntil")), (told.at("/order/createdAt"), json!(null)));
        app.until("its buyer is told", async || {
            let query = "{ viewer { notifications(first: 5) { nodes { kind order { id } } } } }";
            let told = app.ask(&buyer, query, json!({})).await.at("/viewer/notifications/nodes");
            told.as_array().unwrap().contains(&json!({ "kind": "ORDER_REFUNDED", "order": { "id": id } }))
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_confirmed_or_was_placed_too_long_ago_is_not_given_back() {
    with_config(
        |config| config.payments.latency_ms = 3_000,
        async |app| {
            let (seller, buyer) = (app.sign_up("seller").await, app.sign_up("buyer").await);
            let product = offer(app, &seller, 3).await;
            let id = buy(app, &buyer, &product, 1).await;
            let early = app.ask(&buyer, REFUND, json!({ "id": id })).await;
            assert_eq!(early.text("/orderRefund/userErrors/0/code"), "INVALID_STATE");
            // Its time is in its id: an order of a month ago, as it would stand there.
            let month = (30 * 86_400_000_i64) << 22;
            app.execute(&format!(
                "INSERT INTO orders SELECT id - {month}, buyer_id, 'CONFIRMED', NULL, total_amount, total_currency, 4 FROM orders;
                 INSERT INTO order_lines SELECT order_id - {month}, product_id, quantity, unit_amount FROM order_lines"
            ))
            .await;
            let old = "{ viewer { orders(first: 5) { nodes { id status nextStatuses } } } }";
            app.until("the old order is shown", async || {
                app.ask(&buyer, old, json!({})).await.at("/viewer/orders/nodes")[1] != json!(null)
            })
            .await;
            let old = app.ask(&buyer, old, json!({})).await;
            assert_eq!(old.at("/viewer/orders/nodes/1/nextStatuses"), json!([]));
            let late = app.ask(&buyer, REFUND, json!({ "id": old.text("/viewer/orders/nodes/1/id") })).await;
            assert_eq!((late.text("/orderRefund/userErrors/0/code"), late.at("/orderRefund/order")), ("INVALID_STATE".into(), json!(null)));
        },
    )
    .await;
}
