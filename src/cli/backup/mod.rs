//! `plaza backup`: base backups and the log of all shards in a folder, and cuts of all shards to
//! which they can be restored ([`super::restore`]).

mod base;
mod cut;
pub mod folder;
pub mod images;
mod keep;
pub mod segments;
mod tools;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::write_json;
use folder::{Base, Folder, Owner};
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_stores::postgres::cut::Cutter;
use tools::Tools;

/// What to do.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Receive every shard's log and make cuts and base backups, until it is stopped.
    Run(KeepArgs),
    /// Make a base backup of all shards now, beside a `run` that is at work.
    Base(BaseArgs),
    /// Make a cut of all shards now, beside a `run` that is at work or an archive.
    Cut(CutArgs),
    /// What there is, and to which cuts it can be restored.
    List(ListArgs),
    /// Compare all base backups with their checksums, and see that no log is missing.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct KeepArgs {
    /// The folder of the backups; made where it is not there.
    folder: PathBuf,
    /// Seconds between two cuts: what is lost at most.
    #[arg(long, default_value_t = 10)]
    cut_every: u64,
    /// Hours between two base backups.
    #[arg(long, default_value_t = 24)]
    base_every: u32,
    /// Seconds between two copies of the images, where they are in a folder.
    #[arg(long, default_value_t = 60)]
    images_every: u64,
    /// Days whose cuts are kept, with the base backups that they need.
    #[arg(long, default_value_t = 7)]
    keep_days: u32,
    #[command(flatten)]
    tools: Tools,
}

