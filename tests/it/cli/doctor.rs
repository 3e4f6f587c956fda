//! The doctor: well when all is well, and each fault named with what to do.

use std::time::Duration;

use plaza::cli::doctor::{Finding, add_last_words, examine};
use secrecy::{ExposeSecret, SecretString};

use crate::app::{in_database, with_config};

/// Every other test runs beside this one: what is slow for that is not wrong.
const PATIENCE: Duration = Duration::from_secs(60);

fn found<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.subject == subject)
        .unwrap_or_else(|| panic!("nothing about {subject} in {findings:#?}"))
}

/// What is wrong with it and what to do, as printed; empty when it is well.
fn wrong(findings: &[Finding], subject: &str) -> String {
    found(findings, subject)
        .verdict
        .as_ref()
        .err()
        .map(|wrong| format!("{} -> {}", wrong.what, wrong.remedy))
        .unwrap_or_default()
}

fn with_password(url: &SecretString, password: &str) -> SecretString {
    let url = url.expose_secret();
    let (head, server) = url.rsplit_once('@').expect("credentials");
    let user = head.rsplit_once(':').expect("a password").0;
    format!("{user}:{password}@{server}").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_well_is_told_so_and_each_fault_is_named() {
    with_config(
        |config| {
            // Whoever holds the usual ports on this machine is not what is tested.
            config.server.listen.set_port(0);
            config.admin.listen.set_port(0);
        },
        async |app| {
            let well = examine(&app.app.config, PATIENCE).await;
            let faults: Vec<_> = well.iter().filter(|finding| finding.verdict.is_err()).collect();
            assert!(faults.is_empty(), "{faults:#?}");
            let replicas: usize =
                app.app.config.postgres.shards.iter().map(|urls| urls.replicas.len()).sum();
            assert_eq!(well.len(), app.app.config.postgres.shards.len() + replicas + 6);

            let mut config = app.app.config.as_ref().clone();
            let shards = &mut config.postgres.shards;
            shards[0].primary = with_password(&shards[0].primary, "wrong");
            shards[1].primary = in_database(&shards[1].primary, "postgres");
            shards[2].primary = shards[2].replicas[0].clone();
            shards[2].replicas[1] = in_database(&shards[2].replicas[1], "nosuch");
            shards[3].replicas[0] = shards[3].primary.clone();
            shards[3].replicas[1] = "postgres://plaza:plaza-local@127.0.0.1:1/plaza".into();
            config.redis.url = "redis://127.0.0.1:1/0".into();
            config.rabbitmq.url = with_password(&config.rabbitmq.url, "wrong");
            config.kafka.topic_prefix.push_str("_nosuch");
            config.auth.signing_key_file = "/nosuch/key.pem".into();
            let own: std::net::SocketAddr =
                app.url["http://".len()..app.url.len() - "/graphql".len()].parse().unwrap();
            config.server.listen = own;
            let sick = examine(&config, PATIENCE).await;

            for (subject, what, remedy) in [
                (
                    "shard 0 primary",
                    "authentication failed",
                    "password in postgres.shards, entry 0",
                ),
                ("shard 1 primary", "not migrated", "plaza migrate"),
                ("shard 2 primary", "is a replica", "put the primary first"),
                ("shard 2 replica 2", "\"nosuch\" does not exist", "create the database"),
                ("shard 3 replica 1", "is a primary", "rebuild"),
                ("shard 3 replica 2", "refused", "start it"),
                ("redis", "refused", "start it"),
                ("rabbitmq", "ACCESS_REFUSED", "password in rabbitmq.url"),
                ("kafka", "no topic", "plaza migrate"),
                ("signing key", "No such file", "plaza keygen /nosuch/key.pem"),
                ("server.listen", &format!("{own} is taken by it-"), "change server.listen"),
            ] {
                let told = wrong(&sick, subject);
                let (seen, advised) = told
                    .split_once(" -> ")
                    .unwrap_or_else(|| panic!("{subject} is well: {sick:#?}"));
                assert!(seen.contains(what) && advised.contains(remedy), "{subject}: {told}");
            }
            for subject in
                ["shard 0 replica 1", "shard 1 replica 1", "shard 3 primary", "admin.listen"]
            {
                assert!(
                    found(&sick, subject).verdict.is_ok(),
                    "{subject}: {}",
                    wrong(&sick, subject)
                );
            }
            let printed: String = sick.iter().map(ToString::to_string).collect();
            assert!(
                !printed.contains("plaza-local") && !printed.contains(":wrong@"),
                "no password is printed: {printed}"
            );
        },
    )
    .await;
}

/// The same address with another host.
fn with_host(url: &SecretString, host: &str) -> SecretString {
    url.expose_secret().replace("127.0.0.1", host).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_called_that_and_a_local_server_that_is_down_is_shown_with_its_last_log_lines()
 {
    with_config(
        |config| {
            config.server.listen.set_port(0);
            config.admin.listen.set_port(0);
        },
        async |app| {
            let mut config = app.app.config.as_ref().clone();
            let nobody = "no-such-host.invalid";
            config.postgres.shards[0].primary =
                with_host(&config.postgres.shards[0].primary, nobody);
            config.redis.url = with_host(&config.redis.url, nobody);
            config.rabbitmq.url = with_host(&config.rabbitmq.url, nobody);
            config.kafka.brokers = format!("{nobody}:9092");
            // Nothing listens on a port that was just given back.
            let port =
                std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            config.postgres.shards[1].replicas[0] =
                format!("postgres://plaza:plaza-local@127.0.0.1:{port}/plaza").into();
            let kept = tempfile::tempdir().unwrap();
            let run = kept.path();
            let log = run.join("log");
            std::fs::write(&log, "starting\nFATAL: could not map anonymous shared memory\n")
                .unwrap();
            let record = format!(
                "name=shard-1-replica-1\nport={port}\npid=999999999\nstart=1\nlog={}\n",
                log.display()
            );
            std::fs::write(run.join("shard-1-replica-1"), record).unwrap();

            let mut sick = examine(&config, PATIENCE).await;
            add_last_words(&config, run, &mut sick);
            for (subject, field) in [
                ("shard 0 primary", "postgres.shards, entry 0"),
                ("redis", "redis.url"),
                ("rabbitmq", "rabbitmq.url"),
                ("kafka", "kafka.brokers"),
            ] {
                let told = wrong(&sick, subject);
                assert!(
                    told.contains(&format!(
                        "correct the host in {field}: no machine has that name"
                    )),
                    "{subject}: {told}"
                );
                assert!(found(&sick, subject).last_words.is_empty());
            }
            let printed = found(&sick, "shard 1 replica 1").to_string();
            assert!(
                printed.contains("shard-1-replica-1 is not running")
                    && printed.ends_with("could not map anonymous shared memory"),
                "{printed}"
            );
        },
    )
    .await;
}
