//! A process's CPU: how much it may use (a control group of its own, where this machine lets us
//! make one) and how much it has used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A tenth of Kubernetes' own period, so that a small share comes in small pieces.
const PERIOD_US: u64 = 10_000;
/// All servers are one group to the machine, which would count as much as a single other process:
/// it is to count as much as ten.
const WEIGHT: u64 = 10;
/// Clock ticks a second, which Linux tells every program, whatever its kernel counts in.
const TICKS_PER_S: f64 = 100.0;

/// A limit that ends with its process.
#[derive(Debug)]
pub struct Budget(PathBuf);

impl Budget {
    /// Limits a process to so many thousandths of a core.
    ///
    /// # Errors
    /// A machine on which this is not permitted.
    pub fn limit(name: &str, pid: u32, thousandths: u64) -> anyhow::Result<Self> {
        let quota = PERIOD_US * thousandths / 1_000;
        let (first, second) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let group = if first.join("cpu.cfs_quota_us").exists() {
            let parent = first.join("plaza-k8s-sim");
            let group = parent.join(name);
            fs::create_dir_all(&group).context("control groups")?;
            fs::write(parent.join("cpu.shares"), (1_024 * WEIGHT).to_string())?;
            fs::write(group.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(group.join("cpu.cfs_quota_us"), quota.to_string())?;
            group
        } else {
            let parent = second.join("plaza-k8s-sim");
            fs::create_dir_all(&parent).context("control groups")?;
            fs::write(second.join("cgroup.subtree_control"), "+cpu")?;
            fs::write(parent.join("cgroup.subtree_control"), "+cpu")?;
            fs::write(parent.join("cpu.weight"), (100 * WEIGHT).to_string())?;
            let group = parent.join(name);
            fs::create_dir_all(&group)?;
            fs::write(group.join("cpu.max"), format!("{quota} {PERIOD_US}"))?;
            group
        };
        fs::write(group.join("cgroup.procs"), pid.to_string())?;
        Ok(Self(group))
    }
}

/// Takes away the groups that an earlier case left, whose processes had not quite ended when it
/// did.
pub fn sweep() {
    for parent in ["/sys/fs/cgroup/cpu/plaza-k8s-sim", "/sys/fs/cgroup/plaza-k8s-sim"] {
        for group in fs::read_dir(parent).into_iter().flatten().flatten() {
            // Refused for files, and for a group in use.
            let _ = fs::remove_dir(group.path());
        }
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        // Refused while the process is still there: then the next case takes it away.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Seconds of CPU that a process has used, and bytes that it holds; nothing when it is gone.
pub fn used(pid: u32) -> Option<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses: count from the last one. The 14th and
    // 15th fields, and the 24th: pages.
    let fields: Vec<f64> = stat
        .rsplit_once(") ")?
        .1
        .split(' ')
        .map(|field| field.trim().parse().unwrap_or_default())
        .collect();
    Some(((fields.get(11)? + fields.get(12)?) / TICKS_PER_S, fields.get(21)? * 4_096.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_use_is_seen() {
        let (seconds, bytes) = used(std::process::id()).unwrap();
        assert!(seconds >= 0.0 && bytes > 1e6);
        assert_eq!(used(0), None);
    }
}
