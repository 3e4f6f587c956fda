//! Case 3.1: one server behind nginx, against three, while a server is killed, hangs, is slow, and
//! all are restarted in turn.
//!
//! The repository's own nginx.conf on both sides, alike but for the number of servers it names; the
//! same faults at the same moments.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::time::{Instant, sleep};

use super::CaseArguments;
use super::open_loop::drive;
use super::outcome::{Figure, Outcome, Pair, machine, today};
use super::reads_and_posts::read_or_post;
use super::served::{Launch, Nginx, Served};
use crate::client::Client;
use crate::people::{LoggedIn, Signer};
use crate::report::{Latencies, float};
use crate::resume::{Tally, Watchers, post};
use crate::truth::Truth;
use crate::watching::author_and_followers;

/// How long a fault lasts.
const FAULT: Duration = Duration::from_secs(3);
/// A little more than nginx's `fail_timeout`: until it asks a server again that had been away.
/// Restarted without this wait, all three are taken for dead together, and a fifth of the requests
/// is answered 502.
const TRUSTED_AGAIN: Duration = Duration::from_millis(2_500);

/// How long requests are counted by server while nothing is done: who has fewest at work is partly
/// chance, which 14 s of them do not even out.
const EVEN_OVER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Killed,
    Hung,
    Slow,
    Rolling,
}

const FAULTS: [(Fault, &str); 5] = [
    (Fault::None, "nothing done"),
    (Fault::Killed, "one killed, started again after 3 s"),
    (Fault::Hung, "one hung for 3 s"),
    (Fault::Slow, "one at a quarter of its speed for 3 s"),
    (Fault::Rolling, "all restarted, one after the other"),
];

/// nginx and the servers behind it.
#[derive(Debug)]
struct Side {
    servers: Vec<Served>,
    nginx: Nginx,
}

impl Side {
    async fn start(
        config: &Path,
        arguments: &CaseArguments,
        first: u16,
        servers: u16,
    ) -> anyhow::Result<Self> {
        let mut started = Vec::new();
        let ports: Vec<u16> = (first + 1..=first + servers).collect();
        for port in &ports {
            let launch = Launch {
                plaza: arguments.plaza.clone(),
                config: std::path::absolute(config)?,
                port: *port,
                admin_port: port + 100,
                settings: vec![("PLAZA_TELEMETRY__FILTER", "error".to_owned())],
            };
            started.push(Served::start(launch).await?);
        }
        let folder = arguments.root.join(format!(".local/case/nginx-{first}"));
        let nginx = Nginx::start(&arguments.root, &folder, first, &ports).await?;
        Ok(Self { servers: started, nginx })
    }

    /// Does it to the first server, or to all in turn.
    async fn suffer(&mut self, fault: Fault) -> anyhow::Result<()> {
        let first = self.servers.first_mut().context("no servers")?;
        match fault {
            Fault::None => {}
            Fault::Killed => {
                first.signal("KILL")?;
                sleep(FAULT).await;
                first.start_again().await?;
            }
            Fault::Hung => {
                first.signal("STOP")?;
                sleep(FAULT).await;
                first.signal("CONT")?;
            }
            Fault::Slow => {
                let end = Instant::now() + FAULT;
                while Instant::now() < end {
                    first.signal("STOP")?;
                    sleep(Duration::from_millis(75)).await;
                    first.signal("CONT")?;
                    sleep(Duration::from_millis(25)).await;
                }
            }
            Fault::Rolling => {
                for server in &mut self.servers {
                    server.signal("TERM")?;
                    server.start_again().await?;
                    sleep(TRUSTED_AGAIN).await;
                }
            }
        }
        Ok(())
    }

    async fn counts(&self) -> anyhow::Result<Vec<f64>> {
        let mut counts = Vec::new();
        for server in &self.servers {
            counts.push(server.requests().await?);
        }
        Ok(counts)
    }
}

