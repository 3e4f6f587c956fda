//! Who listens on a port of this machine, from /proc.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// What stands at an address that a role wants to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// Nothing: it can be had.
    Free,
    /// A process of which /proc has the name.
    Process {
        /// Its id.
        pid: u32,
        /// Its executable's file name.
        program: String,
    },
    /// A process that this user may not inspect.
    Hidden,
    /// The address cannot be had for another reason.
    Refused(String),
}

/// Probes an address by listening there for a moment.
pub fn at(address: SocketAddr) -> Listener {
    match TcpListener::bind(address) {
        Ok(_) => Listener::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            holder(address.port()).unwrap_or(Listener::Hidden)
        }
        Err(error) => Listener::Refused(error.to_string()),
    }
}

fn holder(port: u16) -> Option<Listener> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| Some(format!("socket:[{}]", listening_inode(line, port)?)))
                .collect::<Vec<_>>()
        })
        .collect();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut open = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        open.find(|file| {
            std::fs::read_link(file.path()).is_ok_and(|target| {
                sockets.iter().any(|socket| target.as_os_str() == socket.as_str())
            })
        })?;
        let program = std::fs::read_link(entry.path().join("exe")).ok()?;
        // An executable that was built anew while it runs.
        let program = program.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned();
        Some(Listener::Process { pid, program })
    })
}

/// The inode in a line of /proc/net/tcp, when that is a socket listening on the port.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let (_, hex) = local.rsplit_once(':')?;
    (state == LISTEN && u16::from_str_radix(hex, 16) == Ok(port)).then_some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_with_its_process() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        assert!(matches!(at(address), Listener::Process { pid, .. } if pid == std::process::id()));
        drop(held);
        assert_eq!(at(address), Listener::Free);
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let line = "   0: 0100007F:1005 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        assert_eq!(listening_inode(line, 4101), Some("4711"));
        assert_eq!(listening_inode(line, 4102), None);
        assert_eq!(listening_inode(&line.replace(" 0A ", " 01 "), 4101), None);
        assert_eq!(listening_inode("sl local_address rem_address st", 4101), None);
    }
}
