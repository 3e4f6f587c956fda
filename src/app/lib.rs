//! The composition root: Config ▶ App. The roles and the tests build through here, so what is
//! tested is what runs.

pub mod lifecycle;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

pub use crate::lifecycle::Tasks;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::identity::{Identity, Keys, revocations};
use plaza_domain::images::{self, Images};
use plaza_domain::payments::SimulatedPayments;
use plaza_domain::{Domain, Operation, mutation};
use plaza_stores::objects::Objects;
use plaza_stores::postgres::Cluster;
use plaza_stores::postgres::{migrations, replicas};
use plaza_stores::redis::Redis;

/// How often images that nothing shows are deleted.
const REAP_EVERY: Duration = Duration::from_secs(300);
/// How long one such run may take.
const REAP_DEADLINE: Duration = Duration::from_secs(30);

/// How often old idempotency keys are deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How old the list of authors that are pulled may be.
const PULL_AUTHORS_EVERY: Duration = Duration::from_secs(1);
/// How often Redis is asked what it holds.
const REDIS_MEMORY_EVERY: Duration = Duration::from_secs(10);

/// A process's parts.
#[derive(Clone, Debug)]
pub struct App {
    /// The configuration it was built from.
    pub config: Arc<Config>,
    /// What the rules work with.
    pub domain: Arc<Domain>,
    /// Its tasks.
    pub tasks: Tasks,
    /// The only documents that run, by hash, when there is such a list.
    pub trusted_documents: Option<Documents>,
    /// Points that payers were charged and did not use, until their next request.
    pub refunds: moka::sync::Cache<String, u64>,
    /// Payers who owe points, and until when.
    pub debts: moka::sync::Cache<String, tokio::time::Instant>,
}

/// Texts of queries by their hash, or any other id.
pub type Documents = Arc<HashMap<String, Arc<str>>>;

fn trusted_documents(file: Option<&PathBuf>) -> anyhow::Result<Option<Documents>> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("server.trusted_documents: {}", file.display()))?;
    let documents: HashMap<String, String> = serde_json::from_str(&text)
        .with_context(|| format!("{} is no JSON object of texts", file.display()))?;
    Ok(Some(Arc::new(documents.into_iter().map(|(id, text)| (id, text.into())).collect())))
}

impl App {
    /// Connects to what must be there (the shard map) and prepares the rest.
    ///
    /// # Errors
    /// A bad URL or key file, a shard that cannot be reached or is not migrated.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let keys = Keys::read(&config.auth)?;
        Self::build_with(config, clock, &keys).await
    }

    /// The same with other keys than the configured ones.
    ///
    /// # Errors
    /// A bad URL or key, a shard that cannot be reached or is not migrated.
    pub async fn build_with(config: Config, clock: Clock, keys: &Keys) -> anyhow::Result<Self> {
        let cluster = Cluster::new(&config.postgres)?;
        let map = migrations::load_map(&cluster).await?;
        let domain = Domain {
            cluster: Arc::new(cluster.with_map(map)),
            redis: Redis::new(&config.redis, clock.clone())?,
            clock,
            feed: config.feed.clone(),
            orders: config.orders.clone(),
            payments: Arc::new(SimulatedPayments(config.payments.clone())),
            objects: Objects::new(&config.media),
            images: Arc::new(Images::new(&config.media, keys)?),
            identity: Arc::new(Identity::new(&config.auth, &config.limits, keys)?),
            pull_authors: plaza_domain::timelines::PullAuthors::default(),
            limits: plaza_domain::limits::Limits::of(&config.limits),
            views: Arc::new(plaza_domain::views::ViewLog::new(&config.views, &config.kafka)),
            viewer_batches: plaza_domain::batches::ViewerBatches::new(config.postgres.shards.len()),
        };
        Self::around(config, domain)
    }

    /// A process around a domain that is there already.
    ///
    /// # Errors
    /// A list of trusted documents that cannot be read.
    pub fn around(config: Config, domain: Domain) -> anyhow::Result<Self> {
        Ok(Self {
            domain: Arc::new(domain),
            tasks: Tasks::default(),
            trusted_documents: trusted_documents(config.server.trusted_documents.as_ref())?,
            refunds: moka::sync::Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_secs(60))
                .build(),
            debts: moka::sync::Cache::builder()
                .max_capacity(100_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
            config: Arc::new(config),
        })
    }

    /// Starts the probes of the replicas: for roles that read them.
    pub fn watch_replicas(&self) {
        let every = Duration::from_millis(self.config.postgres.replica_poll_ms);
        let max_lag = Duration::from_millis(self.config.postgres.replica_max_lag_ms);
        let (cluster, stop) = (Arc::clone(&self.domain.cluster), self.tasks.stopping());
        self.tasks.spawn("replica watch", async move {
            tokio::select! {
                () = replicas::poll(cluster, every, max_lag) => {}
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }

    /// Starts keeping the list of authors that are pulled: for roles that read or fill timelines.
    pub fn watch_pull_authors(&self) {
        let domain = self.domain.clone();
        self.tasks.every("pull authors", PULL_AUTHORS_EVERY, domain, async |domain, _| {
            if let Err(error) = domain.pull_authors.refresh(&domain).await {
                tracing::warn!(%error, "the list of pulled authors is as it was");
            }
        });
    }

    /// Starts recording what Redis holds and evicts: for workers, of which there are few.
    pub fn record_redis_memory(&self) {
        let redis = self.domain.redis.clone();
        self.tasks.every("redis memory", REDIS_MEMORY_EVERY, redis, async |redis, _| {
            // One that is unavailable is recorded elsewhere.
            if let Ok(memory) = redis.memory().await {
                memory.record();
            }
        });
    }

    /// Starts hearing of sessions that have ended: for roles that take access tokens.
    pub fn watch_revocations(&self) {
        let domain = self.domain.clone();
        self.tasks.every("revocations", revocations::EVERY, domain, async |domain, _| {
            if let Err(error) = revocations::refresh(&domain).await {
                tracing::warn!(%error, "revoked sessions are not asked for");
            }
        });
    }

    /// Starts forgetting images that nothing shows: for roles that do jobs.
    pub fn reap_images(&self) {
        self.tasks.every("image reaper", REAP_EVERY, self.clone(), async |app, _| {
            if let Err(error) = images::reap(&app.internal(REAP_DEADLINE)).await {
                tracing::warn!(%error, "images that nothing shows are kept for now");
            }
        });
    }

    /// Starts deleting idempotency keys that are too old for a retry: for roles that do jobs.
    pub fn sweep_keys(&self) {
        let domain = self.domain.clone();
        self.tasks.every("key sweep", SWEEP_EVERY, domain, async |domain, stop| {
            tokio::select! {
                swept = mutation::sweep(&domain) => match swept {
                    Ok(count) => tracing::debug!(count, "old idempotency keys are deleted"),
                    Err(error) => tracing::warn!(%error, "old idempotency keys are kept for now"),
                },
                () = stop.cancelled() => {}
            }
        });
    }

    /// An operation without a client: for jobs, projections and the command line.
    pub fn internal(&self, timeout: Duration) -> Operation {
        Operation::internal(&self.domain, timeout)
    }
}
