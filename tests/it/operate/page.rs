//! The operator's page: what it shows of a whole system, and of one of which parts are away.

use plaza::cli::ledger::{Cursors, Stores, hourly};
use serde_json::Value;

use super::process::{Process, shards};
use crate::app::with_roles;

const PATHS: [&str; 5] = ["/", "/operator.json", "/metrics", "/livez", "/readyz"];

async fn sight(process: &Process) -> Value {
    serde_json::from_str(&process.get("/operator.json").await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_system_is_seen_whole() {
    with_roles(&[], async |app| {
        let process = Process::start(app, &[]).await;
        let page = process.get("/").await;
        assert!(page.starts_with("<!doctype html>") && page.contains("operator.json"));
        let ann = process.app.sign_up("ann").await;
        process.app.post(&ann, "seen").await;
        let figures = process.figures().await;
        let counted = |field: &str| {
            figures.lines().any(|line| {
                line.starts_with("plaza_graphql_fields_total{")
                    && line.contains(field)
                    && line.ends_with("} 1")
            })
        };
        assert!(counted("field=\"postCreate\""), "{figures}");
        app.until("its traffic is shown", async || {
            let traffic = &sight(&process).await["traffic"];
            // Nothing happens in what is left of the minute, so that the first sample with the post
            // may be the one that others are compared with: the history has it.
            let history = traffic["history"].as_array().cloned().unwrap_or_default();
            history
                .iter()
                .any(|rate| rate["perS"].as_f64() > Some(0.0) && rate["p95Ms"].as_f64() > Some(0.0))
        })
        .await;
        // A machine that is busy with other tests may be too slow for one look: it says so, and the
        // next one is good.
        let last = std::sync::Mutex::new(Value::Null);
        app.until(
            "everything answers within one look, and the post's event is applied",
            async || {
                let seen = sight(&process).await;
                let answers = ["redis", "rabbitmq", "kafka"]
                    .iter()
                    .all(|part| seen[part]["ok"] != Value::Null);
                let primaries = seen["shards"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|shard| shard["primary"]["ok"] != Value::Null);
                last.lock().unwrap().clone_from(&seen);
                let projections = seen["kafka"]["ok"].as_array().cloned().unwrap_or_default();
                let counts =
                    projections.iter().find(|projection| projection["projection"] == "post_counts");
                answers
                    && primaries
                    && counts.is_some_and(|counts| {
                        counts["events"].as_i64() > Some(0) && counts["behind"] == 0
                    })
            },
        )
        .await;
        let seen = last.into_inner().unwrap();
        assert_eq!(seen["shards"].as_array().unwrap().len(), app.app.config.postgres.shards.len());
        for shard in seen["shards"].as_array().unwrap() {
            assert_eq!(shard["primary"]["ok"]["outbox"].as_array().unwrap().len(), 2, "{shard}");
            for replica in shard["replicas"].as_array().unwrap() {
                assert!(
                    replica["serves"] == true && replica["lagBytes"]["ok"].is_u64(),
                    "{replica}"
                );
            }
        }
        let queues = seen["rabbitmq"]["ok"].as_array().unwrap();
        assert!(
            queues.iter().all(|queue| queue["dead"] == 0 && queue["consumers"] == 1),
            "{queues:?}"
        );
        assert!(
            seen["redis"]["ok"]["tookMs"].is_f64() && seen["process"]["ready"] == true,
            "{seen}"
        );
        assert!(
            seen["pools"]
                .as_array()
                .unwrap()
                .iter()
                .any(|pool| pool["name"] == "shard 0 primary" && pool["most"] == 4)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledgers_last_run_is_shown_with_the_laws_that_do_not_hold() {
    with_roles(&[], async |app| {
        let process = Process::start(app, &[]).await;
        assert_eq!(sight(&process).await["ledger"], Value::Null, "it has not run yet");
        let ann = process.app.sign_up("ann").await;
        process.app.post(&ann, "x").await;
        app.until("the post is counted", async || {
            app.count("SELECT count(*) FROM user_counts WHERE post_count = 1").await == 1
        })
        .await;
        app.execute("UPDATE user_counts SET post_count = 5").await;
        let stores = Stores::open(&app.app.config).await.unwrap();
        app.until("the law that does not hold is shown", async || {
            let report = hourly::once(&stores, Cursors::default()).await.unwrap();
            hourly::keep(&stores, &report).await;
            let ledger = &sight(&process).await["ledger"];
            ledger["laws"].as_u64() > Some(5)
                && ledger["broken"][0]["broken"] == 1
                && ledger["broken"][0]["law"] == "posts and follows of people equal their rows"
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_are_away_are_named_and_the_others_seen() {
    with_roles(&[], async |app| {
        // Nobody listens at port 1.
        let mut config = app.app.config.as_ref().clone();
        config.postgres.shards[3].replicas[1] = "postgres://plaza:none@127.0.0.1:1/plaza".into();
        let away = [
            ("PLAZA_POSTGRES__SHARDS", shards(&config.postgres.shards)),
            ("PLAZA_REDIS__URL", "redis://127.0.0.1:1/0".to_owned()),
            ("PLAZA_RABBITMQ__URL", "amqp://plaza:none@127.0.0.1:1/none".to_owned()),
            ("PLAZA_KAFKA__BROKERS", "127.0.0.1:1".to_owned()),
        ];
        let away: Vec<(&str, &str)> =
            away.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let replicas = config.postgres.shards.iter().map(|urls| urls.replicas.len()).sum::<usize>();
        let process = Process::start_with_replicas(app, &away, replicas - 1).await;
        let seen = sight(&process).await;
        for part in ["redis", "rabbitmq", "kafka"] {
            assert!(seen[part]["unavailable"].is_string(), "{part}: {}", seen[part]);
        }
        let dead = &seen["shards"][3]["replicas"][1];
        assert!(dead["lagBytes"]["unavailable"].is_string() && dead["serves"] == false, "{dead}");
        let alive = &seen["shards"][3]["replicas"][0];
        assert!(alive["lagBytes"]["ok"].is_u64() && alive["serves"] == true, "{alive}");
        assert!(
            seen["shards"]
                .as_array()
                .unwrap()
                .iter()
                .all(|shard| shard["primary"]["ok"].is_object()),
            "{seen}"
        );
        let figures = process.figures().await;
        for figure in [
            "plaza_replica_serving{server=\"shard 3 replica 2\"} 0",
            "plaza_rabbitmq_up 0",
            "plaza_kafka_up 0",
        ] {
            app.until(figure, async || process.figures().await.lines().any(|line| line == figure))
                .await;
        }
        assert!(
            figures.contains("# HELP plaza_replica_lag_bytes How much of the primary's log"),
            "each figure says what it is"
        );
    })
    .await;
}

/// A page of the internet whose name was made to lead here reads nothing, and is no frame of it.
#[tokio::test(flavor = "multi_thread")]
async fn no_path_answers_to_a_name_of_the_internet() {
    with_roles(&[], async |app| {
        let process = Process::start_role(app, "relay", &[]).await;
        for path in PATHS {
            for host in ["evil.example", "127.0.0.1.evil.example:4201", ""] {
                let answer = asked_as(&process, host, path).await;
                let is_own = host.is_empty();
                assert_eq!(answer.status() == 421, !is_own, "{host} {path}: {answer:?}");
                assert_eq!(answer.status().is_success(), is_own, "{host} {path}: {answer:?}");
                let of = |name: &str| answer.headers()[name].to_str().unwrap();
                assert_eq!(of("x-content-type-options"), "nosniff", "{host} {path}");
                let policy = of("content-security-policy");
                for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                    assert!(policy.contains(part), "{host} {path}: no {part} in {policy}");
                }
                let body = answer.text().await.unwrap();
                assert!(is_own || body.lines().count() == 1, "{host} {path}: {body}");
            }
        }
    })
    .await;
}

/// Asks the admin port by a name; by its address for none.
async fn asked_as(process: &Process, host: &str, path: &str) -> reqwest::Response {
    let request = process.app.http().get(format!("{}{path}", process.admin));
    let request = if host.is_empty() { request } else { request.header("host", host) };
    request.send().await.unwrap()
}
