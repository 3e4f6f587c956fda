//! How soon the end of a session, a block and a suspension that one server was told of hold at
//! another, and on its sockets.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Client, global_id};
use crate::people::{LoggedIn, log_in};
use crate::ports::at;
use crate::report::Latencies;
use crate::session::Session;
use crate::watching::{POST, Watched, author_and_followers, posted};

/// The two servers, by addresses of their own.
#[derive(Debug, Args)]
pub struct RevocationArguments {
    /// The server that is told: this clone's first when left out.
    #[arg(long)]
    told: Option<String>,
    /// The server that is asked, and that holds the sockets: the second.
    #[arg(long)]
    asked: Option<String>,
    /// How often each is done.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

const LIMIT: Duration = Duration::from_secs(5);

/// How long until something holds.
async fn until(
    began: Instant,
    mut holds: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    loop {
        if holds().await? {
            return Ok(began.elapsed());
        }
        anyhow::ensure!(began.elapsed() < LIMIT, "not after {} s", LIMIT.as_secs());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_closed(began: Instant, mut watched: Watched) -> anyhow::Result<Duration> {
    let closed = tokio::time::timeout(LIMIT, async { while watched.post().await.is_ok() {} }).await;
    closed.context("the socket is still open").map(|()| began.elapsed())
}

/// Prints how soon something held, time after time; whether it never took more than a second.
fn report(what: &str, seen: impl IntoIterator<Item = Duration>) -> anyhow::Result<bool> {
    let seen: Latencies = seen.into_iter().collect();
    anyhow::ensure!(seen.succeeded() > 0, "{what}: not measured");
    let (median, last) = (seen.quantile(0.5), seen.quantile(1.0));
    writeln!(
        std::io::stdout(),
        "{what}: {} times, p50 {} ms, last {} ms",
        seen.succeeded(),
        median.as_millis(),
        last.as_millis()
    )?;
    Ok(last <= Duration::from_secs(1))
}

/// Two servers, and the users of the run.
struct Scene {
    /// Where something is done.
    told: Client,
    /// Where it must hold.
    asked: Client,
    socket_url: String,
    password: String,
    author: LoggedIn,
    follower: LoggedIn,
    admin: LoggedIn,
    /// A post of the author's.
    post: i64,
}

impl Scene {
    async fn set(session: &Session, arguments: &RevocationArguments) -> anyhow::Result<Self> {
        let server = |given: &Option<String>, port: u16| {
            given.clone().unwrap_or_else(|| format!("http://127.0.0.1:{}/graphql", at(port)))
        };
        let (told, asked) = (server(&arguments.told, 4_101), server(&arguments.asked, 4_102));
        let socket_url = asked.replacen("http", "ws", 1);
        let (told, asked) = (Client::new(&told)?, Client::new(&asked)?);
        let (author, mut followers) =
            author_and_followers(&told, &session.truth, &session.password).await?;
        anyhow::ensure!(followers.len() > 1, "the author has fewer than two followers: seed more");
        let (follower, admin) = (followers.swap_remove(0), followers.swap_remove(0));
        session.truth.make_admin(admin.person.id).await?;
        let data = told.send(Some(&author.token), POST, json!({ "text": "Seen by whom?" })).await?;
        let post = posted(&data).context("no post")?;
        let password = session.password.clone();
        Ok(Self { told, asked, socket_url, password, author, follower, admin, post })
    }

    /// A mutation about a user, at the first server.
    async fn act(&self, by: &LoggedIn, mutation: &str, to: &LoggedIn) -> anyhow::Result<()> {
        let query = format!(
            "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ message }} }} }}"
        );
        let id = json!({ "id": global_id("User", to.person.id) });
        let data = self.told.send(Some(&by.token), &query, id).await?;
        let errors = data.pointer(&format!("/{mutation}/userErrors"));
        anyhow::ensure!(errors == Some(&json!([])), "{data}");
        Ok(())
    }

    /// Whether somebody sees the post at the second server.
    async fn sees(&self, viewer: &LoggedIn) -> anyhow::Result<bool> {
        let id = json!({ "id": global_id("Post", self.post) });
        let query = "query($id: ID!) { post(id: $id) { id } }";
        let data = self.asked.send(Some(&viewer.token), query, id).await?;
        Ok(data.get("post").is_some_and(Value::is_object))
    }

    async fn until_seen(&self, viewer: &LoggedIn, seen: bool) -> anyhow::Result<Duration> {
        until(Instant::now(), async || Ok(self.sees(viewer).await? == seen)).await
    }

    /// A new session of somebody's, with a socket at the second server.
    async fn watching(&self, who: &LoggedIn) -> anyhow::Result<(LoggedIn, Watched)> {
        let session = log_in(&self.told, std::slice::from_ref(&who.person), &self.password).await?;
        let session = session.into_iter().next().context("no session")?;
        let watch = || json!({ "query": "subscription { homeUpdated { cursor node { id } } }" });
        let watched = Watched::open(&self.socket_url, Some(&session.token), watch).await?;
        Ok((session, watched))
    }

    /// Until a log-out closes the session's socket, and until its token is refused.
    async fn log_out(&self) -> anyhow::Result<(Duration, Duration)> {
        let (session, watched) = self.watching(&self.follower).await?;
        let token = Some(session.token.as_str());
        self.told.send(token, "mutation { logOut { loggedOut } }", json!({})).await?;
        let began = Instant::now();
        let refused = until(began, async || {
            Ok(self.asked.send(token, "{ __typename }", json!({})).await.is_err())
        });
        tokio::try_join!(until_closed(began, watched), refused)
    }

    /// Until a block hides the post, and until its end shows it again.
    async fn block(&self) -> anyhow::Result<(Duration, Duration)> {
        self.until_seen(&self.follower, true).await?;
        self.act(&self.author, "userBlock", &self.follower).await?;
        let hidden = self.until_seen(&self.follower, false).await?;
        self.act(&self.author, "userUnblock", &self.follower).await?;
        Ok((hidden, self.until_seen(&self.follower, true).await?))
    }

    /// Until a suspension hides the post, and until it closes the author's socket.
    async fn suspend(&self) -> anyhow::Result<(Duration, Duration)> {
        let (_, watched) = self.watching(&self.author).await?;
        self.until_seen(&self.admin, true).await?;
        self.act(&self.admin, "userSuspend", &self.author).await?;
        let closed = until_closed(Instant::now(), watched);
        let done = tokio::try_join!(self.until_seen(&self.admin, false), closed)?;
        self.act(&self.admin, "userUnsuspend", &self.author).await?;
        Ok(done)
    }
}

/// Does something so many times.
async fn times<T>(
    count: usize,
    mut once: impl AsyncFnMut() -> anyhow::Result<(T, T)>,
) -> anyhow::Result<(Vec<T>, Vec<T>)> {
    let mut both = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (one, other) = once().await?;
        both.0.push(one);
        both.1.push(other);
    }
    Ok(both)
}

/// The verb. The author of most followers is suspended and comes back; a follower is blocked and
/// unblocked again.
///
/// # Errors
/// The servers'; something that does not hold after 5 s.
pub async fn run(session: &Session, arguments: &RevocationArguments) -> anyhow::Result<bool> {
    let (scene, rounds) = (Scene::set(session, arguments).await?, arguments.rounds);
    let (closed, refused) = times(rounds, async || scene.log_out().await).await?;
    let mut correct = report("log-out at one server: the socket at the other closed", closed)?;
    correct &= report("log-out at one server: the token refused at the other", refused)?;
    let (hidden, back) = times(rounds, async || scene.block().await).await?;
    scene.act(&scene.follower, "userFollow", &scene.author).await?;
    correct &= report("a block at one server: the post gone at the other", hidden)?;
    report("its end: the post back at the other", back)?;
    let (hidden, closed) = times(rounds.min(10), async || scene.suspend().await).await?;
    correct &= report("a suspension at one server: the post gone at the other", hidden)?;
    correct &= report("a suspension at one server: the socket at the other closed", closed)?;
    Ok(correct)
}
