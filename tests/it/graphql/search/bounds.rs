//! What a search may cost, and what is refused.

use plaza::app::App;
use plaza::cli::roles::Role;
use plaza::clock::Clock;
use plaza::domain::Operation;
use plaza::domain::search::{Noun, Search};
use plaza::stores::postgres::search as store;
use serde_json::{Value, json};
use tokio_postgres::SimpleQueryMessage;

use super::{PEOPLE, POSTS, PRODUCTS, everywhere, fill, nodes, offer, search};
use crate::app::{with_roles_and_config, with_server};
use crate::template::session;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_well_meaning_looks_for_is_refused_or_finds_nothing() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.post(&ann, "a plain post").await;
        offer(app, &ann, "A plain product", "").await;
        let many = "word ".repeat(300);
        let long = "x".repeat(10_240);
        for document in [POSTS, PEOPLE, PRODUCTS] {
            for bad in [
                "",
                "   ",
                "a\0b",
                "a\u{1b}b",
                long.as_str(),
                many.as_str(),
                "a b c d e f g h i j k l m n o p q",
            ] {
                let refused = app
                    .ask_anonymously(document, json!({ "query": bad, "first": 5, "after": null }))
                    .await;
                assert_eq!(refused.code(), "BAD_USER_INPUT", "{bad:.40}: {}", refused.body);
            }
            for odd in [
                "'; --",
                "'; DROP TABLE posts; --",
                ":*",
                "a:*",
                "\"",
                "\"\"",
                "\"a",
                "'",
                "\\",
                "\\'",
                "%",
                "_",
                "%%%",
                "!!",
                "&|",
                "((",
                ")",
                "<->",
                "<2>",
                "a <-> b",
                "-",
                "--",
                "or",
                "or or or",
                "\u{1f600}",
                "\u{1f600}\u{200d}\u{1f525}",
                "\u{202e}abc",
                "\u{feff}",
                "$1",
                "zq & | !",
                "'a' <-> !'b'",
                "http://a.b/c?d=e&f",
                "1e309",
                "&amp;",
                "<b>zq</b>",
                &"z".repeat(200),
                &"z-".repeat(100)[..30],
            ] {
                let answer = search(app, Some(&ann), document, odd, 5, &Value::Null).await;
                assert!(
                    nodes(&answer, "id").is_empty() || odd.contains('a'),
                    "{odd}: {}",
                    answer.body
                );
            }
        }
        for first in [-1, 0, 101] {
            let refused = app
                .ask_anonymously(POSTS, json!({ "query": "plain", "first": first, "after": null }))
                .await;
            assert_eq!(refused.code(), "BAD_USER_INPUT");
        }
        let page = search(app, Some(&ann), POSTS, "plain", 5, &Value::Null).await;
        let cursor = page.text("/postsSearch/edges/0/cursor");
        let of_another = search(app, Some(&ann), PRODUCTS, "plain", 5, &Value::Null)
            .await
            .text("/productsSearch/edges/0/cursor");
        for (query, after) in [
            ("plainer", cursor.as_str()),
            ("plain", of_another.as_str()),
            ("plain", "nonsense"),
            ("plain", &cursor[1..]),
            ("plain", ""),
        ] {
            let refused = app
                .ask_anonymously(POSTS, json!({ "query": query, "first": 5, "after": after }))
                .await;
            assert_eq!(refused.code(), "BAD_USER_INPUT", "{query} {after}");
        }
        assert!(
            nodes(&search(app, Some(&ann), POSTS, "plain", 5, &json!(cursor)).await, "id")
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_one_statement_a_shard_and_keeps_its_points() {
    let slow = |config: &mut plaza::config::Config| config.limits.viewer_points_per_s = 1;
    with_roles_and_config(&[Role::Server], slow, async |app| {
        everywhere(app).await;
        let ann = app.sign_up("ann").await;
        fill(app, 3, "needle #").await;
        app.until("all are on the replicas", async || {
            nodes(&search(app, Some(&ann), POSTS, "needle", 5, &Value::Null).await, "id").len() == 5
        })
        .await;
        let shards = u64::try_from(app.app.domain.cluster.len()).unwrap();
        for document in [POSTS, PEOPLE, PRODUCTS] {
            // What was found is cached by now.
            search(app, Some(&ann), document, "needle", 5, &Value::Null).await;
            let before = app.app.domain.cluster.statements();
            search(app, Some(&ann), document, "needle", 5, &Value::Null).await;
            let sent = app.app.domain.cluster.statements() - before;
            assert!(sent <= shards, "{sent} statements: {document}");
        }
        let left = "{ rateLimit { remaining limit cost } }";
        let before =
            app.ask(&ann, left, json!({})).await.at("/rateLimit/remaining").as_i64().unwrap();
        assert!(
            before
                <= app.ask(&ann, left, json!({})).await.at("/rateLimit/limit").as_i64().unwrap()
                    - 1_000,
            "searches are not given back"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_away_is_told_apart_from_one_that_found_nothing() {
    with_server(async |app| {
        everywhere(app).await;
        let made = fill(app, 1, "needle #").await;
        let mut config = app.app.config.as_ref().clone();
        let dead = "postgres://plaza:none@127.0.0.1:1/plaza";
        config.postgres.shards[2].primary = dead.into();
        config.postgres.shards[2].replicas = vec![dead.into(), dead.into()];
        let other = App::build(config, Clock::System).await.unwrap();
        let op = Operation::internal(&other.domain, std::time::Duration::from_secs(10));
        let hits = Search::new(Noun::Posts, "needle").unwrap().find(&op, 100, None).await;
        // Authors on the shard that is away cannot be asked about, but none of theirs was found.
        let hits = hits.unwrap();
        assert_eq!(hits.missing, [2]);
        assert!(!hits.items.is_empty() && hits.items.len() < usize::try_from(made).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_answered_by_their_indexes() {
    with_server(async |app| {
        everywhere(app).await;
        fill(app, 1_500, "strand # of a haystack").await;
        let client = session(&app.app.config.postgres.shards[0].primary).await;
        client
            .batch_execute(
                "INSERT INTO users (id, handle, email, display_name, password_hash)
                     SELECT next_id(0), 'many_' || n, '', 'Many Names ' || n, ''
                FROM generate_series(1, 3000) n;
                 INSERT INTO products
                (id, seller_id, title, description, price_amount, price_currency, stock)
                     SELECT next_id(0), 1, 'Thing ' || n, 'Of no use', 1, 'EUR', 1
                FROM generate_series(1, 3000) n;
                 ANALYZE posts, users, products",
            )
            .await
            .unwrap();
        for (statement, text, indexes, table) in [
            (store::POSTS, "strand 7", &["posts_search_key"][..], "posts"),
            (store::PRODUCTS, "thing 7", &["products_search_key", "products_title_search_key"], "products"),
            (store::PEOPLE, "many_77", &["users_search_key"], "users"),
            (store::PEOPLE_BY_PREFIX, "q", &["users_handle_prefix", "users_name_prefix_key"], "users"),
        ] {
            for mode in ["force_custom_plan", "force_generic_plan"] {
                client
                    .batch_execute(&format!(
                        "SET plan_cache_mode = {mode}; PREPARE s (text, bigint, bigint, bigint, bigint, bigint[]) AS {statement}"
                    ))
                    .await
                    .unwrap();
                let explain = format!("EXPLAIN EXECUTE s ('{text}', {0}, {0}, {0}, 20, '{{}}')", i64::MAX);
                let messages = client.simple_query(&explain).await.unwrap();
                let plan: Vec<String> = messages
                    .iter()
                    .filter_map(|message| match message {
                        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                        _ => None,
                    })
                    .collect();
                let plan = plan.join("\n");
                for index in indexes {
                    assert!(plan.contains(&format!("Bitmap Index Scan on {index}")), "{mode}: {index}:\n{plan}");
                }
                assert!(!plan.contains(&format!("Seq Scan on {table}")), "{mode}:\n{plan}");
                client.batch_execute("DEALLOCATE s").await.unwrap();
            }
        }
    })
    .await;
}
