//! A hot key that is gone while everybody wants it.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::cases::served::Served;
use crate::client::raw_id;
use crate::report::float;

const ONE: &str = "query($id: ID!) { post(id: $id) { text } }";
/// Who wait for one expired key.
pub const WAITERS: usize = 1_000;
/// Longer than it takes until every process has heard that a value is invalid.
const FORGOTTEN: Duration = Duration::from_millis(500);

/// Has Redis run these commands, each of which answers with a number.
async fn run(redis: &str, commands: &[String]) -> anyhow::Result<()> {
    let url = reqwest::Url::parse(redis)?;
    let address = (url.host_str().context("no host")?, url.port().unwrap_or(6_379));
    let mut connection = tokio::net::TcpStream::connect(address).await?;
    if let Some(password) = url.password() {
        connection.write_all(format!("AUTH {password}\r\n").as_bytes()).await?;
        let mut said = [0_u8; 64];
        let length = connection.read(&mut said).await?;
        anyhow::ensure!(said.starts_with(b"+OK"), "Redis answered {:?}", said.get(..length));
    }
    for command in commands {
        connection.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut answer = [0_u8; 64];
        let length = connection.read(&mut answer).await?;
        anyhow::ensure!(answer.starts_with(b":"), "Redis answered {:?}", answer.get(..length));
    }
    Ok(())
}

/// What it cost that a key was gone while all waiters wanted it, on average.
#[derive(Debug, Default, Clone, Copy)]
pub struct Stampede {
    /// Loads of the key.
    pub loads: f64,
    /// SQL statements.
    pub statements: f64,
    /// Requests that failed.
    pub failed: f64,
}

/// One post, asked for by all waiters at once, a part of them at each process, after its key is
/// gone from Redis and from memory; so many times.
///
/// # Errors
/// The servers'.
pub async fn stampedes(
    processes: &[&Served],
    post: &str,
    redis: (&str, &str),
    times: u32,
) -> anyhow::Result<Stampede> {
    let (url, prefix) = redis;
    let id = raw_id(post).context("not an id")?;
    let forget =
        [format!("DEL {prefix}:c:post:{id}"), format!("PUBLISH {prefix}:invalidate post:{id}")];
    let mut all = Stampede::default();
    for _ in 0..times {
        run(url, &forget).await?;
        sleep(FORGOTTEN).await;
        let before = loads_and_statements(processes).await?;
        let asked = processes
            .iter()
            .cycle()
            .take(WAITERS)
            .map(|served| served.client.send(None, ONE, json!({ "id": post })));
        let answers = futures_util::future::join_all(asked).await;
        let told = |answer: &anyhow::Result<Value>| {
            answer.as_ref().is_ok_and(|data| data.pointer("/post/text").is_some())
        };
        let failed = answers.iter().filter(|answer| !told(answer)).count();
        all.failed += float(failed) / f64::from(times);
        let after = loads_and_statements(processes).await?;
        all.loads += (after.0 - before.0) / f64::from(times);
        all.statements += (after.1 - before.1) / f64::from(times);
    }
    Ok(all)
}

async fn loads_and_statements(processes: &[&Served]) -> anyhow::Result<(f64, f64)> {
    let (mut loads, mut statements) = (0.0, 0.0);
    for served in processes {
        let metrics = served.metrics().await?;
        let of = |name: &str| metrics.get(name).copied().unwrap_or_default();
        loads += of("plaza_cache_loads_total{kind=\"post\"}");
        statements += of("plaza_sql_statements_total");
    }
    Ok((loads, statements))
}
