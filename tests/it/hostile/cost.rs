//! Requests that ask for far more than they show: by many names for one long text, long names for
//! little, circles through the schema, events that nobody pays for.

use std::time::{Duration, Instant};

use plaza::cli::roles::Role;
use plaza::config::Config;
use plaza::stores::redis::rate_limit::Bucket;
use serde_json::{Value, json};

use super::{Canary, aliases, post};
use crate::app::{Person, TestApp, with_app, with_config, with_roles_and_config};
use crate::websocket::{Heard, Socket};

/// The code that an operation is refused with, over a socket.
async fn over_a_socket(app: &TestApp, person: &Person, query: &str) -> String {
    let mut socket = Socket::of(app, Some(person)).await;
    socket.subscribe("1", query, json!({})).await;
    match socket.hear().await {
        Heard::Message(message) => {
            let code = message
                .pointer("/payload/0/extensions/code")
                .or_else(|| message.pointer("/payload/errors/0/extensions/code"));
            code.and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        Heard::Closed(code) => panic!("closed with {code}"),
    }
}

/// Memory of this process, servers included, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The figure is for whoever reads the run: other tests share the process.
#[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
fn say_growth(before: u64) {
    eprintln!("resident: {before} KiB before, {} KiB after", resident_kib());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_larger_than_any_may_be() {
    // Small, so that few rows are enough.
    with_config(|config| config.server.max_response_bytes = 200_000, large).await;
}

async fn large(app: &TestApp) {
    let mut canary = Canary::new(app).await;
    let author = app.sign_up("author").await;
    let long = "\u{1f600}".repeat(2_000);
    for _ in 0..5 {
        app.post(&author, &long).await;
    }
    let bio = "mutation($bio: String!) { profileUpdate(input: {bio: $bio}) { user { id } } }";
    app.ask(&author, bio, json!({ "bio": "\u{1f600}".repeat(500) })).await;
    let name = |number: usize| format!("a{number}{}", "x".repeat(1_500));
    let keys: String = (0..8).map(|number| format!("{}: isQuote ", name(number))).collect();
    let id = &author.id;
    let same = vec![format!("\"{id}\""); 100].join(", ");
    let cases = [
        (
            "a text by 500 names",
            format!(
                "{{ user(handle: \"author\") {{ posts(first: 10) {{ nodes {{ {} }} }} }} }}",
                aliases(500, "text")
            ),
        ),
        (
            "one that hides nothing else",
            format!("{{ __typename user(handle: \"author\") {{ id {} }} }}", aliases(300, "bio")),
        ),
        (
            "long names for little",
            format!(
                "{{ user(handle: \"author\") {{ {} }} }} fragment k on Post {{ {keys} }}",
                aliases(9, "posts(first: 5) { nodes { ...k } }")
            ),
        ),
        (
            "one thing shown a hundred times",
            format!(
                "{{ nodes(ids: [{same}]) {{ ... on User {{ posts(first: 5) {{ nodes {{ text }} }} }} }} }}"
            ),
        ),
        (
            "in a fragment",
            format!(
                "{{ user(handle: \"author\") {{ posts(first: 10) {{ nodes {{ ...t }} }} }} }} fragment t on Post {{ {} }}",
                aliases(50, "text")
            ),
        ),
    ];
    let memory = resident_kib();
    for (what, query) in cases {
        let (status, code, body) = post(app, Some(&author.token), &json!({ "query": query })).await;
        assert_eq!((status, code.as_str()), (400, "QUERY_TOO_COMPLEX"), "{what}");
        assert!(body.get("data").is_none(), "{what}");
        assert_eq!(over_a_socket(app, &author, &query).await, "QUERY_TOO_COMPLEX", "{what}");
        canary.sings(app, what).await;
    }
    say_growth(memory);
    // What fits is answered, whole.
    let query = "{ user(handle: \"author\") { posts(first: 10) { nodes { a: text b: text } } } }";
    let answer = app.ask(&author, query, json!({})).await;
    assert_eq!(answer.at("/user/posts/nodes/4/b"), long);

    // A mutation whose answer is too large is done, and says so; sent again, it is not done again.
    let query = format!(
        "mutation($text: String!) {{ postCreate(input: {{text: $text}}) {{ post {{ id {} }} }} }}",
        aliases(50, "text")
    );
    for _ in 0..2 {
        let variables = json!({ "text": long });
        let answer = app.ask_with_key(&author, "large", &query, variables).await;
        assert_eq!((answer.status, answer.code()), (200, "QUERY_TOO_COMPLEX"), "{}", answer.body);
        canary.sings(app, "a mutation with a large answer").await;
    }
    assert_eq!(app.count("SELECT count(*) FROM posts").await, 6);
    canary.report("large answers");
}

/// What is refused was read all the same: it is paid for by whoever sent it, and who owes is not
/// read at all.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_paid_for_too() {
    let few = |config: &mut Config| {
        config.limits.viewer_points = 5_000;
        config.limits.viewer_points_per_s = 1;
        config.limits.address_points = 10_000;
        config.limits.address_points_per_s = 1;
    };
    with_config(few, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let long: String = (0..300).map(|n| format!("a{n}: nothing(of: \"this\") ")).collect();
        let texts = [
            format!("{{ {long} }}"),
            format!("{{ {long}"),
            format!("{{ __typename ...{} }}", "x".repeat(6_000)),
            format!("query($a: Nothing) {{ __typename {} }}", "__typename ".repeat(600)),
        ];
        for person in [Some(&ann), None] {
            let mut refused = 0;
            for text in texts.iter().cycle().take(300) {
                let token = person.map(|person| person.token.as_str());
                let (status, code, _) = post(app, token, &json!({ "query": text })).await;
                if code == "RATE_LIMITED" {
                    assert_eq!(status, 429);
                    break;
                }
                refused += 1;
            }
            assert!((20..250).contains(&refused), "{refused} were read");
        }
        // So on a socket; nobody else pays.
        assert_eq!(over_a_socket(app, &ann, "{ nothing }").await, "RATE_LIMITED");
        assert_eq!(over_a_socket(app, &bob, "{ nothing }").await, "GRAPHQL_VALIDATION_FAILED");
        let (status, ..) =
            post(app, Some(&bob.token), &json!({ "query": "{ viewer { user { id } } }" })).await;
        assert_eq!(status, 200);
    })
    .await;
}

