//! A whole plaza for one test: built by `app.rs` like any process, on databases, a vhost, topics
//! and keys that nobody else uses.

mod ask;
mod database;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use plaza::config::{Config, ShardUrls};
use plaza::domain::identity::generate_key_file;
use plaza::http::{connections, public_router};
use plaza::stores::kafka::topology;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio_postgres::NoTls;

pub use ask::{Answer, Person};

use crate::wait;
use database::Database;

pub struct TestApp {
    pub app: App,
    pub url: String,
    http: reqwest::Client,
    name: String,
    database: String,
    base: Config,
    /// Consistency tokens of what set the scene: every answer to come lies after it.
    seen: Arc<std::sync::Mutex<Vec<String>>>,
    /// Its signing key and its media.
    folder: Arc<TempDir>,
}

/// The servers' configuration.
pub fn config_file() -> PathBuf {
    std::env::var("PLAZA_CONFIG").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".local/plaza.toml"),
        PathBuf::from,
    )
}

/// The servers' configuration, for a process of the tests.
pub fn base_config() -> Config {
    let mut config = Config::load(Some(&config_file()))
        .expect("the servers' configuration: run `infra/local/up servers`");
    // As `make up` has it: tests look at the schema and at explanations.
    config.server.development = true;
    config
}

/// The same server, another database.
pub fn in_database(url: &SecretString, database: &str) -> SecretString {
    let url = url.expose_secret();
    let server = url.rsplit_once('/').expect("a database in the URL").0;
    format!("{server}/{database}").into()
}

async fn sql(url: &SecretString, statements: &str) {
    let (client, connection) =
        tokio_postgres::connect(url.expose_secret(), NoTls).await.expect("a primary");
    let driver = tokio::task::spawn(connection);
    for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
        client
            .batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    drop(client);
    let _ = driver.await;
}

/// The same servers, another database.
pub fn with_database(base: &Config, database: &str) -> Config {
    let mut config = base.clone();
    for urls in &mut config.postgres.shards {
        *urls = ShardUrls {
            primary: in_database(&urls.primary, database),
            replicas: urls.replicas.iter().map(|url| in_database(url, database)).collect(),
        };
    }
    config
}

/// What the components say during the tests goes into one file, to be read when one has failed.
fn keep_log() {
    static LOG: std::sync::Once = std::sync::Once::new();
    LOG.call_once(|| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".local/log/tests");
        let Ok(file) = std::fs::OpenOptions::new().create(true).append(true).open(path) else {
            return;
        };
        let filter = tracing_subscriber::EnvFilter::new("warn,plaza=info");
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(file))
            .try_init();
    });
}

/// Runs a test on a plaza of its own, and takes everything away afterwards, also when the test
/// fails.
pub async fn with_app(test: impl AsyncFnOnce(&TestApp)) {
    with_config(|_| {}, test).await;
}

/// The same with a changed configuration.
pub async fn with_config(change: impl FnOnce(&mut Config), test: impl AsyncFnOnce(&TestApp)) {
    with_roles_and_config(&Role::ALL, change, test).await;
}

/// The same with a server alone, for what needs no relay, worker or projector.
pub async fn with_server(test: impl AsyncFnOnce(&TestApp)) {
    with_roles(&[Role::Server], test).await;
}

/// The same with some of the roles.
pub async fn with_roles(roles: &[Role], test: impl AsyncFnOnce(&TestApp)) {
    with_roles_and_config(roles, |_| {}, test).await;
}

/// Both.
pub async fn with_roles_and_config(
    roles: &[Role],
    change: impl FnOnce(&mut Config),
    test: impl AsyncFnOnce(&TestApp),
) {
    run(Box::pin(TestApp::start(change, roles)).await, test).await;
}

/// Serves the public routes on a port of their own; where.
async fn serve(app: &App) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/graphql", listener.local_addr().expect("an address"));
    let (router, stop, tasks) = (public_router(app), app.tasks.stopping(), app.tasks.clone());
    app.tasks.spawn("server", async move {
        connections::serve(listener, router, &tasks, stop.cancelled()).await;
        Ok(())
    });
    app.tasks.set_ready();
    url
}

async fn run((app, database): (TestApp, Database), test: impl AsyncFnOnce(&TestApp)) {
    let outcome = AssertUnwindSafe(Box::pin(test(&app))).catch_unwind().await;
    let drained = app.stop().await;
    if let Err(panic) = outcome {
        Box::pin(database.drop_it()).await;
        std::panic::resume_unwind(panic);
    }
    Box::pin(database.give_back()).await;
    drained.expect("every component drains");
}

impl TestApp {
    async fn start(change: impl FnOnce(&mut Config), roles: &[Role]) -> (Self, Database) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let base = base_config();
        keep_log();
        let database = Box::pin(Database::take(&base)).await;
        let name = format!("t_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        // A server closes a connection that has been idle for 40 s, maybe while a request is on
        // its way.
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(20))
            .build()
            .expect("an HTTP client");