/// A round: the load throughout, the fault after a quarter of it, and not longer than the load
/// unless the fault is.
async fn round(
    side: &mut Side,
    people: &Arc<Vec<LoggedIn>>,
    load: (f64, Duration),
    seed: u64,
    fault: Fault,
) -> anyhow::Result<Latencies> {
    let client = side.nginx.client.clone();
    let driven =
        drive(load.0, load.1, seed, |number| read_or_post(client.clone(), people.clone(), number));
    let suffered = async {
        sleep(load.1 / 4).await;
        side.suffer(fault).await
    };
    let (latencies, suffered) = tokio::join!(driven, suffered);
    suffered?;
    anyhow::ensure!(
        !latencies.taken.is_empty(),
        "none of the {} requests of this round succeeded",
        latencies.failed
    );
    Ok(latencies)
}

/// What one side answered under one fault, over all rounds.
#[derive(Debug, Default)]
struct Answers {
    all: Latencies,
}

impl Answers {
    fn add(&mut self, latencies: Latencies) {
        self.all.taken.extend(latencies.taken);
        self.all.failed += latencies.failed;
    }

    fn asked(&self) -> f64 {
        float(self.all.taken.len() + self.all.failed)
    }

    /// Failed, of a thousand.
    fn permille(&self) -> f64 {
        float(self.all.failed) / self.asked() * 1_000.0
    }

    fn p99(&mut self) -> f64 {
        self.all.report(1.0).p99_ms
    }
}

/// How far the busiest and the idlest server are from each other, in percent of the mean.
fn skew(before: &[f64], after: &[f64]) -> f64 {
    let counts: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let mean = counts.iter().sum::<f64>() / float(counts.len().max(1));
    let (most, least) = counts
        .iter()
        .fold((f64::MIN, f64::MAX), |(most, least), count| (most.max(*count), least.min(*count)));
    (most - least) / mean * 100.0
}

/// What sockets lost while the servers behind them were restarted in turn.
async fn sockets(
    side: &mut Side,
    author: &LoggedIn,
    people: &[LoggedIn],
    count: usize,
) -> anyhow::Result<Tally> {
    let client = side.nginx.client.clone();
    let watchers = Watchers::begin(client.url(), people, count).await?;
    // The first post gives everybody a cursor to come back with.
    let first = post(&client, author, 0).await?.0;
    watchers.settle(&[first], Duration::from_secs(30)).await;
    let posting = async {
        let mut ids = vec![first];
        for number in 1..80 {
            sleep(Duration::from_millis(100)).await;
            ids.push(post(&client, author, number).await?.0);
        }
        anyhow::Ok(ids)
    };
    let (ids, suffered) = tokio::join!(posting, side.suffer(Fault::Rolling));
    suffered?;
    let ids = ids?;
    watchers.settle(&ids, Duration::from_secs(30)).await;
    Ok(watchers.tally(&ids))
}

