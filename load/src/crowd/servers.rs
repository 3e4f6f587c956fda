//! The servers that hold the sockets.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Child;

use super::{CrowdArguments, with_files};
use crate::ports::at;

/// Servers that end with the run.
pub struct Servers {
    processes: Vec<Child>,
    first_port: u16,
}

impl Servers {
    /// Starts them beside those there are, and waits until each is ready. Tokens are good for a
    /// day, so that none ends while it is watched.
    ///
    /// # Errors
    /// An executable that is not there, a port that is taken; a server that is not ready after 30
    /// s.
    pub async fn start(
        arguments: &CrowdArguments,
        config: &Path,
        files: usize,
    ) -> anyhow::Result<Self> {
        let config = std::path::absolute(config)?;
        let program = std::path::absolute(&arguments.plaza)?;
        anyhow::ensure!(program.exists(), "{} is not there: make release", program.display());
        let mut processes = Vec::new();
        for number in 0..arguments.servers {
            let port = at(arguments.first_port) + u16::try_from(number)?;
            let process = with_files(&program, files)
                .arg("server")
                .env("PLAZA_CONFIG", &config)
                .env("PLAZA_SERVER__LISTEN", format!("127.0.0.1:{port}"))
                .env("PLAZA_ADMIN__LISTEN", format!("127.0.0.1:{}", port + 200))
                .env("PLAZA_AUTH__ACCESS_TTL_S", "86400")
                // Ten times as many servers share the same databases.
                .env("PLAZA_POSTGRES__PRIMARY_POOL", "4")
                .env("PLAZA_POSTGRES__REPLICA_POOL", "4")
                .env("PLAZA_TELEMETRY__FILTER", "warn")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .context("sh cannot be started")?;
            processes.push(process);
        }
        let mut servers = Self { processes, first_port: at(arguments.first_port) };
        for number in 0..arguments.servers {
            servers.ready(number).await?;
        }
        Ok(servers)
    }

    async fn ready(&mut self, number: usize) -> anyhow::Result<()> {
        let port = self.first_port + u16::try_from(number)?;
        for _ in 0..300 {
            if let Some(status) =
                self.processes.get_mut(number).context("no such server")?.try_wait()?
            {
                anyhow::bail!("the server for port {port} ended at once: {status}");
            }
            let ready = reqwest::get(format!("http://127.0.0.1:{}/readyz", port + 200)).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server on port {port} is not ready after 30 s")
    }

    /// Their process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Child::id).collect()
    }

    /// Where the first serves GraphQL.
    pub fn first_url(&self) -> String {
        format!("http://127.0.0.1:{}/graphql", self.first_port)
    }
}
