//! Every home feed, to its end, against the rows.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::client::{Client, raw_id};
use crate::people::{LoggedIn, log_in};
use crate::report::write_json;
use crate::session::Session;
use crate::truth::Truth;

/// What to audit.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// How many people's feeds; 0: everybody's.
    #[arg(long, default_value_t = 0)]
    pub people: usize,
    /// Only whether every stored counter equals its rows, and both sides of every follow agree.
    #[arg(long)]
    pub counters: bool,
    /// Where to write what was found, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Audited {
    /// Feeds compared.
    pub feeds: usize,
    /// Of those, not what they must be.
    pub wrong: usize,
}

const HOME: &str = "query($after: String) { viewer { home(first: 100, after: $after) {
  edges { node { id } } pageInfo { hasNextPage endCursor } } } }";

/// A whole home feed, page by page.
///
/// # Errors
/// The client's; an answer that is not a page.
pub async fn whole_home(client: &Client, person: &LoggedIn) -> anyhow::Result<Vec<i64>> {
    let mut feed = Vec::new();
    let mut after = Value::Null;
    loop {
        let data = client.send(Some(&person.token), HOME, json!({ "after": after })).await?;
        let home = data
            .pointer("/viewer/home")
            .ok_or_else(|| anyhow::anyhow!("{} has no home: {data}", person.person.handle))?;
        let edges =
            home.pointer("/edges").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        feed.extend(edges.iter().filter_map(|edge| raw_id(edge.pointer("/node/id")?.as_str()?)));
        if home.pointer("/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
            return Ok(feed);
        }
        after = home.pointer("/pageInfo/endCursor").cloned().unwrap_or_default();
    }
}

/// Compares.
///
/// # Errors
/// The servers'.
pub async fn compare(
    client: &Client,
    truth: &Truth,
    people: &[LoggedIn],
) -> anyhow::Result<Audited> {
    let world =
        truth.world_of(&people.iter().map(|person| person.person.id).collect::<Vec<_>>()).await?;
    let feeds: Vec<(&LoggedIn, Vec<i64>)> = stream::iter(people)
        .map(|person| async move { anyhow::Ok((person, whole_home(client, person).await?)) })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    let mut wrong = 0;
    for (person, feed) in &feeds {
        let must = world.home(person.person.id);
        if *feed != must {
            wrong += 1;
            let missing = must.iter().filter(|id| !feed.contains(id)).count();
            let extra = feed.iter().filter(|id| !must.contains(id)).count();
            writeln!(
                std::io::stdout(),
                "wrong feed: {} has {} posts, must have {}: {missing} missing, {extra} too many",
                person.person.handle,
                feed.len(),
                must.len()
            )?;
        }
    }
    Ok(Audited { feeds: feeds.len(), wrong })
}

/// The verb.
///
/// # Errors
/// The servers'.
pub async fn run(session: &Session, arguments: &AuditArguments) -> anyhow::Result<bool> {
    let (truth, mut out) = (&session.truth, std::io::stdout());
    if arguments.counters {
        truth.wait_until_sent().await?;
        let wrong = truth.wrong_counters().await?;
        writeln!(out, "counters that differ from their rows, edges whose sides differ: {wrong}")?;
        return Ok(wrong == 0);
    }
    let people = match arguments.people {
        0 => log_in(&session.client, &truth.people().await?, &session.password).await?,
        count => session.logged_in(count, 1).await?,
    };
    truth.wait_until_sent().await?;
    let Audited { feeds, wrong } = compare(&session.client, truth, &people).await?;
    writeln!(out, "home feeds audited: {feeds}, wrong: {wrong}")?;
    if let Some(file) = &arguments.json {
        write_json(file, &json!({ "feeds": feeds, "wrong": wrong }))?;
    }
    Ok(wrong == 0)
}
