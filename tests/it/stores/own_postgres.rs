//! A shard of the test's own, a primary and two replicas, to be stopped, crashed, frozen and failed
//! over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plaza::config::{Config, ShardUrls};
use plaza::stores::postgres::migrations;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::template::session;
use crate::wait::until;

/// Every instance's: small, without what makes a disk slow, and quick to notice.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 16MB
max_connections = 60
fsync = off
wal_level = replica
hot_standby_feedback = on
wal_receiver_status_interval = 1s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
synchronous_standby_names = 'ANY 1 (r1, r2)'
";

/// A primary (0) and its replicas (1 and 2), as they begin.
pub struct OwnShard {
    folder: TempDir,
    bin: PathBuf,
    ports: [u16; 3],
}

/// The newest PostgreSQL of the distribution.
fn newest_bin() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL");
    let version = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or_default()
    };
    let newest = found.map(|entry| entry.unwrap().path()).max_by_key(version);
    newest.expect("a version").join("bin")
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// As whom a server runs: it refuses root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

impl OwnShard {
    /// Starts one whose commits wait for one of the two replicas, with an empty database.
    pub async fn start() -> Self {
        let mut ports = [0; 3];
        for port in &mut ports {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            *port = listener.local_addr().unwrap().port();
        }
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap();
            assert!(owned.success());
        }
        let shard = Self { folder, bin: newest_bin(), ports };
        shard.make_primary().await;
        shard.copy_primary(0, 1).await;
        shard.copy_primary(0, 2).await;
        shard.until_replicas(0, 2).await;
        let create = "CREATE DATABASE plaza";
        session(&shard.url(0, "postgres")).await.batch_execute(create).await.unwrap();
        shard
    }

    /// Starts one and makes it the first shard of a configuration.
    pub fn start_as_first_of(config: &mut Config) -> Self {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let shard = Self::start().await;
                config.postgres.shards[0] = shard.urls();
                migrations::migrate(&config.postgres.shards[0].primary).await.unwrap();
                migrations::ensure_map(&config.postgres).await.unwrap();
                shard
            })
        })
    }

    async fn make_primary(&self) {
        let data = self.data(0);
        self.run("initdb", &["-D", &data, "--username=postgres", "--auth=trust", "-N"]);
        self.configure(0, SETTINGS);
        self.begin(0).await;
        // No commit ends before there is a replica.
        let slots = "SET synchronous_commit = local;
            SELECT pg_create_physical_replication_slot('r1', true);
            SELECT pg_create_physical_replication_slot('r2', true)";
        session(&self.url(0, "postgres")).await.batch_execute(slots).await.unwrap();
    }

    /// Makes `to` a replica of `from`, whatever it was.
    pub async fn copy_primary(&self, from: usize, to: usize) {
        let (data, port, slot) = (self.data(to), self.ports[from].to_string(), format!("r{to}"));
        let _ = std::fs::remove_dir_all(&data);
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-D", &data];
        let more = ["-X", "stream", "-S", &slot, "-c", "fast", "--no-sync"];
        self.run("pg_basebackup", &[arguments.as_slice(), more.as_slice()].concat());
        let conninfo = format!(
            "primary_conninfo = 'host=127.0.0.1 port={port} user=postgres application_name={slot}'\nprimary_slot_name = '{slot}'\n"
        );
        // What was changed by ALTER SYSTEM is the copied server's own.
        self.run_shell(&format!(": > {data}/postgresql.auto.conf"));
        self.configure(to, &conninfo);
        self.run_shell(&format!("touch {data}/standby.signal"));
        self.begin(to).await;
    }

    fn configure(&self, server: usize, settings: &str) {
        let file = format!("{}/postgresql.conf", self.data(server));
        let settings = format!("{settings}port = {}\n", self.ports[server]);
        let text = std::fs::read_to_string(&file).unwrap() + &settings;
        std::fs::write(&file, text).unwrap();
    }

    /// Starts a server, and waits until it answers.
    pub async fn begin(&self, server: usize) {
        let data = self.data(server);
        let log = format!("{data}.log");
        self.run("pg_ctl", &["-D", &data, "-l", &log, "-W", "start"]);
        until("a server of the test's own answers", async || self.answers(server).await).await;
    }

    /// Whether a server answers.
    pub async fn answers(&self, server: usize) -> bool {
        tokio_postgres::connect(self.url(server, "postgres").expose_secret(), tokio_postgres::NoTls)
            .await
            .is_ok()
    }

    /// Ends a server at once, as its crash would.
    pub fn crash(&self, server: usize) {
        self.run("pg_ctl", &["-D", &self.data(server), "-m", "immediate", "-w", "stop"]);
    }

    /// Hangs a server, or lets it go on.
    pub fn freeze(&self, server: usize, frozen: bool) {
        let signal = if frozen { "STOP" } else { "CONT" };
        let pid = format!("$(head -1 {}/postmaster.pid)", self.data(server));
        self.run_shell(&format!("kill -{signal} {pid} $(pgrep -P {pid})"));
    }

    /// Waits until so many replicas stream from a server.
    pub async fn until_replicas(&self, server: usize, replicas: i64) {
        let query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        let streaming = async || self.number(server, query).await == Some(replicas);
        until("replicas of the test's own stream", streaming).await;
    }

    /// A number that a server says; `None` where it says none.
    pub async fn number(&self, server: usize, query: &str) -> Option<i64> {
        let url = self.url(server, "plaza");
        let url = if self.is_there(&url).await { url } else { self.url(server, "postgres") };
        let client = session(&url).await;
        client.query_one(query, &[]).await.ok()?.try_get(0).ok()
    }

    async fn is_there(&self, url: &SecretString) -> bool {
        tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls).await.is_ok()
    }

    fn url(&self, server: usize, database: &str) -> SecretString {
        format!("postgres://postgres:none@127.0.0.1:{}/{database}", self.ports[server]).into()
    }

    /// As a configuration has it.
    pub fn urls(&self) -> ShardUrls {
        let replicas = vec![self.url(1, "plaza"), self.url(2, "plaza")];
        ShardUrls { primary: self.url(0, "plaza"), replicas }
    }

    fn data(&self, server: usize) -> String {
        self.folder.path().join(format!("r{server}")).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = as_postgres(&self.bin.join(program));
        let output = command.args(arguments).current_dir("/").stdin(Stdio::null());
        // A server that begins keeps what it inherits.
        let status = output.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
    }

    fn run_shell(&self, commands: &str) {
        let mut shell = as_postgres(Path::new("/bin/sh"));
        assert!(shell.args(["-c", commands]).status().unwrap().success(), "{commands}");
    }
}

impl Drop for OwnShard {
    fn drop(&mut self) {
        for server in 0..self.ports.len() {
            let data = self.data(server);
            let _ = as_postgres(&self.bin.join("pg_ctl"))
                .args(["-D", &data, "-m", "immediate", "stop"])
                .current_dir("/")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}
