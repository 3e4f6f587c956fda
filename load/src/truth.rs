//! What the rows say, read from the primaries without any of plaza's code.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

/// A connection to each shard's primary.
#[derive(Debug)]
pub struct Truth {
    shards: Vec<Client>,
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Id.
    pub id: i64,
    /// Handle.
    pub handle: String,
}

/// Every follow and every post, as of one moment.
#[derive(Debug, Default)]
pub struct World {
    follows: HashMap<i64, Vec<i64>>,
    posts: HashMap<i64, Vec<i64>>,
}

impl World {
    /// The home feed that a person must have: newest first.
    pub fn home(&self, person: i64) -> Vec<i64> {
        let followed = self.follows.get(&person).map(Vec::as_slice).unwrap_or_default();
        let posts: BTreeSet<i64> = followed.iter().filter_map(|author| self.posts.get(author)).flatten().copied().collect();
        posts.into_iter().rev().collect()
    }
}

impl Truth {
    /// # Errors
    /// A configuration that cannot be read, a primary that cannot be reached.
    pub async fn connect(config: &PathBuf) -> anyhow::Result<Self> {
        let config = plaza::config::Config::load(Some(config))?;
        let mut shards = Vec::new();
        for urls in &config.postgres.shards {
            let (client, connection) = tokio_postgres::connect(urls.primary.expose_secret(), NoTls)
                .await
                .with_context(|| format!("cannot reach {}", plaza::config::redacted(&urls.primary)))?;
            #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
            tokio::spawn(connection);
            shards.push(client);
        }
        Ok(Self { shards })
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

    /// Every follow and every post.
    ///
    /// # Errors
    /// The server's.
    pub async fn world(&self) -> anyhow::Result<World> {
        let mut world = World::default();
        for shard in &self.shards {
            for row in shard.query("SELECT follower_id, followee_id FROM follows WHERE active", &[]).await? {
                world.follows.entry(row.get(0)).or_default().push(row.get(1));
            }
            for row in shard.query("SELECT author_id, id FROM posts WHERE NOT deleted", &[]).await? {
                world.posts.entry(row.get(0)).or_default().push(row.get(1));
            }
        }
        Ok(world)
    }

    /// The person with the most followers, and the followers.
    ///
    /// # Errors
    /// The server's, or an empty system.
    pub async fn most_followed(&self) -> anyhow::Result<(i64, Vec<i64>)> {
        let mut followers: HashMap<i64, Vec<i64>> = HashMap::new();
        for shard in &self.shards {
            for row in shard.query("SELECT followee_id, follower_id FROM follows WHERE active", &[]).await? {
                followers.entry(row.get(0)).or_default().push(row.get(1));
            }
        }
        followers.into_iter().max_by_key(|(id, all)| (all.len(), *id)).context("nobody follows anybody: seed first")
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
                unsent += shard.query_one("SELECT count(*) FROM outbox WHERE sent_at IS NULL", &[]).await?.get::<_, i64>(0);
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
}
