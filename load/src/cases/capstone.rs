//! Case 4.0: the whole of it, against stock settings: one server, every read on the primaries,
//! nothing cached.
//!
//! The mix of the load section in turns on both sides, on the same rows: those of as many people as
//! are asked for, seeded first where they are not there yet (a seeding that was interrupted goes
//! on). Then live connections are opened beside it and held, and the mix runs again; and the most
//! followed person posts. What was not reached (people, connections) is told as such: sizes are
//! figures like the others.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use secrecy::ExposeSecret;

use super::CaseArguments;
use super::outcome::{Figure, Outcome, Pair, machine, median, today};
use super::served::{Launch, Nginx, Served};
use crate::audit;
use crate::celebrity::{self, Celebrated, CelebrityArguments};
use crate::client::Client;
use crate::crowd::{Crowd, CrowdArguments, Crowded, PACE};
use crate::mix;
use crate::people::{LoggedIn, Signer};
use crate::report::{Latencies, OperationReport, float};
use crate::truth::{Person, Truth};

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

/// The mix for so long; all its operations together.
async fn round(
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> anyhow::Result<OperationReport> {
    let mut all = Latencies::default();
    for latencies in mix::drive(client, people, rate, length, seed).await.into_values() {
        all.taken.extend(latencies.taken);
        all.failed += latencies.failed;
    }
    all.measured(length.as_secs_f64())
}

/// The sides, and what stands before the second.
struct Sides {
    stock: Served,
    nginx: Nginx,
    _servers: Vec<Served>,
}

impl Sides {
    async fn start(config: &Path, arguments: &CaseArguments) -> anyhow::Result<Self> {
        let shards = plaza::config::Config::load(Some(&config.to_path_buf()))?.postgres.shards;
        let primaries: Vec<&str> =
            shards.iter().map(|shard| shard.primary.expose_secret()).collect();
        let launch = |port: u16| Launch {
            plaza: arguments.plaza.clone(),
            config: std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf()),
            port,
            admin_port: port + 100,
            settings: vec![
                ("PLAZA_TELEMETRY__FILTER", "warn".to_owned()),
                ("PLAZA_AUTH__ACCESS_TTL_S", "86400".to_owned()),
            ],
        };
        let mut stock = launch(STOCK);
        stock.settings.push(("PLAZA_REDIS__CACHE_TTL_MS", "0".to_owned()));
        stock.settings.push(("PLAZA_POSTGRES__SHARDS", primaries.join(",")));
        let mut servers = Vec::new();
        for port in SERVERS {
            servers.push(Served::start(launch(port)).await?);
        }
        let nginx =
            Nginx::start(&arguments.root, Path::new("target/case-4.0"), NGINX, &SERVERS).await?;
        Ok(Self { stock: Served::start(stock).await?, nginx, _servers: servers })
    }
}

/// The mix beside the connections.
struct Beside {
    /// While nobody is told anything but what comes of the mix itself.
    held: OperationReport,
    /// In a minute that begins with a post which is told to all of them.
    told: Option<OperationReport>,
}

/// What the connections came to, and the mix beside them.
async fn with_crowd(
    truth: &Truth,
    config: &Path,
    sizes: &Sizes,
    client: &Client,
    people: &Arc<Vec<LoggedIn>>,
) -> anyhow::Result<(Crowded, Beside)> {
    let mut crowd = Crowd::gather(truth, config, &sizes.crowd).await?;
    writeln!(
        std::io::stdout(),
        "live connections: {} of {}",
        crowd.found.open,
        crowd.found.wanted
    )?;
    for _ in 0..sizes.crowd.posts {
        crowd.post().await?;
    }
    // Warm, as both sides were before their rounds: opening so many takes longer than what is
    // cached lives.
    round(client, people, sizes.rate, sizes.length / 2, 41).await?;
    let held = round(client, people, sizes.rate, sizes.length, 900).await?;
    let mut told = None;
    for minute in 0..sizes.crowd.minutes {
        if minute > 0 {
            crowd.hold_a_minute().await?;
            continue;
        }
        let (posted, beside) = tokio::join!(
            crowd.hold_a_minute(),
            round(client, people, sizes.rate, Duration::from_secs(60), 901)
        );
        posted?;
        told = Some(beside?);
    }
    Ok((crowd.found.clone(), Beside { held, told }))
}

