//! `plaza ledger verify`: the operator's proof that nothing was lost, nothing counted twice,
//! nothing left out.
//!
//! It reads every outbox row, every event in Kafka, every projection's versions and every counter,
//! and compares. What is only on its way (unsent, not applied yet, queued) is distinguished from
//! what is wrong; after `--settle` seconds, what is still on its way is a failure too.

mod aside;
mod checks;
mod log;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::write_json;
use plaza_config::Config;

pub use checks::verify;

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

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What must hold.
    pub law: String,
    /// Things it was applied to.
    pub checked: i64,
    /// Things that are on their way.
    pub waiting: i64,
    /// Things that are wrong.
    pub wrong: i64,
    /// One of them.
    pub example: Option<String>,
}

impl Check {
    /// A law with nothing checked yet.
    fn of(law: impl Into<String>) -> Self {
        Self { law: law.into(), ..Self::default() }
    }

    /// Takes note of something that is wrong.
    fn wrong(&mut self, example: impl FnOnce() -> String) {
        self.wrong += 1;
        self.example.get_or_insert_with(example);
    }
}

/// # Errors
/// A server cannot be reached; something is wrong, or has not arrived, after the table was printed.
pub async fn run(config: &Config, args: &LedgerArgs) -> anyhow::Result<()> {
    let Verb::Verify(args) = &args.verb;
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
