//! Case 4.0: the whole of it, against stock settings: one server, every read on the primaries,
//! nothing cached.
//!
//! The mix of the load section in turns on both sides, on the same rows: those of as many people as
//! are asked for, seeded first where they are not there yet (a seeding that was interrupted goes
//! on). Then live connections are opened beside it and held, and the mix runs again; and the most
//! followed person posts. What was not reached (people, connections) is told as such: sizes are
//! figures like the others.

mod figures;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use secrecy::ExposeSecret;

use self::figures::{figures, why_missed};
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::nginx::Nginx;
use super::outcome::say;
use super::served::{Launch, Served};
use crate::audit::{self, Audited};
use crate::celebrity::{self, Celebrated, CelebrityArguments};
use crate::client::Client;
use crate::crowd::{Crowd, CrowdArguments, Crowded, PACE};
use crate::mix;
use crate::people::LoggedIn;
use crate::report::OperationReport;
use crate::session::Session;
use crate::truth::Person;

/// People at work in the mix.
const AT_WORK: usize = 300;
/// Of them, those whose homes are compared with the rows in the end.
const AUDITED: usize = 50;
/// Servers behind nginx with everything on.
const SERVERS: [u16; 3] = [4_391, 4_392, 4_393];
const STOCK: u16 = 4_394;
const NGINX: u16 = 4_390;

/// The sizes asked for.
struct Sizes {
    rate: f64,
    rounds: u64,
    length: Duration,
    crowd: CrowdArguments,
    celebrity: CelebrityArguments,
}

impl Sizes {
    fn of(arguments: &CaseArguments) -> Self {
        let quick = arguments.quick;
        let sockets = arguments.sockets.unwrap_or(if quick { 500 } else { 100_000 });
        Self {
            rate: arguments.rate.unwrap_or(if quick { 40.0 } else { 120.0 }),
            rounds: if quick { 1 } else { 5 },
            length: Duration::from_secs(if quick { 6 } else { 15 }),
            crowd: CrowdArguments {
                sockets,
                servers: 0,
                minutes: arguments.minutes.unwrap_or(if quick { 0 } else { 3 }),
                posts: if quick { 1 } else { 3 },
                pace: PACE,
                plaza: arguments.plaza.clone(),
                first_port: 4_400,
                json: "bench-results/4.0-sockets.json".into(),
            },
            celebrity: CelebrityArguments {
                homes: if quick { 50 } else { 2_000 },
                rate: if quick { 20.0 } else { 50.0 },
                seconds: if quick { 4 } else { 15 },
                posts: if quick { 1 } else { 3 },
                json: "bench-results/4.0-celebrity.json".into(),
            },
        }
    }
}

/// A server with stock settings; three behind nginx with everything on.
pub struct Capstone<'a> {
    session: &'a Session,
    sizes: Sizes,
    /// People in the rows.
    there: usize,
    people: Arc<Vec<LoggedIn>>,
    stock: Served,
    nginx: Nginx,
    _servers: Vec<Served>,
}

/// The mix beside the connections.
struct Beside {
    /// While nobody is told anything but what comes of the mix itself.
    held: OperationReport,
    /// In a minute that begins with a post which is told to all of them.
    told: Option<OperationReport>,
}

/// What is measured after the pairs.
pub struct Rest {
    crowd: Crowded,
    beside: Beside,
    celebrated: Celebrated,
    audited: Audited,
}

/// Seeds as many people as are wanted, with the executable that is measured.
async fn seed(config: &Path, arguments: &CaseArguments, wanted: usize) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new(&arguments.plaza);
    command
        .arg("seed")
        .args(["--users", &wanted.to_string()])
        .env("PLAZA_CONFIG", std::path::absolute(config)?);
    if let Some(follows) = arguments.follows {
        command.args(["--follows", &follows.to_string()]);
    }
    let status = command.status().await.with_context(|| {
        format!("{} cannot be started: make release", arguments.plaza.display())
    })?;
    anyhow::ensure!(status.success(), "plaza seed: {status}");
    Ok(())
}

/// Everybody who is there, once there are as many as are wanted.
async fn people(session: &Session, arguments: &CaseArguments) -> anyhow::Result<Vec<Person>> {
    let there = session.truth.people().await?;
    let usual = if arguments.quick { there.len().max(1_000) } else { 1_000_000 };
    let wanted = arguments.users.unwrap_or(usual);
    if there.len() >= wanted {
        return Ok(there);
    }
    seed(&session.config, arguments, wanted).await?;
    session.truth.people().await
}

