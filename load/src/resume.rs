//! Subscriptions through nginx while a server is killed: what every client has got at the end,
//! against what was posted.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use serde_json::json;

use crate::client::Client;
use crate::faults;
use crate::people::LoggedIn;
use crate::session::Session;
use crate::watching::{POST, Watched, author_and_followers, posted};

const WATCH: &str =
    "subscription($after: String) { homeUpdated(after: $after) { cursor node { id } } }";

/// How many clients, how many posts.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// Clients that watch, shared out among the followers of the most followed person.
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// Mutations, ten a second; each is sent again with its key until it is answered.
    #[arg(long, default_value_t = 100)]
    posts: usize,
    /// The server that is killed after a third of them, and started again after two thirds.
    #[arg(long, default_value = "server-1")]
    victim: String,
}

/// How often each post came to one client, and how often it had to connect.
#[derive(Debug, Default)]
struct Seen {
    posts: BTreeMap<i64, usize>,
    cursor: Option<String>,
    connects: usize,
    began: bool,
}

/// Watches for ever; whenever the socket goes, it comes back with the last cursor.
async fn watch(url: &str, person: LoggedIn, seen: Arc<Mutex<Seen>>) {
    loop {
        let _gone = watch_once(url, &person, &seen).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn watch_once(url: &str, person: &LoggedIn, seen: &Mutex<Seen>) -> anyhow::Result<()> {
    let begin = || {
        let mut seen = seen.lock();
        (seen.connects, seen.began) = (seen.connects + 1, true);
        json!({ "query": WATCH, "variables": { "after": seen.cursor } })
    };
    let mut watched = Watched::open(url, Some(&person.token), begin).await?;
    loop {
        let (id, cursor) = watched.post().await?;
        let mut seen = seen.lock();
        *seen.posts.entry(id).or_default() += 1;
        seen.cursor = cursor;
    }
}

/// Posts until it is answered: its id, and how often it was sent.
///
/// # Errors
/// No answer to a hundred attempts; a second post under one key.
pub async fn post(
    client: &Client,
    author: &LoggedIn,
    number: usize,
) -> anyhow::Result<(i64, usize)> {
    let key = format!("resume-{number}-{}", rand::random::<u64>());
    for sent in 1..=100 {
        if let Ok(data) = client
            .send_keyed(
                Some(&author.token),
                Some(&key),
                POST,
                json!({ "text": format!("number {number}") }),
            )
            .await
            && let Some(id) = posted(&data)
        {
            // Sent once more on purpose, every fifth: a client that lost the answer.
            if number.is_multiple_of(5) {
                let again = client
                    .send_keyed(
                        Some(&author.token),
                        Some(&key),
                        POST,
                        json!({ "text": format!("number {number}") }),
                    )
                    .await?;
                anyhow::ensure!(
                    posted(&again) == Some(id),
                    "the same key made another post: {again}"
                );
            }
            return Ok((id, sent));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("post {number} was never answered")
}

/// Clients that watch the homes of some people until they are dropped.
#[derive(Debug)]
pub struct Watchers {
    clients: Vec<Arc<Mutex<Seen>>>,
    tasks: tokio::task::JoinSet<()>,
}

/// What of the posts did not come as it must.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Posts that did not come to a client, of all of both.
    pub missed: usize,
    /// Posts that came to a client more than once.
    pub doubled: usize,
    /// How often the clients connected.
    pub connects: usize,
}

impl Watchers {
    /// Begins so many, shared out among the people, and waits until each has subscribed.
    ///
    /// # Errors
    /// Somebody who could not for two minutes.
    pub async fn begin(url: &str, people: &[LoggedIn], count: usize) -> anyhow::Result<Self> {
        let url = url.replacen("http", "ws", 1);
        let mut watchers = Self { clients: Vec::new(), tasks: tokio::task::JoinSet::new() };
        for person in people.iter().cycle().take(count) {
            let seen = Arc::<Mutex<Seen>>::default();
            watchers.clients.push(Arc::clone(&seen));
            let (url, person) = (url.clone(), person.clone());
            watchers.tasks.spawn(async move { watch(&url, person, seen).await });
        }
        let began = Instant::now();
        while watchers.clients.iter().any(|seen| !seen.lock().began) {
            anyhow::ensure!(
                began.elapsed() < Duration::from_secs(120),
                "not everybody could connect"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(watchers)
    }

    /// Waits until everybody has every post, or for so long.
    pub async fn settle(&self, posts: &[i64], most: Duration) {
        let began = Instant::now();
        let lacks = || {
            self.clients
                .iter()
                .any(|seen| posts.iter().any(|id| !seen.lock().posts.contains_key(id)))
        };
        while began.elapsed() < most && lacks() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What came to everybody, against what was posted.
    pub fn tally(&self, posts: &[i64]) -> Tally {
        self.clients.iter().fold(Tally::default(), |tally, seen| {
            let seen = seen.lock();
            Tally {
                missed: tally.missed
                    + posts.iter().filter(|id| !seen.posts.contains_key(id)).count(),
                doubled: tally.doubled + seen.posts.values().filter(|count| **count > 1).count(),
                connects: tally.connects + seen.connects,
            }
        })
    }
}

/// The verb.
///
/// # Errors
/// The servers'; a post that is never answered.
pub async fn run(session: &Session, arguments: &ResumeArguments) -> anyhow::Result<bool> {
    let Session { client, truth, run_dir, password, .. } = session;
    let (author, people) = author_and_followers(client, truth, password).await?;
    let author = &author;
    let watchers = Watchers::begin(client.url(), &people, arguments.clients).await?;
    // The first post gives everybody a cursor to come back with.
    let first = post(client, author, 0).await?;
    watchers.settle(&[first.0], Duration::from_secs(30)).await;
    let mut posted = vec![first];
    let sending = stream::iter(1..arguments.posts).then(|number| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if number == arguments.posts / 3 {
            faults::kill(run_dir, &arguments.victim)?;
        }
        if number == arguments.posts * 2 / 3 {
            faults::up(&arguments.victim).await?;
        }
        post(client, author, number).await
    });
    futures_util::pin_mut!(sending);
    while let Some(done) = sending.next().await {
        posted.push(done?);
    }
    let (ids, sent): (Vec<i64>, Vec<usize>) = posted.into_iter().unzip();
    watchers.settle(&ids, Duration::from_secs(60)).await;
    let Tally { missed, doubled, connects } = watchers.tally(&ids);
    let resent: usize = sent.iter().map(|sent| sent - 1).sum();
    writeln!(
        std::io::stdout(),
        "clients {}, connected {connects} times; posts {}, sent again {} times; missed {missed}, doubled {doubled}",
        watchers.clients.len(),
        ids.len(),
        resent + ids.len().div_ceil(5)
    )?;
    Ok(missed == 0 && doubled == 0)
}
