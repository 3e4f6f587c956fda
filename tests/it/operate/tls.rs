//! Roles that reach every server over TLS, by addresses as `infra/local` writes them.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plaza::config::{Config, KafkaConfig, ShardUrls};
use plaza::stores::postgres::target::Target;
use plaza::stores::{kafka, rabbitmq, redis};
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tempfile::TempDir;

use super::process::{Process, shards};
use crate::app::{TestApp, config_file, with_roles};
use crate::wait;

/// The same servers over TLS.
fn over_tls() -> Config {
    Config::load(Some(&config_file().with_file_name("plaza-tls.toml"))).expect("plaza-tls.toml")
}

/// Another database and user, by the same password.
fn in_database(url: &SecretString, database: &str, user: &str) -> SecretString {
    let (server, query) = url.expose_secret().split_once('?').expect("parameters");
    let (server, _) = server.rsplit_once('/').expect("a database");
    let server = server.replace("//plaza:", &format!("//{user}:"));
    format!("{server}/{database}?{query}").into()
}

/// What a role needs in its environment to work on a test's data over TLS, as its own user.
fn environment(app: &TestApp, role: &str) -> Vec<(&'static str, String)> {
    let tls = over_tls();
    let (database, vhost) = (app.database(), &app.app.config.redis.key_prefix);
    let user = format!("plaza_{role}");
    let urls = |urls: &ShardUrls| ShardUrls {
        primary: in_database(&urls.primary, database, &user),
        replicas: urls.replicas.iter().map(|url| in_database(url, database, &user)).collect(),
    };
    let shards = shards(&tls.postgres.shards.iter().map(urls).collect::<Vec<_>>());
    let broker = tls.rabbitmq.url.expose_secret().replace("/plaza?", &format!("/{vhost}?"));
    let kafka = &tls.kafka;
    let ca_file = kafka.ca_file.as_ref().unwrap().display().to_string();
    vec![
        ("PLAZA_POSTGRES__SHARDS", shards),
        ("PLAZA_REDIS__URL", tls.redis.url.expose_secret().to_owned()),
        ("PLAZA_RABBITMQ__URL", broker),
        ("PLAZA_KAFKA__BROKERS", kafka.brokers.clone()),
        ("PLAZA_KAFKA__SECURITY_PROTOCOL", kafka.security_protocol.name().to_owned()),
        ("PLAZA_KAFKA__CA_FILE", ca_file),
        ("PLAZA_KAFKA__USERNAME", kafka.username.clone().unwrap()),
        ("PLAZA_KAFKA__PASSWORD", kafka.password.as_ref().unwrap().expose_secret().to_owned()),
    ]
}

/// A server, a worker, a relay and a projector, each a process of its own that finds its servers
/// over TLS and is its own user of the databases; the signing key is there for the server alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_through_every_role_over_tls_and_each_has_what_it_needs_alone() {
    with_roles(&[], async |app| {
        let start = async |role: &str| {
            let mut environment = environment(app, role);
            if role != "server" {
                environment.push(("PLAZA_AUTH__SIGNING_KEY_FILE", "/nowhere/key.pem".to_owned()));
            }
            let given: Vec<(&str, &str)> =
                environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Process::start_role(app, role, &given).await
        };
        let server = start("server").await;
        let others = ["worker", "relay", "projector"].map(start);
        let others = futures_util::future::join_all(others).await;

        let web = &server.app;
        let (ann, bob) = (web.sign_up("ann").await, web.sign_up("bob").await);
        web.follow(&bob, &ann).await;
        web.post(&ann, "a post").await;
        app.until("the post is at home", async || web.home(&bob, 5).await == ["a post"]).await;
        let offer = "mutation { productCreate(input: {title: \"x\", description: \"\", price: {amount: \"1\", currency: \"EUR\"}, stock: 9}) {
            product { id } } }";
        let product = web.ask(&ann, offer, json!({})).await.text("/productCreate/product/id");
        let place = "mutation($id: ID!) { orderPlace(input: {lines: [{productId: $id, quantity: 1}]}) { order { id } } }";
        web.ask(&bob, place, json!({ "id": product })).await;
        let told = "{ viewer { notifications(first: 5) { nodes { kind } } } }";
        app.until("the seller is notified", async || {
            let answer = web.ask(&ann, told, json!({})).await.at("/viewer/notifications/nodes");
            answer.as_array().unwrap().iter().any(|node| node["kind"] == "ORDERED")
        })
        .await;

        let of_ours = "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE datname = current_database() AND application_name = 'plaza' AND backend_type = 'client backend'";
        let encrypted = app.count(&format!("SELECT count(*) {of_ours} AND ssl")).await;
        assert!(encrypted >= 16, "each of four roles on four shards: {encrypted}");
        let plain = format!("SELECT count(*) {of_ours} AND NOT ssl AND usename <> 'plaza'");
        assert_eq!(app.count(&plain).await, 0, "a role's connection that is not encrypted");
        server.end().await;
        for process in others {
            process.end().await;
        }
    })
    .await;
}

