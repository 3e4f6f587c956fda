//! What a supervisor asks of a shard's servers, and tells them, as their superuser.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;
use tokio_postgres::config::Host;

use super::conninfo::{NOBODY, address_of, fenced, led_to};
use super::target::{Target, driven};
use crate::StoreError;

/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a server may take to do what it was told.
const DONE: Duration = Duration::from_secs(5);
/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(100);
/// How often in a row no receiver must be seen until there is none: one that was just lost could be
/// started once more by a server that has not read its new settings.
const QUIET: u32 = 5;

/// A server as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether it follows another server.
    pub is_replica: bool,
    /// The timeline that it writes, or receives.
    pub timeline: i64,
    /// How far its log goes, in bytes: on a replica what it has received, replayed or not.
    pub place: u64,
    /// Whether a replica has heard of its primary within the last three seconds.
    pub hears: bool,
    /// Whom its commits wait for: `synchronous_standby_names`.
    pub waits_for: String,
    /// Whom it follows: `primary_conninfo`.
    pub follows: String,
}

impl Seen {
    /// Whether a supervisor has made it follow nobody.
    pub fn is_fenced(&self) -> bool {
        self.is_replica && address_of(&self.follows).is_some_and(|(_, port)| port == NOBODY)
    }
}

/// One of a shard's servers, by its address in the configuration.
pub struct Member {
    /// Its place in the configuration, from 0.
    pub number: usize,
    target: Target,
    client: Option<Client>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("number", &self.number).finish_non_exhaustive()
    }
}