/// So is what is good, but not for this client, or not in this way; and what is no JSON.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_read_is_paid_for() {
    let few = |config: &mut Config| {
        (config.limits.viewer_points, config.limits.viewer_points_per_s) = (10_000, 1);
        (config.limits.address_points, config.limits.address_points_per_s) = (20_000, 1);
    };
    with_roles_and_config(&[Role::Server], few, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let large = format!("{{ {} }}", "__typename ".repeat(900));
        let subscription =
            format!("subscription {{ homeUpdated {{ {} }} }}", "cursor ".repeat(900));
        for (what, token, body) in [
            ("a dead token", "x.y.z", json!({ "query": large }).to_string()),
            ("no stream", ann.token.as_str(), json!({ "query": subscription }).to_string()),
            ("no JSON", &bob.token, "{\"query\": ".repeat(1_000)),
        ] {
            let mut read = 0;
            loop {
                let sent = app.http().post(&app.url).bearer_auth(token);
                let sent = sent.header("content-type", "application/json").body(body.clone());
                if sent.send().await.unwrap().status() == 429 {
                    break;
                }
                read += 1;
                assert!(read < 300, "{what}: {read} were read");
            }
            assert!(read > 20, "{what}: {read} were read");
        }
    })
    .await;
}

/// Going on from an old place reads as much as pages do, whatever comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_reads_through_is_paid_for() {
    let counted = |config: &mut Config| {
        config.limits.viewer_points = 1_000_000;
        config.limits.viewer_points_per_s = 1;
        config.redis.cache_ttl_ms = 0;
        config.redis.l1_ttl_ms = 0;
    };
    with_config(counted, async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        app.follow(&bob, &ann).await;
        app.until("the follow is known", async || {
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;
        let query = "subscription($after: String) { homeUpdated(after: $after) { cursor } }";
        let mut socket = Socket::of(app, Some(&bob)).await;
        socket.subscribe("1", query, json!({})).await;
        app.until("the home is watched", async || {
            crate::websocket::resume::streams(app).await == 1
        })
        .await;
        app.post(&ann, "first").await;
        let old = socket.next("1").await["homeUpdated"]["cursor"].clone();
        drop(socket);
        for number in 0..120 {
            app.post(&ann, &number.to_string()).await;
        }
        let payer = format!("v:{}", plaza::graphql::ids::parse_any(&bob.id).unwrap().1);
        let bucket = Bucket { capacity: 1_000_000, per_second: 1 };
        let left = async || {
            let held = app.app.domain.redis.take_points(&payer, bucket, 0, 0).await.left;
            held + app.app.refunds.get(&payer).unwrap_or_default()
        };
        let (before, statements) = (left().await, app.app.domain.cluster.statements());
        for _ in 0..5 {
            crate::websocket::resume::forget_streams(app).await;
            let mut socket = Socket::of(app, Some(&bob)).await;
            socket.subscribe("1", query, json!({ "after": old })).await;
            assert!(socket.next("1").await["homeUpdated"]["cursor"].is_string());
        }
        app.until("what was read is paid for", async || {
            let sent = app.app.domain.cluster.statements() - statements;
            before - left().await >= sent
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn circles_through_the_schema_are_not_run() {
    with_config(|config| config.server.development = true, circles).await;
}

async fn circles(app: &TestApp) {
    let mut canary = Canary::new(app).await;
    let circle = |open: &str, close: &str, times: usize| {
        format!("{}name{}", open.repeat(times), close.repeat(times))
    };
    let bomb = circle("possibleTypes{interfaces{", "}}", 10);
    let mixed = circle("interfaces{possibleTypes{fields{type{", "}}}}", 4);
    for query in [
        format!("{{__type(name:\"Node\"){{{bomb}}}}}"),
        format!("{{__schema{{types{{{bomb}}}}}}}"),
        format!("{{__schema{{types{{...a}}}}}} fragment a on __Type{{{bomb}}}"),
        format!("query($n: String!){{__type(name:$n){{{bomb}}}}}"),
        format!("{{__schema{{a:types{{{mixed}}} b:types{{{bomb}}}}}}}"),
    ] {
        let request = json!({ "query": query, "variables": { "n": "Node" } });
        let (_, code, _) = post(app, Some(&canary.person.token.clone()), &request).await;
        // Too deep a circle is a mistake of the document, before it is weighed.
        assert!(
            code == "QUERY_TOO_COMPLEX" || code == "GRAPHQL_VALIDATION_FAILED",
            "{code}: {query}"
        );
        canary.sings(app, "a circle").await;
    }
    canary.report("circles");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operation_hears_of_one_thing_and_hashes_one_password() {
    with_app(async |app| {
        let mut canary = Canary::new(app).await;
        let twenty: String = (0..20).map(|n| format!("a{n}: homeUpdated {{ cursor }} ")).collect();
        let refused =
            over_a_socket(app, &canary.person.clone(), &format!("subscription {{ {twenty} }}"))
                .await;
        assert_eq!(refused, "GRAPHQL_VALIDATION_FAILED");
        let ten: String = (0..10)
            .map(|n| format!("a{n}: logIn(input: {{handle: \"canary\", password: \"wrong0{n}\"}}) {{ accessToken }} "))
            .collect();
        let (_, code, _) = post(app, None, &json!({ "query": format!("mutation {{ {ten} }}") })).await;
        assert_eq!(code, "QUERY_TOO_COMPLEX");
        canary.sings(app, "ten log-ins").await;
        canary.report("many in one");
    })
    .await;
}

/// Events are paid for one by one; who has no points left waits for them, and loses none.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_paid_for_and_wait_until_they_can_be() {
    const RESTORED: u64 = 200;
    const EVENTS: usize = 45;
    let slow = |config: &mut Config| {
        (config.limits.viewer_points, config.limits.viewer_points_per_s) = (1_000_000, RESTORED);
    };
    with_config(slow, async |app| {
        let (reader, author) = (app.sign_up("reader").await, app.sign_up("author").await);
        app.follow(&reader, &author).await;
        app.until("the follow is known", async || {
            app.count("SELECT count(*) FROM followers").await == 1
        })
        .await;
        let payer = format!("v:{}", plaza::graphql::ids::parse_any(&reader.id).unwrap().1);
        let bucket = Bucket { capacity: 1_000_000, per_second: RESTORED };
        let redis = &app.app.domain.redis;

        let mut socket = Socket::of(app, Some(&reader)).await;
        let query = "subscription { homeUpdated { node { text author { handle displayName } likeCount } } }";
        socket.subscribe("1", query, json!({})).await;
        app.until("the home is watched", async || {
            crate::websocket::resume::streams(app).await == 1
        })
        .await;
        app.post(&author, "hello").await;
        assert_eq!(socket.next("1").await["homeUpdated"]["node"]["text"], "hello");
        let left = redis.take_points(&payer, bucket, 0, 0).await.left;
        assert!(redis.take_points(&payer, bucket, left, 0).await.taken);
        let drained = Instant::now();
        for number in 0..EVENTS {
            app.post(&author, &number.to_string()).await;
            // Fan-outs of posts a moment apart may overtake one another: one comes after the other.
            app.until("its fan-out is done", async || {
                crate::websocket::resume::entries(app).await == number + 3
            })
            .await;
        }
        let mut heard = Vec::new();
        while heard.len() < EVENTS {
            let text = socket.next("1").await["homeUpdated"]["node"]["text"].clone();
            heard.push(text.as_str().unwrap().to_owned());
        }
        let all: Vec<String> = (0..EVENTS).map(|number| number.to_string()).collect();
        assert_eq!(heard, all, "in order, none left out");
        // At most twenty were paid for beforehand; the others had to be earned.
        let earned = u64::try_from(EVENTS - 20).unwrap() * 20;
        assert!(drained.elapsed() >= Duration::from_millis(earned * 1_000 / RESTORED));
    })
    .await;
}
