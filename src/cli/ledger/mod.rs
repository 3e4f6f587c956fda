//! `plaza ledger verify`: the operator's proof that nothing was lost, nothing counted twice,
//! nothing left out.
//!
//! It reads every outbox row, every event in Kafka, every projection's versions and the rows, some
//! at a time, and compares. What is only on its way (unsent, not applied yet, queued, younger than
//! a minute) is distinguished from what is wrong; after `--settle` seconds, what is still on its
//! way is a failure too. Homes and files are a sample.

mod aside;
mod check;
mod checks;
mod files;
mod homes;
pub mod hourly;
mod jobs;
mod log;
mod rows;
mod scope;
#[cfg(any(debug_assertions, feature = "wounds"))]
mod wound;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::write_json;
use plaza_config::Config;

pub use check::Check;
pub use checks::{apply, verify};
pub use scope::{Cursors, Scope, Stores};
#[cfg(any(debug_assertions, feature = "wounds"))]
pub use wound::{Wound, wound};

/// How long between two reads of what is on its way.
const AGAIN: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Compares everything; the exit code is 1 when something is wrong, or has not arrived.
    Verify(VerifyArgs),
    /// Damages something in one way, to see that a law says so.
    #[cfg(any(debug_assertions, feature = "wounds"))]
    #[command(hide = true)]
    Wound(wound::WoundArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Seconds that what is on its way is given to arrive.
    #[arg(long, default_value_t = 30)]
    settle: u64,
    /// A JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// A server cannot be reached; something is wrong, or has not arrived, after the table was printed.
pub async fn run(config: &Config, args: &LedgerArgs) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Verify(args) => print(config, args).await,
        #[cfg(any(debug_assertions, feature = "wounds"))]
        Verb::Wound(args) => wound::run(config, args).await,
    }
}

async fn print(config: &Config, args: &VerifyArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let checks = loop {
        let checks = verify(config).await?;
        let settled = checks.iter().all(|check| check.waiting == 0);
        if settled || began.elapsed() >= Duration::from_secs(args.settle) {
            break checks;
        }
        tokio::time::sleep(AGAIN).await;
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &checks)?;
    } else {
        writeln!(out, "{:<64} {:>12} {:>8} {:>7}", "law", "checked", "waiting", "wrong")?;
        for check in &checks {
            let example =
                check.example.as_ref().map(|example| format!("  {example}")).unwrap_or_default();
            writeln!(
                out,
                "{:<64} {:>12} {:>8} {:>7}{example}",
                check.law, check.checked, check.waiting, check.wrong
            )?;
        }
    }
    let (waiting, wrong) =
        checks.iter().fold((0, 0), |sum, check| (sum.0 + check.waiting, sum.1 + check.wrong));
    anyhow::ensure!(wrong == 0, "{wrong} wrong");
    anyhow::ensure!(
        waiting == 0,
        "{waiting} have not arrived after {} s",
        began.elapsed().as_secs()
    );
    Ok(())
}