impl Capstone<'_> {
    /// The mix for so long; all its operations together.
    async fn mix(
        &self,
        client: &Client,
        length: Duration,
        seed: u64,
    ) -> anyhow::Result<OperationReport> {
        let done = mix::drive(client, &self.people, self.sizes.rate, length, seed).await;
        mix::together(done.values()).measured(length.as_secs_f64())
    }

    /// What the connections came to, and the mix beside them.
    async fn with_crowd(&self) -> anyhow::Result<(Crowded, Beside)> {
        let (sizes, client) = (&self.sizes, &self.nginx.client);
        let mut crowd = Crowd::gather(self.session, &sizes.crowd).await?;
        say(&format!("live connections: {} of {}", crowd.found.open, crowd.found.wanted))?;
        for _ in 0..sizes.crowd.posts {
            crowd.post().await?;
        }
        // Warm, as both sides were before their rounds: opening so many takes longer than what is
        // cached lives.
        self.mix(client, sizes.length / 2, 41).await?;
        let held = self.mix(client, sizes.length, 900).await?;
        let mut told = None;
        for minute in 0..sizes.crowd.minutes {
            if minute > 0 {
                crowd.hold_a_minute().await?;
                continue;
            }
            let beside = self.mix(client, Duration::from_secs(60), 901);
            let (posted, beside) = tokio::join!(crowd.hold_a_minute(), beside);
            posted?;
            told = Some(beside?);
        }
        Ok((crowd.found.clone(), Beside { held, told }))
    }
}

impl<'a> Case<'a> for Capstone<'a> {
    const NUMBER: &'static str = "4.0";
    const NAME: &'static str = "capstone";
    type Round = OperationReport;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        let there = people(session, arguments).await?;
        let chosen: Vec<Person> =
            there.choose_multiple(&mut StdRng::seed_from_u64(4), AT_WORK).cloned().collect();
        let shards = session.settings()?.postgres.shards;
        let primaries: Vec<&str> =
            shards.iter().map(|shard| shard.primary.expose_secret()).collect();
        let launch = |port: u16| {
            Ok::<_, anyhow::Error>(
                Launch::new(session, arguments, port)?
                    .with("PLAZA_TELEMETRY__FILTER", "warn")
                    .with("PLAZA_AUTH__ACCESS_TTL_S", 86_400),
            )
        };
        let stock = launch(STOCK)?
            .with("PLAZA_REDIS__CACHE_TTL_MS", 0)
            .with("PLAZA_POSTGRES__SHARDS", primaries.join(","));
        let mut servers = Vec::new();
        for port in SERVERS {
            servers.push(Served::start(launch(port)?).await?);
        }
        let folder = Path::new("target/case-4.0");
        Ok(Self {
            session,
            sizes: Sizes::of(arguments),
            there: there.len(),
            people: Arc::new(session.signer()?.log_in(&chosen)?),
            nginx: Nginx::start(&arguments.root, folder, NGINX, &SERVERS).await?,
            stock: Served::start(stock).await?,
            _servers: servers,
        })
    }

    fn series(&self) -> Vec<Series> {
        vec![Series {
            what: "p95 of the mix, ms".to_owned(),
            rate: Rate::Fixed(self.sizes.rate),
            warm_up: Some((self.sizes.rate, self.sizes.length / 2)),
            pairs: self.sizes.rounds,
            length: self.sizes.length,
            pause: Duration::ZERO,
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<OperationReport> {
        let client = match side {
            Side::Before => &self.stock.client,
            Side::After => &self.nginx.client,
        };
        self.mix(client, turn.length, turn.seed).await
    }

    fn value(round: &OperationReport) -> f64 {
        round.p95_ms
    }

    async fn rest(&mut self, _: &Results<OperationReport>) -> anyhow::Result<Rest> {
        let (crowd, beside) = self.with_crowd().await?;
        let (client, truth) = (&self.nginx.client, &self.session.truth);
        let signer = self.session.signer()?;
        let celebrated = celebrity::measure(client, truth, &signer, &self.sizes.celebrity).await?;
        truth.wait_until_sent().await?;
        let some = self.people.get(..AUDITED.min(self.people.len())).unwrap_or_default();
        let audited = audit::compare(client, truth, some).await?;
        Ok(Rest { crowd, beside, celebrated, audited })
    }

    fn report(&self, results: &Results<OperationReport>, rest: &Rest) -> anyhow::Result<Report> {
        let (sizes, crowd) = (&self.sizes, &rest.crowd);
        let figures = figures(self, results, rest);
        Ok(Report {
            setting: format!(
                "{} people; the mix (60 % home, 30 % a person's posts, 10 % post) at {} requests/s, \
                 {} pairs of {} s in turns: one server, every read on the primaries and nothing \
                 cached, against three servers behind nginx with replicas and caches, on the same \
                 four shards. Then {} live connections, held {} minutes. Load, servers and \
                 databases share the machine.",
                self.there,
                sizes.rate,
                sizes.rounds,
                sizes.length.as_secs(),
                crowd.open,
                crowd.minutes
            ),
            missed_because: why_missed(&figures, crowd),
            pairs_of: "4.0 capstone: p95 of the mix, ms, by pair of rounds".to_owned(),
            pairs: results.first.values(Self::value),
            figures,
            correct: rest.audited.wrong == 0 && rest.celebrated.missing == 0 && crowd.not_told == 0,
        })
    }
}
