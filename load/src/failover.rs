//! A drill: a shard's primary is killed while people write to it, and the supervisor replaces it
//! (`infra/local/drill-failover`). How long nothing was acknowledged, how many requests failed, and
//! whether anything that was acknowledged is missing afterwards; then the old one is rebuilt.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::Client;
use crate::faults::kill;
use crate::people::LoggedIn;
use crate::session::Session;
use crate::truth::Truth;

/// Which shard, and how busy it is meanwhile.
#[derive(Debug, Args)]
pub struct FailoverArguments {
    /// The shard whose primary is killed.
    #[arg(long, default_value_t = 0)]
    shard: usize,
    /// Posts that are sent there each second.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Seconds before the kill.
    #[arg(long, default_value_t = 5)]
    before: u64,
    /// Seconds after it.
    #[arg(long, default_value_t = 25)]
    after: u64,
    /// Leave the old primary as it is.
    #[arg(long)]
    keep: bool,
}

const POST: &str = "mutation($text: String!) { postCreate(input: {text: $text}) { post { id } userErrors { code message } } }";

/// What became of one post.
struct Sent {
    text: String,
    ended: Instant,
    acknowledged: bool,
}

async fn send(client: Client, token: String, text: String) -> Sent {
    let variables = json!({ "text": text });
    let answer = client.send_keyed(Some(&token), Some(&text), POST, variables).await;
    let id = |data: &Value| data.pointer("/postCreate/post/id").is_some_and(Value::is_string);
    Sent { text, ended: Instant::now(), acknowledged: answer.is_ok_and(|data| id(&data)) }
}

/// The local name of a shard's server by its place in the configuration.
fn local_name(shard: usize, server: usize) -> String {
    match server {
        0 => format!("shard-{shard}-primary"),
        _ => format!("shard-{shard}-replica-{server}"),
    }
}

/// What was seen.
struct Drill {
    sent: Vec<Sent>,
    killed: Instant,
    old: usize,
}

/// Posts at a rate, and kills the primary in the middle.
async fn writing(
    session: &Session,
    arguments: &FailoverArguments,
    people: &[LoggedIn],
) -> anyhow::Result<Drill> {
    let old = session.truth.primaries().get(arguments.shard).copied().context("no such shard")?;
    let mut ticks = interval(Duration::from_secs(1) / arguments.rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let (before, after) =
        (Duration::from_secs(arguments.before), Duration::from_secs(arguments.after));
    let (mut sending, mut killed) = (JoinSet::new(), None);
    for (number, person) in people.iter().cycle().enumerate() {
        ticks.tick().await;
        if killed.is_none() && began.elapsed() >= before {
            kill(&session.run_dir, &local_name(arguments.shard, old))?;
            killed = Some(Instant::now());
        }
        if killed.is_some_and(|killed| killed.elapsed() >= after) {
            break;
        }
        let text = format!("drill-{}-{number}", std::process::id());
        sending.spawn(send(session.client.clone(), person.token.clone(), text));
    }
    let sent = sending.join_all().await;
    Ok(Drill { sent, killed: killed.context("nothing was killed")?, old })
}

impl Drill {
    /// The longest time after the kill in which nothing was acknowledged.
    fn gap(&self) -> Duration {
        let acknowledged = self.sent.iter().filter(|sent| sent.acknowledged);
        let mut times: Vec<Instant> = acknowledged.map(|sent| sent.ended).collect();
        times.retain(|at| *at >= self.killed);
        times.push(self.killed);
        times.sort_unstable();
        let pairs = times.iter().zip(times.iter().skip(1));
        pairs.map(|(earlier, later)| *later - *earlier).max().unwrap_or(Duration::MAX)
    }

    /// How many of the acknowledged ones are not there, and how many are there more than once.
    async fn damage(&self, truth: &Truth) -> anyhow::Result<(usize, usize)> {
        let stored = truth.texts(&format!("drill-{}-%", std::process::id())).await?;
        let acknowledged = self.sent.iter().filter(|sent| sent.acknowledged);
        let lost = acknowledged.filter(|sent| !stored.contains_key(&sent.text)).count();
        Ok((lost, stored.values().filter(|rows| **rows > 1).count()))
    }
}

/// Makes the old primary a replica of the new one.
async fn rebuild(name: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let rebuilt =
        tokio::process::Command::new("infra/local/rebuild-replica").arg(name).output().await?;
    let said = String::from_utf8_lossy(&rebuilt.stderr);
    ensure!(rebuilt.status.success(), "`rebuild-replica {name}`: {said}");
    Ok(began.elapsed())
}

/// The verb.
///
/// # Errors
/// The servers'; nobody is on the shard; no other primary was found.
pub async fn run(session: &Session, arguments: &FailoverArguments) -> anyhow::Result<bool> {
    let running = session.run_dir.join("supervisor").exists();
    ensure!(running, "there is no supervisor: infra/local/up supervisor");
    let people = session.truth.people_of(arguments.shard).await?;
    let people = session.signer()?.log_in(&people)?;
    ensure!(!people.is_empty(), "nobody is on shard {}: seed first", arguments.shard);
    let drill = writing(session, arguments, &people).await?;
    let truth = Truth::connect(&session.config).await?;
    let new = truth.primaries().get(arguments.shard).copied().context("no such shard")?;
    let (lost, doubled) = drill.damage(&truth).await?;
    let acknowledged = drill.sent.iter().filter(|sent| sent.acknowledged).count();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "shard {}: server {} killed, server {new} is the primary; nothing acknowledged for {:.1} s",
        arguments.shard,
        drill.old,
        drill.gap().as_secs_f64()
    )?;
    writeln!(
        out,
        "sent {}, acknowledged {acknowledged}, errors {}, lost {lost}, doubled {doubled}",
        drill.sent.len(),
        drill.sent.len() - acknowledged
    )?;
    ensure!(new != drill.old, "the killed one is the primary");
    if !arguments.keep {
        let name = local_name(arguments.shard, drill.old);
        let took = rebuild(&name).await?;
        writeln!(out, "{name} is a replica again after {:.1} s", took.as_secs_f64())?;
    }
    Ok(lost == 0 && doubled == 0)
}
