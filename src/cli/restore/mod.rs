//! `plaza restore`: all shards back to a cut of [`super::backup`], in two steps. `files` lays out
//! each shard's data, from which its server recovers by itself; when all have, `finish` prepares
//! them for brokers and caches that begin empty.

mod files;
mod finish;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use plaza_config::Config;

/// What to do.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lay out the data of every shard's primary; started on it, a server recovers to the cut.
    Files(FilesArgs),
    /// Prepare the shards that have recovered, once, before any role of plaza starts.
    Finish(FinishArgs),
}

#[derive(Debug, Args)]
struct FilesArgs {
    /// The folder of the backups.
    folder: PathBuf,
    /// The cut: its name, `latest`, or a moment (2026-11-29T14:30:00Z): the last cut until then.
    #[arg(long)]
    to: String,
    /// A folder that is not there yet: gets a folder for each shard, `shard-0` and so on.
    target: PathBuf,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct FinishArgs {
    /// The folder of the backups.
    folder: PathBuf,
    /// The cut that the shards were restored to, as for `files`.
    #[arg(long)]
    to: String,
    /// Delete what Kafka's topics, RabbitMQ's queues and Redis have: it is of after the cut.
    #[arg(long)]
    discard: bool,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// A cut that is not there, or cannot be reached; a server's.
pub async fn run(
    load: impl Fn() -> anyhow::Result<Config>,
    args: &RestoreArgs,
) -> anyhow::Result<()> {
    match &args.verb {
        // Where the files are laid out there need be no configuration.
        Verb::Files(args) => files::run(args),
        Verb::Finish(args) => finish::run(&load()?, args).await,
    }
}