/// What a server is called where replicas are named, and its slot at its primary.
pub fn name_of(number: usize) -> String {
    format!("r{number}")
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Member {
    /// # Errors
    /// A URL that is none.
    pub fn new(number: usize, url: &SecretString) -> Result<Self, StoreError> {
        let mut target = Target::parse(url)?;
        target.config.application_name("plaza failover").connect_timeout(ANSWER);
        Ok(Self { number, target, client: None })
    }

    /// Its host and port.
    pub fn address(&self) -> (String, u16) {
        let host = match self.target.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        };
        (host, self.target.config.get_ports().first().copied().unwrap_or(5432))
    }

    /// A connection that is kept while it works.
    async fn client(&mut self) -> anyhow::Result<&Client> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = Some(driven(self.target.connect().await?));
        }
        self.client.as_ref().ok_or_else(|| anyhow::anyhow!("no connection"))
    }

    /// How it is; `None` when it does not say so within a second.
    pub async fn see(&mut self) -> Option<Seen> {
        const QUERY: &str = "SELECT pg_is_in_recovery(),
            CASE WHEN pg_is_in_recovery()
                 THEN greatest((SELECT received_tli FROM pg_stat_wal_receiver),
                               (SELECT timeline_id FROM pg_control_checkpoint()))::bigint
                 ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint END,
            (CASE WHEN pg_is_in_recovery()
                  THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                  ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)::bigint,
            EXISTS (SELECT FROM pg_stat_wal_receiver
                    WHERE status = 'streaming'
                      AND last_msg_receipt_time > clock_timestamp() - interval '3 s'),
            current_setting('synchronous_standby_names'), current_setting('primary_conninfo')";
        let asked = async {
            let row = self.client().await?.query_one(QUERY, &[]).await?;
            anyhow::Ok(Seen {
                is_replica: row.try_get(0)?,
                timeline: row.try_get(1)?,
                place: row.try_get::<_, i64>(2)?.unsigned_abs(),
                hears: row.try_get(3)?,
                waits_for: row.try_get(4)?,
                follows: row.try_get(5)?,
            })
        };
        let seen = timeout(ANSWER, asked).await.ok().and_then(Result::ok);
        if seen.is_none() {
            self.client = None;
        }
        seen
    }

    /// Runs a statement.
    async fn tell(&mut self, statement: &str) -> anyhow::Result<()> {
        let done = async { anyhow::Ok(self.client().await?.batch_execute(statement).await?) };
        timeout(DONE, done).await?
    }

    /// Changes settings and has them read.
    async fn set(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        for (name, value) in settings {
            self.tell(&format!("ALTER SYSTEM SET {name} = {}", literal(value))).await?;
        }
        self.tell("SELECT pg_reload_conf()").await
    }

    /// Waits until a query says true so many times in a row.
    async fn until(&mut self, query: &str, times: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut held = 0;
        while held < times {
            // Not the query: it may have a password in it.
            anyhow::ensure!(began.elapsed() < DONE, "not within {} s", DONE.as_secs());
            let answer =
                async { anyhow::Ok(self.client().await?.query_one(query, &[]).await?.try_get(0)?) };
            held = if timeout(ANSWER, answer).await?? { held + 1 } else { 0 };
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Makes a replica follow nobody, and waits until it does not: from then on it acknowledges
    /// nothing of its old primary.
    ///
    /// # Errors
    /// It cannot be told, or goes on.
    pub async fn fence(&mut self, seen: &Seen) -> anyhow::Result<()> {
        let (host, _) = address_of(&seen.follows)
            .ok_or_else(|| anyhow::anyhow!("its primary_conninfo names no host"))?;
        // Each has another name, so that who sees it knows how long this one has stood.
        let name = format!("fence {:016x}", rand::random::<u64>());
        let nobody = fenced(&seen.follows, &host, &name);
        self.set(&[("primary_conninfo", &nobody)]).await?;
        let quiet = format!(
            "SELECT current_setting('primary_conninfo') = {}
                AND NOT EXISTS (SELECT FROM pg_stat_wal_receiver)",
            literal(&nobody)
        );
        self.until(&quiet, QUIET).await
    }

    /// Makes a replica follow another server, which has a slot for it.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn follow(&mut self, seen: &Seen, primary: &(String, u16)) -> anyhow::Result<()> {
        let conninfo = led_to(&seen.follows, &primary.0, primary.1);
        let slot = name_of(self.number);
        self.set(&[("primary_slot_name", &slot), ("primary_conninfo", &conninfo)]).await
    }

    /// Makes a slot for each of these servers that has none here.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn make_slots(&mut self, of: &[usize]) -> anyhow::Result<()> {
        for name in of.iter().map(|number| literal(&name_of(*number))) {
            let make = format!(
                "SELECT pg_create_physical_replication_slot({name}, true)
                 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {name})"
            );
            self.tell(&make).await?;
        }
        Ok(())
    }

    /// Makes a replica ready to be the primary, whose commits wait for one of `replicas` from the
    /// first on.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn prepare(&mut self, replicas: &[usize]) -> anyhow::Result<()> {
        let names: Vec<String> = replicas.iter().map(|number| name_of(*number)).collect();
        let names = format!("ANY 1 ({})", names.join(", "));
        self.set(&[("synchronous_standby_names", &names)]).await?;
        let read =
            format!("SELECT current_setting('synchronous_standby_names') = {}", literal(&names));
        self.until(&read, 1).await?;
        self.make_slots(replicas).await
    }

    /// Makes a replica the primary, and notes its timeline in its database.
    ///
    /// # Errors
    /// It cannot be told, or does not become one.
    pub async fn promote(&mut self) -> anyhow::Result<()> {
        self.tell("SELECT pg_promote(false)").await?;
        self.until("SELECT NOT pg_is_in_recovery()", 1).await?;
        // Whoever asks a server's timeline there would note it too, a little later. It waits for no
        // replica: none follows yet.
        let note = "UPDATE shard_identity SET timeline =
                ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
            WHERE set_config('synchronous_commit', 'local', true) = 'local'";
        if let Err(error) = self.tell(note).await {
            tracing::warn!(%error, "the new timeline is not noted yet");
        }
        Ok(())
    }

    /// Lets nobody begin to write here any more, and ends plaza's sessions; or lets them again.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn refuse_writes(&mut self, refuse: bool) -> anyhow::Result<()> {
        if !refuse {
            self.tell("ALTER SYSTEM RESET default_transaction_read_only").await?;
            return self.tell("SELECT pg_reload_conf()").await;
        }
        self.set(&[("default_transaction_read_only", "on")]).await?;
        self.until("SELECT current_setting('default_transaction_read_only') = 'on'", 1).await?;
        let of_plaza = "FROM pg_stat_activity WHERE application_name = 'plaza'";
        self.tell(&format!("SELECT pg_terminate_backend(pid) {of_plaza}")).await
    }
}
