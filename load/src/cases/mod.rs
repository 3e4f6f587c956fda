//! Case studies: the same open-loop load against plaza without a mechanism and with it, in turns,
//! on the same servers and the same rows.
//!
//! A case that misses a target says so and why; it still ends well, since it has measured what it
//! was to measure. It fails only when something was wrong: a lost write, a stale read that was
//! promised not to be.

mod budget;
mod caching;
mod capstone;
mod databases;
mod kafka;
mod kubernetes;
mod load_balancing;
pub mod open_loop;
mod outcome;
mod plot;
mod progress;
mod rabbitmq;
mod reads_and_posts;
mod replication;
pub mod served;
mod sharding;
mod shop;
pub mod zipf;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::client::Client;
use crate::truth::Truth;

/// Which case, how long.
#[derive(Debug, Args)]
pub struct CaseArguments {
    /// Its number: 1.1, 1.2, 1.3, 2.1, 2.2, 3.1, 3.2 or 4.0.
    pub number: String,
    /// A minute's look: fewer and shorter rounds. Its result is printed, not kept.
    #[arg(long)]
    pub quick: bool,
    /// Requests a second; what the case was made for when left out.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Case 4.0: people, seeded where there are fewer.
    #[arg(long)]
    pub users: Option<usize>,
    /// Case 4.0: people whom a seeded person follows, on average.
    #[arg(long)]
    pub follows: Option<f64>,
    /// Case 4.0: live connections.
    #[arg(long)]
    pub sockets: Option<usize>,
    /// Case 4.0: minutes for which they are held.
    #[arg(long)]
    pub minutes: Option<u64>,
    /// The executable that is measured.
    #[arg(long, default_value = "target/release/plaza")]
    pub plaza: PathBuf,
    /// Where the documents are that the results are written into.
    #[arg(long, default_value = ".")]
    pub root: PathBuf,
}

/// The verb.
///
/// # Errors
/// The servers'; a number that no case has.
pub async fn run(
    client: &Client,
    truth: &Truth,
    config: &Path,
    run_dir: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<bool> {
    let outcome = match arguments.number.as_str() {
        "1.1" => sharding::run(truth, config, password, arguments).await?,
        "1.2" => replication::run(client, truth, config, run_dir, password, arguments).await?,
        "1.3" => caching::run(client, truth, config, run_dir, password, arguments).await?,
        "2.1" => rabbitmq::run(client, truth, config, password, arguments).await?,
        "2.2" => {
            kafka::run(client, truth, &config.to_path_buf(), run_dir, password, arguments).await?
        }
        "3.1" => load_balancing::run(truth, client, config, password, arguments).await?,
        "3.2" => kubernetes::run(truth, config, arguments).await?,
        "4.0" => capstone::run(truth, config, arguments).await?,
        other => anyhow::bail!(
            "there is no case {other}; there are: 1.1, 1.2, 1.3, 2.1, 2.2, 3.1, 3.2, 4.0"
        ),
    };
    outcome.print()?;
    if !arguments.quick {
        outcome.keep(&arguments.root)?;
        progress::write(&arguments.root)?;
    }
    Ok(outcome.correct)
}
