//! Persisted queries: a text that was paid for and has run is kept under its hash.

use plaza::cli::roles::Role;
use serde_json::{Value, json};
use sha2::Digest;

use super::{code, post};
use crate::app::{with_roles_and_config, with_server};

#[tokio::test(flavor = "multi_thread")]
async fn a_query_can_be_named_by_its_hash() {
    with_server(async |app| {
        let text = "{ __typename }";
        let hash: String =
            sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        let extensions =
            |hash: &str| json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let (_, _, body) = post(app, None, &json!({ "extensions": extensions(&hash) })).await;
        assert_eq!(
            (code(&body), &body["errors"][0]["message"]),
            ("PERSISTED_QUERY_NOT_FOUND", &json!("PersistedQueryNotFound"))
        );
        let (_, _, body) = post(
            app,
            None,
            &json!({ "query": "{ viewer { user { id } } }", "extensions": extensions(&hash) }),
        )
        .await;
        assert_eq!(code(&body), "BAD_USER_INPUT", "another text's hash");
        for request in [
            json!({ "query": text, "extensions": extensions(&hash) }),
            json!({ "extensions": extensions(&hash) }),
        ] {
            let (_, _, body) = post(app, None, &request).await;
            assert_eq!(body, json!({ "data": { "__typename": "Query" } }));
        }

        // A mutation does not slip past GET under a hash.
        let text = "mutation { logOut { loggedOut } }";
        let hash: String =
            sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        post(app, None, &json!({ "query": text, "extensions": extensions(&hash) })).await;
        let url = reqwest::Url::parse_with_params(
            &app.url,
            [("extensions", extensions(&hash).to_string())],
        )
        .unwrap();
        let answer =
            app.http().get(url).header("graphql-require-preflight", "1").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405);
    })
    .await;
}

fn hashed(text: &str) -> String {
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_paid_for_and_has_run_is_persisted() {
    with_roles_and_config(
        &[Role::Server],
        |config| {
            config.limits.address_points = 1_500;
            config.limits.address_points_per_s = 1;
        },
        async |app| {
            let known = async || {
                let client = redis::Client::open(secrecy::ExposeSecret::expose_secret(
                    &app.app.config.redis.url,
                ))
                .unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let key = format!("{}:pq", app.app.config.redis.key_prefix);
                let hashes: Vec<String> =
                    redis::cmd("HKEYS").arg(key).query_async(&mut connection).await.unwrap();
                hashes
            };
            for nonsense in ["no graphql at all", "{ nothing }", "{ __typename", "{ viewer }"] {
                let request = json!({ "query": nonsense, "extensions": named(&hashed(nonsense)) });
                post(app, None, &request).await;
            }
            assert!(known().await.is_empty(), "{:?}", known().await);
            let good = "{ __typename }";
            let request = json!({ "query": good, "extensions": named(&hashed(good)) });
            post(app, None, &request).await;
            assert_eq!(known().await, [hashed(good)]);
            // Until nothing is left to pay with.
            loop {
                let dear = "{ products(first: 100) { nodes { id } } }";
                let (status, _, _) = post(app, None, &json!({ "query": dear })).await;
                if status == 429 {
                    break;
                }
            }
            for number in 0..5 {
                let text = format!("{{ products(first: 99) {{ nodes {{ id a{number}: id }} }} }}");
                let request = json!({ "query": text, "extensions": named(&hashed(&text)) });
                let (status, _, _) = post(app, None, &request).await;
                assert_eq!(status, 429);
            }
            assert_eq!(known().await, [hashed(good)]);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_has_so_many_texts_persisted() {
    with_server(async |app| {
        let texts: Vec<String> = (0..230).map(|n| format!("{{ a{n}: __typename }}")).collect();
        for text in &texts {
            let request = json!({ "query": text, "extensions": named(&hashed(text)) });
            let (status, _, body) = post(app, None, &request).await;
            assert_eq!(status, 200, "{body}");
        }
        let mut found = 0;
        for text in &texts {
            let (_, _, body) =
                post(app, None, &json!({ "extensions": named(&hashed(text)) })).await;
            found += usize::from(body["data"].is_object());
        }
        assert!((200..230).contains(&found), "{found} of 230");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_under_a_foreign_hash_is_not_run() {
    with_server(async |app| {
        let hash = hashed("{ viewer { user { id } } }");
        app.app.domain.redis.persist_query(&hash, "{ poisoned: __typename }").await.unwrap();
        let (_, _, body) = post(app, None, &json!({ "extensions": named(&hash) })).await;
        assert_eq!(code(&body), "PERSISTED_QUERY_NOT_FOUND", "{body}");
        for other in ["", "x", &"a".repeat(60_000), &hash.to_uppercase()] {
            let (_, _, body) = post(app, None, &json!({ "extensions": named(other) })).await;
            assert_eq!(code(&body), "PERSISTED_QUERY_NOT_FOUND", "{other}");
        }
    })
    .await;
}
