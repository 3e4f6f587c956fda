//! Deadlines nest, and a slow or hung server costs nobody but who asked it.

use std::time::Duration;

use serde_json::json;

use super::{Hung, Nginx, Response, address_of, free_port, send};
use crate::app::{TestApp, with_config};
use crate::template::session;

const POST: &str =
    "mutation { postCreate(input: {text: \"x\"}) { post { id } userErrors { code } } }";
/// What plaza may take in all.
const SERVER: Duration = Duration::from_millis(2_800);

/// nginx's own number of a directive in its configuration, in milliseconds.
fn configured(directive: &str) -> u64 {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/infra/nginx/nginx.conf"))
            .unwrap();
    let line = text.lines().map(str::trim).find(|line| line.starts_with(directive)).unwrap();
    let value = line.trim_end_matches(';').rsplit(' ').next().unwrap();
    match value.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().unwrap(),
        None => value.strip_suffix('s').unwrap().parse::<u64>().unwrap() * 1_000,
    }
}

#[test]
fn deadlines_nest_by_their_numbers() {
    let client = 10_000;
    let attempt = configured("proxy_read_timeout");
    assert_eq!(attempt, configured("proxy_send_timeout"));
    let in_all =
        configured("proxy_next_upstream_timeout") + configured("proxy_connect_timeout") + attempt;
    let server = u64::try_from(SERVER.as_millis()).unwrap();
    let deadline = plaza::config::ServerConfig::default().deadline_ms;
    assert!(client > in_all, "a client waits {client} ms, nginx {in_all} ms");
    assert!(in_all > 2 * attempt, "a second attempt would be cut off");
    assert!(attempt >= server + 1_000, "{attempt} ms an attempt, the server takes {server} ms");
    assert!(server > deadline, "{server} ms in all, {deadline} ms of them for the operation");
}

/// A request's deadline as it is where plaza serves: other tests have more time.
fn as_deployed(config: &mut plaza::config::Config) {
    config.server.deadline_ms = plaza::config::ServerConfig::default().deadline_ms;
}

async fn asked(app: &TestApp, token: Option<&str>, query: &str) -> Response {
    let mut request = app.http().post(&app.url).json(&json!({ "query": query }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    send(request).await
}

/// Makes each COMMIT of a post take longer than anybody waits, as one does whose replicas are gone.
async fn commits_hang(app: &TestApp) {
    for urls in &app.app.config.postgres.shards {
        session(&urls.primary)
            .await
            .batch_execute(
                "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;
                 CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON posts
                   DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang()",
            )
            .await
            .unwrap();
    }
}

#[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
fn figure(line: &str) {
    eprintln!("{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_hang_are_answered_by_plaza_and_set_no_server_aside() {
    with_config(as_deployed, async |app| {
        app.beside_another_server(async |other| {
            let nginx = Nginx::before([address_of(&app.url), address_of(other)]).await;
            let through = nginx.app(app);
            let ann = app.sign_up("ann").await;
            commits_hang(app).await;
            let writes = (0..8).map(|_| asked(&through, Some(&ann.token), POST));
            let reads = async {
                // While they wait, and after.
                let mut worst = Duration::ZERO;
                for _ in 0..60 {
                    let answer = asked(&through, None, "{ user(handle: \"ann\") { id } }").await;
                    assert_eq!((answer.status, answer.json()["errors"].is_null()), (200, true));
                    worst = worst.max(answer.took);
                    tokio::time::timeout(Duration::from_millis(60), std::future::pending::<()>())
                        .await
                        .unwrap_err();
                }
                worst
            };
            let (writes, worst) = tokio::join!(futures_util::future::join_all(writes), reads);
            for answer in &writes {
                assert_eq!(answer.status, 200, "{}", answer.text);
                assert!(
                    ["OUTCOME_UNKNOWN", "TIMEOUT"].contains(&answer.code().as_str()),
                    "{}",
                    answer.text
                );
                assert!(answer.took < SERVER + Duration::from_millis(500), "{:?}", answer.took);
            }
            assert!(writes.iter().any(|answer| answer.code() == "OUTCOME_UNKNOWN"));
            let took: Vec<u128> = writes.iter().map(|answer| answer.took.as_millis()).collect();
            figure(&format!(
                "commits that hang: answered after {took:?} ms; reads at most {worst:?}"
            ));
            let log = nginx.log();
            assert!(!log.contains("timed out") && !log.contains("no live upstreams"), "{log}");
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_too_slow_is_begun_at_one_server_only() {
    let change = |config: &mut plaza::config::Config| {
        as_deployed(config);
        // At the primaries, where the lock is.
        config.postgres.shards.iter_mut().for_each(|urls| urls.replicas.clear());
    };
    with_config(change, async |app| {
        app.beside_another_server(async |other| {
            let nginx = Nginx::before([address_of(&app.url), address_of(other)]).await;
            let ann = app.sign_up("ann").await;
            let mut locks = Vec::new();
            for urls in &app.app.config.postgres.shards {
                let client = session(&urls.primary).await;
                let lock = "BEGIN; LOCK TABLE posts IN ACCESS EXCLUSIVE MODE";
                client.batch_execute(lock).await.unwrap();
                locks.push(client);
            }
            let query = "{ viewer { user { posts(first: 1) { nodes { id } } } } }";
            let answer = asked(&nginx.app(app), Some(&ann.token), query).await;
            drop(locks);
            assert_eq!((answer.status, &*answer.code()), (200, "TIMEOUT"), "{}", answer.text);
            figure(&format!("a query that waits for ever: answered after {:?}", answer.took));
            // Before nginx would have begun it anew.
            let attempt = Duration::from_millis(configured("proxy_read_timeout"));
            assert!(answer.took < attempt, "{:?}", answer.took);
            assert!(!nginx.log().contains("timed out"), "{}", nginx.log());
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_or_dead_server_costs_a_few_and_fails_none() {
    with_config(
        |_| {},
        async |app| {
            let (hung, dead) =
                (Hung::new(), std::net::SocketAddr::from(([127, 0, 0, 1], free_port())));
            let all = std::time::Instant::now();
            for (what, other) in [("dead", dead), ("hung", hung.address)] {
                let nginx = Nginx::before([address_of(&app.url), other]).await;
                let through = nginx.app(app);
                let began = std::time::Instant::now();
                let mut slow = 0;
                for _ in 0..300 {
                    let answer = asked(&through, None, "{ __typename }").await;
                    assert_eq!((answer.status, answer.json()["errors"].is_null()), (200, true));
                    slow += u32::from(answer.took > Duration::from_secs(3));
                }
                figure(&format!("{what}: {slow} of 300 waited for it"));
                // One request a worker finds out; then one now and then, more on a busy machine.
                let tries = 3 + u32::try_from(began.elapsed().as_secs()).unwrap() / 6;
                assert!(slow <= tries, "{what}: {slow} of at most {tries}");
            }
            assert!(u64::try_from(hung.connections()).unwrap() <= 4 + all.elapsed().as_secs() / 6);
        },
    )
    .await;
}
