//! What the rows say, read from the primaries by SQL that plaza has no part in: what is compared
//! with plaza's answers is counted independently of its code. From plaza come only the addresses of
//! the primaries (its configuration) and, for orders that are resumed, the form of a job.

mod counters;
mod orders;
mod world;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use plaza::config::ShardUrls;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

use crate::session::settings;

/// A connection to each shard's primary.
#[derive(Debug)]
pub struct Truth {
    shards: Vec<Client>,
    /// Which of each shard's addresses that is.
    primaries: Vec<usize>,
}

/// The server of a shard that takes writes, on the latest timeline if several do, and its place
/// among the addresses.
async fn primary_of(urls: &ShardUrls) -> anyhow::Result<(Client, usize)> {
    const TIMELINE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN 0
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END";
    let mut found: Option<(i64, Client, usize)> = None;
    for (place, url) in std::iter::once(&urls.primary).chain(&urls.replicas).enumerate() {
        let Ok((client, connection)) = tokio_postgres::connect(url.expose_secret(), NoTls).await
        else {
            continue;
        };
        #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
        tokio::spawn(connection);
        let timeline: i64 = client.query_one(TIMELINE, &[]).await?.try_get(0)?;
        if timeline > found.as_ref().map_or(0, |(latest, ..)| *latest) {
            found = Some((timeline, client, place));
        }
    }
    let (_, client, place) = found.with_context(|| {
        format!("no primary can be reached: {}", plaza::config::redacted(&urls.primary))
    })?;
    Ok((client, place))
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Id.
    pub id: i64,
    /// Handle.
    pub handle: String,
}

impl Truth {
    /// # Errors
    /// A configuration that cannot be read, a primary that cannot be reached.
    pub async fn connect(config: &Path) -> anyhow::Result<Self> {
        let config = settings(config)?;
        let (mut shards, mut primaries) = (Vec::new(), Vec::new());
        for urls in &config.postgres.shards {
            let (client, primary) = primary_of(urls).await?;
            shards.push(client);
            primaries.push(primary);
        }
        Ok(Self { shards, primaries })
    }

    /// Which of its addresses each shard's primary is at: 0 is the one that the configuration has
    /// first.
    pub fn primaries(&self) -> &[usize] {
        &self.primaries
    }

