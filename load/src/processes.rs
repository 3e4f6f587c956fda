//! CPU-seconds of every process of the system, by what it is, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Clock ticks a second; 100 on every Linux that plaza runs on.
const TICKS: f64 = 100.0;

/// CPU-seconds used so far, by group: plaza, postgres, redis, rabbitmq, kafka, nginx.
pub type CpuSeconds = BTreeMap<&'static str, f64>;

struct Process {
    parent: u32,
    own: u64,
    reaped: u64,
}

fn group(role: &str) -> &'static str {
    match role {
        "postgres-primary" => "postgres primaries",
        "postgres-replica" => "postgres replicas",
        "redis" => "redis",
        "rabbitmq" => "rabbitmq",
        "kafka" => "kafka",
        "nginx" => "nginx",
        "server" => "plaza server",
        "worker" => "plaza worker",
        "relay" => "plaza relay",
        "projector" => "plaza projector",
        _ => "other",
    }
}

fn stat(pid: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.get(text.rfind(')')? + 2..)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    Some(Process {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

/// The processes named in the run folder, each with its descendants.
pub fn cpu_seconds(run_dir: &Path) -> CpuSeconds {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && let Some(process) = stat(pid)
        {
            all.insert(pid, process);
        }
    }
    let mut roots = BTreeMap::new();
    for entry in fs::read_dir(run_dir).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        if let (Some(role), Some(pid)) =
            (field("role"), field("pid").and_then(|pid| pid.parse::<u32>().ok()))
        {
            roots.insert(pid, group(&role));
        }
    }
    let mut used = CpuSeconds::new();
    for (pid, process) in &all {
        let mut at = *pid;
        let group = loop {
            match (roots.get(&at), all.get(&at)) {
                (Some(group), _) => break Some(*group),
                (None, Some(process)) if process.parent > 1 => at = process.parent,
                _ => break None,
            }
        };
        if let Some(group) = group {
            *used.entry(group).or_default() +=
                (seconds(process.own) + seconds(process.reaped)) / TICKS;
        }
    }
    used
}

fn seconds(ticks: u64) -> f64 {
    f64::from(u32::try_from(ticks).unwrap_or(u32::MAX))
}

/// What was used between two looks.
pub fn between(before: &CpuSeconds, after: &CpuSeconds) -> CpuSeconds {
    after
        .iter()
        .map(|(group, used)| (*group, used - before.get(group).copied().unwrap_or_default()))
        .collect()
}
