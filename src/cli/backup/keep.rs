//! `plaza backup run`: receives every shard's log, makes cuts, base backups from time to time, and
//! copies images, until it is stopped. Parts that fail are tried again by themselves.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::folder::{Folder, Owner};
use super::{KeepArgs, base, cut, images};
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_stores::postgres::cut::Cutter;

/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether a base backup is due.
const DUE: Duration = Duration::from_secs(60);

fn say(words: &str) {
    // The other end is closed: there is nowhere to report it.
    let _ = writeln!(std::io::stdout(), "{} {words}", Clock::System.now().format("%FT%TZ"));
}

fn complain(what: &str, error: &anyhow::Error) {
    say(&format!("FAILED {what}: {error:#}"));
}

/// # Errors
/// A shard cannot be reached at the beginning; a folder that has others' backups.
pub async fn run(config: &Config, args: &KeepArgs) -> anyhow::Result<()> {
    let servers = Cutter::connect(&config.postgres).await?.servers().await?;
    let folder = Folder::of(&args.folder, &Owner::of(&servers)?)?;
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let receiving = (0..).zip(&config.postgres.shards).map(|(number, urls)| {
        let log = folder.log(number);
        async move {
            loop {
                if let Err(error) = args.tools.receive(urls, &log).await {
                    complain(&format!("the log of shard {number}"), &error);
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    });
    let receiving = futures_util::future::join_all(receiving);
    let work = async {
        tokio::join!(
            cuts(config, args, &folder),
            bases(config, args, &folder),
            copies(config, args, &folder)
        )
    };
    say(&format!("begun in {}", args.folder.display()));
    // Dropped, the receivers end: all that the servers know to be received is on the disk.
    tokio::select! {
        _ = receiving => {}
        _ = work => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Makes a cut every so often. Each has sessions of its own: a server that has failed over is found
/// again.
async fn cuts(config: &Config, args: &KeepArgs, folder: &Folder) {
    loop {
        let next = Instant::now() + Duration::from_secs(args.cut_every.max(1));
        let made = async {
            let cutter = Cutter::connect(&config.postgres).await?;
            base::await_receivers(&cutter).await?;
            let name = Clock::System.now().format("%Y%m%dT%H%M%S%.3fZ").to_string();
            cut::make(folder, &cutter, &name, cut::Logs::Received).await
        };
        if let Err(error) = made.await {
            complain("a cut", &error);
        }
        sleep_until(next).await;
    }
}

/// Makes a base backup when the last is old enough, and deletes what is too old.
async fn bases(config: &Config, args: &KeepArgs, folder: &Folder) {
    loop {
        match keep_bases(config, args, folder).await {
            Ok(()) => tokio::time::sleep(DUE).await,
            Err(error) => {
                complain("a base backup", &error);
                tokio::time::sleep(RETRY * 10).await;
            }
        }
    }
}

async fn keep_bases(config: &Config, args: &KeepArgs, folder: &Folder) -> anyhow::Result<()> {
    let last = folder.bases()?.last().map(|base| base.began);
    let every = chrono::TimeDelta::hours(i64::from(args.base_every));
    if last.is_some_and(|began| Clock::System.now() - began < every) {
        return Ok(());
    }
    let cutter = Cutter::connect(&config.postgres).await?;
    let made = base::make(config, &args.tools, folder, &cutter).await?;
    let took = (made.ended - made.began).num_milliseconds();
    say(&format!("base backup {} in {took} ms", made.id));
    for id in base::prune(folder, args.keep_days)? {
        say(&format!("base backup {id} deleted"));
    }
    Ok(())
}

/// Copies images every so often, where they are in a folder.
async fn copies(config: &Config, args: &KeepArgs, folder: &Folder) {
    let every = Duration::from_secs(args.images_every.max(1));
    loop {
        let to: &Path = &folder.objects();
        if let Err(error) = images::copy(&config.media, to).await {
            complain("the images", &error);
        }
        tokio::time::sleep(every).await;
    }
}
