//! A Redis of the test's own, to be frozen, killed, emptied and given an old dump; and a wire to it
//! that can hang for one process alone.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::wait::until;

pub struct OwnRedis {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl OwnRedis {
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let redis = Self { process: Self::launch(port, folder.path()), port, folder };
        redis.until_it_answers().await;
        redis
    }

    fn launch(port: u16, folder: &Path) -> Child {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server: run `infra/local/install` once")
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    async fn ask(&self, command: &str) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd(command).query_async(&mut connection).await
    }

    async fn until_it_answers(&self) {
        until("redis-server answers", async || self.ask("PING").await.is_ok()).await;
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Hangs it: it keeps its connections and its memory, and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    pub async fn flush(&self) {
        self.ask("FLUSHALL").await.unwrap();
    }

    /// Writes what it holds to its dump.
    pub async fn save(&self) {
        self.ask("SAVE").await.unwrap();
    }

    /// Another process at the same place, which loads the dump if there is one.
    pub async fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = Self::launch(self.port, self.folder.path());
        self.until_it_answers().await;
    }

    /// A wire to it.
    pub async fn wire(&self) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        let (hangs, hanging) = watch::channel(false);
        let (mut tasks, port) = (JoinSet::new(), self.port);
        tasks.spawn(async move {
            let mut wires = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let hanging = hanging.clone();
                wires.spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    tokio::select! {
                        () = carry(near_in, far_out, hanging.clone()) => {}
                        () = carry(far_in, near_out, hanging) => {}
                    }
                });
            }
        });
        Wire { url, hangs, _tasks: tasks }
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection between one process and Redis.
pub struct Wire {
    pub url: String,
    hangs: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Wire {
    /// Nothing gets through, and nothing says so.
    pub fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut hanging: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut bytes).await {
        if read == 0 || hanging.wait_for(|hangs| !hangs).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
