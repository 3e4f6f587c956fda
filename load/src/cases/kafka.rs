//! Case 2.2: views counted by an update in each request, against events in a log that a projector
//! takes by thousands.
//!
//! First the mechanism alone, in this process: writers who each commit one view after the other,
//! and a producer that offers views on a schedule. Then through the API: two servers alike but for
//! `views.counted`. At last the broker, the relay and the projector are killed while people post,
//! like and order and views go on; then the ledger says what is missing, double or out of order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use plaza::app::App;
use plaza::cli::ledger::{self, Check};
use plaza::clock::Clock;
use plaza::config::{Config, ViewsCounted};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::CaseArguments;
use super::open_loop::drive;
use super::outcome::{Figure, Outcome, Pair, machine, median, today};
use super::served::{Launch, Served};
use super::zipf::Zipf;
use crate::client::{Client, global_id};
use crate::faults::{self, FaultArguments};
use crate::people::{LoggedIn, log_in};
use crate::report::float;
use crate::truth::Truth;
use crate::views::{Audience, Flow, by_updates, through_the_log};

const RECORD: &str = "mutation($ids: [ID!]!) { postViewsRecord(input: {postIds: $ids}) { recorded userErrors { code message } } }";
/// Views a request tells of: a page of a home feed.
const PAGE: usize = 20;
/// Posts that are viewed, by Zipf's law.
const POSTS: i64 = 10_000;
/// Writers that update rows at the same time.
const WRITERS: usize = 64;
/// What must be held.
const GOAL: f64 = 100_000.0;

fn plain(what: &str, before: Option<f64>, after: f64) -> Figure {
    Figure { what: what.to_owned(), before, after, target: None, met: None }
}

fn measured(what: &str, before: Option<f64>, after: f64, target: &str, met: bool) -> Figure {
    Figure::aimed(what.to_owned(), before, after, target, met)
}

/// The mechanism alone, in turns.
async fn alone(
    truth: &Truth,
    config: &Config,
    audience: &Audience,
    run_dir: &Path,
    (rounds, length, rate): (u64, Duration, f64),
) -> anyhow::Result<(Vec<Flow>, Vec<Flow>)> {
    let mut counting = config.clone();
    counting.views.counted = ViewsCounted::ByTheRequest;
    counting.postgres.primary_pool = u32::try_from(WRITERS / 4)?;
    // Writers wait for a connection as long as it takes: how long is what is measured.
    counting.postgres.checkout_timeout_ms = 10_000;
    let app = App::build(counting, Clock::System).await?;
    let (mut updates, mut logged) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        for turn in [number % 2, 1 - number % 2] {
            if turn == 0 {
                updates.push(
                    by_updates(truth, &app.domain, audience, run_dir, (WRITERS, length)).await?,
                );
            } else {
                logged
                    .push(through_the_log(truth, config, audience, run_dir, (rate, length)).await?);
            }
        }
    }
    Ok((updates, logged))
}

/// Through the API, in turns: the p95 of each round without and with the log, and how many requests
/// failed.
async fn through_the_api(
    truth: &Truth,
    (config, plaza): (&Path, &Path),
    people: &Arc<Vec<LoggedIn>>,
    (rounds, length, rate): (u64, Duration, f64),
) -> anyhow::Result<(Vec<Pair>, usize)> {
    let mut launch = Launch {
        plaza: plaza.to_path_buf(),
        config: std::path::absolute(config)?,
        port: 4192,
        admin_port: 4292,
        settings: vec![
            ("PLAZA_TELEMETRY__FILTER", "warn".to_owned()),
            // A few people view the same posts over and over, and each view is to be work.
            ("PLAZA_VIEWS__ONCE_AN_HOUR", "false".to_owned()),
        ],
    };
    let with = Served::start(launch.clone()).await?;
    (launch.port, launch.admin_port) = (4191, 4291);
    launch.settings.push(("PLAZA_VIEWS__COUNTED", "by_the_request".to_owned()));
    let without = Served::start(launch).await?;
    let posts: Vec<String> =
        truth.newest_posts(POSTS).await?.into_iter().map(|id| global_id("Post", id)).collect();
    let scene = Arc::new((Zipf::new(posts.len()), posts));
    let (mut pairs, mut failed) = (Vec::new(), 0);
    for number in 0..=rounds {
        let mut pair = Pair { before: 0.0, after: 0.0 };
        for turn in [number % 2, 1 - number % 2] {
            let served = if turn == 0 { &without } else { &with };
            let mut latencies = drive(rate, length, number, |seed| {
                let (client, people, scene) =
                    (served.client.clone(), Arc::clone(people), Arc::clone(&scene));
                async move {
                    let mut random = StdRng::seed_from_u64(seed);
                    let person = people.choose(&mut random).context("nobody is logged in")?;
                    let mut page: Vec<&String> =
                        (0..PAGE).filter_map(|_| scene.1.get(scene.0.draw(&mut random))).collect();
                    page.sort_unstable();
                    page.dedup();
                    let data =
                        client.send(Some(&person.token), RECORD, json!({ "ids": page })).await?;
                    let recorded =
                        data.pointer("/postViewsRecord/recorded").and_then(Value::as_i64);
                    anyhow::ensure!(recorded.is_some(), "answered {data}");
                    Ok(())
                }
            })
            .await;
            let report = latencies.measured(length.as_secs_f64())?;
            // The first pair warms both.
            if number > 0 {
                failed += report.failed;
                *if turn == 0 { &mut pair.before } else { &mut pair.after } = report.p95_ms;
            }
        }
        if number > 0 {
            pairs.push(pair);
        }
    }
    Ok((pairs, failed))
}

