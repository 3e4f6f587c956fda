//! Points: what a viewer or an address may ask for in a while.

use futures_util::{StreamExt, stream};
use plaza::cli::roles::Role;
use serde_json::json;

use super::{code, post};
use crate::app::{Person, TestApp, with_roles_and_config};

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_pays_for_what_they_ask_and_gets_back_what_they_did_not_use() {
    with_roles_and_config(
        &[Role::Server],
        |config| (config.limits.viewer_points, config.limits.viewer_points_per_s) = (3_000, 1),
        async |app| {
            let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
            let standing = json!({ "query": "{ rateLimit { cost limit remaining resetAt } }" });
            let (_, _, body) = post(app, Some(&ann), &standing).await;
            let limit = &body["data"]["rateLimit"];
            assert_eq!(
                (&limit["limit"], &limit["cost"], &limit["remaining"]),
                (&json!(3_000), &json!(45), &json!(2_955)),
                "{body}"
            );

            // Charged for a hundred posts that are not there, and given back with the next request.
            let dear = json!({ "query": "{ viewer { home(first: 100) { nodes { id text } } } }" });
            assert_eq!(post(app, Some(&ann), &dear).await.0, 200);
            let (_, _, body) = post(app, Some(&ann), &standing).await;
            let left = body["data"]["rateLimit"]["remaining"].as_i64().unwrap();
            // Not what was looked up for nothing.
            assert!((2_800..3_000).contains(&left), "{body}");

            // Aliases gain nothing: each is paid for.
            let aliases: String =
                (0..20).map(|n| format!("a{n}: home(first: 100) {{ nodes {{ id }} }} ")).collect();
            let (status, retry, body) =
                post(app, Some(&ann), &json!({ "query": format!("{{ viewer {{ {aliases} }} }}") }))
                    .await;
            assert_eq!((status, code(&body)), (429, "RATE_LIMITED"));
            assert!(retry.is_some_and(|retry| retry > 0), "{retry:?}");
            assert_eq!(
                post(app, Some(&bob), &dear).await.0,
                200,
                "everybody has a bucket of their own"
            );
        },
    )
    .await;
}

/// How many of so many requests at once, half of them to each of two servers, are let through.
/// And how many beyond that may have been, since a point is restored each second.
async fn let_through(app: &TestApp, person: &Person, requests: usize) -> (usize, usize) {
    let began = std::time::Instant::now();
    let mut allowed = 0;
    app.beside_another_server(async |other| {
        let urls = [app.url.as_str(), other];
        let request = json!({ "query": "{ a: __typename b: __typename c: __typename d: __typename e: __typename }" });
        let answers = stream::iter(0..requests).map(async |number: usize| {
            let to = app.http().post(urls[number % 2]).bearer_auth(&person.token).json(&request);
            to.send().await.unwrap().status().as_u16()
        });
        let statuses: Vec<u16> = answers.buffer_unordered(16).collect().await;
        assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
        allowed = statuses.iter().filter(|status| **status == 200).count();
    })
    .await;
    // 45 points a request.
    (allowed, 5 + usize::try_from(began.elapsed().as_secs()).unwrap() / 45)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_one_however_many_servers() {
    // 45 points a request; what is restored meanwhile is next to nothing.
    let thin = |config: &mut plaza::config::Config| {
        (config.limits.viewer_points, config.limits.viewer_points_per_s) = (4_500, 1)
    };
    with_roles_and_config(&[Role::Server], thin, async |app| {
        let ann = app.sign_up("ann").await;
        let (allowed, restored) = let_through(app, &ann, 300).await;
        assert!((90..=100 + restored).contains(&allowed), "{allowed} of 100 were let through");
    })
    .await;
    // Without Redis each server has a bucket of its own, of half the size.
    let alone = |config: &mut plaza::config::Config| {
        thin(config);
        config.redis.url = "redis://127.0.0.1:1/0".into();
        config.redis.servers = 2;
    };
    with_roles_and_config(&[Role::Server], alone, async |app| {
        let ann = app.sign_up("ann").await;
        let (allowed, restored) = let_through(app, &ann, 500).await;
        assert!((90..=100 + 2 * restored).contains(&allowed), "{allowed} of 100 were let through");
    })
    .await;
}