/// The harder of the two.
const TOLD: &str = "p95 in a minute in which one post is told to all of them, ms";

fn figure(what: impl Into<String>, before: Option<f64>, after: f64) -> Figure {
    Figure { what: what.into(), before, after, target: None, met: None }
}

fn target(
    what: impl Into<String>,
    before: Option<f64>,
    after: f64,
    target: &str,
    met: bool,
) -> Figure {
    Figure::aimed(what.into(), before, after, target, met)
}

fn whole(number: u64) -> f64 {
    float(usize::try_from(number).unwrap_or(usize::MAX))
}

fn crowd_figures(crowd: &Crowded) -> Vec<Figure> {
    let middle = |place: usize| {
        median(
            crowd
                .arrivals_ms
                .iter()
                .filter_map(|post| post.get(place))
                .map(|ms| whole(ms.unsigned_abs())),
        )
    };
    vec![
        target(
            format!("live connections open at {} servers", crowd.servers),
            None,
            float(crowd.open),
            "100,000",
            crowd.open >= 100_000,
        ),
        target(
            format!("of them closed in {} minutes", crowd.minutes),
            None,
            float(crowd.dropped),
            "0",
            crowd.dropped == 0,
        ),
        target(
            "posts not told to a connection",
            None,
            float(crowd.not_told),
            "0",
            crowd.not_told == 0,
        ),
        figure("bytes a connection at plaza", None, whole(crowd.server_bytes)),
        figure(
            "bytes a connection in all: plaza, kernel (both ends), generator",
            None,
            whole(crowd.server_bytes + crowd.kernel_bytes + crowd.generator_bytes),
        ),
        figure("from a post to half of the connections, ms", None, middle(0)),
        figure("from a post to 99 % of them, ms", None, middle(1)),
    ]
}

fn celebrity_figures(found: &Celebrated) -> Vec<Figure> {
    let [before, meanwhile, after] = &found.others;
    vec![
        figure(
            format!("seconds until a post is in the last home of {} followers", found.followers),
            None,
            median(found.last_home_s.iter().copied()),
        ),
        figure("others' p95 before and during it, ms", Some(before.p95_ms), meanwhile.p95_ms),
        figure("others' p95 before and after it, ms", Some(before.p95_ms), after.p95_ms),
    ]
}

/// Why figures were missed.
fn why(missed: &[&str], crowd: &Crowded) -> String {
    let mut why = format!("{}: everything shares this machine's cores", missed.join("; "));
    if missed.contains(&TOLD) {
        let took_ms =
            median(crowd.arrivals_ms.iter().map(|[_, most, _]| whole(most.unsigned_abs())));
        why.push_str(&format!(
            ", and to tell {} connections of a post keeps them busy for {:.1} s",
            crowd.open,
            took_ms / 1_000.0
        ));
    }
    why + "."
}

