//! The roles: what a process does for as long as it lives.

use std::sync::Arc;
use std::time::Duration;

use super::ledger;
use crate::{http, jobs, outbox, read_models, telemetry};
use plaza_app::App;
use plaza_base::clock::Clock;
use plaza_config::Config;
use plaza_domain::cache_trust;
use plaza_domain::effects::Effects;
use plaza_domain::identity::Keys;
use plaza_telemetry::trace;

/// Connections to each PostgreSQL server that a server opens before it says that it is ready.
const WARM: usize = 2;
/// How long that may take: a shard that is unavailable must not keep the others' data from being
/// served.
const WARMING: Duration = Duration::from_secs(3);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves GraphQL.
    Server,
    /// Runs jobs.
    Worker,
    /// Sends outbox messages.
    Relay,
    /// Fills read models.
    Projector,
}

impl Role {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Worker => "worker",
            Self::Relay => "relay",
            Self::Projector => "projector",
        }
    }

    /// All of them, for a laptop.
    pub const ALL: [Self; 4] = [Self::Server, Self::Worker, Self::Relay, Self::Projector];
}

/// Runs roles until a signal.
///
/// # Errors
/// What kept the process from starting, or a component that failed.
pub async fn run(config: Config, roles: &[Role]) -> anyhow::Result<()> {
    let named: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    let process = if named.len() > 1 { "all" } else { named.first().copied().unwrap_or_default() };
    telemetry::init(&config.telemetry, process)?;
    tracing::info!(?roles, ?config, "starting");
    // Before anything is counted.
    plaza_telemetry::metrics::recorder();
    metrics::gauge!("plaza_build_info", "version" => env!("CARGO_PKG_VERSION"), "roles" => named.join(",")).set(1);
    // Whoever serves nobody has nothing to sign, and cannot lose what signs.
    let keys = if roles.contains(&Role::Server) {
        Keys::read(&config.auth)?
    } else {
        Keys::of_this_process()?
    };
    let app = App::build_with(config, Clock::System, &keys).await?;
    app.tasks.spawn("admin", http::serve_admin(app.clone()));
    app.tasks.spawn("shard map", map_is_in_force(app.clone()));
    for role in roles {
        start(&app, *role);
    }
    let (ready, serves) = (app.clone(), roles.contains(&Role::Server));
    app.tasks.spawn_detached(async move {
        if serves {
            ready.domain.cluster.warm_up(WARM, WARMING).await;
        }
        ready.tasks.set_ready();
    });
    let ended = app.tasks.run_to_end().await;
    trace::finish().await;
    ended
}

/// Ends the process when buckets were moved since it read where they are: whoever started it starts
/// it again, by the new map. What it has begun by the old one cannot be told from what it has not.
async fn map_is_in_force(app: App) -> anyhow::Result<()> {
    let (old, stop) = (app.domain.cluster.map_is_old(), app.tasks.stopping());
    tokio::select! {
        () = old.cancelled() => anyhow::bail!("buckets were moved: the shard map is to be read anew"),
        () = stop.cancelled() => Ok(()),
    }
}

/// Starts a role's components.
pub fn start(app: &App, role: Role) {
    start_without_ports(app, role);
    if role == Role::Server {
        app.watch_pull_authors();
        app.watch_revocations();
        app.tasks.spawn("server", http::serve_public(app.clone()));
    }
}

/// Starts a role's components but for those that listen or keep time: tests serve on ports of their
/// own, and refresh lists when they mean to.
pub fn start_without_ports(app: &App, role: Role) {
    let (cluster, config, stop) =
        (Arc::clone(&app.domain.cluster), Arc::clone(&app.config), app.tasks.stopping());
    if role != Role::Relay {
        app.tasks.spawn(
            "outbox wakes",
            outbox::wakes::publish(Arc::clone(&cluster), app.domain.redis.clone(), stop.clone()),
        );
    }
    if role != Role::Relay {
        app.tasks.spawn(
            "cache invalidation retries",
            cache_trust::retry_invalidations(app.domain.clone(), stop.clone()),
        );
    }
    match role {
        Role::Server => {
            app.watch_replicas();
            app.domain.redis.require_polls();
            app.tasks.spawn("cache trust", cache_trust::poll(app.domain.clone(), stop.clone()));
            plaza_telemetry::metrics::register_server();
            let redis = app.domain.redis.clone();
            let live = redis.clone();
            let stop_live = stop.clone();
            app.tasks.spawn("live channels", async move { live.hear_live(stop_live).await });
            app.tasks.spawn("cache invalidations", async move { redis.listen(stop).await });
            let (views, stopping) = (Arc::clone(&app.domain.views), app.tasks.stopping());
            app.tasks.spawn("views", async move {
                stopping.cancelled().await;
                Ok(tokio::task::spawn_blocking(move || views.flush()).await?)
            });
        }
        Role::Worker => {
            app.reap_images();
            app.sweep_keys();
            app.record_redis_memory();
            let ledger = ledger::Stores::of(&app.domain, Arc::clone(&config));
            app.tasks.spawn("ledger", ledger::hourly::run(ledger, stop.clone()));
            app.tasks.spawn("worker", jobs::run(app.domain.clone(), config, stop));
        }
        Role::Relay => {
            app.tasks
                .spawn("housekeeping", jobs::housekeeping::run(Arc::clone(&cluster), stop.clone()));
            app.tasks.spawn(
                "relay",
                outbox::relay::run(cluster, app.domain.redis.clone(), config, stop),
            );
        }
        Role::Projector => {
            let effects = Arc::new(Effects(app.domain.clone()));
            let windows = read_models::view_windows::projector::run(
                Arc::clone(&cluster),
                Arc::clone(&config),
                app.domain.clock.clone(),
                stop.clone(),
            );
            app.tasks.spawn("view windows", windows);
            app.tasks
                .spawn("projector", read_models::projector::run(cluster, effects, config, stop));
        }
    }
}
