//! Replicas whose replay stands still.

use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio_postgres::NoTls;

/// Pauses the replay of one replica after the other, at random.
#[derive(Debug)]
pub struct Pauses {
    clients: Vec<tokio_postgres::Client>,
}

impl Pauses {
    /// Connects to all replicas.
    ///
    /// # Errors
    /// A replica that cannot be reached.
    pub async fn connect(urls: &[String]) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for url in urls {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
            tokio::spawn(connection);
            clients.push(client);
        }
        Ok(Self { clients })
    }

    /// While `work` goes on: a replica at random stands still for 50 to 700 ms, then another.
    ///
    /// # Errors
    /// The replicas'.
    pub async fn during<T>(&self, seed: u64, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut random = StdRng::seed_from_u64(seed);
        let disturb = async {
            loop {
                let client = self.clients.choose(&mut random).context("there are no replicas")?;
                client.batch_execute("SELECT pg_wal_replay_pause()").await?;
                tokio::time::sleep(Duration::from_millis(random.random_range(50..700))).await;
                client.batch_execute("SELECT pg_wal_replay_resume()").await?;
            }
        };
        let outcome: anyhow::Result<T> = tokio::select! {
            failed = disturb => failed,
            done = work => Ok(done),
        };
        for client in &self.clients {
            client.batch_execute("SELECT pg_wal_replay_resume()").await?;
        }
        outcome
    }
}
