//! Products, as a list.

use serde_json::json;

use super::orders::lifecycle::offer;
use crate::app::with_app;

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
