//! Case 3.1: one server behind nginx, against three, while a server is killed, hangs, is slow, and
//! all are restarted in turn.
//!
//! The repository's own nginx.conf on both sides, alike but for the number of servers it names; the
//! same faults at the same moments.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep};

use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::nginx::Nginx;
use super::open_loop::drive;
use super::outcome::{Figure, Pair};
use super::reads_and_posts::read_or_post;
use super::served::{Launch, Served};
use crate::people::LoggedIn;
use crate::report::{Latencies, float};
use crate::resume::{Tally, Watchers, post};
use crate::session::Session;
use crate::watching::author_and_followers;

/// How long a fault lasts.
const FAULT: Duration = Duration::from_secs(3);
/// A little more than nginx's `fail_timeout`: until it asks a server again that had been
/// unavailable. Restarted without this wait, all three are taken for dead together, and a fifth of
/// the requests is answered 502.
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

/// Pair after pair, one fault after the other: each begins with either side in turn.
const FAULTS: [(Fault, &str); 5] = [
    (Fault::None, "nothing done"),
    (Fault::Killed, "one killed, started again after 3 s"),
    (Fault::Hung, "one hung for 3 s"),
    (Fault::Slow, "one at a quarter of its speed for 3 s"),
    (Fault::Rolling, "all restarted, one after the other"),
];

/// nginx and the servers behind it.
#[derive(Debug)]
struct Balanced {
    servers: Vec<Served>,
    nginx: Nginx,
}

