//! How many SQL statements a page takes, from PostgreSQL's log.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::generator::{Connection, Target};

/// Pages that are counted over: enough that what servers ask by themselves hardly counts.
const PAGES: usize = 100;
/// In which everything is written.
const WRITTEN: Duration = Duration::from_millis(200);

/// PostgreSQL while it logs each statement.
pub struct Logged<'a> {
    client: Client,
    log: &'a Path,
}

impl<'a> Logged<'a> {
    /// Has the server log each statement, until [`Logged::end`].
    ///
    /// # Errors
    /// The server's.
    pub async fn begin(database: &str, log: &'a Path) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
        tokio::spawn(connection);
        let logged = Self { client, log };
        logged.set("SET log_statement = 'all'").await?;
        Ok(logged)
    }

    async fn set(&self, what: &str) -> anyhow::Result<()> {
        self.client.execute(&format!("ALTER SYSTEM {what}"), &[]).await?;
        self.client.execute("SELECT pg_reload_conf()", &[]).await?;
        tokio::time::sleep(WRITTEN).await;
        Ok(())
    }

    /// Statements a page.
    ///
    /// # Errors
    /// A request that fails; a log that cannot be read.
    pub async fn of(&self, target: &Target) -> anyhow::Result<f64> {
        let mut connection = Connection::open(target.address).await?;
        // Where a statement is prepared or a cache filled for it, that is no page's.
        for request in &target.requests {
            connection.send(request).await?;
        }
        tokio::time::sleep(WRITTEN).await;
        let mut log = std::fs::File::open(self.log)?;
        log.seek(SeekFrom::End(0))?;
        for request in target.requests.iter().cycle().take(PAGES) {
            connection.send(request).await?;
        }
        tokio::time::sleep(WRITTEN).await;
        let mut text = String::new();
        log.read_to_string(&mut text)?;
        let is_statement =
            |line: &&str| line.contains("LOG:  execute ") || line.contains("LOG:  statement: ");
        let count = u32::try_from(text.lines().filter(is_statement).count())?;
        Ok(f64::from(count) / f64::from(u32::try_from(PAGES)?))
    }

    /// As it was.
    ///
    /// # Errors
    /// The server's.
    pub async fn end(self) -> anyhow::Result<()> {
        self.set("RESET log_statement").await
    }
}