/// What the kills left.
struct Aftermath {
    /// Whether every acknowledged mutation is there once, every feed and counter right.
    sound: bool,
    views: Flow,
    checks: Vec<Check>,
}

/// Posts, likes, orders and views while the broker, the relay and the projector are killed in turn;
/// then the ledger, once all is settled.
async fn killed(
    (client, truth): (&Client, &Truth),
    config: &Config,
    audience: &Audience,
    run_dir: &Path,
    password: &str,
    quick: bool,
) -> anyhow::Result<Aftermath> {
    let kill = ["kafka", "relay", "projector"].map(str::to_owned);
    let kill = if quick { kill.to_vec() } else { [kill.clone(), kill].concat() };
    let faults = FaultArguments { kill, dead: 3, calm: 4, clients: 8, people: 100 };
    let (send, length) = (5_000.0, Duration::from_secs(if quick { 35 } else { 80 }));
    let views = through_the_log(truth, config, audience, run_dir, (send, length));
    let (sound, views) =
        tokio::join!(faults::run(client, truth, run_dir, password, &faults), views);
    let (sound, views) = (sound?, views?);
    let began = Instant::now();
    let checks = loop {
        let checks = ledger::verify(config).await?;
        if checks.iter().all(|check| check.waiting == 0)
            || began.elapsed() > Duration::from_secs(90)
        {
            break checks;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    Ok(Aftermath { sound, views, checks })
}

/// Things that the ledger found, by what became of them.
#[derive(Debug, Default)]
struct Found {
    looked: i64,
    lost: i64,
    doubled: i64,
    gaps: i64,
}

fn sorted_out(checks: &[Check]) -> Found {
    let mut found = Found::default();
    for check in checks {
        found.looked += check.looked;
        // What has not arrived after all that time will not.
        found.lost += check.waiting;
        let law = check.law.as_str();
        *match () {
            () if law.contains("follow each other") => &mut found.gaps,
            () if law.starts_with("versions of") || law.starts_with("records of views") => {
                &mut found.doubled
            }
            () => &mut found.lost,
        } += check.wrong;
    }
    found
}

fn number(count: i64) -> f64 {
    float(usize::try_from(count).unwrap_or_default())
}

/// The case.
///
/// # Errors
/// The servers'.
pub async fn run(
    client: &Client,
    truth: &Truth,
    config: &PathBuf,
    run_dir: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let (rounds, length, api_length) = if arguments.quick { (2, 6, 4) } else { (5, 12, 8) };
    let (length, api_length) = (Duration::from_secs(length), Duration::from_secs(api_length));
    let (rate, api_rate) = (arguments.rate.unwrap_or(110_000.0), 50.0);
    let loaded = Config::load(Some(config))?;
    let audience = Audience::of_newest(truth, POSTS).await?;
    let chosen: Vec<_> =
        truth.people().await?.choose_multiple(&mut StdRng::seed_from_u64(1), 60).cloned().collect();
    let people = Arc::new(log_in(client, &chosen, password).await?);

    let (updates, logged) =
        alone(truth, &loaded, &audience, run_dir, (rounds, length, rate)).await?;
    let (api, failed) =
        through_the_api(truth, (config, &arguments.plaza), &people, (rounds, api_length, api_rate))
            .await?;
    let aftermath =
        killed((client, truth), &loaded, &audience, run_dir, password, arguments.quick).await?;

    let of = |flows: &[Flow], value: fn(&Flow) -> f64| median(flows.iter().map(value));
    let pairs: Vec<Pair> = updates
        .iter()
        .zip(&logged)
        .map(|(before, after)| Pair { before: before.applied_per_s, after: after.applied_per_s })
        .collect();
    let (acknowledged, applied) =
        (of(&logged, |flow| flow.acknowledged_per_s), of(&logged, |flow| flow.applied_per_s));
    let by_update = of(&updates, |flow| flow.applied_per_s);
    let waited = median(updates.iter().filter_map(|flow| Some(flow.waited.as_ref()?.p95_ms)));
    let dropped: i64 = logged.iter().map(|flow| flow.dropped).sum();
    let found = sorted_out(&aftermath.checks);
    let mut figures = vec![
        measured(
            "views a second, acknowledged (acks=all, idempotent)",
            Some(by_update),
            acknowledged,
            "100,000",
            acknowledged >= GOAL,
        ),
        measured(
            "views a second, applied to windows",
            Some(by_update),
            applied,
            "100,000",
            applied >= GOAL,
        ),
        plain("views dropped at that rate", Some(0.0), number(dropped)),
        plain("how long a view's writer waits, p95, ms", Some(waited), 0.0),
        plain(
            "from acknowledged to applied, the last of a round, s",
            Some(0.0),
            of(&logged, |flow| flow.behind_s),
        ),
        plain(
            "p95 of a request that tells of 20 views, ms",
            Some(median(api.iter().map(|pair| pair.before))),
            median(api.iter().map(|pair| pair.after)),
        ),
    ];
    for group in ["postgres primaries", "postgres replicas", "kafka", "plaza projector"] {
        let spent = |flows: &[Flow]| {
            median(
                flows
                    .iter()
                    .map(|flow| flow.cpu_s_per_million.get(group).copied().unwrap_or_default()),
            )
        };
        figures.push(plain(
            &format!("CPU-seconds a million views: {group}"),
            Some(spent(&updates)),
            spent(&logged),
        ));
    }
    let kills = if arguments.quick { 3 } else { 6 };
    figures.extend([
        measured(
            &format!("lost, by the ledger, after {kills} kills of broker, relay, projector"),
            None,
            number(found.lost),
            "0",
            found.lost == 0,
        )
        .of(number(found.looked)),
        measured("doubled, by the ledger", None, number(found.doubled), "0", found.doubled == 0)
            .of(number(found.looked)),
        measured("gaps, by the ledger", None, number(found.gaps), "0", found.gaps == 0)
            .of(number(found.looked)),
        plain("things that the ledger looked at", None, number(found.looked)),
        plain(
            "views acknowledged meanwhile, every one of them counted",
            None,
            number(aftermath.views.acknowledged),
        ),
        plain(
            "views dropped meanwhile, before any acknowledgement",
            None,
            number(aftermath.views.dropped),
        ),
        measured("requests that failed", None, float(failed), "0", failed == 0),
    ]);
    let correct = aftermath.sound && found.lost + found.doubled + found.gaps == 0 && failed == 0;
    Ok(Outcome {
        number: "2.2".to_owned(),
        name: "kafka".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-2.2".to_owned(),
        setting: format!(
            "{POSTS} posts viewed by Zipf's law; before: {WRITERS} writers, each commits one view after the other; after: {rate} views/s offered on a \
             schedule, one broker, {} partitions, lz4; {rounds} pairs of {} s in turns; generator, broker, projector and shards share the machine.",
            loaded.kafka.partitions,
            length.as_secs()
        ),
        missed_because: (acknowledged < GOAL || applied < GOAL).then(|| {
            format!(
                "{rate} views/s were offered; acknowledged {acknowledged:.0}, applied {applied:.0}: generator, broker, projector and twelve databases \
                 share the same cores, and the rows of CPU-seconds say which of them takes how much."
            )
        }),
        pairs_of: "2.2 Kafka: views a second applied, by pair of rounds".to_owned(),
        pairs,
        figures,
        correct,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ledger_found_is_called_by_its_name() {
        let check = |law: &str, waiting, wrong| Check {
            law: law.to_owned(),
            looked: 10,
            waiting,
            wrong,
            example: None,
        };
        let found = sorted_out(&[
            check("versions of an aggregate follow each other in Kafka", 0, 1),
            check("versions of post_counts are the log's newest", 2, 4),
            check("events marked as sent are in Kafka", 0, 8),
        ]);
        assert_eq!((found.looked, found.lost, found.doubled, found.gaps), (30, 10, 4, 1));
    }
}