/// The case.
///
/// # Errors
/// The servers'.
pub async fn run(
    truth: &Truth,
    config: &Path,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let sizes = Sizes::of(arguments);
    let mut there = truth.people().await?;
    let wanted =
        arguments.users.unwrap_or(if arguments.quick { there.len().max(1_000) } else { 1_000_000 });
    if there.len() < wanted {
        seed(config, arguments, wanted).await?;
        there = truth.people().await?;
    }
    let chosen: Vec<Person> =
        there.choose_multiple(&mut StdRng::seed_from_u64(4), AT_WORK).cloned().collect();
    let people = Arc::new(Signer::new(config)?.log_in(&chosen)?);
    let sides = Sides::start(config, arguments).await?;
    for client in [&sides.stock.client, &sides.nginx.client] {
        round(client, &people, sizes.rate, sizes.length / 2, 40).await?;
    }
    let mut measured: Vec<(OperationReport, OperationReport)> = Vec::new();
    for number in 0..sizes.rounds {
        let (first, second) = if number % 2 == 0 {
            (&sides.stock.client, &sides.nginx.client)
        } else {
            (&sides.nginx.client, &sides.stock.client)
        };
        let one = round(first, &people, sizes.rate, sizes.length, number).await?;
        let other = round(second, &people, sizes.rate, sizes.length, number).await?;
        measured.push(if number % 2 == 0 { (one, other) } else { (other, one) });
    }
    let (crowd, beside) = with_crowd(truth, config, &sizes, &sides.nginx.client, &people).await?;
    let celebrated =
        celebrity::measure(&sides.nginx.client, truth, &Signer::new(config)?, &sizes.celebrity)
            .await?;
    truth.wait_until_sent().await?;
    let audited = audit::compare(
        &sides.nginx.client,
        truth,
        people.get(..AUDITED.min(people.len())).unwrap_or_default(),
    )
    .await?;

    let pairs: Vec<Pair> = measured
        .iter()
        .map(|(before, after)| Pair { before: before.p95_ms, after: after.p95_ms })
        .collect();
    let p95 = median(pairs.iter().map(|pair| pair.after));
    let stock = median(pairs.iter().map(|pair| pair.before));
    let all = || measured.iter().map(|(_, after)| after).chain([&beside.held]).chain(&beside.told);
    let failed = all().map(|round| round.failed).sum::<usize>();
    let asked = all().map(|round| round.requests).sum::<usize>();
    let mut figures = vec![
        target("people", None, float(there.len()), "1,000,000", there.len() >= 1_000_000),
        target(
            format!("p95 of the mix at {} requests/s, ms", sizes.rate),
            Some(stock),
            p95,
            "< 50",
            p95 < 50.0,
        ),
        target(
            "p95 beside the live connections, ms",
            None,
            beside.held.p95_ms,
            "< 50",
            beside.held.p95_ms < 50.0,
        ),
        target(format!("requests that failed, of {asked}"), None, float(failed), "0", failed == 0)
            .of(float(asked)),
        target(
            format!("home feeds that differ from the rows, of {}", audited.feeds),
            None,
            float(audited.wrong),
            "0",
            audited.wrong == 0,
        )
        .of(float(audited.feeds)),
    ];
    if let Some(told) = &beside.told {
        figures.push(target(TOLD, None, told.p95_ms, "< 50", told.p95_ms < 50.0));
    }
    figures.extend(crowd_figures(&crowd));
    figures.extend(celebrity_figures(&celebrated));
    let missed: Vec<&str> = figures
        .iter()
        .filter(|figure| figure.met == Some(false))
        .map(|figure| figure.what.as_str())
        .collect();
    Ok(Outcome {
        number: "4.0".to_owned(),
        name: "capstone".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-4.0".to_owned(),
        setting: format!(
            "{} people; the mix (60 % home, 30 % a person's posts, 10 % post) at {} requests/s, {} pairs of {} s in turns: one server, every read on the \
             primaries and nothing cached, against three servers behind nginx with replicas and caches, on the same four shards. Then {} live \
             connections, held {} minutes. Load, servers and databases share the machine.",
            there.len(),
            sizes.rate,
            sizes.rounds,
            sizes.length.as_secs(),
            crowd.open,
            crowd.minutes
        ),
        missed_because: (!missed.is_empty()).then(|| why(&missed, &crowd)),
        pairs_of: "4.0 capstone: p95 of the mix, ms, by pair of rounds".to_owned(),
        pairs,
        figures,
        correct: audited.wrong == 0 && celebrated.missing == 0 && crowd.not_told == 0,
    })
}
