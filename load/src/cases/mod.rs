//! Case studies: the same open-loop load against plaza without a mechanism and with it, in turns,
//! on the same servers and the same rows.
//!
//! A case that misses a target says so and why; it still ends well, since it has measured what it
//! was to measure. It fails only when something was wrong: a lost write, a stale read that was
//! promised not to be.

mod budget;
mod caching;
mod capstone;
pub mod case;
mod kafka;
mod kubernetes;
mod load_balancing;
mod nginx;
pub mod open_loop;
pub mod outcome;
mod plot;
mod progress;
mod rabbitmq;
mod reads_and_posts;
mod replication;
pub mod served;
mod sharding;
pub mod zipf;

use std::path::PathBuf;

use clap::Args;

use crate::report::write_json;
use crate::session::Session;

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
    /// Where to write the outcome, as JSON; with `--quick` too.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The verb.
///
/// # Errors
/// The servers'; a number that no case has.
pub async fn run(session: &Session, arguments: &CaseArguments) -> anyhow::Result<bool> {
    let outcome = match arguments.number.as_str() {
        "1.1" => case::run::<sharding::Sharding>(session, arguments).await?,
        "1.2" => case::run::<replication::Replication>(session, arguments).await?,
        "1.3" => case::run::<caching::Caching>(session, arguments).await?,
        "2.1" => case::run::<rabbitmq::RabbitMq>(session, arguments).await?,
        "2.2" => case::run::<kafka::Kafka>(session, arguments).await?,
        "3.1" => case::run::<load_balancing::LoadBalancing>(session, arguments).await?,
        "3.2" => case::run::<kubernetes::Kubernetes>(session, arguments).await?,
        "4.0" => case::run::<capstone::Capstone>(session, arguments).await?,
        other => anyhow::bail!(
            "there is no case {other}; there are: 1.1, 1.2, 1.3, 2.1, 2.2, 3.1, 3.2, 4.0"
        ),
    };
    outcome.print()?;
    if let Some(file) = &arguments.json {
        write_json(file, &outcome)?;
    }
    if !arguments.quick {
        outcome.keep(&arguments.root)?;
        progress::write(&arguments.root)?;
    }
    Ok(outcome.correct)
}
