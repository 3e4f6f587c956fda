//! The programs: started for the run, and ended with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

use crate::Arguments;
use crate::generator::{Connection, Prepared};

/// One of them, running.
#[derive(Debug)]
pub struct Program {
    /// As tables name it.
    pub name: &'static str,
    /// Where it serves.
    pub address: SocketAddr,
    child: Child,
}

/// How long a program may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// In a session of its own: where the kernel shares the processor among sessions, it would else
/// have one share together with the generator. It ends with this process all the same.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "setsid"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

impl Program {
    fn start(name: &'static str, port: u16, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name, address: at(port), child })
    }

    /// Its process's number.
    ///
    /// # Errors
    /// It has ended.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// plaza's server on the one database, with settings of its own.
    ///
    /// # Errors
    /// No executable.
    pub fn plaza(
        name: &'static str,
        port: u16,
        arguments: &Arguments,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = command(&arguments.plaza);
        command
            .arg("server")
            .env("PLAZA_CONFIG", &arguments.config)
            .env("PLAZA_POSTGRES__SHARDS", &arguments.database)
            .env("PLAZA_SERVER__LISTEN", at(port).to_string())
            .env("PLAZA_ADMIN__LISTEN", at(port + 10).to_string())
            // One token a viewer, for the whole run.
            .env("PLAZA_AUTH__ACCESS_TTL_S", "86400")
            .env("PLAZA_TELEMETRY__FILTER", "warn")
            .envs(settings.iter().copied());
        Self::start(name, port, &mut command)
    }

    /// A program of load/peers/node.
    ///
    /// # Errors
    /// No Node.
    pub fn node(name: &'static str, port: u16, arguments: &Arguments) -> anyhow::Result<Self> {
        let mut command = command(&arguments.node);
        command
            .arg(arguments.node_folder.join(format!("{name}.mjs")))
            .arg(port.to_string())
            .env("DATABASE_URL", &arguments.database)
            .env("NODE_ENV", "production")
            .env("GRAPHILE_ENV", "production");
        Self::start(name, port, &mut command)
    }

    /// A program of load/peers/rust, which lies beside this one.
    ///
    /// # Errors
    /// It is not there.
    pub fn rust(
        name: &'static str,
        port: u16,
        arguments: &Arguments,
        more: &[String],
    ) -> anyhow::Result<Self> {
        let mut command = command(&std::env::current_exe()?.with_file_name(name));
        command.args(["--listen", &at(port).to_string()]).args(more);
        command.env("DATABASE_URL", &arguments.database);
        Self::start(name, port, &mut command)
    }

    /// Waits until it answers this request.
    ///
    /// # Errors
    /// It ended, or does not answer in time.
    pub async fn ready(&mut self, request: &Prepared) -> anyhow::Result<()> {
        let asked = async {
            loop {
                if let Some(status) = self.child.try_wait()? {
                    anyhow::bail!("{} ended at once: {status}", self.name);
                }
                if let Ok(mut connection) = Connection::open(self.address).await
                    && connection.send(request).await.is_ok()
                {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let ended = tokio::time::timeout(READY_WITHIN, asked).await;
        ended.with_context(|| format!("{} does not answer", self.name))?
    }
}
