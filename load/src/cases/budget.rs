//! A processor budget for a server, so that several on one machine are as if each had a machine of
//! its own: a control group where the kernel and the user's rights permit, else none.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

/// How often the quota is renewed. Short, so that one who has used it up waits no longer than this.
const PERIOD_US: u64 = 20_000;
const V1: &str = "/sys/fs/cgroup/cpu";
const V2: &str = "/sys/fs/cgroup";

/// A control group of the case's own; [`forget`] takes it away when its processes have ended.
#[derive(Debug)]
pub struct Budget {
    folder: PathBuf,
}

impl Budget {
    /// A group in which all processes together have so many thousandths of a core.
    ///
    /// # Errors
    /// No rights, or no control groups with a processor quota.
    pub fn new(name: &str, permille: u64) -> anyhow::Result<Self> {
        let quota = PERIOD_US * permille / 1_000;
        anyhow::ensure!(
            quota >= 1_000,
            "{permille} thousandths of a core is below what the kernel gives"
        );
        if Path::new(V1).join("cpu.cfs_quota_us").exists()
            || Path::new(V1).join("cgroup.procs").exists()
        {
            let budget = Self { folder: Path::new(V1).join(name) };
            budget.make()?;
            fs::write(budget.folder.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(budget.folder.join("cpu.cfs_quota_us"), quota.to_string())?;
            return Ok(budget);
        }
        let controllers = fs::read_to_string(Path::new(V2).join("cgroup.controllers"))
            .context("there are no control groups")?;
        anyhow::ensure!(
            controllers.split_ascii_whitespace().any(|controller| controller == "cpu"),
            "no quota of processors here"
        );
        fs::write(Path::new(V2).join("cgroup.subtree_control"), "+cpu")?;
        let budget = Self { folder: Path::new(V2).join(name) };
        budget.make()?;
        fs::write(budget.folder.join("cpu.max"), format!("{quota} {PERIOD_US}"))?;
        Ok(budget)
    }

    fn make(&self) -> anyhow::Result<()> {
        if !self.folder.exists() {
            fs::create_dir(&self.folder)
                .with_context(|| format!("no right to make {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// Puts a process and its children into it; those they start later are in it from birth.
    ///
    /// # Errors
    /// A process that is no more.
    pub fn hold(&self, pid: u32) -> anyhow::Result<()> {
        let procs = self.folder.join("cgroup.procs");
        fs::write(&procs, pid.to_string())?;
        for child in children(pid) {
            // One that has ended since needs no budget.
            let _ended = fs::write(&procs, child.to_string());
        }
        Ok(())
    }

    /// How long its processes were held back so far.
    ///
    /// # Errors
    /// A group that has gone.
    pub fn held_back(&self) -> anyhow::Result<Duration> {
        let text = fs::read_to_string(self.folder.join("cpu.stat"))?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        let v1 = value("throttled_time ").map(Duration::from_nanos);
        v1.or_else(|| value("throttled_usec ").map(Duration::from_micros))
            .context("cpu.stat tells nothing of throttling")
    }
}

/// Takes away the group of that name, if there is one.
pub fn forget(name: &str) {
    for parent in [V1, V2] {
        let _absent = fs::remove_dir(Path::new(parent).join(name));
    }
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = text
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        of == Some(parent)
    })
    .collect()
}
