//! Pages of what was found.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{PEOPLE, POSTS, PRODUCTS, everywhere, fill, fill_of, found, nodes, offer, search};
use crate::app::{Person, with_app, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_no_repeats_and_no_holes_while_new_rows_arrive() {
    with_server(async |app| {
        everywhere(app).await;
        let ann = app.sign_up("ann").await;
        let made = usize::try_from(fill(app, 12, "needle in a haystack, strand #").await).unwrap();
        let all = async || {
            nodes(&search(app, Some(&ann), POSTS, "needle", 100, &Value::Null).await, "id")
        };
        app.until("all are on the replicas", async || all().await.len() == made.min(100)).await;
        let before: HashSet<String> = all().await.into_iter().collect();
        let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let page = search(app, Some(&ann), POSTS, "needle", 7, &after).await;
            seen.extend(nodes(&page, "id"));
            // A better one, and newer.
            app.post(&ann, "needle needle needle").await;
            pages += 1;
            after = page.at("/postsSearch/pageInfo/endCursor");
            if page.at("/postsSearch/pageInfo/hasNextPage") == false {
                break;
            }
        }
        assert!(pages >= made / 7, "{pages} pages");
        assert_eq!(seen.len(), seen.iter().collect::<HashSet<_>>().len(), "nothing twice");
        assert_eq!(seen.len(), made);
        assert!(before.iter().all(|id| seen.contains(id)), "nothing left out");
        assert_eq!(
            nodes(&search(app, Some(&ann), POSTS, "needle", 1, &Value::Null).await, "text"),
            ["needle needle needle"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_found_and_does_not_end_a_page() {
    with_app(async |app| {
        let (ann, shy, foe, friend) = (
            app.sign_up("ann").await,
            app.sign_up("shy_one").await,
            app.sign_up("foe_one").await,
            app.sign_up("friend").await,
        );
        app.follow(&friend, &shy).await;
        for number in 0..5 {
            app.post(&ann, &format!("quince jam, jar {number}")).await;
            app.post(&foe, &format!("quince jam, pot {number}")).await;
        }
        for number in 0..20 {
            app.post(&shy, &format!("quince quince quince {number}")).await;
        }
        offer(app, &foe, "Quince tree", "").await;
        app.ask(
            &shy,
            "mutation { profileUpdate(input: {isPrivate: true}) { user { isPrivate } } }",
            json!({}),
        )
        .await;
        let block =
            "mutation($id: ID!) { userBlock(input: {userId: $id}) { userErrors { code } } }";
        app.ask(&foe, block, json!({ "id": ann.id })).await;
        let texts = async |viewer: Option<&Person>, query: &str| {
            nodes(&search(app, viewer, POSTS, query, 100, &Value::Null).await, "text")
        };
        app.until("everybody has heard", async || {
            texts(Some(&ann), "quince").await.len() == 5 && texts(None, "quince").await.len() == 10
        })
        .await;
        assert_eq!(texts(Some(&friend), "quince").await.len(), 30, "who follows them reads them");
        assert_eq!(texts(Some(&shy), "quince").await.len(), 30);
        assert!(found(app, Some(&ann), PRODUCTS, "quince").await.is_empty());
        assert_eq!(found(app, None, PRODUCTS, "quince").await, ["Quince tree"]);
        assert!(
            found(app, Some(&ann), PEOPLE, "foe_one").await.is_empty(),
            "who blocks them is not there"
        );
        assert_eq!(
            found(app, Some(&foe), PEOPLE, "ann").await,
            ["ann"],
            "whom they block they find, to end it"
        );
        assert_eq!(
            found(app, None, PEOPLE, "shy_one").await,
            ["shy_one"],
            "who is private is there"
        );

        // The twenty that fit better are hidden: the page is full all the same, and nothing tells
        // of them.
        let page = search(app, Some(&ann), POSTS, "quince", 3, &Value::Null).await;
        assert_eq!(nodes(&page, "id").len(), 3);
        let nothing =
            search(app, Some(&ann), POSTS, "\"quince quince quince\"", 3, &Value::Null).await;
        assert_eq!(
            nothing.at("/postsSearch"),
            json!({ "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } })
        );
    })
    .await;
}

/// A page is full, or the last, however many of what fits better is hidden.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_on_below_very_many_that_are_hidden() {
    with_app(async |app| {
        let (ann, shy) = (app.sign_up("ann").await, app.sign_up("shy_one").await);
        for number in 0..4 {
            app.post(&ann, &format!("medlar jelly, jar {number}")).await;
        }
        let private = "mutation { profileUpdate(input: {isPrivate: true}) { user { id } } }";
        app.ask(&shy, private, json!({})).await;
        let hidden = fill_of(app, 900, "medlar medlar #", "u.handle = 'shy_one'").await;
        assert_eq!(hidden, 900);
        let page = async |after: &Value| search(app, Some(&ann), POSTS, "medlar", 3, after).await;
        app.until("all are on the replicas", async || {
            let all = search(app, Some(&shy), POSTS, "medlar", 100, &Value::Null).await;
            nodes(&all, "id").len() == 100 && nodes(&page(&Value::Null).await, "id").len() == 3
        })
        .await;
        let first = page(&Value::Null).await.at("/postsSearch/pageInfo");
        assert_eq!(first["hasNextPage"], true);
        let second = page(&first["endCursor"]).await;
        assert_eq!(nodes(&second, "id").len(), 1);
        assert_eq!(second.at("/postsSearch/pageInfo/hasNextPage"), false);
    })
    .await;
}

/// What somebody hidden has written takes nobody's place among the matches that are looked at.
#[tokio::test(flavor = "multi_thread")]
async fn more_hidden_matches_than_are_looked_at_end_no_search() {
    with_server(async |app| {
        everywhere(app).await;
        let ann = app.sign_up("ann").await;
        let everybody = app
            .count(
                "WITH named AS (UPDATE users SET display_name = 'Bullace' RETURNING 1)
                 SELECT count(*) FROM named",
            )
            .await;
        fill(app, 1, "bullace #").await;
        let offers = |each: usize, whose: &str| {
            format!(
                "WITH made AS (INSERT INTO products
                     (id, seller_id, title, description, price_amount, price_currency, stock)
                     SELECT next_id(((u.id >> 12) & 1023)::integer), u.id,
                            'bullace', '', 1, 'EUR', 1
                     FROM users u, generate_series(1, {each}) WHERE {whose} RETURNING 1)
                 SELECT count(*) FROM made"
            )
        };
        app.count(&offers(1, "true")).await;
        let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
        for round in 0..2 {
            let suspended = format!(
                "WITH made AS (INSERT INTO users
                     (id, handle, email, display_name, password_hash, suspended_at)
                     SELECT next_id(u.bucket), 'gone_{round}_' || n, '', 'bullace', '', now()
                     FROM (SELECT ((id >> 12) & 1023)::integer AS bucket FROM users LIMIT 1) u,
                         generate_series(1, 550) n
                     RETURNING 1)
                 SELECT count(*) FROM made"
            );
            assert_eq!(app.count(&suspended).await, 550 * shards);
            // More of one of them than are looked at, so that the other's are found later.
            let whose = format!("u.handle = 'gone_{round}_1'");
            assert_eq!(fill_of(app, 1_100, "bullace", &whose).await, 1_100 * shards);
            assert_eq!(app.count(&offers(1_100, &whose)).await, 1_100 * shards);
        }
        for document in [POSTS, PRODUCTS, PEOPLE] {
            app.until(&format!("all are found: {document}"), async || {
                let (mut after, mut found) = (Value::Null, HashSet::new());
                loop {
                    let page = search(app, Some(&ann), document, "bullace", 7, &after).await;
                    let ids = nodes(&page, "id");
                    let data = page.at("");
                    let info = &data.as_object().unwrap().values().next().unwrap()["pageInfo"];
                    let is_last = info["hasNextPage"] == false;
                    assert!(is_last || ids.len() == 7, "{} on a page, and more follow", ids.len());
                    let before = found.len() + ids.len();
                    found.extend(ids);
                    assert_eq!(found.len(), before, "nothing comes twice");
                    if is_last {
                        return i64::try_from(found.len()).unwrap() == everybody;
                    }
                    after = info["endCursor"].clone();
                }
            })
            .await;
        }
    })
    .await;
}
