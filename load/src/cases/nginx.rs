//! An nginx of the case's own, before the servers of the case.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Child;

use super::served::{of_its_own_session, signal};
use crate::client::Client;
use crate::ports::at;

/// The repository's own nginx.conf before other servers.
#[derive(Debug)]
pub struct Nginx {
    /// Asks through it.
    pub client: Client,
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Nginx {
    /// Starts nginx on the port, before servers on these, all of them as in a clone whose ports are
    /// not shifted. Its files go into the folder.
    ///
    /// # Errors
    /// A configuration without the two servers it is known to have; an nginx that does not listen
    /// after 5 s.
    pub async fn start(
        root: &Path,
        folder: &Path,
        port: u16,
        servers: &[u16],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = std::path::absolute(folder)?;
        let port = at(port);
        let file = write_configuration(root, &folder, port, servers)?;
        // Debian keeps it where an ordinary user's PATH does not look.
        let debian = Path::new("/usr/sbin/nginx");
        let process =
            of_its_own_session([if debian.exists() { debian } else { Path::new("nginx") }])
                .args(["-e", "stderr", "-p"])
                .arg(&folder)
                .arg("-c")
                .arg(&file)
                .stdin(Stdio::null())
                .stderr(std::fs::File::create(folder.join("error.log"))?)
                .spawn()
                .context("nginx cannot be started: infra/local/install")?;
        let nginx = Self {
            client: Client::new(&format!("http://127.0.0.1:{port}/graphql"))?,
            process,
            folder: folder.clone(),
            port,
        };
        for _ in 0..50 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(nginx);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!(
            "nginx does not listen on port {port}: see {}",
            folder.join("error.log").display()
        )
    }

    /// Has it ask these servers from now on; what is at work with others is finished.
    ///
    /// # Errors
    /// As [`Nginx::start`], but for listening.
    pub fn ask(&self, root: &Path, servers: &[u16]) -> anyhow::Result<()> {
        write_configuration(root, &self.folder, self.port, servers)?;
        signal(self.process.id().context("nginx has ended")?, "HUP")
    }
}

fn write_configuration(
    root: &Path,
    folder: &Path,
    port: u16,
    servers: &[u16],
) -> anyhow::Result<PathBuf> {
    let template = std::fs::read_to_string(root.join("infra/nginx/nginx.conf"))?;
    anyhow::ensure!(
        template.contains("@SERVER_A@") && template.contains("@SERVER_B@"),
        "nginx.conf names no two servers"
    );
    // Each list of servers names two: the first line is every server's, the second nobody's.
    let of_every_server = |line: &str| {
        let lines: Vec<String> = servers
            .iter()
            .map(|server| line.replace("@SERVER_A@", &format!("127.0.0.1:{}", at(*server))))
            .collect();
        lines.join("\n")
    };
    let lines = template.lines().filter(|line| !line.contains("@SERVER_B@"));
    let lines: Vec<String> = lines
        .map(
            |line| {
                if line.contains("@SERVER_A@") { of_every_server(line) } else { line.to_owned() }
            },
        )
        .collect();
    let as_root = String::from_utf8(std::process::Command::new("id").arg("-u").output()?.stdout)?
        .trim()
        == "0";
    let text = lines
        .join("\n")
        .replace("@USER_LINE@", if as_root { "user root;" } else { "" })
        .replace("@DATA@", &folder.to_string_lossy())
        .replace("@LISTEN@", &format!("127.0.0.1:{port}"))
        // The whole load comes from one address.
        .replace("@REQUESTS_PER_ADDRESS@", "20000")
        .replace("@SOCKETS_PER_ADDRESS@", "65535")
        .replace("@UPLOADS_PER_ADDRESS@", "64");
    let is_word =
        |part: &&str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if let Some(word) = text.split('@').find(is_word) {
        anyhow::bail!("nothing fills @{word}@ in nginx.conf");
    }
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    Ok(file)
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed by -9, the master would leave its workers behind.
        if let Some(pid) = self.process.id() {
            let _ = signal(pid, "TERM");
        }
    }
}
