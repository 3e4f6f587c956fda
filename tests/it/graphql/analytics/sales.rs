//! What is sold, as its seller alone sees it.

use serde_json::json;

use crate::app::with_app;

#[tokio::test(flavor = "multi_thread")]
async fn sales_are_told_to_the_seller_by_window_and_currency() {
    with_app(async |app| {
        let (sol, bo) = (app.sign_up("sol").await, app.sign_up("bob").await);
        let offer = "mutation($price: MoneyInput!) { productCreate(input: {title: \"t\", description: \"d\", price: $price, stock: 9}) { product { id } } }";
        let mut products = Vec::new();
        for (amount, currency) in [("100", "EUR"), ("250", "EUR"), ("7", "USD")] {
            let price = json!({ "price": { "amount": amount, "currency": currency } });
            products.push(app.ask(&sol, offer, price).await.text("/productCreate/product/id"));
        }
        let order = "mutation($id: ID!, $n: Int!) { orderPlace(input: {lines: [{productId: $id, quantity: $n}]}) { order { id } userErrors { code } } }";
        for (product, quantity) in [(0, 1), (1, 2), (1, 1), (2, 3)] {
            app.ask(&bo, order, json!({ "id": products[product], "n": quantity })).await;
        }
        let query = "query($id: ID!) {
            viewer { analytics {
                sales(size: HOUR, last: 2) {
                    orders units returnedUnits revenue { amount currency } windows { units } }
                topProducts(first: 2) { units revenue { amount } product { id } } } }
            product(id: $id) { analytics { sales(size: DAY, last: 3) { units revenue { amount } windows { startsAt } } } } }";
        let told = async || app.ask(&sol, query, json!({ "id": products[1] })).await;
        let sales = async |pointer: &str| told().await.at("/viewer/analytics/sales").pointer(pointer).cloned();
        app.until("the sales are told", async || sales("/0/orders").await == Some(json!(3))).await;
        app.until("of both currencies", async || sales("/1/units").await == Some(json!(3))).await;
        let answer = told().await;
        assert_eq!(answer.at("/viewer/analytics/sales/0/revenue"), json!({ "amount": "850", "currency": "EUR" }));
        assert_eq!(answer.at("/viewer/analytics/sales/0/windows").as_array().unwrap().len(), 2);
        assert_eq!(answer.at("/viewer/analytics/topProducts/0/units"), 3);
        assert_eq!(answer.at("/product/analytics/sales/revenue/amount"), "750");
        assert_eq!(answer.at("/product/analytics/sales/windows").as_array().unwrap().len(), 3);
        let product = "query($id: ID!) { product(id: $id) { analytics { sales(size: DAY, last: 3) { units } } } }";
        let refused = app.send(&[("authorization", &format!("Bearer {}", bo.token))], product, json!({ "id": products[1] })).await;
        assert_eq!(refused.code(), "FORBIDDEN");
    })
    .await;
}