/// The case.
///
/// # Errors
/// The servers'.
pub async fn run(
    truth: &Truth,
    client: &Client,
    config: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let (rounds, length) = if arguments.quick { (1, 14) } else { (4, 14) };
    let length = Duration::from_secs(length);
    let rate = arguments.rate.unwrap_or(100.0);
    let mut one_server = Side::start(config, arguments, 4180, 1).await?;
    let mut three_servers = Side::start(config, arguments, 4190, 3).await?;
    let chosen: Vec<_> = truth
        .people()
        .await?
        .choose_multiple(&mut StdRng::seed_from_u64(1), 100)
        .cloned()
        .collect();
    let people = Arc::new(Signer::new(config)?.log_in(&chosen)?);
    for side in [&mut one_server, &mut three_servers] {
        round(side, &people, (rate, length / 3), 100, Fault::None).await?;
    }

    let mut seen: [Vec<Answers>; 2] =
        [(); 2].map(|()| FAULTS.iter().map(|_| Answers::default()).collect());
    for number in 0..rounds {
        for (index, (fault, _)) in FAULTS.iter().enumerate() {
            for turn in [number % 2, 1 - number % 2] {
                let side = if turn == 0 { &mut one_server } else { &mut three_servers };
                let latencies = round(side, &people, (rate, length), number, *fault).await?;
                if let Some(answers) =
                    usize::try_from(turn).ok().and_then(|turn| seen.get_mut(turn)?.get_mut(index))
                {
                    answers.add(latencies);
                }
            }
        }
    }

    let counted = three_servers.counts().await?;
    let undisturbed = round(
        &mut three_servers,
        &people,
        (rate, if arguments.quick { length } else { EVEN_OVER }),
        rounds,
        Fault::None,
    )
    .await?;
    let apart = skew(&counted, &three_servers.counts().await?);

    let (author, followers) = author_and_followers(client, truth, password).await?;
    let watching = if arguments.quick { 50 } else { 500 };
    let without = sockets(&mut one_server, &author, &followers, watching).await?;
    let with = sockets(&mut three_servers, &author, &followers, watching).await?;

    let [mut before, mut after] = seen;
    let total =
        |side: &[Answers]| side.iter().map(|answers| float(answers.all.failed)).sum::<f64>();
    let asked = |side: &[Answers]| side.iter().map(Answers::asked).sum::<f64>();
    let available = |side: &[Answers]| (1.0 - total(side) / asked(side)) * 100.0;
    let failed = total(&after) + float(undisturbed.failed);
    let mut figures = vec![
        Figure {
            what: format!(
                "requests a server apart, % of the mean, of {} undisturbed",
                undisturbed.taken.len() + undisturbed.failed
            ),
            before: None,
            after: apart,
            target: Some("at most 2".to_owned()),
            met: Some(apart <= 2.0),
        },
        Figure {
            what: format!(
                "answered rightly through all faults, %, of {:.0} requests",
                asked(&after)
            ),
            before: Some(available(&before)),
            after: available(&after),
            target: Some("at least 99.9".to_owned()),
            met: Some(available(&after) >= 99.9),
        },
        Figure {
            what: "requests that failed".to_owned(),
            before: Some(total(&before)),
            after: failed,
            target: Some("0".to_owned()),
            met: Some(failed < 0.5),
        }
        .of(asked(&after)),
    ];
    let wrong = |tally: Tally| float(tally.missed + tally.doubled);
    let told = Figure {
        what: format!(
            "{watching} sockets, all servers restarted in turn: posts missed or told twice"
        ),
        before: Some(wrong(without)),
        after: wrong(with),
        target: Some("0".to_owned()),
        met: Some(wrong(with) < 0.5),
    };
    figures.push(told.of(float(watching)));
    figures.push(Figure {
        what: "the same: connections, each kept to one server".to_owned(),
        before: Some(float(without.connects)),
        after: float(with.connects),
        target: None,
        met: None,
    });
    for (((_, name), before), after) in FAULTS.iter().zip(&mut before).zip(&mut after) {
        let plain = |what: String, before: f64, after: f64| Figure {
            what,
            before: Some(before),
            after,
            target: None,
            met: None,
        };
        figures.push(plain(
            format!("{name}: failed of 1,000"),
            before.permille(),
            after.permille(),
        ));
        figures.push(plain(format!("{name}: p99, ms"), before.p99(), after.p99()));
    }
    Ok(Outcome {
        number: "3.1".to_owned(),
        name: "load-balancing".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-3.1".to_owned(),
        setting: format!(
            "{rate} arrivals/s through nginx, one in ten a post, {rounds} rounds of {} s for each fault and side, in turns; one server against three, \
             the same nginx.conf; all on the same cores, so this is about faults, not about capacity.",
            length.as_secs()
        ),
        missed_because: (failed > 0.5).then(|| {
            "a request that no server could be asked a second time for, or that was refused by a server with too many at a time: see the rows below."
                .to_owned()
        }),
        pairs_of: "3.1 failed of 1,000 requests: 1 nothing done, 2 killed, 3 hung, 4 slow, 5 rolling restart".to_owned(),
        pairs: before.iter().zip(&after).map(|(before, after)| Pair { before: before.permille(), after: after.permille() }).collect(),
        figures,
        correct: wrong(with) < 0.5,
    })
}
