//! What a local process said last, from the file that `infra/local/up` keeps of it.

use std::path::Path;

/// Lines shown.
const LINES: usize = 5;

/// A process of the local system that should answer on a port and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Its name: `shard-0-primary`.
    pub name: String,
    /// Whether it runs nevertheless.
    pub runs: bool,
    /// Where its log is.
    pub log: String,
    /// The log's last lines.
    pub lines: Vec<String>,
}

/// The process that was started for a port of this machine; `None` where none ever was.
pub fn of_port(run_dir: &Path, port: u16) -> Option<Silent> {
    std::fs::read_dir(run_dir).ok()?.flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path()).ok()?;
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        if field("port")?.parse() != Ok(port) {
            return None;
        }
        let log = field("log")?.to_owned();
        let runs = field("pid")
            .and_then(|pid| pid.parse().ok())
            .is_some_and(|pid| super::status::started_at(pid).as_deref() == field("start"));
        Some(Silent { name: field("name")?.to_owned(), runs, lines: tail(Path::new(&log)), log })
    })
}

/// The last lines of a file, without reading all of it.
fn tail(file: &Path) -> Vec<String> {
    use std::io::{Read, Seek, SeekFrom};
    const ENOUGH: u64 = 8 * 1024;
    let read = || {
        let mut file = std::fs::File::open(file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_whoever_was_started_for_the_port_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let log = folder.join("log");
        std::fs::write(
            &log,
            (0..2_000).map(|line| format!("line {line}\n")).collect::<String>()
                + "FATAL: no room\n\n",
        )
        .unwrap();
        let run = folder.join("run");
        std::fs::create_dir_all(&run).unwrap();
        // No process has begun at the boot's first tick but the first.
        std::fs::write(
            run.join("redis"),
            format!("name=redis\nport=6390\npid=999999999\nstart=1\nlog={}\n", log.display()),
        )
        .unwrap();
        let found = of_port(&run, 6390).unwrap();
        let nobody = of_port(&run, 6391);
        assert_eq!((found.name.as_str(), found.runs, nobody), ("redis", false, None));
        assert_eq!(
            found.lines,
            ["line 1996", "line 1997", "line 1998", "line 1999", "FATAL: no room"]
        );
    }
}
