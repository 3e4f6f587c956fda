//! Case 2.2: views counted by an update in each request, against events in a log that a projector
//! takes by thousands.
//!
//! First the mechanism alone, in this process: writers who each commit one view after the other,
//! and a producer that offers views on a schedule. Then through the API: two servers alike but for
//! `views.counted`. At last the broker, the relay and the projector are killed while people post,
//! like and order and views go on; then the ledger says what is missing, double or out of order.

mod api;
mod kills;

use std::time::Duration;

use plaza::app::App;
use plaza::clock::Clock;
use plaza::config::{Config, ViewsCounted};

use self::api::Api;
use self::kills::{Aftermath, killed};
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::outcome::{Figure, Pair, median, medians};
use crate::report::{OperationReport, float};
use crate::session::Session;
use crate::views::{Audience, Flow, by_updates, through_the_log};

/// Posts that are viewed, by Zipf's law.
const POSTS: i64 = 10_000;
/// Writers that update rows at the same time.
const WRITERS: usize = 64;
/// What must be held.
const GOAL: f64 = 100_000.0;
/// Views a second that are offered.
const OFFERED: f64 = 110_000.0;

/// A plaza in this process that counts by updates, and the log that servers write to.
pub struct Kafka<'a> {
    session: &'a Session,
    arguments: &'a CaseArguments,
    config: Config,
    audience: Audience,
    counting: App,
}

/// What is measured after the pairs.
pub struct Rest {
    api: Vec<Pair<OperationReport>>,
    aftermath: Aftermath,
}

fn number(count: i64) -> f64 {
    float(usize::try_from(count).unwrap_or_default())
}

fn failed(rest: &Rest) -> usize {
    rest.api.iter().map(|pair| pair.before.failed + pair.after.failed).sum()
}

impl Kafka<'_> {
    fn rounds(&self) -> u64 {
        if self.arguments.quick { 2 } else { 5 }
    }

    fn length(&self) -> Duration {
        Duration::from_secs(if self.arguments.quick { 6 } else { 12 })
    }
}

