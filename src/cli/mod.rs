//! The command line: one file per subcommand.

pub mod admin;
mod backup;
mod check_documents;
mod config;
pub mod counters;
mod dead_letters;
pub mod doctor;
mod failover;
mod keygen;
mod last_words;
pub mod ledger;
mod listeners;
mod migrate;
mod projections;
mod rebalance;
mod restore;
pub mod roles;
mod schema;
pub mod seed;
pub mod shards;
mod shards_clock;
mod shell;
mod status;
mod trace;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use serde::Serialize;

use plaza_config::Config;
use plaza_stores::postgres::addresses::arrange;

/// A social platform with a marketplace, served as one GraphQL API.
#[derive(Debug, Parser)]
#[command(name = "plaza", version)]
pub struct Cli {
    /// The configuration file; the environment (`PLAZA_SECTION__FIELD`) goes over it. Not said:
    /// `.local/plaza.toml`, which `make up` writes, of this folder or the nearest one above it.
    #[arg(long, global = true, env = "PLAZA_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve GraphQL.
    Server,
    /// Run RabbitMQ's jobs.
    Worker,
    /// Hand outbox messages to RabbitMQ and Kafka.
    Relay,
    /// Fill the read models from Kafka's events.
    Projector,
    /// All four roles in one process.
    All,
    /// Make somebody an administrator, or suspend them.
    Admin(admin::AdminArgs),
    /// Bring every shard's schema up to date, store the shard map, create the topics.
    Migrate(migrate::MigrateArgs),
    /// Fill an installation with people, follows, posts, products and orders.
    Seed(seed::SeedArgs),
    /// Rows, bytes and skew of every shard; with `check`, against a threshold.
    Shards(shards::ShardsArgs),
    /// Replace a shard's primary: by itself when it is gone, or by plan.
    Failover(failover::FailoverArgs),
    /// Deal the buckets out over the shards anew, while plaza is stopped.
    Rebalance(rebalance::RebalanceArgs),
    /// Print, write or check schema.graphql.
    Schema(schema::SchemaArgs),
    /// Document the configuration, print a sample file, or check one.
    Config(config::ConfigArgs),
    /// Read requests as lines of JSON and say for each whether a server would run it; for tests.
    #[command(hide = true)]
    CheckDocuments,
    /// Every local process: role, port, pid and state.
    Status(status::StatusArgs),
    /// Check the configuration and everything plaza depends on, and name what is wrong.
    Doctor(doctor::DoctorArgs),
    /// Make the key that signs access tokens.
    Keygen(keygen::KeygenArgs),
    /// What one request caused, by its id: messages, and lines of the local logs.
    Trace(trace::TraceArgs),
    /// Jobs that were given up: list them, put them back to work, delete them.
    DeadLetters(dead_letters::DeadLetterArgs),
    /// Base backups and the log of all shards in a folder, and cuts to which they can be restored.
    Backup(backup::BackupArgs),
    /// Bring all shards back to a cut: lay out their data, then prepare what has been started.
    Restore(restore::RestoreArgs),
    /// Where every projection stands.
    Projections(projections::ProjectionsArgs),
    /// Stored counts of likes, comments, followers, posts, reposts ..: compare them with the rows.
    Counters(counters::CountersArgs),
    /// Proof that nothing was lost, nothing counted twice, nothing left out.
    Ledger(ledger::LedgerArgs),
    /// Print what a shell needs to complete plaza's subcommands and options.
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write one per subcommand.
    Man(shell::ManArgs),
}

/// Runs a subcommand.
///
/// # Errors
/// What stopped it, in words for an operator.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let file =
        cli.config.or_else(|| nearest(&std::env::current_dir().ok()?, CONFIG, Path::is_file));
    let load = || Config::load(file.as_ref());
    // For what connects to addresses: the primary may be another one than the first by now.
    let found = async || {
        let mut config = load()?;
        Box::pin(arrange(&mut config.postgres)).await;
        Ok::<_, plaza_config::ConfigError>(config)
    };
    match cli.verb {
        Verb::Schema(args) => schema::run(&args),
        Verb::Config(args) => config::run(&args, file.as_deref(), load),
        Verb::CheckDocuments => check_documents::run(),
        Verb::Status(args) => status::run(&args),
        Verb::Doctor(args) => doctor::run(&args, file.as_deref(), found().await).await,
        Verb::Keygen(args) => keygen::run(&args),
        Verb::Server => roles::run(load()?, &[roles::Role::Server]).await,
        Verb::Worker => roles::run(load()?, &[roles::Role::Worker]).await,
        Verb::Relay => roles::run(load()?, &[roles::Role::Relay]).await,
        Verb::Projector => roles::run(load()?, &[roles::Role::Projector]).await,
        Verb::All => roles::run(load()?, &roles::Role::ALL).await,
        Verb::Admin(args) => admin::run(load()?, args).await,
        Verb::Migrate(args) => migrate::run(&found().await?, &args).await,
        Verb::Seed(args) => seed::run(found().await?, args).await,
        Verb::Shards(args) => shards::run(&found().await?, &args).await,
        Verb::Failover(args) => failover::run(&load()?, &args).await,
        Verb::Rebalance(args) => rebalance::run(&found().await?, &args).await,
        Verb::Backup(args) => backup::run(|| Ok(load()?), &args).await,
        Verb::Restore(args) => restore::run(|| Ok(load()?), &args).await,
        Verb::DeadLetters(args) => dead_letters::run(&load()?, args).await,
        Verb::Projections(args) => projections::run(&load()?, &args).await,
        Verb::Completions(args) => shell::completions(&args),
        Verb::Man(args) => shell::man(&args),
        Verb::Trace(args) => trace::run(&load()?, &args).await,
        Verb::Counters(args) => counters::run(&found().await?, &args).await,
        Verb::Ledger(args) => ledger::run(&found().await?, &args).await,
    }
}

/// Writes what `--json` prints.
fn write_json(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}

/// The configuration that `make up` writes for a checkout.
const CONFIG: &str = ".local/plaza.toml";

/// What `make up` has written for a checkout, from any folder within it.
fn nearest(here: &Path, what: &str, is_it: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    here.ancestors().map(|folder| folder.join(what)).find(|path| is_it(path))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::CONFIG;

    fn nearest(here: &Path) -> Option<PathBuf> {
        super::nearest(here, CONFIG, Path::is_file)
    }

    #[test]
    fn the_configuration_of_the_nearest_checkout_is_found_from_within_it() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path();
        let inner = outer.join("nested/checkout");
        let deep = inner.join("docs/how-to");
        std::fs::create_dir_all(&deep).unwrap();
        for checkout in [outer, &inner] {
            std::fs::create_dir_all(checkout.join(".local")).unwrap();
        }
        let file = |checkout: &Path| checkout.join(CONFIG);
        assert_ne!(nearest(&deep), Some(file(&inner)), "it is not there yet");
        std::fs::write(file(outer), "").unwrap();
        assert_eq!(nearest(&deep), Some(file(outer)));
        std::fs::write(file(&inner), "").unwrap();
        assert_eq!(nearest(&deep), Some(file(&inner)));
        assert_eq!(nearest(&inner), Some(file(&inner)));
        assert_eq!(nearest(&outer.join("nested")), Some(file(outer)));
    }
}
