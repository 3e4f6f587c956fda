//! The same key, one effect, one answer.

use std::time::{Duration, Instant};

use plaza::cli::roles::Role;
use plaza::domain::mutation;
use plaza::graphql::ids::parse_any;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio_postgres::NoTls;

use crate::app::{Person, TestApp, with_roles_and_config, with_server};

const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_sent_again_answers_as_before_and_does_nothing() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let first = app.ask_with_key(&ann, "key-1", POST, json!({ "text": "once" })).await;
        let again = app.ask_with_key(&ann, "key-1", POST, json!({ "text": "once" })).await;
        assert_eq!(first.body, again.body);
        let other =
            app.ask_with_key(&ann, "key-1", POST, json!({ "text": "something else" })).await;
        assert_eq!(other.text("/postCreate/userErrors/0/code"), "IDEMPOTENCY_CONFLICT");
        let bob = app.sign_up("bob").await;
        let his = app.ask_with_key(&bob, "key-1", POST, json!({ "text": "mine" })).await;
        assert_eq!(his.at("/postCreate/userErrors"), json!([]), "keys are each client's own");
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_at_the_same_time_have_one_effect() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let sent = (0..8).map(|_| app.ask_with_key(&ann, "key-2", POST, json!({ "text": "once" })));
        let answers = futures_util::future::join_all(sent).await;
        for answer in &answers {
            assert_eq!(answer.body, answers[0].body);
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 1);
        assert_eq!(
            app.count("SELECT count(*) FROM outbox WHERE sink = 1 AND topic = 'posts'").await,
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_a_request_has_a_key_of_its_own() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let both = "mutation { a: postCreate(input: {text: \"a\"}) { post { id } } b: postCreate(input: {text: \"b\"}) { post { id } } }";
        let first = app.ask_with_key(&ann, "key-3", both, json!({})).await;
        assert_ne!(first.text("/a/post/id"), first.text("/b/post/id"));
        assert_eq!(app.ask_with_key(&ann, "key-3", both, json!({})).await.body, first.body);
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 2);
    })
    .await;
}

/// A transaction that somebody else has open on a person's shard.
async fn held(app: &TestApp, person: &Person, statement: &str) -> tokio_postgres::Client {
    let id = parse_any(&person.id).unwrap().1;
    let shard = app.app.domain.cluster.shard_of(plaza::ids::bucket_of(id));
    let url = app.app.config.postgres.shards[shard.0].primary.expose_secret();
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::task::spawn(connection);
    client
        .batch_execute(&format!("BEGIN; {}", statement.replace("$id", &id.to_string())))
        .await
        .unwrap();
    client
}

/// What another attempt does first.
const TAKES_KEY: &str =
    "INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer)
    VALUES ($id, 'key-4', 'postCreate', '', 'null')";
