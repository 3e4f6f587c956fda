//! A primary that dies, and what was known of it.

use std::time::Instant;

use plaza::cli::roles::Role;
use plaza::ids::UserId;
use plaza::stores::postgres::ShardIndex;
use serde_json::{Value, json};

use super::own_postgres::OwnShard;
use crate::app::{Answer, Person, TestApp, with_roles_and_config};
use crate::operate::process::Process;
use crate::wait;

async fn post(app: &TestApp, author: &Person, text: &str) -> Answer {
    let query = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code } } }";
    let authorization = format!("Bearer {}", author.token);
    app.send(&[("authorization", &authorization)], query, json!({ "text": text })).await
}

fn code(answer: &Answer) -> Option<&str> {
    answer.body.pointer("/errors/0/extensions/code").and_then(Value::as_str)
}

/// Somebody of the first shard, and somebody of another one.
async fn people(app: &TestApp) -> (Person, Person) {
    let (mut first, mut other) = (None, None);
    for number in 0.. {
        let person = app.sign_up(&format!("person{number}")).await;
        let raw: UserId = plaza::graphql::ids::parse(&person.id).unwrap();
        match app.app.domain.cluster.shard_of_id(raw) {
            ShardIndex(0) => first = Some(person),
            _ => other = Some(person),
        }
        if first.is_some() && other.is_some() {
            break;
        }
    }
    (first.unwrap(), other.unwrap())
}

const UNSENT: &str = "SELECT count(*) FROM outbox WHERE sent_at IS NULL";

/// A test on a plaza whose first shard is its own.
async fn with_own_shard(roles: &[Role], test: impl AsyncFnOnce(&TestApp, &OwnShard)) {
    let (hand, made) = std::sync::mpsc::channel();
    let change = |config: &mut plaza::config::Config| {
        hand.send(OwnShard::start_as_first_of(config)).unwrap();
        config.server.deadline_ms = 3_000;
        config.postgres.query_timeout_ms = 2_000;
        config.postgres.checkout_timeout_ms = 2_000;
    };
    with_roles_and_config(roles, change, async |app| test(app, &made.recv().unwrap()).await).await;
}

/// A primary that begins again shows what it had committed before, whether a replica has it or not.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_primary_has_is_told_to_nobody() {
    with_own_shard(&[Role::Server, Role::Relay], async |app, shard| {
        let (ann, elsewhere) = people(app).await;
        app.until("all is sent", async || app.count(UNSENT).await == 0).await;
        shard.crash(1);
        shard.crash(2);
        assert_eq!(code(&post(app, &ann, "only here").await), Some("OUTCOME_UNKNOWN"));
        shard.crash(0);
        shard.begin(0).await;
        let stored = "SELECT count(*) FROM posts WHERE text = 'only here'";
        assert_eq!(shard.number(0, stored).await, Some(1), "it was committed there");

        // Until the relay has worked on every shard twice, of which another one has a message.
        for _ in 0..2 {
            assert_eq!(code(&post(app, &elsewhere, "elsewhere").await), None);
            let other = "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND payload NOT LIKE '%only here%'
                         AND NOT EXISTS (SELECT 1 FROM posts WHERE text = 'only here')";
            app.until("the others' are sent", async || app.count(other).await == 0).await;
        }
        let unsent = shard.number(0, UNSENT).await;
        assert!(unsent.is_some_and(|unsent| unsent > 0), "{unsent:?} are unsent");

        shard.begin(1).await;
        app.until("it is sent", async || shard.number(0, UNSENT).await == Some(0)).await;
    })
    .await;
}

/// What a failover has undone may be known already, where somebody promoted too early: then an
/// event of the new history has the version of another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_history_does_not_take_the_place_of_the_one_applied() {
    let roles = [Role::Server, Role::Relay, Role::Projector];
    with_roles_and_config(
        &roles,
        |_| {},
        async |app| {
            let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
            let id = app.post(&ann, "liked").await;
            let like =
                "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
            app.ask(&bob, like, json!({ "id": id })).await;
            let applied =
                "SELECT count(*) FROM projection_versions WHERE projection = 'post_counts'
            AND version = 2 AND identity IS NOT NULL";
            app.until("the like is applied", async || app.count(applied).await == 1).await;
            let identity = "SELECT coalesce(sum(identity), 0)::bigint FROM projection_versions
            WHERE projection = 'post_counts' AND version = 2";
            let before = app.count(identity).await;

            // The same once more, then one with its version that is another.
            let again = "UPDATE outbox SET sent_at = NULL WHERE payload LIKE '%liked%'";
            app.execute(again).await;
            app.until("sent again", async || app.count(UNSENT).await == 0).await;
            let other = "UPDATE outbox SET sent_at = NULL,
                payload = regexp_replace(payload, '\"identity\":[0-9]+', '\"identity\":7')
            WHERE payload LIKE '%liked%'";
            app.execute(other).await;
            let later = app.post(&ann, "later").await;
            assert!(!later.is_empty());
            app.until("sent", async || app.count(UNSENT).await == 0).await;
            let three = "SELECT count(*) FROM projection_versions WHERE projection = 'post_counts'";
            app.until("the later one is applied", async || app.count(three).await == 2).await;
            assert_eq!(app.count(identity).await, before, "the first one stays");
        },
    )
    .await;
}

