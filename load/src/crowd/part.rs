//! A generator: one process's share of the sockets.

use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use plaza::clock::Clock;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpSocket;
use tokio::sync::Mutex;

use crate::patience::again;
use crate::people::Signer;
use crate::watching::Watched;

const WATCH: &str = "subscription { homeUpdated { cursor node { id } } }";
/// How often a socket is opened before it counts as failed, as clients of the protocol do; and how
/// long one waits after the first.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How long a question for arrivals waits for the last of them.
const LAST_ARRIVAL: Duration = Duration::from_secs(60);

/// Its share.
#[derive(Debug, Args)]
pub struct PartArguments {
    /// A server's own address.
    #[arg(long)]
    socket_url: String,
    /// The loopback address to speak from.
    #[arg(long)]
    source: IpAddr,
    /// Sockets.
    #[arg(long)]
    count: usize,
    /// Opened a second.
    #[arg(long)]
    pace: usize,
    /// A file with an id a line: who watches.
    #[arg(long)]
    people: PathBuf,
}

/// What a generator tells.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// Sockets open.
    pub open: usize,
    /// Openings that failed and were tried again.
    pub again: usize,
    /// Sockets closed since they were open.
    pub dropped: usize,
    /// Unix milliseconds at which the post that was asked for arrived, socket by socket.
    pub arrivals: Vec<i64>,
}

#[derive(Debug, Default)]
struct Seen {
    open: AtomicUsize,
    failed: AtomicUsize,
    again: AtomicUsize,
    dropped: AtomicUsize,
    arrivals: Mutex<HashMap<i64, Vec<i64>>>,
}

async fn open(
    url: &str,
    server: SocketAddr,
    source: IpAddr,
    token: &str,
) -> anyhow::Result<Watched> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    let stream = socket.connect(server).await?;
    Watched::over(stream, url, Some(token), || json!({ "query": WATCH })).await
}

async fn watch(
    url: &str,
    server: SocketAddr,
    source: IpAddr,
    token: &str,
    seen: &Seen,
) -> anyhow::Result<()> {
    let pause = |earlier| {
        seen.again.fetch_add(1, Ordering::Relaxed);
        PAUSE * (earlier + 1)
    };
    let mut watched = again(TRIES, || open(url, server, source, token), pause).await?;
    seen.open.fetch_add(1, Ordering::Relaxed);
    loop {
        match watched.post().await {
            Ok((post, _)) => {
                let now = Clock::System.now_ms();
                seen.arrivals.lock().await.entry(post).or_default().push(now);
            }
            Err(_) => {
                seen.dropped.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
}

fn tell(told: &Told) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, told)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// The verb: opens, tells, answers `arrivals POST` and `dropped`, ends with its standard input.
///
/// # Errors
/// An address that is none.
pub async fn run(config: &Path, arguments: &PartArguments) -> anyhow::Result<()> {
    let signer = Signer::new(config)?;
    let text = std::fs::read_to_string(&arguments.people)?;
    let people: Vec<i64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    // Each generator begins at another person.
    let skip = usize::from(
        arguments
            .source
            .to_string()
            .rsplit('.')
            .next()
            .and_then(|last| last.parse::<u8>().ok())
            .unwrap_or_default(),
    );
    let begin = skip.saturating_sub(2) * arguments.count % people.len().max(1);
    let authority =
        arguments.socket_url.trim_start_matches("ws://").split('/').next().unwrap_or_default();
    let server: SocketAddr = authority.parse()?;
    let seen = Arc::new(Seen::default());
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let at_once = (arguments.pace / 20).max(1);
    for (number, person) in people.iter().cycle().skip(begin).take(arguments.count).enumerate() {
        if number % at_once == 0 {
            pace.tick().await;
        }
        let (token, url, seen, source) = (
            signer.token(*person)?,
            arguments.socket_url.clone(),
            Arc::clone(&seen),
            arguments.source,
        );
        #[expect(clippy::disallowed_methods, reason = "lives as long as the run")]
        tokio::spawn(async move {
            if let Err(error) = watch(&url, server, source, &token, &seen).await
                && seen.failed.fetch_add(1, Ordering::Relaxed) < 3
            {
                let _ = writeln!(std::io::stderr(), "a socket: {error:#}");
            }
        });
    }
    while seen.open.load(Ordering::Relaxed) + seen.failed.load(Ordering::Relaxed) < arguments.count
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let open = seen.open.load(Ordering::Relaxed);
    tell(&Told { open, again: seen.again.load(Ordering::Relaxed), ..Told::default() })?;
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    while let Some(question) = questions.next_line().await? {
        let dropped = seen.dropped.load(Ordering::Relaxed);
        let mut told = Told { open: open.saturating_sub(dropped), dropped, ..Told::default() };
        if let Some(post) = question.strip_prefix("arrivals ") {
            let (post, asked): (i64, _) = (post.parse()?, tokio::time::Instant::now());
            loop {
                let came = seen.arrivals.lock().await.get(&post).map_or(0, Vec::len);
                if came >= open.saturating_sub(seen.dropped.load(Ordering::Relaxed))
                    || asked.elapsed() > LAST_ARRIVAL
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            told.arrivals = seen.arrivals.lock().await.remove(&post).unwrap_or_default();
        }
        tell(&told)?;
    }
    Ok(())
}
