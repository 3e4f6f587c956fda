//! CPU time of processes with all their descendants, from /proc.
//!
//! By `schedstat`, in nanoseconds: a server that needs ten microseconds a request would not be seen
//! in the hundredths of a second of `stat`. A thread that has ended is not counted: the programs
//! keep theirs.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;

/// The processes of one side, by what they are.
#[derive(Debug, Clone, Copy)]
pub struct Roots {
    /// The server's first process.
    pub server: u32,
    /// PostgreSQL's postmaster.
    pub postgres: u32,
    /// Redis.
    pub redis: u32,
}

/// CPU time used so far, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Of the server.
    pub server: u64,
    /// Of PostgreSQL.
    pub postgres: u64,
    /// Of Redis.
    pub redis: u64,
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
            redis: self.redis.saturating_sub(before.redis),
        }
    }
}

impl Roots {
    /// What all of them have used.
    pub fn used(self) -> Used {
        let children = children();
        Used {
            server: with_descendants(self.server, &children),
            postgres: with_descendants(self.postgres, &children),
            redis: with_descendants(self.redis, &children),
        }
    }
}

fn children() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && let Some(parent) = parent(pid)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces: after it come the state and the parent.
    text.get(text.rfind(')')? + 2..)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn with_descendants(root: u32, children: &BTreeMap<u32, Vec<u32>>) -> u64 {
    let (mut all, mut sum) = (vec![root], 0);
    while let Some(pid) = all.pop() {
        sum += of_process(pid);
        all.extend(children.get(&pid).into_iter().flatten());
    }
    sum
}

fn of_process(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_ascii_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}
