//! A `plaza server` of the case's own, with settings of its own, beside those that nginx knows.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

use crate::client::Client;

/// A server that ends with the case.
#[derive(Debug)]
pub struct Served {
    /// Asks it directly.
    pub client: Client,
    _process: Child,
}

impl Served {
    /// Starts the executable as a server on these two ports of 127.0.0.1 and waits until it is ready.
    ///
    /// # Errors
    /// An executable that is not there; a server that is not ready after 20 s.
    pub async fn start(plaza: &Path, config: &Path, port: u16, admin_port: u16, settings: &[(&str, String)]) -> anyhow::Result<Self> {
        let process = Command::new(plaza)
            .arg("server")
            .env("PLAZA_CONFIG", config)
            .env("PLAZA_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("PLAZA_ADMIN__LISTEN", format!("127.0.0.1:{admin_port}"))
            .envs(settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started: make release", plaza.display()))?;
        for _ in 0..200 {
            let ready = reqwest::get(format!("http://127.0.0.1:{admin_port}/readyz")).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(Self { client: Client::new(&format!("http://127.0.0.1:{port}/graphql"))?, _process: process });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server on port {port} is not ready after 20 s")
    }
}
