//! Many idle subscriptions on one server: what each costs in memory, and how soon a post by
//! somebody they all follow has reached the last.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::ports::at;
use crate::report::Latencies;
use crate::session::Session;
use crate::watching::{POST, Watched, author_and_followers, posted};

const WATCH: &str = "subscription { homeUpdated { cursor node { id text author { handle } } } }";

/// How many sockets, and where.
#[derive(Debug, Args)]
pub struct SocketArguments {
    /// Sockets, each with one subscription; shared out among the followers of the most followed
    /// person.
    #[arg(long, default_value_t = 5_000)]
    sockets: usize,
    /// The server's own address, not nginx's: its memory is what is measured. This clone's first
    /// server when left out.
    #[arg(long)]
    socket_url: Option<String>,
    /// The file of that server's process in the run folder.
    #[arg(long, default_value = "server-1")]
    process: String,
    /// The process id of `stock-subscriptions` at `--url` and `--socket-url`: it is measured
    /// instead of a server of plaza's.
    #[arg(long)]
    stock: Option<u32>,
    /// Posts, one after the other.
    #[arg(long, default_value_t = 3)]
    posts: usize,
}

/// Resident memory of the server, in bytes.
fn resident(run_dir: &Path, arguments: &SocketArguments) -> anyhow::Result<u64> {
    let pid = match arguments.stock {
        Some(pid) => pid.to_string(),
        None => {
            let process = &arguments.process;
            let text = std::fs::read_to_string(run_dir.join(process))
                .with_context(|| format!("{process} is not running"))?;
            text.lines().find_map(|line| line.strip_prefix("pid=")).context("no pid")?.to_owned()
        }
    };
    let status = std::fs::read_to_string(PathBuf::from("/proc").join(pid).join("status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmRSS")?.trim().parse::<u64>()? * 1_024)
}

/// When each post arrived at a socket.
type Arrivals = mpsc::Receiver<(i64, Instant)>;

/// Subscribes, and hands on the time at which each post came.
async fn watch(
    url: &str,
    token: Option<&str>,
    open: &AtomicUsize,
    told: &mpsc::Sender<(i64, Instant)>,
) -> anyhow::Result<()> {
    let mut watched = Watched::open(url, token, || json!({ "query": WATCH })).await?;
    open.fetch_add(1, Ordering::Relaxed);
    loop {
        let (id, _) = watched.post().await?;
        told.send((id, Instant::now())).await?;
    }
}

/// The author's token and the watchers' tokens. A stock service has no users: nobody logs in there.
async fn tokens(
    session: &Session,
    arguments: &SocketArguments,
) -> anyhow::Result<(Option<String>, Vec<Option<String>>)> {
    if arguments.stock.is_some() {
        return Ok((None, vec![None]));
    }
    let (author, followers) =
        author_and_followers(&session.client, &session.truth, &session.password).await?;
    Ok((Some(author.token), followers.into_iter().map(|person| Some(person.token)).collect()))
}

/// How many sockets are open and how many failed, and how long it took to open them.
struct Opened {
    open: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    took: Duration,
}

/// Opens all sockets and waits until each is open or has failed.
async fn open_all(
    arguments: &SocketArguments,
    watchers: &[Option<String>],
) -> anyhow::Result<(Opened, Arrivals)> {
    let (told, heard) = mpsc::channel(1_024);
    let (open, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let own = || format!("ws://127.0.0.1:{}/graphql", at(4_101));
    let url = Arc::new(arguments.socket_url.clone().unwrap_or_else(own));
    let began = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for (number, token) in (0..arguments.sockets).zip(watchers.iter().cycle()) {
        // 2,000 a second: faster, and connections are lost in the kernel's queue before any server
        // has seen them.
        if number % 100 == 0 {
            pace.tick().await;
        }
        let (url, token, told) = (Arc::clone(&url), token.clone(), told.clone());
        let (open, failed) = (Arc::clone(&open), Arc::clone(&failed));
        #[expect(clippy::disallowed_methods, reason = "lives as long as the run")]
        tokio::spawn(async move {
            if let Err(error) = watch(&url, token.as_deref(), &open, &told).await {
                failed.fetch_add(1, Ordering::Relaxed);
                let _ = writeln!(std::io::stderr(), "a socket: {error:#}");
            }
        });
    }
    while open.load(Ordering::Relaxed) + failed.load(Ordering::Relaxed) < arguments.sockets {
        anyhow::ensure!(
            began.elapsed() < Duration::from_secs(300),
            "{} sockets are open after 300 s",
            open.load(Ordering::Relaxed)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((Opened { open, failed, took: began.elapsed() }, heard))
}

/// A post, and how soon it arrived at each of so many sockets.
async fn arrivals(
    client: &Client,
    author: Option<&str>,
    heard: &mut Arrivals,
    count: usize,
) -> anyhow::Result<Latencies> {
    let started = Instant::now();
    let data = client.send(author, POST, json!({ "text": "To everyone who is watching" })).await?;
    let post = posted(&data).with_context(|| format!("no post: {data}"))?;
    let mut arrivals = Latencies::default();
    while arrivals.succeeded() < count {
        let next = tokio::time::timeout(Duration::from_secs(60), heard.recv()).await;
        let (id, came) = next
            .with_context(|| format!("{} of {count} arrived", arrivals.succeeded()))?
            .context("no socket is left")?;
        if id == post {
            arrivals.record(came.duration_since(started));
        }
    }
    Ok(arrivals)
}

/// The verb.
///
/// # Errors
/// The servers'; a socket that closes.
pub async fn run(session: &Session, arguments: &SocketArguments) -> anyhow::Result<bool> {
    let (author, watchers) = tokens(session, arguments).await?;
    let resident = || resident(&session.run_dir, arguments);
    let before = resident()?;
    let (opened, mut heard) = open_all(arguments, &watchers).await?;
    // Subscriptions begin after their acknowledgement; then the server is given the time to be
    // idle.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let held = resident()?.saturating_sub(before);
    let count = opened.open.load(Ordering::Relaxed).max(1);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "sockets: {count} open after {:.1} s, failed {}; server memory {} MB more: {} bytes a socket",
        opened.took.as_secs_f64(),
        opened.failed.load(Ordering::Relaxed),
        held / 1_048_576,
        held / u64::try_from(count)?
    )?;
    for _ in 0..arguments.posts {
        let arrivals = arrivals(&session.client, author.as_deref(), &mut heard, count).await?;
        let [p50, p99, last] = [0.5, 0.99, 1.0].map(|share| arrivals.quantile(share).as_millis());
        writeln!(out, "post: arrived at all {count}: p50 {p50} ms, p99 {p99} ms, last {last} ms")?;
    }
    Ok(opened.failed.load(Ordering::Relaxed) == 0)
}