    /// Everybody of a shard, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn people_of(&self, shard: usize) -> anyhow::Result<Vec<Person>> {
        let shard = self.shards.get(shard).context("there is no such shard")?;
        let rows = shard.query("SELECT id, handle FROM users ORDER BY id", &[]).await?;
        Ok(rows.iter().map(|row| Person { id: row.get(0), handle: row.get(1) }).collect())
    }

    /// Everybody, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn people(&self) -> anyhow::Result<Vec<Person>> {
        let mut people = Vec::new();
        for shard in &self.shards {
            for row in shard.query("SELECT id, handle FROM users", &[]).await? {
                people.push(Person { id: row.get(0), handle: row.get(1) });
            }
        }
        people.sort_by_key(|person| person.id);
        Ok(people)
    }

    /// Everybody's name as shown, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn display_names(&self) -> anyhow::Result<HashMap<i64, String>> {
        let mut names = HashMap::new();
        for shard in &self.shards {
            names.extend(
                shard
                    .query("SELECT id, display_name FROM users", &[])
                    .await?
                    .iter()
                    .map(|row| (row.get(0), row.get(1))),
            );
        }
        Ok(names)
    }

    /// The hash of somebody's password: seeded people all have the same.
    ///
    /// # Errors
    /// The server's, or an empty system.
    pub async fn any_password_hash(&self) -> anyhow::Result<String> {
        for shard in &self.shards {
            if let Some(row) =
                shard.query_opt("SELECT password_hash FROM users ORDER BY id LIMIT 1", &[]).await?
            {
                return Ok(row.get(0));
            }
        }
        anyhow::bail!("nobody is there: seed first")
    }

    /// The newest posts, at most so many.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_posts(&self, limit: i64) -> anyhow::Result<Vec<i64>> {
        let mut posts: Vec<i64> = Vec::new();
        for shard in &self.shards {
            let rows =
                shard.query("SELECT id FROM posts ORDER BY id DESC LIMIT $1", &[&limit]).await?;
            posts.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
        posts.sort_unstable_by(|a, b| b.cmp(a));
        posts.truncate(usize::try_from(limit)?);
        Ok(posts)
    }

    /// The newest posts with their authors, at most so many.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_posts_by(&self, limit: i64) -> anyhow::Result<Vec<(i64, i64)>> {
        let mut posts: Vec<(i64, i64)> = Vec::new();
        for shard in &self.shards {
            let rows = shard
                .query(
                    "SELECT id, author_id FROM posts WHERE NOT deleted ORDER BY id DESC LIMIT $1",
                    &[&limit],
                )
                .await?;
            posts.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        }
        posts.sort_unstable_by(|a, b| b.cmp(a));
        posts.truncate(usize::try_from(limit)?);
        Ok(posts)
    }

    /// Views that are in windows.
    ///
    /// # Errors
    /// The server's.
    pub async fn counted_views(&self) -> anyhow::Result<i64> {
        let looks = self.shards.iter().map(|shard| {
            shard.query_one("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals", &[])
        });
        Ok(futures_util::future::try_join_all(looks)
            .await?
            .iter()
            .map(|row| row.get::<_, i64>(0))
            .sum())
    }

    /// Makes somebody an administrator: there is no mutation for it.
    ///
    /// # Errors
    /// The server's.
    pub async fn make_admin(&self, person: i64) -> anyhow::Result<()> {
        for shard in &self.shards {
            shard
                .execute(
                    "UPDATE users SET is_admin = true, version = version + 1 WHERE id = $1",
                    &[&person],
                )
                .await?;
        }
        Ok(())
    }

    /// The person with the most followers, and the followers, counted on the followers' side.
    ///
    /// # Errors
    /// The server's, or an empty system.
    pub async fn most_followed(&self) -> anyhow::Result<(i64, Vec<i64>)> {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for shard in &self.shards {
            for row in shard
                .query(
                    "SELECT followee_id, count(*) FROM follows WHERE active GROUP BY followee_id",
                    &[],
                )
                .await?
            {
                *counts.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
            }
        }
        let (most, _) = counts
            .into_iter()
            .max_by_key(|(id, count)| (*count, *id))
            .context("nobody follows anybody: seed first")?;
        let mut followers = Vec::new();
        for shard in &self.shards {
            let rows = shard
                .query(
                    "SELECT follower_id FROM follows WHERE active AND followee_id = $1",
                    &[&most],
                )
                .await?;
            followers.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
        Ok((most, followers))
    }

    /// Waits until no outbox row is unsent, three looks in a row.
    ///
    /// # Errors
    /// When that takes longer than a minute.
    pub async fn wait_until_sent(&self) -> anyhow::Result<()> {
        let mut quiet = 0;
        for _ in 0..240 {
            let mut unsent: i64 = 0;
            for shard in &self.shards {
                unsent += shard
                    .query_one("SELECT count(*) FROM outbox WHERE sent_at IS NULL", &[])
                    .await?
                    .get::<_, i64>(0);
            }
            quiet = if unsent == 0 { quiet + 1 } else { 0 };
            if quiet >= 3 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        anyhow::bail!("the outbox is not empty after a minute")
    }

    /// Sum of a single number over the shards.
    ///
    /// # Errors
    /// The server's.
    pub async fn sum(&self, query: &str, id: i64) -> anyhow::Result<i64> {
        let mut sum = 0;
        for shard in &self.shards {
            sum += shard.query_one(query, &[&id]).await?.get::<_, i64>(0);
        }
        Ok(sum)
    }

    /// How many rows each post text of this pattern has.
    ///
    /// # Errors
    /// The server's.
    pub async fn texts(&self, pattern: &str) -> anyhow::Result<HashMap<String, i64>> {
        let mut texts = HashMap::new();
        for shard in &self.shards {
            for row in shard
                .query(
                    "SELECT text, count(*) FROM posts WHERE text LIKE $1 GROUP BY text",
                    &[&pattern],
                )
                .await?
            {
                *texts.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
            }
        }
        Ok(texts)
    }
}
