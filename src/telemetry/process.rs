//! What the kernel says of this process, from /proc; where there is none, nothing is recorded.
//! (`metrics-process` would do it, but for processor time: it records whole seconds.)

use procfs::process::LimitValue;

use super::metrics::float;

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
    let own = procfs::process::Process::myself().ok()?;
    let (stat, limits) = (own.stat().ok()?, own.limits().ok());
    let ticks = float(procfs::ticks_per_second());
    let max_fds = limits.map(|limits| match limits.max_open_files.soft_limit {
        LimitValue::Value(most) => float(most),
        LimitValue::Unlimited => f64::INFINITY,
    });
    Some(Process {
        cpu_s: float(stat.utime + stat.stime) / ticks,
        resident_bytes: float(stat.rss * procfs::page_size()),
        threads: float(u64::try_from(stat.num_threads).unwrap_or_default()),
        open_fds: float(u64::try_from(own.fd_count().ok()?).unwrap_or_default()),
        max_fds: max_fds.unwrap_or_default(),
        started_s: float(procfs::boot_time_secs().ok()?) + float(stat.starttime) / ticks,
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

/// Sets the other metrics.
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