/// A certificate authority that has signed nothing here.
fn stranger() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=stranger", "-keyout", "key.pem"])
        .args(["-out", "ca.crt"])
        .current_dir(folder.path())
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{made:?}");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_no_authority_vouches_for_are_refused_with_the_reason() {
    let (tls, folder) = (over_tls(), stranger());
    let theirs = folder.path().join("ca.crt").display().to_string();
    let ours = tls.kafka.ca_file.as_ref().unwrap().display().to_string();
    let by_stranger = |url: &SecretString| -> SecretString {
        assert!(url.expose_secret().contains(&ours));
        url.expose_secret().replace(&ours, &theirs).into()
    };
    let primary = &tls.postgres.shards[0].primary;
    let fault = async |url: &SecretString| {
        let error = Target::parse(url).unwrap().connect().await.err().expect("a refusal");
        format!("{error}: {:?}", std::error::Error::source(&error))
    };
    let said = fault(&by_stranger(primary)).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
    // The right authority, another name.
    let elsewhere = primary.expose_secret().replace("@127.0.0.1:", "@db.example:");
    let said = fault(&format!("{elsewhere}&hostaddr=127.0.0.1").into()).await;
    assert!(said.contains("NotValidForName"), "{said}");

    let said = redis::probe::probe(&by_stranger(&tls.redis.url), wait::LIMIT).await.unwrap_err();
    assert!(said.to_string().contains("UnknownIssuer"), "{said}");
    let said = rabbitmq::connect(&by_stranger(&tls.rabbitmq.url), "t").await.unwrap_err();
    assert!(said.to_string().contains("UnknownIssuer"), "{said}");

    let right = tls.kafka.clone();
    let mut elsewhere = right.clone();
    elsewhere.ca_file = Some(theirs.into());
    let mut nobody = right.clone();
    nobody.password = Some("guessed".into());
    tokio::task::spawn_blocking(move || {
        assert_eq!(brokers_of(&right), Ok(1));
        let said = brokers_of(&elsewhere).unwrap_err();
        assert!(said.contains("certificate verify failed"), "{said}");
        let said = brokers_of(&nobody).unwrap_err();
        assert!(said.contains("SASL authentication error"), "{said}");
    })
    .await
    .unwrap();
}

/// How many brokers a client sees, or why it is refused.
fn brokers_of(config: &KafkaConfig) -> Result<usize, String> {
    let refused = Refused::default();
    let client: BaseConsumer<Refused> =
        kafka::client::client(config).create_with_context(refused.clone()).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < wait::LIMIT {
        // Errors reach the context by way of polls.
        let _ = client.poll(Duration::from_millis(50));
        if let Some(reason) = refused.0.lock().unwrap().first() {
            return Err(reason.clone());
        }
        if let Ok(metadata) = client.fetch_metadata(None, Duration::from_millis(500)) {
            return Ok(metadata.brokers().len());
        }
    }
    Err("neither an answer nor a refusal".to_owned())
}

/// The reasons that a client was refused with: not that a broker was slow to answer.
#[derive(Clone, Default)]
struct Refused(Arc<Mutex<Vec<String>>>);

impl ClientContext for Refused {
    fn error(&self, error: KafkaError, reason: &str) {
        use rdkafka::error::RDKafkaErrorCode::{Authentication, SSL};
        if matches!(error.rdkafka_error_code(), Some(Authentication | SSL)) {
            self.0.lock().unwrap().push(reason.to_owned());
        }
    }
}

impl ConsumerContext for Refused {}
