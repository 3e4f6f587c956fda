//! PostgreSQL servers of a case's own, and the rows in them.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use futures_util::SinkExt;
use plaza::ids::{Bucket, compose};
use plaza::stores::postgres::ShardMap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::cases::budget::{self, Budget};
use crate::cases::outcome::say;

/// The beginning of the rows' time: 2026-01-01T00:00:00Z, Unix milliseconds.
const BEGINNING_MS: i64 = 1_767_225_600_000;
/// Rows sent at a time.
const CHUNK: usize = 64 * 1024;

/// One server without replicas; `infra/local/single-postgres` starts it and takes it down with its
/// data.
#[derive(Debug)]
pub struct Database {
    name: String,
    /// Its address with credentials.
    pub url: String,
    pid: u32,
    /// Asks it directly.
    pub client: Client,
}

async fn script(arguments: &[&str]) -> anyhow::Result<String> {
    let done = Command::new("infra/local/single-postgres").args(arguments).output().await?;
    anyhow::ensure!(
        done.status.success(),
        "single-postgres {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// A connection that ends with the client.
///
/// # Errors
/// The server's.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
    tokio::spawn(connection);
    Ok(client)
}

impl Database {
    /// Starts an empty server. `like` is the address of another one here, for its user and
    /// password.
    ///
    /// # Errors
    /// A port that is taken, a PostgreSQL that is not installed.
    pub async fn start(name: &str, port: u16, like: &str) -> anyhow::Result<Self> {
        take_down(name).await?;
        let pid = script(&["up", name, &port.to_string()]).await?.trim().parse()?;
        let mut url = reqwest::Url::parse(like)?;
        anyhow::ensure!(url.set_port(Some(port)).is_ok(), "{like} has no port");
        let client = connect(url.as_str()).await?;
        Ok(Self { name: name.to_owned(), url: url.into(), pid, client })
    }

    /// From now on it has so many thousandths of a core.
    ///
    /// # Errors
    /// As [`Budget::new`].
    pub fn hold(&self, permille: u64) -> anyhow::Result<Budget> {
        let budget = Budget::new(&group(&self.name), permille)?;
        budget.hold(self.pid)?;
        Ok(budget)
    }

    /// Rows of a table.
    ///
    /// # Errors
    /// The server's.
    pub async fn rows(&self, table: &str) -> anyhow::Result<i64> {
        Ok(self.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0))
    }

    /// Transactions so far.
    ///
    /// # Errors
    /// The server's.
    pub async fn transactions(&self) -> anyhow::Result<i64> {
        let query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        Ok(self.client.query_one(query, &[]).await?.get(0))
    }
}

/// Stops the server of that name, if it runs, and deletes its data.
///
/// # Errors
/// One that cannot be stopped.
pub async fn take_down(name: &str) -> anyhow::Result<()> {
    script(&["down", name]).await?;
    budget::forget(&group(name));
    Ok(())
}

fn group(name: &str) -> String {
    format!("plaza-case-{name}")
}

