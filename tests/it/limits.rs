//! What one may ask for in a while, persisted queries, explanations.

use futures_util::{StreamExt, stream};
use plaza::cli::roles::Role;
use serde_json::{Value, json};
use sha2::Digest;

use crate::app::{Person, TestApp, with_roles_and_config, with_server};

async fn post(app: &TestApp, person: Option<&Person>, body: &Value) -> (u16, Option<u64>, Value) {
    let mut request = app.http().post(&app.url).json(body);
    if let Some(person) = person {
        request = request.header("authorization", format!("Bearer {}", person.token));
    }
    let answer = request.send().await.unwrap();
    let retry =
        answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), retry, answer.json().await.unwrap())
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{body}"))
}

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
                (&json!(3_000), &json!(5), &json!(2_995)),
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
    // Five points a request.
    (allowed, 5 + usize::try_from(began.elapsed().as_secs()).unwrap() / 5)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_one_however_many_servers() {
    // 5 points a request; what is restored meanwhile is next to nothing.
    let thin = |config: &mut plaza::config::Config| {
        (config.limits.viewer_points, config.limits.viewer_points_per_s) = (500, 1)
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

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_limited_and_right_ones_are_not() {
    with_roles_and_config(
        &[Role::Server],
        |config| config.limits.account_failures = 3,
        async |app| {
            app.sign_up("ann").await;
            let log_in = |password: &str| {
                json!({ "query": "mutation($password: String!) { logIn(input: {handle: \"ann\", password: $password}) {
                    accessToken userErrors { code } } }", "variables": { "password": password } })
            };
            for _ in 0..5 {
                let (_, _, body) = post(app, None, &log_in("correct horse")).await;
                assert!(body["data"]["logIn"]["accessToken"].is_string(), "{body}");
            }
            for _ in 0..3 {
                let (_, _, body) = post(app, None, &log_in("wrong horse")).await;
                assert_eq!(body["data"]["logIn"]["userErrors"][0]["code"], "INVALID_CREDENTIALS", "{body}");
            }
            let (status, retry, body) = post(app, None, &log_in("correct horse")).await;
            assert_eq!((status, code(&body)), (429, "RATE_LIMITED"), "{body}");
            assert!(retry.is_some_and(|retry| retry > 0));
        },
    )
    .await;
}

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

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_explained_to_those_who_ask() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.post(&ann, "x").await;
        let authorization = format!("Bearer {}", ann.token);
        let query = "{ user(handle: \"ann\") { posts(first: 5) { nodes { likeCount author { handle } } } } }";
        let plain = app.send(&[("authorization", &authorization)], query, json!({})).await;
        assert!(plain.body.get("extensions").is_none(), "{}", plain.body);
        let told = app.send(&[("authorization", &authorization), ("plaza-explain", "1")], query, json!({})).await;
        assert_eq!(told.body["data"], plain.body["data"]);
        let explained = &told.body["extensions"]["explain"];
        assert!(explained["trace"].as_str().is_some_and(|trace| trace.starts_with("00-")), "{explained}");
        let steps = explained["steps"].as_array().unwrap();
        let read = steps.iter().find(|step| step["kind"] == "sql" && step["path"] == "user.posts");
        let read = read.unwrap_or_else(|| panic!("{explained}"));
        assert!(read["server"].as_str().is_some_and(|server| server.starts_with("shard ")) && read["tookMs"].as_f64().is_some(), "{read}");
        assert!(steps.iter().any(|step| step["kind"] == "cache" && step["keys"].as_u64().is_some()), "{explained}");
    })
    .await;
}

/// What one person may do in an hour, whatever it costs. A mutation that comes again under its key
/// is answered as before and counts once; nobody else is concerned.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_does_each_thing_so_often_in_an_hour() {
    let few = |config: &mut plaza::config::Config| {
        let limits = &mut config.limits;
        for limit in [
            &mut limits.posts_per_hour,
            &mut limits.comments_per_hour,
            &mut limits.follows_per_hour,
            &mut limits.likes_per_hour,
            &mut limits.orders_per_hour,
            &mut limits.products_per_hour,
            &mut limits.images_per_hour,
        ] {
            *limit = 2;
        }
        limits.mentions_per_hour = 3;
    };
    with_roles_and_config(&[Role::Server], few, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (eve, cyd) = (app.sign_up("eve").await, app.sign_up("cyd").await);
        let offer = "productCreate(input: {title: \"t\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) { product { id } userErrors { code } }";
        let product = app
            .ask(&bob, &format!("mutation {{ {offer} }}"), json!({}))
            .await
            .text("/productCreate/product/id");
        let post = app.post(&bob, "one").await;
        let user = &bob.id;
        for (action, of) in [
            ("Posts", "postCreate(input: {text: \"x\"}) { post { id } userErrors { code } }".to_owned()),
            ("Comments", format!("commentCreate(input: {{postId: \"{post}\", text: \"x\"}}) {{ comment {{ id }} userErrors {{ code }} }}")),
            ("Follows", format!("userFollow(input: {{userId: \"{user}\"}}) {{ user {{ id }} userErrors {{ code }} }}")),
            ("Likes", format!("postLike(input: {{postId: \"{post}\"}}) {{ post {{ id }} userErrors {{ code }} }}")),
            ("Orders", format!("orderPlace(input: {{lines: [{{productId: \"{product}\", quantity: 1}}]}}) {{ order {{ id }} userErrors {{ code }} }}")),
            ("Products", offer.to_owned()),
            ("Images", "imageCreate(input: {byteCount: 9}) { image { id } userErrors { code } }".to_owned()),
        ] {
            let query = format!("mutation {{ it: {of} }}");
            let send = async |person: &Person, key: &str| {
                app.ask_with_key(person, &format!("{action}-{key}"), &query, json!({})).await
            };
            let first = send(&ann, "1").await;
            assert!(first.body["errors"].is_null(), "{action}: {}", first.body);
            // The same again, as often as one likes.
            for _ in 0..3 {
                assert_eq!(send(&ann, "1").await.at("/it"), first.at("/it"), "{action}");
            }
            assert!(send(&ann, "2").await.body["errors"].is_null(), "{action}");
            let refused = send(&ann, "3").await;
            assert_eq!((refused.status, refused.code()), (429, "RATE_LIMITED"), "{action}");
            let retry = refused.body.pointer("/errors/0/extensions/retryAfter");
            assert!(retry.and_then(Value::as_u64).is_some_and(|retry| retry > 0), "{action}");
            assert_eq!(send(&ann, "1").await.at("/it"), first.at("/it"), "{action}");
            let other = send(&eve, "1").await;
            assert!(other.body["errors"].is_null(), "{action}: {}", other.body);
        }
        // Three people may be mentioned: two, and not two more.
        let mention = |text: &str| format!("mutation {{ postCreate(input: {{text: \"{text}\"}}) {{ post {{ id }} }} }}");
        app.until("all are found", async || {
            let query = "{ a: user(handle: \"ann\") { id } b: user(handle: \"bob\") { id } e: user(handle: \"eve\") { id } }";
            let found = app.ask(&cyd, query, json!({})).await;
            ["/a", "/b", "/e"].iter().all(|person| found.at(person).is_object())
        })
        .await;
        app.ask(&cyd, &mention("@ann @bob"), json!({})).await;
        let authorization = format!("Bearer {}", cyd.token);
        let refused =
            app.send(&[("authorization", &authorization)], &mention("@bob @eve"), json!({})).await;
        assert_eq!(refused.code(), "RATE_LIMITED", "{}", refused.body);
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
            config.limits.address_points = 300;
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
