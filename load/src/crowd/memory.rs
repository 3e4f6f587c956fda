//! What processes and the kernel hold, from /proc.

/// Bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident in the servers.
    pub servers: u64,
    /// Resident in the generators.
    pub generators: u64,
    /// The kernel's: its slabs and the sockets' buffers.
    pub kernel: u64,
}

fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn resident(pids: &[u32]) -> u64 {
    let status =
        |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    pids.iter().map(|pid| number_after(&status(pid), "VmRSS:") * 1_024).sum()
}

/// Pages in the buffers of TCP sockets: `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3`.
fn buffer_pages(sockstat: &str) -> u64 {
    let line = sockstat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let mut words = line.split_ascii_whitespace().skip_while(|word| *word != "mem").skip(1);
    words.next().and_then(|pages| pages.parse().ok()).unwrap_or_default()
}

impl Memory {
    /// As it is now.
    pub fn look(servers: &[u32], generators: &[u32]) -> Self {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sockstat = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        Self {
            servers: resident(servers),
            generators: resident(generators),
            kernel: number_after(&meminfo, "Slab:") * 1_024 + buffer_pages(&sockstat) * 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_found() {
        let text =
            "sockets: used 300\nTCP: inuse 90 orphan 0 tw 2 alloc 95 mem 17\nUDP: inuse 0 mem 3\n";
        assert_eq!(buffer_pages(text), 17);
        assert_eq!(number_after("MemFree: 5 kB\nSlab:     123 kB\n", "Slab:"), 123);
    }
}
