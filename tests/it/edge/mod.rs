//! What is in front of the servers: a real nginx with the repository's own configuration.

mod configurations;
mod deadlines;
mod errors;
mod headers;
mod limits;

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::app::TestApp;

/// What the template leaves open: as in k8s/nginx.yaml, for clients with addresses of their own.
const LIMITS: &[(&str, &str)] = &[
    ("REQUESTS_PER_ADDRESS", "100"),
    ("SOCKETS_PER_ADDRESS", "1000"),
    ("UPLOADS_PER_ADDRESS", "4"),
];

/// A running nginx; ended when dropped.
pub struct Nginx {
    process: Child,
    folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where a test's server listens.
pub fn address_of(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").split('/').next().unwrap().parse().unwrap()
}

impl Nginx {
    /// The repository's configuration before these two servers.
    pub async fn before(servers: [SocketAddr; 2]) -> Self {
        Self::with(servers, LIMITS).await
    }

    /// The same with other words for what the template leaves open.
    pub async fn with(servers: [SocketAddr; 2], words: &[(&str, &str)]) -> Self {
        let port = free_port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path();
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/nginx/nginx.conf");
        let mut text = std::fs::read_to_string(template).unwrap();
        let [first, second] = servers.map(|server| server.to_string());
        let (data, listen) = (folder.display().to_string(), address.to_string());
        // Started by root, the workers would become nobody, who may not write there.
        let user = if folder_is_roots(folder) { "user root;" } else { "" };
        let own = [
            ("USER_LINE", user),
            ("DATA", &data),
            ("LISTEN", &listen),
            ("SERVER_A", &first),
            ("SERVER_B", &second),
        ];
        for (word, value) in own.iter().chain(words) {
            text = text.replace(&format!("@{word}@"), value);
        }
        let configuration = folder.join("nginx.conf");
        std::fs::write(&configuration, text).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        // Debian keeps it where an ordinary user's PATH does not look.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
        let process = Command::new("nginx")
            .env("PATH", path)
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx: infra/local/install");
        let mut nginx = Self { process, folder: kept, address };
        nginx.listens().await;
        nginx
    }

    async fn listens(&mut self) {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            assert!(
                self.process.try_wait().unwrap().is_none()
                    && started.elapsed() < crate::wait::LIMIT,
                "nginx does not listen: {}",
                self.log()
            );
            tokio::task::yield_now().await;
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same app, asked through it.
    pub fn app(&self, app: &TestApp) -> TestApp {
        app.at(self.url("/graphql"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed by -9, the master would leave its workers behind.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn folder_is_roots(folder: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).unwrap().uid() == 0
}

/// What a stopped process is to its clients: the kernel takes connections, nobody reads them.
pub struct Hung {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Hung {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// How many connections have come so far.
    pub fn connections(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}

/// A response as nginx gave it: status, headers by lower-case name, and its body.
pub struct Response {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub took: Duration,
}

impl Response {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// `extensions.code` of the first error.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends a request and reads the whole response.
pub async fn send(request: reqwest::RequestBuilder) -> Response {
    let started = Instant::now();
    let response = request.send().await.expect("a response");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    Response { status, headers, text, took: started.elapsed() }
}