impl<'a> Case<'a> for Kafka<'a> {
    const NUMBER: &'static str = "2.2";
    const NAME: &'static str = "kafka";
    type Round = Flow;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        let config = session.settings()?;
        let mut counting = config.clone();
        counting.views.counted = ViewsCounted::ByTheRequest;
        counting.postgres.primary_pool = u32::try_from(WRITERS / 4)?;
        // Writers wait for a connection as long as it takes: how long is what is measured.
        counting.postgres.checkout_timeout_ms = 10_000;
        let counting = App::build(counting, Clock::System).await?;
        let audience = Audience::of_newest(&session.truth, POSTS).await?;
        Ok(Self { session, arguments, config, audience, counting })
    }

    fn series(&self) -> Vec<Series> {
        let rate = self.arguments.rate.unwrap_or(OFFERED);
        vec![Series {
            what: "views a second applied".to_owned(),
            rate: Rate::Fixed(rate),
            // Each round leaves out its own first seconds; this one is as short as a round can be.
            warm_up: Some((rate.min(1_000.0), Duration::from_secs(3))),
            pairs: self.rounds(),
            length: self.length(),
            pause: Duration::ZERO,
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Flow> {
        let (truth, run_dir) = (&self.session.truth, &self.session.run_dir);
        match side {
            Side::Before => {
                let load = (WRITERS, turn.length);
                by_updates(truth, &self.counting.domain, &self.audience, run_dir, load).await
            }
            Side::After => {
                let load = (turn.rate, turn.length);
                through_the_log(truth, &self.config, &self.audience, run_dir, load).await
            }
        }
    }

    fn value(round: &Flow) -> f64 {
        round.applied_per_s
    }

    async fn rest(&mut self, _: &Results<Flow>) -> anyhow::Result<Rest> {
        let length = Duration::from_secs(if self.arguments.quick { 4 } else { 8 });
        let api = {
            let api = Api::start(self.session, self.arguments, POSTS).await?;
            api.measure(self.rounds(), length).await?
        };
        let aftermath = killed(self.session, &self.audience, self.arguments.quick).await?;
        Ok(Rest { api, aftermath })
    }

    fn report(&self, results: &Results<Flow>, rest: &Rest) -> anyhow::Result<Report> {
        let first = &results.first;
        let pairs = first.values(Self::value);
        let acknowledged = medians(&first.values(|flow| flow.acknowledged_per_s)).after;
        let applied = medians(&pairs).after;
        let (rate, found) = (first.rate, &rest.aftermath.found);
        Ok(Report {
            setting: format!(
                "{POSTS} posts viewed by Zipf's law; before: {WRITERS} writers, each commits one view after the other; after: {rate} views/s offered on a \
                 schedule, one broker, {} partitions, lz4; {} pairs of {} s in turns; generator, broker, projector and shards share the machine.",
                self.config.kafka.partitions,
                pairs.len(),
                self.length().as_secs()
            ),
            missed_because: (acknowledged < GOAL || applied < GOAL).then(|| {
                format!(
                    "{rate} views/s were offered; acknowledged {acknowledged:.0}, applied {applied:.0}: generator, broker, projector and twelve databases \
                     share the same cores, and the rows of CPU-seconds say which of them takes how much."
                )
            }),
            pairs_of: "2.2 Kafka: views a second applied, by pair of rounds".to_owned(),
            pairs,
            figures: figures(results, rest),
            correct: rest.aftermath.sound
                && found.lost + found.doubled + found.gaps == 0
                && failed(rest) == 0,
        })
    }
}

/// How fast, for how much CPU.
fn figures(results: &Results<Flow>, rest: &Rest) -> Vec<Figure> {
    let first = &results.first;
    let applied = medians(&first.values(Kafka::value));
    let acknowledged = Pair {
        before: applied.before,
        after: medians(&first.values(|flow| flow.acknowledged_per_s)).after,
    };
    let waited = first.pairs.iter().filter_map(|pair| Some(pair.before.waited.as_ref()?.p95_ms));
    let dropped: i64 = first.pairs.iter().map(|pair| pair.after.dropped).sum();
    let behind = median(first.pairs.iter().map(|pair| pair.after.behind_s));
    let api: Vec<Pair> = rest.api.iter().map(|pair| pair.as_ref().map(|of| of.p95_ms)).collect();
    let mut figures = vec![
        Figure::pair("views a second, acknowledged (acks=all, idempotent)", acknowledged)
            .aimed("100,000", acknowledged.after >= GOAL),
        Figure::pair("views a second, applied to windows", applied)
            .aimed("100,000", applied.after >= GOAL),
        Figure::plain("views dropped at that rate", 0.0, number(dropped)),
        Figure::plain("how long a view's writer waits, p95, ms", median(waited), 0.0),
        Figure::plain("from acknowledged to applied, the last of a round, s", 0.0, behind),
        Figure::pair("p95 of a request that tells of 20 views, ms", medians(&api)),
    ];
    for group in ["postgres primaries", "postgres replicas", "kafka", "plaza projector"] {
        let spent = |flow: &Flow| flow.cpu_s_per_million.get(group).copied().unwrap_or_default();
        let what = format!("CPU-seconds a million views: {group}");
        figures.push(Figure::pair(what, medians(&first.values(spent))));
    }
    figures.extend(ledgers_figures(rest));
    figures
}

/// What the kills did.
fn ledgers_figures(rest: &Rest) -> Vec<Figure> {
    let Aftermath { views, found, kills, .. } = &rest.aftermath;
    let checked = number(found.checked);
    let none = |what: String, count: i64| Figure::plain(what, None, number(count)).none();
    vec![
        none(
            format!("lost, by the ledger, after {kills} kills of broker, relay, projector"),
            found.lost,
        )
        .of(checked),
        none("doubled, by the ledger".to_owned(), found.doubled).of(checked),
        none("gaps, by the ledger".to_owned(), found.gaps).of(checked),
        Figure::plain("things that the ledger looked at", None, checked),
        Figure::plain(
            "views acknowledged meanwhile, every one of them counted",
            None,
            number(views.acknowledged),
        ),
        Figure::plain(
            "views dropped meanwhile, before any acknowledgement",
            None,
            number(views.dropped),
        ),
        Figure::plain("requests that failed", None, float(failed(rest))).none(),
    ]
}
