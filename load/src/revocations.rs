//! How soon the end of a session, a block and a suspension that one server was told of hold at
//! another, and on its sockets.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Client, global_id};
use crate::people::log_in;
use crate::ports::at;
use crate::truth::Truth;
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

fn report(what: &str, mut seen: Vec<Duration>) -> anyhow::Result<bool> {
    seen.sort_unstable();
    let (median, last) = (seen.get(seen.len() / 2).context("none")?, seen.last().context("none")?);
    writeln!(
        std::io::stdout(),
        "{what}: {} times, p50 {} ms, last {} ms",
        seen.len(),
        median.as_millis(),
        last.as_millis()
    )?;
    Ok(*last <= Duration::from_secs(1))
}

/// The verb. The author of most followers is suspended and comes back; a follower is blocked and
/// unblocked again.
///
/// # Errors
/// The servers'; something that does not hold after 5 s.
pub async fn run(
    truth: &Truth,
    password: &str,
    arguments: &RevocationArguments,
) -> anyhow::Result<bool> {
    let server = |given: &Option<String>, port: u16| {
        given.clone().unwrap_or_else(|| format!("http://127.0.0.1:{}/graphql", at(port)))
    };
    let (told, asked) = (server(&arguments.told, 4_101), server(&arguments.asked, 4_102));
    let socket_url = asked.replacen("http", "ws", 1);
    let (told, asked) = (Client::new(&told)?, Client::new(&asked)?);
    let watch = || json!({ "query": "subscription { homeUpdated { cursor node { id } } }" });
    let (author, followers) = author_and_followers(&told, truth, password).await?;
    let (follower, admin) =
        (followers.first().context("no follower")?, followers.get(1).context("one follower")?);
    truth.make_admin(admin.person.id).await?;
    let act = async |token: &str, mutation: &str, person: i64| -> anyhow::Result<()> {
        let query = format!(
            "mutation($id: ID!) {{ {mutation}(input: {{userId: $id}}) {{ userErrors {{ message }} }} }}"
        );
        let data =
            told.send(Some(token), &query, json!({ "id": global_id("User", person) })).await?;
        anyhow::ensure!(
            data.pointer(&format!("/{mutation}/userErrors")) == Some(&json!([])),
            "{data}"
        );
        Ok(())
    };
    let post =
        posted(&told.send(Some(&author.token), POST, json!({ "text": "Seen by whom?" })).await?)
            .context("no post")?;
    let sees = async |token: &str| -> anyhow::Result<bool> {
        let data = asked
            .send(
                Some(token),
                "query($id: ID!) { post(id: $id) { id } }",
                json!({ "id": global_id("Post", post) }),
            )
            .await?;
        Ok(data.get("post").is_some_and(Value::is_object))
    };

    let (mut sockets, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let session = log_in(&told, std::slice::from_ref(&follower.person), password).await?;
        let token = &session.first().context("no session")?.token;
        let watched = Watched::open(&socket_url, Some(token), watch).await?;
        told.send(Some(token), "mutation { logOut { loggedOut } }", json!({})).await?;
        let began = Instant::now();
        let refused = until(began, async || {
            Ok(asked.send(Some(token), "{ __typename }", json!({})).await.is_err())
        });
        let (closed, refused) = tokio::try_join!(until_closed(began, watched), refused)?;
        sockets.push(closed);
        tokens.push(refused);
    }
    let mut correct = report("log-out at one server: the socket at the other closed", sockets)?;
    correct &= report("log-out at one server: the token refused at the other", tokens)?;

    let (mut blocks, mut unblocks) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        until(Instant::now(), async || sees(&follower.token).await).await?;
        act(&author.token, "userBlock", follower.person.id).await?;
        blocks.push(until(Instant::now(), async || Ok(!sees(&follower.token).await?)).await?);
        act(&author.token, "userUnblock", follower.person.id).await?;
        unblocks.push(until(Instant::now(), async || sees(&follower.token).await).await?);
    }
    act(&follower.token, "userFollow", author.person.id).await?;
    correct &= report("a block at one server: the post gone at the other", blocks)?;
    report("its end: the post back at the other", unblocks)?;

    let (mut gone, mut closed) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.min(10) {
        let session = log_in(&told, std::slice::from_ref(&author.person), password).await?;
        let watched =
            Watched::open(&socket_url, Some(&session.first().context("no session")?.token), watch)
                .await?;
        until(Instant::now(), async || sees(&admin.token).await).await?;
        act(&admin.token, "userSuspend", author.person.id).await?;
        let began = Instant::now();
        let hidden = until(began, async || Ok(!sees(&admin.token).await?));
        let (ended, hidden) = tokio::try_join!(until_closed(began, watched), hidden)?;
        closed.push(ended);
        gone.push(hidden);
        act(&admin.token, "userUnsuspend", author.person.id).await?;
    }
    correct &= report("a suspension at one server: the post gone at the other", gone)?;
    correct &= report("a suspension at one server: the socket at the other closed", closed)?;
    Ok(correct)
}
