//! What every verb works with: the system it talks to, and where its files are.

use std::path::{Path, PathBuf};

use plaza::config::Config;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::client::Client;
use crate::people::{LoggedIn, Signer, log_in};
use crate::ports;
use crate::truth::{Person, Truth};

/// The running system.
#[derive(Debug)]
pub struct Session {
    /// Talks to it as any client does: through nginx, unless `--url` says otherwise.
    pub client: Client,
    /// Reads the rows of its primaries.
    pub truth: Truth,
    /// plaza's configuration file.
    pub config: PathBuf,
    /// The folder in which each running process has a file.
    pub run_dir: PathBuf,
    /// The password of seeded users.
    pub password: String,
}

impl Session {
    /// Connects to the primaries of the configuration. GraphQL is at `url`, or at the
    /// configuration's `server.public_url`.
    ///
    /// # Errors
    /// A configuration that cannot be read, a primary that cannot be reached.
    pub async fn open(
        url: Option<&str>,
        config: PathBuf,
        run_dir: PathBuf,
        password: String,
    ) -> anyhow::Result<Self> {
        let found = ports::find(&config)?;
        let client = Client::new(url.unwrap_or(&found))?;
        let truth = Truth::connect(&config).await?;
        Ok(Self { client, truth, config, run_dir, password })
    }

    /// The configuration.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn settings(&self) -> anyhow::Result<Config> {
        settings(&self.config)
    }

    /// Signs tokens with the configuration's key.
    ///
    /// # Errors
    /// As [`Signer::new`].
    pub fn signer(&self) -> anyhow::Result<Signer> {
        Signer::new(&self.config)
    }

    /// At most `count` users, the same ones for the same seed.
    ///
    /// # Errors
    /// The database's.
    pub async fn sample(&self, count: usize, seed: u64) -> anyhow::Result<Vec<Person>> {
        let everybody = self.truth.people().await?;
        Ok(everybody.choose_multiple(&mut StdRng::seed_from_u64(seed), count).cloned().collect())
    }

    /// At most `count` users, logged in with their password.
    ///
    /// # Errors
    /// The database's; a log-in that fails.
    pub async fn logged_in(&self, count: usize, seed: u64) -> anyhow::Result<Vec<LoggedIn>> {
        log_in(&self.client, &self.sample(count, seed).await?, &self.password).await
    }
}

/// The configuration in a file.
///
/// # Errors
/// A file that cannot be read.
pub fn settings(config: &Path) -> anyhow::Result<Config> {
    Ok(Config::load(Some(&config.to_path_buf()))?)
}
