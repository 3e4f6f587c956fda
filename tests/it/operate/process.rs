//! The executable itself, with every role, on a test's databases, vhost, topics and keys.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use plaza::config::{Config, ShardUrls};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::app::TestApp;

/// A running `plaza all`; killed when dropped.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    /// Where its operators look: `http://127.0.0.1:1234`.
    pub admin: String,
    /// Its clients' endpoint, seen as a test's app.
    pub app: TestApp,
}

/// `postgres.shards` as the environment takes it.
pub fn shards(shards: &[ShardUrls]) -> String {
    let shards: Vec<String> = shards
        .iter()
        .map(|urls| {
            let replicas = urls.replicas.iter().map(ExposeSecret::expose_secret);
            std::iter::once(urls.primary.expose_secret())
                .chain(replicas)
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect();
    shards.join(",")
}

/// The same for a test's databases and another user of them, who has the owner's password.
pub fn shards_as(config: &Config, user: &str) -> String {
    shards(&config.postgres.shards).replace("//plaza:", &format!("//{user}:"))
}

/// What in the environment makes an executable work where the test does.
pub fn environment(config: &Config) -> Vec<(&'static str, String)> {
    vec![
        ("PLAZA_POSTGRES__SHARDS", shards(&config.postgres.shards)),
        ("PLAZA_POSTGRES__PRIMARY_POOL", "4".to_owned()),
        ("PLAZA_POSTGRES__REPLICA_POOL", "3".to_owned()),
        ("PLAZA_POSTGRES__CHECKOUT_TIMEOUT_MS", "10000".to_owned()),
        ("PLAZA_POSTGRES__QUERY_TIMEOUT_MS", "10000".to_owned()),
        ("PLAZA_REDIS__KEY_PREFIX", config.redis.key_prefix.clone()),
        ("PLAZA_REDIS__TIMEOUT_MS", config.redis.timeout_ms.to_string()),
        ("PLAZA_RABBITMQ__URL", config.rabbitmq.url.expose_secret().to_owned()),
        ("PLAZA_KAFKA__TOPIC_PREFIX", config.kafka.topic_prefix.clone()),
        ("PLAZA_AUTH__SIGNING_KEY_FILE", config.auth.signing_key_file.display().to_string()),
        ("PLAZA_MEDIA__FOLDER", config.media.folder.display().to_string()),
        ("PLAZA_AUTH__ARGON2_KIB", "64".to_owned()),
        ("PLAZA_SERVER__DEADLINE_MS", "15000".to_owned()),
        ("PLAZA_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
        ("PLAZA_ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
    ]
}

impl Process {
    /// Starts one and waits until it is ready and its replicas serve.
    pub async fn start(app: &TestApp, more: &[(&str, &str)]) -> Self {
        let replicas = app.app.config.postgres.shards.iter().map(|urls| urls.replicas.len()).sum();
        Self::start_with_replicas(app, more, replicas).await
    }

    /// The same where only so many of them can.
    pub async fn start_with_replicas(
        app: &TestApp,
        more: &[(&str, &str)],
        replicas: usize,
    ) -> Self {
        let mut process = Self::spawn(app, "all", more);
        app.until("both ports listen", async || {
            process.address("operators").is_some() && process.address("clients").is_some()
        })
        .await;
        process.admin = format!("http://{}", process.address("operators").unwrap());
        process.app = app.at(format!("http://{}/graphql", process.address("clients").unwrap()));
        app.until("it is ready and its replicas serve", async || {
            process.is_ready().await && process.serving_replicas().await == replicas
        })
        .await;
        process
    }

    /// Starts one role and waits until it is ready. A server has `clients` as its address.
    pub async fn start_role(app: &TestApp, role: &str, more: &[(&str, &str)]) -> Self {
        let mut process = Self::spawn(app, role, more);
        app.until("its port listens", async || process.address("operators").is_some()).await;
        process.admin = format!("http://{}", process.address("operators").unwrap());
        app.until("it is ready", async || process.is_ready().await).await;
        if let Some(clients) = process.address("clients") {
            process.app = app.at(format!("http://{clients}/graphql"));
        }
        process
    }

    async fn is_ready(&self) -> bool {
        self.figures().await.lines().any(|line| line == "plaza_ready 1")
    }

    async fn serving_replicas(&self) -> usize {
        let serves =
            |line: &&str| line.starts_with("plaza_replica_serving{") && line.ends_with(" 1");
        self.figures().await.lines().filter(serves).count()
    }

    fn spawn(app: &TestApp, role: &str, more: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_plaza"))
            .args(role.split(' '))
            .env("PLAZA_CONFIG", crate::app::config_file())
            .envs(environment(&app.app.config))
            .env("PLAZA_TELEMETRY__JSON", "true")
            // What the collector's client would take from the machine.
            .env("NO_PROXY", "127.0.0.1")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the executable");
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let mut said = BufReader::new(child.stderr.take().expect("its log")).lines();
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = said.next_line().await {
                let parsed = serde_json::from_str(&line)
                    .unwrap_or_else(|_| panic!("a line of the log is not JSON: {line}"));
                kept.lock().unwrap().push(parsed);
            }
        });
        Self { child, lines, admin: String::new(), app: app.at(String::new()) }
    }

    /// Starts one role alone, which has no ports that anybody waits for.
    pub fn of_role(app: &TestApp, role: &str) -> Self {
        Self::spawn(app, role, &[])
    }

    /// Starts a supervisor of these shards, and waits until it has seen their primaries.
    pub async fn supervisor(app: &TestApp, of: &[ShardUrls]) -> Self {
        let watched = [("PLAZA_POSTGRES__SHARDS", shards(of))];
        let watched = watched.each_ref().map(|(name, value)| (*name, value.as_str()));
        let process = Self::start_role(app, "failover watch", &watched).await;
        let seen = async || process.says("has a primary") == of.len();
        app.until("it has seen the primaries", seen).await;
        process
    }

    /// How often it has logged this.
    pub fn says(&self, message: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line["message"] == message).count()
    }

    /// Stops it where it is: its kernel goes on answering for it.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on where it was stopped.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let status = std::process::Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    }

    fn address(&self, what: &str) -> Option<String> {
        let lines = self.lines.lock().unwrap();
        let line =
            lines.iter().find(|line| line["message"] == "listening" && line["what"] == what)?;
        Some(line["address"].as_str().unwrap().to_owned())
    }

    /// The most memory it has ever had, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// What it has logged.
    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    /// What it gives at `/metrics`.
    pub async fn figures(&self) -> String {
        self.get("/metrics").await
    }

    pub async fn get(&self, path: &str) -> String {
        let answer = self
            .app
            .http()
            .get(format!("{}{path}", self.admin))
            .send()
            .await
            .expect("the admin port");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer.text().await.unwrap()
    }

    /// Kills it, and waits until its port is free again.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Asks it to end, and waits.
    pub async fn end(mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success(), "{:#?}", self.lines());
    }
}
