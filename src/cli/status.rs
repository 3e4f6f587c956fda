//! `plaza status`: every local process, from the files that `infra/local/up` keeps.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{nearest, write_json};

/// Where a checkout keeps a file for each process that it has started.
const RUN_DIR: &str = ".local/run";

/// How, and where from.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// A JSON array.
    #[arg(long)]
    json: bool,
    /// The folder with a file per process. Not said: `.local/run` of this folder or the nearest
    /// one above it.
    #[arg(long)]
    run_dir: Option<PathBuf>,
}

/// One process.
#[derive(Debug, Serialize)]
struct Process {
    name: String,
    role: String,
    port: u16,
    pid: u32,
    state: &'static str,
}

/// # Errors
/// The folder cannot be read.
pub fn run(args: &StatusArgs) -> anyhow::Result<()> {
    let here = std::env::current_dir()?;
    let run_dir = args
        .run_dir
        .clone()
        .or_else(|| nearest(&here, RUN_DIR, Path::is_dir))
        .unwrap_or_else(|| RUN_DIR.into());
    let mut processes = Vec::new();
    let entries = std::fs::read_dir(&run_dir).map_err(|error| {
        anyhow::anyhow!("nothing has been started here ({}: {error})", run_dir.display())
    })?;
    for entry in entries.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        processes.extend(process(&text));
    }
    processes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &processes)?;
        return Ok(());
    }
    writeln!(out, "{:<20} {:<18} {:>6} {:>8}  state", "name", "role", "port", "pid")?;
    for process in processes {
        writeln!(
            out,
            "{:<20} {:<18} {:>6} {:>8}  {}",
            process.name, process.role, process.port, process.pid, process.state
        )?;
    }
    Ok(())
}

fn process(text: &str) -> Option<Process> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let pid: u32 = field("pid")?.parse().ok()?;
    let port: u16 = field("port")?.parse().ok()?;
    let state = if started_at(pid).as_deref() != field("start") {
        "stopped"
    } else if TcpStream::connect_timeout(
        &SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        Duration::from_millis(500),
    )
    .is_ok()
    {
        "running"
    } else {
        "not answering"
    };
    Some(Process {
        name: field("name")?.to_owned(),
        role: field("role")?.to_owned(),
        port,
        pid,
        state,
    })
}

/// When a process began, in ticks since boot: what distinguishes it from a later one with the same
/// pid.
pub(super) fn started_at(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.get(stat.rfind(')')? + 2..)?;
    fields.split_ascii_whitespace().nth(19).map(str::to_owned)
}