impl Balanced {
    async fn start(
        session: &Session,
        arguments: &CaseArguments,
        first: u16,
        servers: u16,
    ) -> anyhow::Result<Self> {
        let mut started = Vec::new();
        let ports: Vec<u16> = (first + 1..=first + servers).collect();
        for port in &ports {
            let launch = Launch::new(session, arguments, *port)?;
            started.push(Served::start(launch.with("PLAZA_TELEMETRY__FILTER", "error")).await?);
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

/// One nginx before one server, another before three.
pub struct LoadBalancing<'a> {
    session: &'a Session,
    arguments: &'a CaseArguments,
    one_server: Balanced,
    three_servers: Balanced,
    people: Arc<Vec<LoggedIn>>,
}

/// What is measured after the pairs.
#[derive(Debug)]
pub struct Rest {
    undisturbed: Latencies,
    /// How far the three servers are from each other then.
    apart: f64,
    /// Sockets while all servers are restarted.
    watching: usize,
    tallies: Pair<Tally>,
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

/// Failed, of a thousand.
fn permille(latencies: &Latencies) -> f64 {
    float(latencies.failed) / float(latencies.requests()) * 1_000.0
}

/// What sockets lost while the servers behind them were restarted in turn.
async fn sockets(
    side: &mut Balanced,
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

impl LoadBalancing<'_> {
    /// The load throughout, the fault after a quarter of it, and not longer than the load unless
    /// the fault is.
    async fn load(&mut self, side: Side, turn: Turn, fault: Fault) -> anyhow::Result<Latencies> {
        let balanced = match side {
            Side::Before => &mut self.one_server,
            Side::After => &mut self.three_servers,
        };
        let (client, people) = (balanced.nginx.client.clone(), &self.people);
        let driven = drive(turn.rate, turn.length, turn.seed, |number| {
            read_or_post(client.clone(), people.clone(), number)
        });
        let suffered = async {
            sleep(turn.length / 4).await;
            balanced.suffer(fault).await
        };
        let (latencies, suffered) = tokio::join!(driven, suffered);
        suffered?;
        latencies.measured(turn.length.as_secs_f64())?;
        Ok(latencies)
    }

    fn length() -> Duration {
        Duration::from_secs(14)
    }

    fn rounds(&self) -> u64 {
        if self.arguments.quick { 1 } else { 4 }
    }
}

/// The latencies under each fault, of all rounds.
fn by_fault(results: &Results<Latencies>) -> Vec<Pair<Latencies>> {
    let mut all: Vec<Pair<Latencies>> = FAULTS.iter().map(|_| Pair::default()).collect();
    for (number, pair) in results.first.pairs.iter().enumerate() {
        if let Some(of_fault) = all.get_mut(number % FAULTS.len()) {
            of_fault.before.add(&pair.before);
            of_fault.after.add(&pair.after);
        }
    }
    all
}

impl<'a> Case<'a> for LoadBalancing<'a> {
    const NUMBER: &'static str = "3.1";
    const NAME: &'static str = "load-balancing";
    type Round = Latencies;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        Ok(Self {
            session,
            arguments,
            one_server: Balanced::start(session, arguments, 4_180, 1).await?,
            three_servers: Balanced::start(session, arguments, 4_190, 3).await?,
            people: Arc::new(session.signer()?.log_in(&session.sample(100, 1).await?)?),
        })
    }

    fn series(&self) -> Vec<Series> {
        let rate = self.arguments.rate.unwrap_or(100.0);
        vec![Series {
            what: "failed of 1,000 requests".to_owned(),
            rate: Rate::Fixed(rate),
            warm_up: Some((rate, Self::length() / 3)),
            pairs: self.rounds() * 5,
            length: Self::length(),
            pause: Duration::ZERO,
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Latencies> {
        let fault = FAULTS.get(usize::try_from(turn.seed)? % FAULTS.len());
        self.load(side, turn, fault.context("no such fault")?.0).await
    }

    fn value(round: &Latencies) -> f64 {
        permille(round)
    }

    async fn rest(&mut self, results: &Results<Latencies>) -> anyhow::Result<Rest> {
        let counted = self.three_servers.counts().await?;
        let length = if self.arguments.quick { Self::length() } else { EVEN_OVER };
        let turn = Turn { series: 0, seed: self.rounds(), rate: results.first.rate, length };
        let undisturbed = self.load(Side::After, turn, Fault::None).await?;
        let apart = skew(&counted, &self.three_servers.counts().await?);
        let Session { client, truth, password, .. } = self.session;
        let (author, followers) = author_and_followers(client, truth, password).await?;
        let watching = if self.arguments.quick { 50 } else { 500 };
        let tallies = Pair {
            before: sockets(&mut self.one_server, &author, &followers, watching).await?,
            after: sockets(&mut self.three_servers, &author, &followers, watching).await?,
        };
        Ok(Rest { undisturbed, apart, watching, tallies })
    }

    fn report(&self, results: &Results<Latencies>, rest: &Rest) -> anyhow::Result<Report> {
        let faults = by_fault(results);
        let failed =
            results.first.sums(|round| float(round.failed)).after + float(rest.undisturbed.failed);
        Ok(Report {
            setting: format!(
                "{} arrivals/s through nginx, one in ten a post, {} rounds of {} s for each fault and side, in turns; one server against three, \
                 the same nginx.conf; all on the same cores, so this is about faults, not about capacity.",
                results.first.rate,
                self.rounds(),
                Self::length().as_secs()
            ),
            missed_because: (failed > 0.5).then(|| {
                "a request that no server could be asked a second time for, or that was refused by a server with too many at a time: see the rows below."
                    .to_owned()
            }),
            pairs_of: "3.1 failed of 1,000 requests: 1 nothing done, 2 killed, 3 hung, 4 slow, 5 rolling restart".to_owned(),
            pairs: faults.iter().map(|pair| pair.as_ref().map(permille)).collect(),
            figures: figures(results, &faults, rest),
            correct: wrong(rest.tallies.after) < 0.5,
        })
    }
}

/// Posts that did not come to a socket exactly once.
fn wrong(tally: Tally) -> f64 {
    float(tally.missed + tally.doubled)
}

fn figures(results: &Results<Latencies>, faults: &[Pair<Latencies>], rest: &Rest) -> Vec<Figure> {
    let asked = results.first.sums(|round| float(round.requests()));
    let mut failed = results.first.sums(|round| float(round.failed));
    let available = Pair {
        before: (1.0 - failed.before / asked.before) * 100.0,
        after: (1.0 - failed.after / asked.after) * 100.0,
    };
    failed.after += float(rest.undisturbed.failed);
    let Rest { undisturbed, apart, watching, tallies } = rest;
    let mut figures = vec![
        Figure::plain(
            format!(
                "requests a server apart, % of the mean, of {} undisturbed",
                undisturbed.requests()
            ),
            None,
            *apart,
        )
        .aimed("at most 2", *apart <= 2.0),
        Figure::pair(
            format!("answered rightly through all faults, %, of {:.0} requests", asked.after),
            available,
        )
        .aimed("at least 99.9", available.after >= 99.9),
        Figure::pair("requests that failed", failed).none().of(asked.after),
        Figure::pair(
            format!(
                "{watching} sockets, all servers restarted in turn: posts missed or told twice"
            ),
            tallies.map(wrong),
        )
        .none()
        .of(float(*watching)),
        Figure::pair(
            "the same: connections, each kept to one server",
            tallies.map(|tally| float(tally.connects)),
        ),
    ];
    for ((_, name), pair) in FAULTS.iter().zip(faults) {
        let p99 = pair.as_ref().map(|latencies| latencies.report(1.0).p99_ms);
        let failed = pair.as_ref().map(permille);
        figures.push(Figure::pair(format!("{name}: failed of 1,000"), failed));
        figures.push(Figure::pair(format!("{name}: p99, ms"), p99));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_of_a_round_are_compared_by_what_they_were_asked_in_it() {
        assert_eq!(skew(&[10.0, 20.0, 30.0], &[110.0, 120.0, 130.0]), 0.0);
        assert_eq!(skew(&[0.0, 0.0], &[90.0, 110.0]), 20.0);
    }
}
