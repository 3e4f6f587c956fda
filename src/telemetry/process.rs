//! What the kernel says of this process, from /proc; where there is none, nothing is recorded.

use std::fs;

use super::figures::float;

/// Ticks a second in /proc/self/stat: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Figures of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Processor seconds used.
    pub cpu_s: f64,
    /// Bytes of memory in use.
    pub resident_bytes: f64,
    /// Threads.
    pub threads: f64,
    /// Open files.
    pub open_fds: f64,
    /// Files that may be open; 0: not known.
    pub max_fds: f64,
    /// When it began, in Unix seconds.
    pub started_s: f64,
}

/// Asks the kernel; `None` where there is no /proc.
pub fn read() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    // After the program's name, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number =
        |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).map(float);
    let of_status = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(float)
    };
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let max_fds = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    let booted = fs::read_to_string("/proc/stat")
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse::<u64>().ok());
    Some(Process {
        cpu_s: (number(11)? + number(12)?) / TICKS,
        resident_bytes: of_status("VmRSS:")? * 1_024.0,
        threads: of_status("Threads:")?,
        open_fds: float(
            u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).unwrap_or_default(),
        ),
        max_fds: float(max_fds.unwrap_or_default()),
        started_s: float(booted?) + number(19)? / TICKS,
    })
}

/// Processor time as a line of Prometheus' text format: the recorder's own counters hold whole
/// numbers, and a process that uses a hundredth of a processor would seem to stand still for a
/// hundred seconds.
pub fn cpu_line() -> String {
    let Some(process) = read() else { return String::new() };
    format!(
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {}\n\n",
        process.cpu_s
    )
}

/// Sets the other figures.
pub fn record() {
    let Some(process) = read() else { return };
    metrics::gauge!("process_start_time_seconds").set(process.started_s);
    metrics::gauge!("process_resident_memory_bytes").set(process.resident_bytes);
    metrics::gauge!("process_threads").set(process.threads);
    metrics::gauge!("process_open_fds").set(process.open_fds);
    metrics::gauge!("process_max_fds").set(process.max_fds);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let process = read().unwrap();
        assert!(
            process.resident_bytes > 1_000_000.0
                && process.threads >= 1.0
                && process.open_fds >= 3.0,
            "{process:?}"
        );
        assert!(
            process.max_fds >= process.open_fds && process.started_s > 1_700_000_000.0,
            "{process:?}"
        );
    }
}
