//! Servers of the case's own, with settings of their own, beside those that nginx knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

use super::CaseArguments;
use crate::client::Client;
use crate::ports::at;
use crate::session::Session;

/// How a process of plaza's is started: a server, unless said otherwise.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The executable.
    pub plaza: PathBuf,
    /// The configuration that the settings override.
    pub config: PathBuf,
    /// The port of 127.0.0.1 that serves GraphQL, if the role does, in a clone whose ports are not
    /// shifted.
    pub port: u16,
    /// The port of 127.0.0.1 for operators, likewise.
    pub admin_port: u16,
    /// Names and values as in the environment.
    pub settings: Vec<(&'static str, String)>,
}

/// A server that ends with the case.
#[derive(Debug)]
pub struct Served {
    /// Asks it directly.
    pub client: Client,
    role: &'static str,
    launch: Launch,
    process: Child,
}

impl Launch {
    /// The executable of the case on the session's configuration. The admin port is 100 above.
    ///
    /// # Errors
    /// A folder that there is not.
    pub fn new(session: &Session, arguments: &CaseArguments, port: u16) -> anyhow::Result<Self> {
        Ok(Self {
            plaza: arguments.plaza.clone(),
            config: std::path::absolute(&session.config)?,
            port,
            admin_port: port + 100,
            settings: Vec::new(),
        })
    }

    /// The same with a setting.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    fn spawn(&self, role: &str) -> anyhow::Result<Child> {
        anyhow::ensure!(self.plaza.exists(), "there is no {}: make release", self.plaza.display());
        // As infra/local starts them.
        let yielding = (role != "server").then_some(Path::new("infra/local/yielding"));
        of_its_own_session(yielding.into_iter().chain([self.plaza.as_path()]))
            .arg(role)
            .env("PLAZA_CONFIG", &self.config)
            .env("PLAZA_SERVER__LISTEN", format!("127.0.0.1:{}", at(self.port)))
            .env("PLAZA_ADMIN__LISTEN", format!("127.0.0.1:{}", at(self.admin_port)))
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.plaza.display()))
    }

    async fn ready(&self, process: &mut Child) -> anyhow::Result<()> {
        for _ in 0..200 {
            let port = at(self.admin_port);
            if let Some(status) = process.try_wait()? {
                anyhow::bail!("the process for port {port} ended at once: {status}");
            }
            let ready = reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the process on port {} is not ready after 20 s", at(self.admin_port))
    }
}

impl Served {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// An executable that is not there, a port that is taken; a server that is not ready after 20
    /// s.
    pub async fn start(launch: Launch) -> anyhow::Result<Self> {
        Self::start_role_and("server", launch, |_| {}).await
    }

    /// The same for another role: `worker`.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn start_role(role: &'static str, launch: Launch) -> anyhow::Result<Self> {
        Self::start_role_and(role, launch, |_| {}).await
    }

    /// A server, with something to do with the process's number before it is ready.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn start_and(launch: Launch, begun: impl FnOnce(u32)) -> anyhow::Result<Self> {
        Self::start_role_and("server", launch, begun).await
    }

    async fn start_role_and(
        role: &'static str,
        launch: Launch,
        begun: impl FnOnce(u32),
    ) -> anyhow::Result<Self> {
        let mut process = launch.spawn(role)?;
        begun(process.id().context("the process has ended")?);
        launch.ready(&mut process).await?;
        Ok(Self {
            client: Client::new(&format!("http://127.0.0.1:{}/graphql", at(launch.port)))?,
            role,
            launch,
            process,
        })
    }

    /// Sends a signal, by name: KILL, STOP, CONT, TERM.
    ///
    /// # Errors
    /// A process that is no more.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(self.process.id().context("the server has ended")?, name)
    }

    /// Tells it to end, and waits until it has: it finishes what it has in hand.
    ///
    /// # Errors
    /// A process that is no more.
    pub async fn end(self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        self.ended().await
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system's.
    pub async fn ended(mut self) -> anyhow::Result<()> {
        self.process.wait().await?;
        Ok(())
    }

    /// Waits until it has ended, starts it again, waits until it is ready.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.wait().await?;
        self.process = self.launch.spawn(self.role)?;
        self.launch.ready(&mut self.process).await
    }

    /// Every metric it tells, by name with labels.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn metrics(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let text = reqwest::get(format!("http://127.0.0.1:{}/metrics", at(self.launch.admin_port)))
            .await?
            .text()
            .await?;
        let told = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '));
        Ok(told.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// GraphQL requests it has answered since it started.
    ///
    /// # Errors
    /// As [`Served::metrics`].
    pub async fn requests(&self) -> anyhow::Result<f64> {
        let metrics = self.metrics().await?;
        Ok(metrics
            .iter()
            .filter(|(name, _)| name.starts_with("plaza_graphql_requests_total"))
            .map(|(_, count)| count)
            .sum())
    }
}

/// A program in a session of its own, as infra/local starts all others: where the kernel shares the
/// processor among sessions, it would else have one share together with the generator and whatever
/// else the case starts. It still ends with this process.
pub fn of_its_own_session<'a>(command_line: impl IntoIterator<Item = &'a Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "setsid"]).args(command_line);
    command
}

/// Sends a signal, by name, to a process.
///
/// # Errors
/// A process that is no more.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = std::process::Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()?;
    anyhow::ensure!(status.success(), "kill -{name} {pid}: {status}");
    Ok(())
}