/// Brings a cluster of these servers to plaza's schema.
///
/// # Errors
/// What `plaza migrate` says.
pub async fn migrate(plaza: &Path, config: &Path, shards: &str) -> anyhow::Result<()> {
    let done = Command::new(plaza)
        .args(["migrate", "--databases-only"])
        .env("PLAZA_CONFIG", config)
        .env("PLAZA_POSTGRES__SHARDS", shards)
        .output()
        .await
        .with_context(|| format!("{} cannot be started: make release", plaza.display()))?;
    anyhow::ensure!(done.status.success(), "migrate: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The rows: people, each with as many posts as everybody else.
#[derive(Debug, Clone)]
pub struct Plan {
    /// People.
    pub people: u32,
    /// Posts of each.
    pub posts: u32,
    /// Of everybody's password.
    pub password_hash: String,
}

impl Plan {
    /// How many rows there will be: each person has a row and the claim of a handle.
    pub fn rows(&self) -> u64 {
        u64::from(self.people) * (2 + u64::from(self.posts))
    }

    /// The `number`th person's handle.
    pub fn handle(number: u32) -> String {
        format!("s{number:06}")
    }

    fn buckets(&self) -> impl Iterator<Item = (u32, Bucket)> {
        let mut random = StdRng::seed_from_u64(11);
        (0..self.people).map(move |number| (number, Bucket::new(random.random())))
    }

    /// Everybody's id, in order.
    pub fn ids(&self) -> Vec<i64> {
        self.buckets().map(|(number, bucket)| id(u64::from(number), bucket)).collect()
    }

    /// The id of somebody's `round`th post.
    pub fn post(&self, person: u32, bucket: Bucket, round: u32) -> i64 {
        id(u64::from(self.people) * (1 + u64::from(round)) + u64::from(person), bucket)
    }

    /// Everybody with their buckets.
    pub fn people(&self) -> Vec<(u32, Bucket)> {
        self.buckets().collect()
    }
}

/// The `number`th id: 4,096 a millisecond.
fn id(number: u64, bucket: Bucket) -> i64 {
    let ms = i64::try_from(number / 4_096).unwrap_or_default();
    compose(BEGINNING_MS + ms, bucket, u16::try_from(number % 4_096).unwrap_or_default())
}

/// Loads everything into one server and into four, by COPY, a stream a shard; each row is made once
/// and sent to both.
///
/// # Errors
/// The servers'.
pub async fn load(plan: &Plan, one: &Database, four: &[Database]) -> anyhow::Result<()> {
    let map = ShardMap::even(four.len());
    let streams = four.iter().enumerate().map(|(shard, database)| {
        let map = map.clone();
        async move {
            for table in [Table::Users, Table::Handles, Table::Posts] {
                // A connection each: all shards' streams go into the one server at the same time.
                copy(plan, &map, shard, table, [&connect(&one.url).await?, &database.client])
                    .await?;
            }
            anyhow::Ok(())
        }
    });
    futures_util::future::try_join_all(streams).await?;
    say("rows are there; vacuum and checkpoint")?;
    let settle = std::iter::once(one).chain(four).map(|database| async move {
        // What autovacuum would do at some time of its own choosing, in the middle of a round.
        database.client.batch_execute("VACUUM (ANALYZE)").await?;
        database.client.batch_execute("CHECKPOINT").await
    });
    futures_util::future::try_join_all(settle).await?;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Table {
    Users,
    Handles,
    Posts,
}

async fn copy(
    plan: &Plan,
    map: &ShardMap,
    shard: usize,
    table: Table,
    targets: [&Client; 2],
) -> anyhow::Result<()> {
    let statement = match table {
        Table::Users => "COPY users (id, handle, email, display_name, password_hash) FROM STDIN",
        Table::Handles => "COPY handle_claims (handle, user_id) FROM STDIN",
        Table::Posts => "COPY posts (id, author_id, text) FROM STDIN",
    };
    let mut sinks = Vec::new();
    for target in targets {
        target.batch_execute("SET synchronous_commit = off").await?;
        sinks.push(Box::pin(target.copy_in::<_, bytes::Bytes>(statement).await?));
    }
    let people = plan.people();
    let here = |bucket: Bucket| map.shard_of(bucket).0 == shard;
    let rounds = if matches!(table, Table::Posts) { plan.posts } else { 1 };
    let mut buffer = Vec::with_capacity(2 * CHUNK);
    for round in 0..rounds {
        for (person, bucket) in &people {
            let (user, handle) = (id(u64::from(*person), *bucket), Plan::handle(*person));
            match table {
                Table::Users if here(*bucket) => {
                    writeln!(
                        buffer,
                        "{user}\t{handle}\t{handle}@example.org\tPerson {person}\t{}",
                        plan.password_hash
                    )?;
                }
                Table::Handles if here(Bucket::of_text(&handle)) => {
                    writeln!(buffer, "{handle}\t{user}")?
                }
                Table::Posts if here(*bucket) => {
                    let post = plan.post(*person, *bucket, round);
                    writeln!(
                        buffer,
                        "{post}\t{user}\tPost {round} of {handle}: what one writes on a day like any other, and others may read."
                    )?;
                }
                _ => {}
            }
            if buffer.len() >= CHUNK {
                send(&mut sinks, &mut buffer).await?;
            }
        }
        if shard == 0 && rounds > 1 && (round + 1) % 10 == 0 {
            say(&format!("{} of {rounds} posts of everybody are there", round + 1))?;
        }
    }
    send(&mut sinks, &mut buffer).await?;
    for mut sink in sinks {
        sink.as_mut().finish().await?;
    }
    Ok(())
}

type Sink = std::pin::Pin<Box<tokio_postgres::CopyInSink<bytes::Bytes>>>;

async fn send(sinks: &mut [Sink], buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    let bytes = bytes::Bytes::from(std::mem::take(buffer));
    futures_util::future::try_join_all(sinks.iter_mut().map(|sink| sink.send(bytes.clone())))
        .await?;
    Ok(())
}