        let mut config = with_database(&base, &database.name);
        config.postgres.primary_pool = 4;
        config.postgres.replica_pool = 3;
        // Many tests share the machine: what is slow here is not what is tested.
        config.postgres.checkout_timeout_ms = 10_000;
        config.postgres.query_timeout_ms = 10_000;
        config.server.deadline_ms = 30_000;
        config.redis.key_prefix.clone_from(&name);
        // Beside every other test Redis may be slow; a server that takes it for away is tested
        // where it is away.
        config.redis.timeout_ms = 5_000;
        config.redis.trust_ms = 20_000;
        config.kafka.topic_prefix.clone_from(&name);
        config.kafka.partitions = 2;
        config.rabbitmq.retry_delays_ms = vec![50, 100];
        let broker =
            config.rabbitmq.url.expose_secret().rsplit_once('/').expect("a vhost").0.to_owned();
        config.rabbitmq.url = format!("{broker}/{name}").into();
        config.auth.argon2_kib = 64;
        // The longest test takes more than ten minutes of a machine that is at other work too.
        config.auth.access_ttl_s = 3_600;
        config.limits.socket_init_ms = 5_000;
        config.telemetry.prometheus_url = None;
        // All who sign up in a test are at one address.
        config.limits.address_sign_ups = 10_000;
        let folder = tempfile::tempdir().expect("a folder");
        config.auth.signing_key_file = folder.path().join("key.pem");
        generate_key_file(&config.auth.signing_key_file).expect("a key file");
        config.media.folder = folder.path().join("media");
        change(&mut config);

        let vhost = management(&base, &format!("/api/vhosts/{name}"));
        let made = http.put(vhost).send().await.expect("RabbitMQ's management");
        assert!(made.status().is_success(), "{made:?}");
        topology::ensure_topics(&config.kafka).await.expect("topics");
        let app = App::build(config, Clock::System).await.expect("an app");
        for role in roles {
            start_without_ports(&app, *role);
        }
        let url = serve(&app).await;
        // The first connections: beside other tests they may take longer than a test allows later.
        let list = wait::holds(async || app.domain.pull_authors.refresh(&app.domain).await.is_ok());
        assert!(list.await, "the list of pulled authors");
        let (seen, folder) = (Arc::default(), Arc::new(folder));
        let used = database.name.clone();
        let app = Self { app, url, http, name, database: used, base, seen, folder };
        if !roles.contains(&Role::Server) {
            return (app, database);
        }
        app.until("the replicas serve", async || {
            let cluster = &app.app.domain.cluster;
            let serve = cluster.indexes().all(|index| {
                cluster.shard(index).unwrap().replica_states().all(|(_, state)| state.snapshot().2)
            });
            let redis = &app.app.domain.redis;
            serve && (redis.is_trusted() || !redis.state().0)
        })
        .await;
        (app, database)
    }

    /// The same app, asked elsewhere: by a process that works on the same servers.
    pub fn at(&self, url: String) -> Self {
        Self {
            app: self.app.clone(),
            url,
            http: self.http.clone(),
            name: self.name.clone(),
            database: self.database.clone(),
            base: self.base.clone(),
            seen: Arc::clone(&self.seen),
            folder: Arc::clone(&self.folder),
        }
    }

    /// Runs something beside another server, which shares everything but memory with the first; its
    /// URL is handed on.
    pub async fn beside_another_server(&self, test: impl AsyncFnOnce(&str)) {
        self.beside_another_server_with(|_| {}, test).await;
    }

    /// The same with a changed configuration.
    pub async fn beside_another_server_with(
        &self,
        change: impl FnOnce(&mut Config),
        test: impl AsyncFnOnce(&str),
    ) {
        let mut config = self.app.config.as_ref().clone();
        change(&mut config);
        let other = App::build(config, Clock::System).await.expect("an app");
        start_without_ports(&other, Role::Server);
        let url = serve(&other).await;
        let outcome = AssertUnwindSafe(test(&url)).catch_unwind().await;
        let drained = other.tasks.clone().drain().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        drained.expect("every component drains");
    }

    /// Ends what runs, and takes the vhost and the topics away; why a component did not end.
    async fn stop(self) -> anyhow::Result<()> {
        let drained = self.app.tasks.clone().drain().await;
        let _ = self
            .http
            .delete(management(&self.base, &format!("/api/vhosts/{}", self.name)))
            .send()
            .await;
        if let Ok(admin) = topology::admin(&self.app.config.kafka) {
            let names: Vec<String> = plaza::protocol::routing::Topic::ALL
                .iter()
                .map(|topic| topology::full_name(&self.app.config.kafka.topic_prefix, topic.name()))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = admin.delete_topics(&names, &rdkafka::admin::AdminOptions::new()).await;
        }
        drained
    }

    /// What its database is called on every primary.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Waits until a condition holds.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        if wait::holds(condition).await {
            return;
        }
        let unsent = self.count("SELECT count(*) FROM outbox WHERE sent_at IS NULL").await;
        let read = self
            .count("SELECT coalesce(sum(next_offset), 0)::bigint FROM projection_offsets")
            .await;
        panic!(
            "not within {} s: {what} (unsent: {unsent}, events read: {read}, database {})",
            wait::LIMIT.as_secs(),
            self.database
        );
    }

    /// A number from every primary, added up.
    pub async fn count(&self, query: &str) -> i64 {
        let mut sum = 0;
        for urls in &self.app.config.postgres.shards {
            let (client, connection) = tokio_postgres::connect(urls.primary.expose_secret(), NoTls)
                .await
                .expect("a primary");
            tokio::task::spawn(connection);
            sum += client.query_one(query, &[]).await.expect("a number").get::<_, i64>(0);
        }
        sum
    }

    /// Statements on every primary, for what no operation of plaza's does.
    pub async fn execute(&self, statements: &str) {
        for urls in &self.app.config.postgres.shards {
            sql(&urls.primary, statements).await;
        }
    }
}

fn management(base: &Config, path: &str) -> String {
    format!(
        "{}{path}",
        base.rabbitmq.management_url.as_ref().expect("rabbitmq.management_url").expose_secret()
    )
}
