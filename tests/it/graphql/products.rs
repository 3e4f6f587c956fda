//! Products, as a list.

use serde_json::{Value, json};

use super::orders::lifecycle::offer;
use crate::app::{Person, TestApp, with_app, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn products_of_all_shards_come_newest_first() {
    with_app(async |app| {
        let mut offered = Vec::new();
        for number in 0..7 {
            let seller = app.sign_up(&format!("seller{number}")).await;
            offered.push(offer(app, &seller, number).await);
        }
        offered.reverse();
        let query = "query($after: String) { products(first: 3, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let known = async || app.ask_anonymously("{ products(first: 10) { nodes { id } } }", json!({})).await.at("/products/nodes");
        app.until("all are on the replicas", async || known().await.as_array().unwrap().len() == 7).await;
        let (mut seen, mut after) = (Vec::new(), json!(null));
        loop {
            let page = app.ask_anonymously(query, json!({ "after": after })).await;
            seen.extend(page.at("/products/nodes").as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()));
            if page.at("/products/pageInfo/hasNextPage") == false {
                break;
            }
            after = page.at("/products/pageInfo/endCursor");
        }
        seen.sort();
        offered.sort();
        assert_eq!(seen, offered);
    })
    .await;
}

async fn offer_at(app: &TestApp, seller: &Person, amount: i64, currency: &str) {
    let query = "mutation($input: ProductCreateInput!) { productCreate(input: $input) { userErrors { code } } }";
    let price = json!({ "amount": amount.to_string(), "currency": currency });
    let title = format!("{amount} {currency}");
    let input = json!({ "title": title, "description": "", "price": price, "stock": 1 });
    let created = app.ask(seller, query, json!({ "input": input })).await;
    assert_eq!(created.at("/productCreate/userErrors"), json!([]));
}

const BY_PRICE: &str =
    "query($first: Int!, $after: String, $order: ProductOrder!, $price: ProductPriceInput) {
    products(first: $first, after: $after, orderBy: $order, price: $price) {
        nodes { title } pageInfo { hasNextPage endCursor } } }";

/// The titles of a whole list, page by page.
async fn titles(app: &TestApp, first: i32, order: &str, price: Value) -> Vec<String> {
    let (mut titles, mut after) = (Vec::new(), Value::Null);
    loop {
        let asked = json!({ "first": first, "after": after, "order": order, "price": price });
        let page = app.ask_anonymously(BY_PRICE, asked).await;
        let nodes = page.at("/products/nodes");
        assert!(nodes.as_array().unwrap().len() <= usize::try_from(first).unwrap());
        let title = |node: &Value| node["title"].as_str().unwrap().to_owned();
        titles.extend(nodes.as_array().unwrap().iter().map(title));
        if page.at("/products/pageInfo/hasNextPage") == false {
            return titles;
        }
        after = page.at("/products/pageInfo/endCursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn products_of_a_currency_come_by_their_price_within_a_range() {
    with_server(async |app| {
        // On several shards, two of one price among them.
        for (number, amount) in [500, 300, 900, 300, 100, 700].into_iter().enumerate() {
            let seller = app.sign_up(&format!("seller{number}")).await;
            offer_at(app, &seller, amount, "EUR").await;
            offer_at(app, &seller, amount + 1, "JPY").await;
        }
        let euros = json!({ "currency": "EUR" });
        app.until("all are on the replicas", async || {
            titles(app, 50, "PRICE_ASCENDING", euros.clone()).await.len() == 6
        })
        .await;
        let wanted = |amounts: &[i64]| -> Vec<String> {
            amounts.iter().map(|amount| format!("{amount} EUR")).collect()
        };
        for first in [1, 2, 5, 6, 7] {
            let rising = titles(app, first, "PRICE_ASCENDING", euros.clone()).await;
            assert_eq!(rising, wanted(&[100, 300, 300, 500, 700, 900]), "by {first}");
            let falling = titles(app, first, "PRICE_DESCENDING", euros.clone()).await;
            assert_eq!(falling, wanted(&[900, 700, 500, 300, 300, 100]), "by {first}");
        }
        let some = json!({ "currency": "EUR", "min": "300", "max": "500" });
        assert_eq!(titles(app, 2, "PRICE_DESCENDING", some).await, wanted(&[500, 300, 300]));
        let none = json!({ "currency": "EUR", "min": "301", "max": "300" });
        assert!(titles(app, 2, "PRICE_ASCENDING", none).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_by_price_wants_a_currency_and_a_cursor_of_its_own() {
    with_server(async |app| {
        let seller = app.sign_up("seller").await;
        for amount in [100, 200, 300] {
            offer_at(app, &seller, amount, "EUR").await;
        }
        let asked = async |order: &str, price: Value, after: Value| {
            let given = json!({ "first": 1, "after": after, "order": order, "price": price });
            app.send(&[], BY_PRICE, given).await
        };
        let euros = json!({ "currency": "EUR" });
        for (order, price, why) in [
            ("PRICE_ASCENDING", Value::Null, "needs `price`"),
            ("NEWEST", euros.clone(), "set `orderBy`"),
            ("PRICE_ASCENDING", json!({ "currency": "XXX" }), "must be one of"),
            ("PRICE_ASCENDING", json!({ "currency": "EUR", "min": "-1" }), "price.min"),
            ("PRICE_ASCENDING", json!({ "currency": "EUR", "max": "1.5" }), "price.max"),
        ] {
            let refused = asked(order, price, Value::Null).await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{why}");
            assert!(refused.body.to_string().contains(why), "{}", refused.body);
        }
        app.until("they are on the replicas", async || {
            titles(app, 5, "PRICE_ASCENDING", euros.clone()).await.len() == 3
        })
        .await;
        let page = asked("PRICE_ASCENDING", euros.clone(), Value::Null).await;
        let cursor = page.at("/products/pageInfo/endCursor");
        let dollars = json!({ "currency": "USD" });
        for (order, price) in [("PRICE_DESCENDING", euros), ("PRICE_ASCENDING", dollars)] {
            assert_eq!(asked(order, price, cursor.clone()).await.code(), "BAD_USER_INPUT");
        }
        assert_eq!(asked("NEWEST", Value::Null, cursor).await.code(), "BAD_USER_INPUT");
    })
    .await;
}