/// Whether a process gives this line at `/metrics`.
async fn says(process: &Process, line: &str) -> bool {
    process.figures().await.lines().any(|given| given == line)
}

/// The supervisor's steps, and what a process makes of them: nobody restarts anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_gone_is_replaced_and_nothing_acknowledged_is_lost() {
    with_own_shard(&[Role::Server, Role::Relay], async |app, shard| {
        let (ann, _) = people(app).await;
        let supervisor = Process::supervisor(app, &[shard.urls()]).await;
        let mut acknowledged = Vec::new();
        let mut write = async |text: String| {
            let done = code(&post(app, &ann, &text).await).is_none();
            if done {
                acknowledged.push(text);
            }
            done
        };
        for number in 0..5 {
            assert!(write(format!("before {number}")).await);
        }
        assert!(says(&supervisor, "plaza_failover_possible{shard=\"0\"} 1").await);
        shard.crash(0);
        let mut number = 0;
        let crashed = Instant::now();
        while !write(format!("after {number}")).await {
            number += 1;
            assert!(crashed.elapsed() < wait::LIMIT, "no primary has come");
        }
        let new = if shard.number(1, IS_REPLICA).await == Some(0) { 1 } else { 2 };
        assert_eq!(shard.number(new, IS_REPLICA).await, Some(0));

        // The old one comes back with its timeline.
        shard.begin(0).await;
        for number in 0..5 {
            assert!(write(format!("beside the old one {number}")).await);
        }
        let home = app
            .ask(
                &ann,
                "{ viewer { user { posts(first: 50) { edges { node { text } } } } } }",
                json!({}),
            )
            .await;
        for text in &acknowledged {
            let stored = format!("SELECT count(*) FROM posts WHERE text = '{text}'");
            assert_eq!(shard.number(new, &stored).await, Some(1), "{text}");
            assert!(home.body.to_string().contains(text), "{text} is not shown to its author");
        }
        let there = "SELECT count(*) FROM posts WHERE text LIKE 'beside%'";
        assert_eq!(shard.number(0, there).await, Some(0));
        assert_eq!(shard.number(new, "SELECT timeline FROM shard_identity").await, Some(2));

        let replaced = "plaza_failovers_total{shard=\"0\",outcome=\"done\"} 1";
        app.until("it is counted", async || says(&supervisor, replaced).await).await;
        assert!(says(&supervisor, "plaza_failover_possible{shard=\"0\"} 0").await);

        // Rebuilt, it is one of the new one's replicas.
        shard.crash(0);
        shard.copy_primary(new, 0).await;
        shard.until_replicas(new, 2).await;
        app.until("all is sent", async || shard.number(new, UNSENT).await == Some(0)).await;
        let again = "plaza_failover_possible{shard=\"0\"} 1";
        app.until("it could be replaced", async || says(&supervisor, again).await).await;
        supervisor.end().await;
    })
    .await;
}

const IS_REPLICA: &str = "SELECT pg_is_in_recovery()::integer::bigint";

/// One that hangs keeps its connections, and answers nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_hangs_is_replaced_and_never_written_again() {
    with_own_shard(&[Role::Server], async |app, shard| {
        let (ann, _) = people(app).await;
        let supervisor = Process::supervisor(app, &[shard.urls()]).await;
        shard.freeze(0, true);
        let written = async || code(&post(app, &ann, "to the new one").await).is_none();
        app.until("there is a new primary", written).await;
        shard.freeze(0, false);
        app.until("the old one answers", async || shard.answers(0).await).await;
        assert_eq!(code(&post(app, &ann, "beside it").await), None);
        let stored = "SELECT count(*) FROM posts WHERE text IN ('to the new one', 'beside it')";
        assert_eq!(shard.number(0, stored).await, Some(0));
        supervisor.end().await;
    })
    .await;
}
