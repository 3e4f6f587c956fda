//! How much the ledger reads, and where from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plaza_base::clock::Clock;
use plaza_base::ids::{Bucket, compose};
use plaza_config::Config;
use plaza_domain::Domain;
use plaza_stores::objects::Objects;
use plaza_stores::postgres::ledger::pieces::Place;
use plaza_stores::postgres::migrations::{connect_to_read, load_map};
use plaza_stores::postgres::{Cluster, Connection};
use plaza_stores::redis::Redis;

/// How old a post or an order is before what follows from it must be there.
const SETTLED: Duration = Duration::from_secs(60);
/// People of each shard whose homes are compared, and images whose files are looked for.
const SAMPLE: i64 = 200;

/// How much is read.
#[derive(Debug, Clone)]
pub struct Scope {
    /// How old a post or an order must be for what follows from it.
    pub settled: Duration,
    /// Rows that each law reads of each shard.
    pub rows: i64,
    /// People of each shard whose homes are compared, and images whose files are looked for.
    pub sample: i64,
    /// Whether the whole event log is read, and what can only be compared with all of it.
    pub log: bool,
    /// The rest between two pieces.
    pub pause: Duration,
    /// Where each law goes on.
    pub cursors: Cursors,
    /// What samples are drawn by: the same draws the same.
    pub draw: i64,
}

impl Scope {
    /// Everything there is.
    pub fn whole() -> Self {
        Self {
            settled: SETTLED,
            rows: i64::MAX,
            sample: SAMPLE,
            log: true,
            pause: Duration::ZERO,
            cursors: Cursors::default(),
            draw: rand::random_range(0..i64::MAX),
        }
    }

    /// So many rows of each table and no log, from where the run before ended.
    pub fn part(rows: i64, cursors: Cursors) -> Self {
        let pause = Duration::from_millis(20);
        Self { rows, log: false, pause, cursors, ..Self::whole() }
    }

    /// The id that a sample begins after: any that was issued.
    pub(super) fn sample_from(&self, clock: &Clock) -> i64 {
        self.draw % self.unsettled_from(clock).max(1)
    }

    /// The first id that is too new for what follows from it to be there.
    pub(super) fn unsettled_from(&self, clock: &Clock) -> i64 {
        id_of(clock, self.settled)
    }
}

/// The lowest id that was issued so long ago.
pub(super) fn id_of(clock: &Clock, ago: Duration) -> i64 {
    let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    compose(clock.now_ms().saturating_sub(ago), Bucket::new(0), 0)
}

/// Where each law goes on, on each shard; one that is not named begins at the first row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursors(pub BTreeMap<String, Place>);

impl Cursors {
    fn key(law: &str, shard: usize) -> String {
        format!("{law}/{shard}")
    }

    pub(super) fn place(&self, law: &str, shard: usize) -> Place {
        self.0.get(&Self::key(law, shard)).copied().unwrap_or_default()
    }

    /// `None`: the law has come to the last row.
    pub(super) fn put(&mut self, law: &str, shard: usize, place: Option<Place>) {
        match place {
            Some(place) => self.0.insert(Self::key(law, shard), place),
            None => self.0.remove(&Self::key(law, shard)),
        };
    }
}

/// What the ledger reads.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Addresses and prefixes.
    pub config: Arc<Config>,
    /// The shards.
    pub cluster: Arc<Cluster>,
    /// Homes.
    pub redis: Redis,
    /// Files.
    pub objects: Objects,
    /// The time.
    pub clock: Clock,
}

impl Stores {
    /// Those of a configuration.
    ///
    /// # Errors
    /// A bad URL; no shard that can be reached and is migrated.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let cluster = Cluster::new(&config.postgres)?;
        let map = load_map(&cluster).await?;
        let clock = Clock::System;
        Ok(Self {
            cluster: Arc::new(cluster.with_map(map)),
            redis: Redis::new(&config.redis, clock.clone())?,
            objects: Objects::new(&config.media),
            config: Arc::new(config.clone()),
            clock,
        })
    }

    /// Those of a process.
    pub fn of(domain: &Domain, config: Arc<Config>) -> Self {
        Self {
            cluster: Arc::clone(&domain.cluster),
            redis: domain.redis.clone(),
            objects: domain.objects.clone(),
            config,
            clock: domain.clock.clone(),
        }
    }

    /// A connection to every primary that only reads, without a limit of time.
    pub(super) async fn primaries(&self) -> anyhow::Result<Vec<Connection>> {
        let mut shards = Vec::new();
        for urls in &self.config.postgres.shards {
            shards.push(connect_to_read(&urls.primary).await?);
        }
        Ok(shards)
    }

    /// A connection to a replica of every shard, or to its primary where no replica answers: for
    /// what compares rows of one moment, whenever that is.
    pub(super) async fn replicas(&self) -> anyhow::Result<Vec<Connection>> {
        let mut shards = Vec::new();
        for urls in &self.config.postgres.shards {
            let mut opened = None;
            for url in &urls.replicas {
                opened = connect_to_read(url).await.ok();
                if opened.is_some() {
                    break;
                }
            }
            shards.push(match opened {
                Some(replica) => replica,
                None => connect_to_read(&urls.primary).await?,
            });
        }
        Ok(shards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_goes_on_where_it_ended_and_begins_anew_after_the_last_row() {
        let mut cursors = Cursors::default();
        assert_eq!(cursors.place("stock", 1), (0, 0));
        cursors.put("stock", 1, Some((7, 0)));
        assert_eq!((cursors.place("stock", 1), cursors.place("stock", 0)), ((7, 0), (0, 0)));
        cursors.put("stock", 1, None);
        assert_eq!(cursors, Cursors::default());
    }
}
