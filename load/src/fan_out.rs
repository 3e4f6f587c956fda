//! One post by the most followed person: in exactly whose feeds it is, and how soon it was in the
//! last.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::audit::whole_home;
use crate::client::{Client, raw_id};
use crate::people::{LoggedIn, log_in};
use crate::session::Session;

const TOP: &str = "{ viewer { home(first: 5) { nodes { id } } } }";
const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

async fn top_has(client: &Client, person: &LoggedIn, post: i64) -> anyhow::Result<bool> {
    let data = client.send(Some(&person.token), TOP, Value::Null).await?;
    let nodes = data
        .pointer("/viewer/home/nodes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(nodes
        .iter()
        .any(|node| node.get("id").and_then(Value::as_str).and_then(raw_id) == Some(post)))
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session) -> anyhow::Result<bool> {
    let Session { client, truth, password, .. } = session;
    let (author, followers) = truth.most_followed().await?;
    let everybody = log_in(client, &truth.people().await?, password).await?;
    let author = everybody
        .iter()
        .find(|person| person.person.id == author)
        .context("the author is not among the people")?;
    // Everybody reads once, so that everybody has a timeline to push to.
    stream::iter(&everybody)
        .map(|person| client.send(Some(&person.token), TOP, Value::Null))
        .buffer_unordered(8)
        .try_collect::<Vec<_>>()
        .await?;
    // The fan-out walks followers by id, so the one with the highest is the last to get it.
    let last = everybody
        .iter()
        .filter(|person| followers.contains(&person.person.id))
        .max_by_key(|person| person.person.id);
    let last = last.context("no follower is among the people")?;
    let started = Instant::now();
    let data = client
        .send(Some(&author.token), POST, json!({ "text": "To everyone who follows me" }))
        .await?;
    let post = data
        .pointer("/postCreate/post/id")
        .and_then(Value::as_str)
        .and_then(raw_id)
        .with_context(|| format!("no post: {data}"))?;
    let answered = started.elapsed();
    while !top_has(client, last, post).await? {
        if started.elapsed() > Duration::from_secs(60) {
            anyhow::bail!("not in the last follower's feed after a minute");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let seen = started.elapsed();
    let homes: Vec<bool> = stream::iter(&everybody)
        .map(|person| async move {
            anyhow::Ok(
                whole_home(client, person).await?.iter().filter(|id| **id == post).count() == 1,
            )
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    let homes = homes.into_iter().filter(|has| *has).count();
    writeln!(
        std::io::stdout(),
        "followers: {}; in home feeds: {homes} of {} people; answered after {} ms, in the last feed after {} ms",
        followers.len(),
        everybody.len(),
        answered.as_millis(),
        seen.as_millis()
    )?;
    Ok(homes == followers.len())
}