const OWN_KEY: &str = "mutation { postCreate(input: {text: \"once\", clientKey: \"key-4\"}) { post { id } userErrors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_in_vain_for_another_attempt_does_not_say_that_nothing_was_changed() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let another = held(app, &ann, TAKES_KEY).await;
        let authorization = format!("Bearer {}", ann.token);
        let answer = app.send(&[("authorization", &authorization)], OWN_KEY, json!({})).await;
        assert_eq!(answer.code(), "OUTCOME_UNKNOWN", "{}", answer.body);
        another.batch_execute("ROLLBACK").await.unwrap();
        // It did nothing: this attempt does.
        let answer = app.ask(&ann, OWN_KEY, json!({})).await;
        assert_eq!(answer.at("/postCreate/userErrors"), json!([]));
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_attempt_that_cannot_look_does_not_say_that_nothing_was_changed() {
    with_roles_and_config(
        &[Role::Server],
        |config| {
            config.postgres.primary_pool = 1;
            config.postgres.checkout_timeout_ms = 300;
        },
        async |app| {
            let ann = app.sign_up("ann").await;
            let authorization = format!("Bearer {}", ann.token);
            let query = "mutation { postCreate(input: {text: \"x\"}) { post { id } } }";
            let id = parse_any(&ann.id).unwrap().1;
            // One mutation waits for its author's row, on the only connection.
            let locked = held(app, &ann, "SELECT 1 FROM users WHERE id = $id FOR UPDATE").await;
            let busy = app.ask_with_key(&ann, "busy", query, json!({}));
            let code = async |headers: &[(&str, &str)]| {
                let mut all =
                    vec![("authorization", authorization.as_str()), ("x-plaza-key", "proxy")];
                all.extend_from_slice(headers);
                app.send(&all, query, json!({})).await.code().to_owned()
            };
            let later = async {
                let waiting = format!(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                    AND wait_event_type = 'Lock' AND query LIKE 'WITH raised AS%' AND {id} > 0"
                );
                app.until("it waits", async || app.count(&waiting).await == 1).await;
                let now_s = app.app.domain.clock.now_ms() / 1_000;
                let long_ago = format!("{}.000", now_s - 5);
                // However busy this machine is, these are young.
                let young = [
                    ("x-plaza-began", &*format!("{}.000", now_s + 60)),
                    ("x-request-id", "0123456789abcdef"),
                ];
                let young = |key| [&[("idempotency-key", key)], &young[..]].concat();
                [
                    code(&[("idempotency-key", "a"), ("x-plaza-attempt", "1")]).await,
                    code(&[("idempotency-key", "b"), ("x-plaza-attempt", "2")]).await,
                    code(&[("idempotency-key", "c"), ("x-plaza-began", &long_ago)]).await,
                    code(&young("d")).await,
                    code(&young("d")).await,
                ]
            };
            let (_, codes) = tokio::join!(busy, later);
            let [first, unknown] = ["TIMEOUT", "OUTCOME_UNKNOWN"];
            assert_eq!(codes, [first, unknown, unknown, first, unknown]);
            drop(locked);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_aliases_of_any_length_and_kind_are_no_fault_of_ours() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        // What compresses badly, so that no index takes it.
        let mut seed = 7_u64;
        let mut letters = |count: usize| -> String {
            let next = |_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + u8::try_from(seed >> 33 & 15).unwrap())
            };
            (0..count).map(next).collect()
        };
        for length in [1, 2, 3, 190, 199, 200, 201, 2_000, 3_000, 9_000] {
            let (alias, key) = (letters(length), letters(200));
            let named = |name: &str| {
                format!("mutation {{ {name}: postCreate(input: {{text: \"{length}\"}}) {{ post {{ id }} userErrors {{ code }} }} }}")
            };
            let query = named(&alias);
            let first = app.ask_with_key(&ann, &key, &query, json!({})).await;
            assert_eq!(first.at(&format!("/{alias}/userErrors")), json!([]), "{length}");
            assert_eq!(app.ask_with_key(&ann, &key, &query, json!({})).await.body, first.body);
            // Another name in the response, the same key and input: still the same mutation.
            let again = app.ask_with_key(&ann, &key, &named("renamed"), json!({})).await;
            assert_eq!(again.at("/renamed"), first.at(&format!("/{alias}")));
        }
        assert_eq!(app.count("SELECT count(*) FROM posts").await, 10);
        for odd in ["", " ", "two words", "\u{e9}", "\u{0}", &"k".repeat(201)] {
            let query = "mutation($key: String) { postCreate(input: {text: \"x\", clientKey: $key}) { userErrors { code } } }";
            let authorization = format!("Bearer {}", ann.token);
            let answer = app.send(&[("authorization", &authorization)], query, json!({ "key": odd })).await;
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{odd:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_mutation_was_refused_is_free_for_another_input_on_every_shard() {
    with_server(async |app| {
        let (ann, mut others) = (app.sign_up("ann").await, Vec::new());
        for number in 0..6 {
            let author = app.sign_up(&format!("author{number}")).await;
            others.push(app.post(&author, "a post").await);
        }
        let query = "mutation($id: ID!, $text: String!) { commentCreate(input: {postId: $id, text: $text, clientKey: \"k\"}) { comment { id } userErrors { code } } }";
        for post in &others {
            // Answers nothing: there is no such comment on this post.
            let refused = query.replace("clientKey", "inReplyToId: \"Q29tbWVudDo3\", clientKey");
            let answer = app.ask(&ann, &refused, json!({ "id": post, "text": "x" })).await;
            assert_eq!(answer.text("/commentCreate/userErrors/0/code"), "NOT_FOUND");
        }
        let mut codes = Vec::new();
        for post in &others {
            let answer = app.ask(&ann, query, json!({ "id": post, "text": "x" })).await;
            codes.push(answer.at_or_null("/commentCreate/userErrors/0/code"));
        }
        assert_eq!(codes[0], json!(null));
        assert!(codes[1..].iter().all(|code| code == "IDEMPOTENCY_CONFLICT"), "{codes:?}");
        assert_eq!(app.count("SELECT count(*) FROM comments").await, 1);
    })
    .await;
}

/// What was refused because there were too many was not done, on whichever shard.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_mutation_was_one_too_many_is_free_for_another_on_every_shard() {
    let none = |config: &mut plaza::config::Config| config.limits.comments_per_hour = 0;
    with_roles_and_config(&[Role::Server], none, async |app| {
        let ann = app.sign_up("ann").await;
        let token = format!("Bearer {}", ann.token);
        for number in 0..6 {
            let author = app.sign_up(&format!("author{number}")).await;
            let post = app.post(&author, "a post").await;
            let (key, variables) = (format!("key-{number}"), json!({ "id": post }));
            let headers = [("authorization", token.as_str()), ("idempotency-key", &key)];
            let comment = "mutation($id: ID!) { commentCreate(input: {postId: $id, text: \"x\"}) { comment { id } } }";
            let refused = app.send(&headers, comment, variables.clone()).await;
            assert_eq!(refused.code(), "RATE_LIMITED", "{}", refused.body);
            let like = "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
            let other = app.send(&headers, like, variables).await;
            assert_eq!(other.at("/postLike/userErrors"), json!([]), "{}", other.body);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_swept_as_fast_as_they_come_and_those_of_two_days_stay() {
    with_server(async |app| {
        app.execute(
            "INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer, created_at)
             SELECT 7, 'old ' || n, 'postLike', '', 'null', now() - interval '49 hours' FROM generate_series(1, 12500) n;
             INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer, created_at)
             SELECT 7, 'young ' || n, 'postLike', '', 'null', now() - interval '47 hours' FROM generate_series(1, 10) n",
        )
        .await;
        let began = Instant::now();
        // Two processes at once take different ones.
        let (one, other) = tokio::join!(mutation::sweep(&app.app.domain), mutation::sweep(&app.app.domain));
        assert_eq!(one.unwrap() + other.unwrap(), 50_000);
        assert_eq!(app.count("SELECT count(*) FROM idempotency_keys").await, 40);
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    })
    .await;
}
