//! `plaza status`: every local process, from the files that `infra/local/up` keeps.

use std::collections::HashMap;
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
    /// Of the process and all that it has started; 0 when it does not run.
    memory_kib: u64,
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
    let children = children();
    let mut processes = Vec::new();
    let entries = std::fs::read_dir(&run_dir).map_err(|error| {
        anyhow::anyhow!("nothing has been started here ({}: {error})", run_dir.display())
    })?;
    for entry in entries.flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        processes.extend(process(&text, &children));
    }
    processes.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = std::io::stdout().lock();
    if args.json {
        write_json(&mut out, &processes)?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<20} {:<18} {:>6} {:>8}  {:<14} {:>8}",
        "name", "role", "port", "pid", "state", "memory"
    )?;
    for Process { name, role, port, pid, state, memory_kib } in &processes {
        let mib = memory_kib / 1_024;
        writeln!(out, "{name:<20} {role:<18} {port:>6} {pid:>8}  {state:<14} {mib:>5} MB")?;
    }
    let total = processes.iter().map(|process| process.memory_kib).sum::<u64>() / 1_024;
    writeln!(out, "{:<71} {total:>5} MB", "total")?;
    Ok(())
}

/// The processes that each process of this machine has started.
fn children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = stat(pid, 1).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

/// Memory of a process and of all below it, in KiB: the proportional share where it may be read
/// (PostgreSQL's processes share their buffers), else what is resident.
fn memory_of(pid: u32, children: &HashMap<u32, Vec<u32>>) -> u64 {
    let (mut todo, mut total) = (vec![pid], 0);
    while let Some(pid) = todo.pop() {
        todo.extend(children.get(&pid).into_iter().flatten());
        total += kib_of(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
            .or_else(|| kib_of(&format!("/proc/{pid}/status"), "VmRSS:"))
            .unwrap_or_default();
    }
    total
}

fn kib_of(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn process(text: &str, children: &HashMap<u32, Vec<u32>>) -> Option<Process> {
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
        memory_kib: if state == "stopped" { 0 } else { memory_of(pid, children) },
        state,
    })
}

/// When a process began, in ticks since boot: what distinguishes it from a later one with the same
/// pid.
pub(super) fn started_at(pid: u32) -> Option<String> {
    stat(pid, 19)
}

/// A field of what the system says of a process, counted from the one after its name.
fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat.get(stat.rfind(')')? + 2..)?;
    fields.split_ascii_whitespace().nth(field).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_that_of_a_process_and_of_what_it_has_started() {
        let own = std::process::id();
        let alone = memory_of(own, &HashMap::new());
        assert!(alone > 500, "{alone} KiB");
        let mut child =
            std::process::Command::new("sleep").arg("60").spawn().expect("a process of its own");
        let children = children();
        assert!(children.get(&own).is_some_and(|below| below.contains(&child.id())));
        let child_alone = memory_of(child.id(), &HashMap::new());
        let both = HashMap::from([(own, vec![child.id()])]);
        assert!(memory_of(own, &both) > child_alone);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(memory_of(u32::MAX, &HashMap::new()), 0, "nobody has that number");
    }
}
