//! Jobs that were given up: discarded by hand.

use plaza::cli::roles::Role;
use plaza::ids::{Id, OrderId};
use plaza::protocol::jobs::Job;
use plaza::stores::rabbitmq;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::app::{TestApp, config_file, with_roles};
use crate::jobs::enqueue;
use crate::operate::process::environment;

/// What `plaza dead-letters` prints, on the test's queues and databases.
async fn dead_letters(app: &TestApp, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .arg("dead-letters")
        .args(arguments)
        .env("PLAZA_CONFIG", config_file())
        .envs(environment(&app.app.config))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until so many jobs are dead.
async fn until_dead(app: &TestApp, count: u32) {
    let rabbitmq = &app.app.config.rabbitmq;
    let connection = rabbitmq::connect(&rabbitmq.url, "test").await.unwrap();
    app.until("the jobs are dead", async || {
        let depths = rabbitmq::depths::depths(&connection, &rabbitmq.retry_delays_ms).await;
        depths.is_ok_and(|depths| depths.iter().map(|depth| depth.dead).sum::<u32>() == count)
    })
    .await;
}

const ATTEMPTS: &str = "SELECT coalesce(sum(attempts), 0)::bigint FROM job_attempts";

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_jobs_attempts_are_forgotten_and_no_other_ones() {
    with_roles(&[Role::Relay, Role::Worker], async |app| {
        // There are no such orders.
        for order in [4_242, 4_343] {
            let job = Job::OrderProcess { order_id: OrderId::from_i64(order) };
            enqueue(app, job, &format!("order:{order}/process")).await;
        }
        until_dead(app, 2).await;
        assert_eq!(app.count(ATTEMPTS).await, 6, "of each the first, and one after each delay");

        let said = dead_letters(app, &["discard", "order:4242/process"]).await;
        assert_eq!(said, "discarded order:4242/process\n");
        let of_it = format!("{ATTEMPTS} WHERE job_id = 'order:4242/process'");
        assert_eq!(app.count(&of_it).await, 0, "a job that is no more has not failed");
        assert_eq!(app.count(ATTEMPTS).await, 3, "the other one's");
        until_dead(app, 1).await;
        let listed = dead_letters(app, &["list"]).await;
        assert!(listed.contains("order:4343/process: "), "{listed}");
        assert!(!listed.contains("order:4242/process: "), "{listed}");
        let listed: Value =
            serde_json::from_str(&dead_letters(app, &["list", "--json"]).await).unwrap();
        assert_eq!(listed[0]["id"], "order:4343/process", "{listed}");
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        assert!(listed[0]["payload"].as_str().unwrap().contains("4343"), "{listed}");

        until_dead(app, 1).await;
        let said = dead_letters(app, &["discard", "--all", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!(["order:4343/process"]));
        assert_eq!(app.count("SELECT count(*) FROM job_attempts").await, 0);
        assert_eq!(dead_letters(app, &["list"]).await, "there are none\n");
        until_dead(app, 0).await;
        assert_eq!(dead_letters(app, &["list", "--json"]).await, "[]\n");
    })
    .await;
}
