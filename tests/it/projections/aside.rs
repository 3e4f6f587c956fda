//! Records that cannot be read or applied: they stop nobody else, and what is decided about them is
//! remembered.

use plaza::app::App;
use plaza::cli::ledger::{Check, verify};
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use plaza::stores::kafka::producer::{EventProducer, Message};
use serde_json::{Value, json};
use tokio::process::Command;

use super::POSTS_BEHIND;
use crate::app::{TestApp, config_file, with_app, with_roles};
use crate::operate::process::environment;

pub const LIKE: &str =
    "mutation($id: ID!) { postLike(input: {postId: $id}) { userErrors { code } } }";
/// Rows, whichever shard they are on.
pub const ASIDE: &str = "SELECT count(*) FROM unreadable_records";
const WAITING: &str = "SELECT count(*) FROM unreadable_records WHERE state IN ('WAITING', 'RETRY')";
pub const LIKED: &str = "SELECT count(*) FROM notifications WHERE kind = 'LIKED'";

/// Writes records into the topic of posts, as a stray producer would.
async fn publish(app: &TestApp, records: &[(&str, &str)]) {
    let producer = EventProducer::new(&app.app.config.kafka).unwrap();
    let message = |(key, payload)| Message { topic: "posts", key, payload };
    let messages: Vec<Message<'_>> = records.iter().copied().map(message).collect();
    producer.publish(&messages).await.unwrap();
}

/// What `plaza projections` prints.
async fn projections(app: &TestApp, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .arg("projections")
        .args(arguments)
        .env("PLAZA_CONFIG", config_file())
        .envs(environment(&app.app.config))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of what waits.
async fn aside(app: &TestApp) -> Vec<String> {
    let listed: Value =
        serde_json::from_str(&projections(app, &["aside", "--json"]).await).unwrap();
    let name = |record: &Value| record["record"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// The ledger's law about records put aside, and whether it is clean in everything.
async fn law(app: &TestApp) -> (Check, bool) {
    let checks = verify(&app.app.config).await.unwrap();
    let clean = checks.iter().all(|check| check.waiting == 0 && check.wrong == 0);
    let of_aside = |check: &Check| check.law == "records put aside were decided about";
    (checks.into_iter().find(of_aside).unwrap(), clean)
}

async fn projector(app: &TestApp) -> App {
    let other = App::build(app.app.config.as_ref().clone(), Clock::System).await.unwrap();
    start_without_ports(&other, Role::Projector);
    other
}

/// What is no event is put aside by each projection that reads its topic, and stops nobody.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_record_is_put_aside_and_everybody_else_is_projected() {
    with_roles(&[Role::Server, Role::Relay, Role::Worker], async |app| {
        let other = projector(app).await;
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let keys: Vec<String> = (0..8).map(|number| format!("stray{number}")).collect();
        let records: Vec<(&str, &str)> =
            keys.iter().map(|key| (key.as_str(), "\u{0}\u{1}no event")).collect();
        publish(app, &records).await;
        for number in 0..6 {
            let post = app.post(&ann, &format!("after it {number}")).await;
            app.ask(&bob, LIKE, json!({ "id": post })).await;
        }
        // Posts are read by three projections.
        app.until("it is put aside, and the likes are told", async || {
            app.count(WAITING).await == 24 && app.count(LIKED).await == 6
        })
        .await;
        app.until("nothing else is dirty", async || {
            let (law, _) = law(app).await;
            law.waiting == 24 && law.wrong == 0 && app.count(POSTS_BEHIND).await == 0
        })
        .await;

        let waiting = aside(app).await;
        assert_eq!(waiting.len(), 24);
        // One for all projections, the rest each.
        let (_, of_all) = waiting[0].split_once('/').unwrap();
        let said = projections(app, &["skip", of_all, "--by", "ann"]).await;
        assert_eq!(said.lines().count(), 3, "{said}");
        let mut rest = vec!["skip", "--by", "ann"];
        rest.extend(waiting.iter().filter(|name| !name.ends_with(of_all)).map(String::as_str));
        projections(app, &rest).await;
        assert_eq!(aside(app).await, Vec::<String>::new());
        app.until("the ledger is clean, and names what was skipped", async || {
            let (law, clean) = law(app).await;
            clean && law.example.is_some_and(|example| example.contains("was skipped by ann"))
        })
        .await;
        other.tasks.clone().drain().await.unwrap();

        // Read once more from the first record, as after a crash: nothing is put aside again.
        app.execute("UPDATE projection_offsets SET next_offset = 0, effects_offset = 0").await;
        let other = projector(app).await;
        let post = app.post(&ann, "the last one").await;
        app.ask(&bob, LIKE, json!({ "id": post })).await;
        app.until("the last one is liked", async || app.count(LIKED).await == 7).await;
        app.until("everything is read", async || law(app).await.1).await;
        assert_eq!((app.count(WAITING).await, app.count(ASIDE).await), (0, 24));
        other.tasks.clone().drain().await.unwrap();
    })
    .await;
}

/// An event that only a newer build knows holds up its post, until it is known or passed over.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_an_unknown_type_holds_up_its_aggregate_alone() {
    with_app(async |app| {
        let (ann, bob) = (app.sign_up("ann").await, app.sign_up("bob").await);
        let (pinned, other) = (app.post(&ann, "pinned").await, app.post(&ann, "not").await);
        app.until("both are projected", async || app.count(POSTS_BEHIND).await == 0).await;
        let id = app
            .count("SELECT coalesce(sum(id), 0)::bigint FROM posts WHERE text = 'pinned'")
            .await;
        app.execute("UPDATE posts SET version = version + 1 WHERE text = 'pinned'").await;
        let key = format!("post:{id}");
        let event = json!({
            "specversion": "1.0", "id": format!("{key}/2"), "source": "/plaza/shards/0", "subject": key,
            "time": "2026-11-28T12:00:00Z", "version": 2, "type": "post.pinned.v1", "data": {}
        });
        publish(app, &[(&key, &event.to_string())]).await;
        app.until("it is put aside", async || app.count(WAITING).await == 3).await;
        app.ask(&bob, LIKE, json!({ "id": pinned })).await;
        app.ask(&bob, LIKE, json!({ "id": other })).await;
        app.until("the other one is told of, this one waits", async || {
            app.count(WAITING).await == 6 && app.count(LIKED).await == 1
        })
        .await;
        assert_eq!(app.count(POSTS_BEHIND).await, 1);

        // Asked to try it again, the projectors say once more why they cannot.
        let unknown: Vec<String> = aside(app).await;
        let (_, unknown) = unknown[0].split_once('/').unwrap();
        projections(app, &["retry", unknown, "--by", "ann"]).await;
        let again = "SELECT count(*) FROM unreadable_records
            WHERE state = 'WAITING' AND decided_by = 'ann' AND reason LIKE 'cannot be read%'";
        app.until("it was tried", async || app.count(again).await == 3).await;

        projections(app, &["skip", unknown, "--over-gap", "--by", "ann"]).await;
        app.until("the post goes on", async || {
            app.count(WAITING).await == 0
                && app.count(LIKED).await == 2
                && app.count(POSTS_BEHIND).await == 0
        })
        .await;
        let applied = "SELECT count(*) FROM unreadable_records WHERE state = 'APPLIED'";
        assert_eq!(app.count(applied).await, 3);
        app.until("the ledger is clean", async || law(app).await.1).await;
    })
    .await;
}
