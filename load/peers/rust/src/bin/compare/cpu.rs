//! CPU time of processes with all their descendants, from /proc.
//!
//! By `schedstat`, in nanoseconds: a server that needs ten microseconds a request would not be seen
//! in the hundredths of a second of `stat`. It is counted by thread, so that one that ends takes
//! nothing with it but what it has used since the last reading.

use std::collections::BTreeMap;
use std::fs;

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

/// CPU time of every thread so far.
#[derive(Debug)]
pub struct Reading {
    server: Threads,
    postgres: Threads,
    redis: Threads,
}

/// CPU time used between two readings, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Of the server.
    pub server: u64,
    /// Of PostgreSQL.
    pub postgres: u64,
    /// Of Redis.
    pub redis: u64,
}

/// Nanoseconds by the thread's number.
type Threads = BTreeMap<u32, u64>;

impl Roots {
    /// What all of them have used.
    pub fn read(self) -> Reading {
        let children = children();
        Reading {
            server: with_descendants(self.server, &children),
            postgres: with_descendants(self.postgres, &children),
            redis: with_descendants(self.redis, &children),
        }
    }
}

impl Reading {
    /// What they have used since.
    pub fn until(&self, after: &Self) -> Used {
        Used {
            server: since(&self.server, &after.server),
            postgres: since(&self.postgres, &after.postgres),
            redis: since(&self.redis, &after.redis),
        }
    }
}

fn since(before: &Threads, after: &Threads) -> u64 {
    let used = |(thread, ns): (&u32, &u64)| {
        ns.saturating_sub(before.get(thread).copied().unwrap_or_default())
    };
    after.iter().map(used).sum()
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

fn with_descendants(root: u32, children: &BTreeMap<u32, Vec<u32>>) -> Threads {
    let (mut all, mut threads) = (vec![root], Threads::new());
    while let Some(pid) = all.pop() {
        threads.extend(of_process(pid));
        all.extend(children.get(&pid).into_iter().flatten());
    }
    threads
}

fn of_process(pid: u32) -> impl Iterator<Item = (u32, u64)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        Some((number, text.split_ascii_whitespace().next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ended_takes_nothing_with_it() {
        let before = Threads::from([(1, 100), (2, 900)]);
        let after = Threads::from([(1, 150), (3, 7)]);
        assert_eq!(since(&before, &after), 57);
    }
}