#[derive(Debug, Args)]
struct BaseArgs {
    /// The folder of the backups.
    folder: PathBuf,
    #[command(flatten)]
    tools: Tools,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CutArgs {
    /// The folder of the backups.
    folder: PathBuf,
    /// Its name: letters, digits and `-_.`, at most 32.
    name: String,
    /// The servers archive their logs themselves (`archive_command`, CloudNativePG), and no `run`
    /// receives them: the cut is noted when they have. Base backups are others' work then too.
    #[arg(long)]
    archived: bool,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The folder of the backups.
    folder: PathBuf,
    /// End with 1 when the newest cut that can be restored to is older than so many seconds.
    #[arg(long)]
    max_age: Option<i64>,
    /// A JSON object, with every cut.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The folder of the backups.
    folder: PathBuf,
    #[command(flatten)]
    tools: Tools,
    /// A JSON object.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// A shard's; the folder's; that what was asked is not so.
pub async fn run(
    load: impl Fn() -> anyhow::Result<Config>,
    args: &BackupArgs,
) -> anyhow::Result<()> {
    match &args.verb {
        Verb::Run(args) => keep::run(&load()?, args).await,
        Verb::Base(args) => make_base(&load()?, args).await,
        Verb::Cut(args) => make_cut(&load()?, args).await,
        Verb::List(args) => list(args),
        Verb::Verify(args) => verify(args).await,
    }
}

/// Sessions on all shards, and the folder of their backups.
async fn open(config: &Config, root: &std::path::Path) -> anyhow::Result<(Cutter, Folder)> {
    let cutter = Cutter::connect(&config.postgres).await?;
    let owner = Owner::of(&cutter.servers().await?)?;
    Ok((cutter, Folder::of(root, &owner)?))
}

async fn make_base(config: &Config, args: &BaseArgs) -> anyhow::Result<()> {
    let (cutter, folder) = open(config, &args.folder).await?;
    let base = base::make(config, &args.tools, &folder, &cutter).await?;
    let mut out = std::io::stdout();
    if args.json {
        return write_json(&mut out, &base);
    }
    let took = (base.ended - base.began).num_milliseconds();
    Ok(writeln!(out, "base backup {} of {} shards in {took} ms", base.id, base.logs.len())?)
}

async fn make_cut(config: &Config, args: &CutArgs) -> anyhow::Result<()> {
    cut::check_name(&args.name)?;
    let (cutter, folder) = open(config, &args.folder).await?;
    let is_taken = folder.cuts()?.iter().any(|cut| cut.name == args.name);
    anyhow::ensure!(!is_taken, "there is a cut {} already", args.name);
    let logs = if args.archived { cut::Logs::Archived } else { cut::Logs::Received };
    let cut = cut::make(&folder, &cutter, &args.name, logs).await?;
    images::copy(&config.media, &folder.objects()).await?;
    let mut out = std::io::stdout();
    if args.json {
        return write_json(&mut out, &cut);
    }
    let at = cut.at.format("%FT%T%.3fZ");
    Ok(writeln!(out, "cut {} at {at}; mutations waited {} ms at most", cut.name, cut.held_ms)?)
}

/// A cut, as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    at: DateTime<Utc>,
    held_ms: u64,
    /// The base backup that it is restored from; null: there is none before it.
    base: Option<String>,
}

/// What there is.
#[derive(Debug, Serialize)]
struct Report {
    bases: Vec<Base>,
    cuts: Vec<Listed>,
    /// Seconds since the newest cut that can be restored to.
    newest_s: Option<i64>,
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let folder = Folder::open(&args.folder)?;
    let bases = folder.bases()?;
    let from = |cut: &folder::Cut| bases.iter().rev().find(|base| base.reaches(cut));
    let cuts: Vec<Listed> = folder
        .cuts()?
        .into_iter()
        .map(|cut| {
            let base = from(&cut).map(|base| base.id.clone());
            Listed { name: cut.name, at: cut.at, held_ms: cut.held_ms, base }
        })
        .collect();
    let newest = cuts.iter().rev().find(|cut| cut.base.is_some());
    let newest_s = newest.map(|cut| (Clock::System.now() - cut.at).num_seconds());
    let report = Report { bases, cuts, newest_s };
    let mut out = std::io::stdout();
    match args.json {
        true => write_json(&mut out, &report)?,
        false => print(&mut out, &report)?,
    }
    let Some(most) = args.max_age else { return Ok(()) };
    let age = newest_s.context("there is no cut that can be restored to")?;
    anyhow::ensure!(age <= most, "the newest cut is {age} s old, more than {most} s");
    Ok(())
}

/// Cuts that are listed without `--json`: the newest.
const SHOWN: usize = 20;

fn print(out: &mut impl Write, report: &Report) -> anyhow::Result<()> {
    for base in &report.bases {
        writeln!(out, "base backup {}, {} shards", base.id, base.logs.len())?;
    }
    let older = report.cuts.len().saturating_sub(SHOWN);
    if older > 0 {
        writeln!(out, "{older} older cuts")?;
    }
    for cut in report.cuts.iter().skip(older) {
        let from = cut.base.as_deref().unwrap_or("no base backup");
        writeln!(out, "{:<32} {}  from {from}", cut.name, cut.at.format("%FT%T%.3fZ"))?;
    }
    match report.newest_s {
        Some(age) => writeln!(out, "the newest that can be restored to is {age} s old")?,
        None => writeln!(out, "nothing can be restored to yet")?,
    }
    Ok(())
}

/// What was compared.
#[derive(Debug, Serialize)]
struct Verified {
    /// Base backups whose data is as it was copied.
    bases: usize,
    /// Files of the logs that are there, from the oldest base backup to the newest cut.
    segments: usize,
}

async fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let folder = Folder::open(&args.folder)?;
    let bases = folder.bases()?;
    for base in &bases {
        for number in 0..base.logs.len() {
            let place = folder.base(&base.id).join(format!("shard-{number}"));
            args.tools.verify(&place).await.with_context(|| place.display().to_string())?;
        }
    }
    let mut segments = 0;
    let cuts = folder.cuts()?;
    if let (Some(base), Some(cut)) = (bases.first(), cuts.last()) {
        for (number, ((start, _), at)) in base.logs.iter().zip(&cut.positions).enumerate() {
            segments += needed(&folder, number, start, at)?.len();
        }
    }
    let verified = Verified { bases: bases.len(), segments };
    let mut out = std::io::stdout();
    if args.json {
        return write_json(&mut out, &verified);
    }
    writeln!(out, "{} base backups and {segments} files of the logs are whole", verified.bases)?;
    Ok(())
}

/// The files of a shard's log between two positions.
///
/// # Errors
/// One is missing.
pub fn needed(
    folder: &Folder,
    shard: usize,
    from: &str,
    to: &str,
) -> anyhow::Result<Vec<segments::Segment>> {
    let bytes = folder.owner.segment_bytes;
    let found = segments::segments(&folder.log(shard), bytes)?;
    let (from, to) = (segments::position(from)?, segments::position(to)?);
    segments::between(&found, bytes, from, to).with_context(|| format!("shard {shard}"))
}
