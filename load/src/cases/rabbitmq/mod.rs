//! Case 2.1: an order's saga inside the request that places it, against a job for a worker.
//!
//! The same `domain/orders/saga.rs` on both sides, the provider taking 150 ms;
//! `orders.saga_in_request` is the whole difference. Then the provider fails one attempt in five
//! and cannot make sense of one order in a hundred, then it is down for a while. At the end the
//! rows are asked: every acknowledged order is there, and has ended, or is in the dead letters with
//! its cause; and the stock adds up.

mod faults;
mod shop;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::faults::{DOWN, Experiment, Faults};
use self::shop::{Market, PROVIDER_MS, RETRY_DELAYS, STOCK, Shop};
use super::CaseArguments;
use super::case::{Case, Rate, Report, Results, Series, Side, Turn};
use super::open_loop::drive;
use super::outcome::{Figure, Pair, median, medians, say};
use super::served::Served;
use crate::client::{Client, raw_id};
use crate::faults::up;
use crate::report::{Latencies, OperationReport, float};
use crate::session::Session;
use crate::truth::Truth;

/// 10,000 orders a minute, in orders a second.
const TARGET_RATE: f64 = 10_000.0 / 60.0;
/// The API's p95 must stay below this.
const API_MS: f64 = 200.0;
/// All orders of a round must have ended so soon after it, for its rate to be held.
const DRAINED_S: f64 = 3.0;
/// Rates tried after the rounds, as multiples of the first.
const STEPS: [f64; 4] = [1.5, 2.0, 3.0, 4.0];
/// How long the orders of a round may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until of the orders that were placed since, no more have not ended than are dead-lettered;
/// how long that took.
async fn until_ended(
    truth: &Truth,
    since: i64,
    dead: i64,
    patience: Duration,
) -> anyhow::Result<(Duration, i64)> {
    let started = Instant::now();
    loop {
        let left = truth.orders_under_way(since).await?;
        if left <= dead || started.elapsed() > patience {
            return Ok((started.elapsed(), left));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn orders(
    client: &Client,
    market: &Arc<Market>,
    rate: f64,
    length: Duration,
    seed: u64,
) -> Latencies {
    drive(rate, length, seed, |number| market.clone().buy(client.clone(), number)).await
}

/// A server with the saga inside the request; a server that leaves it to a worker, and the worker.
pub struct RabbitMq<'a> {
    session: &'a Session,
    arguments: &'a CaseArguments,
    shop: Shop,
    market: Arc<Market>,
    /// The newest order before the case.
    began: i64,
    before: Option<Served>,
    after: Served,
    worker: Option<Served>,
}

/// What a round took, and how long its last orders took to end.
#[derive(Debug)]
pub struct Round {
    operation: OperationReport,
    drained_s: f64,
}

/// What is measured after the pairs.
#[derive(Debug)]
pub struct Rest {
    /// The highest rate that was held, in orders a second.
    held: Pair,
    faults: Faults,
    wrong_stock: i64,
}

impl Round {
    fn is_held(&self) -> bool {
        self.operation.failed == 0 && self.operation.p95_ms < API_MS && self.drained_s <= DRAINED_S
    }
}

impl RabbitMq<'_> {
    fn length(&self) -> Duration {
        Duration::from_secs(if self.arguments.quick { 6 } else { 12 })
    }

    /// The highest rate that a side holds: the rounds', then one step after the other.
    async fn held(&mut self, side: Side, rate: f64, by_rounds: bool) -> anyhow::Result<f64> {
        let mut held = if by_rounds { rate } else { return Ok(0.0) };
        for step in STEPS.iter().filter(|_| !self.arguments.quick) {
            let (rate, length) = (rate * step, Duration::from_secs(8));
            let since = self.session.truth.newest_order().await?;
            let mut round = self.round(side, Turn { series: 0, seed: 50, rate, length }).await?;
            if side == Side::Before {
                let (took, _) = until_ended(&self.session.truth, since, 0, PATIENCE).await?;
                round.drained_s = took.as_secs_f64();
            }
            say(&format!(
                "{side:?}, {rate:.0} orders/s: p95 {} ms, {} failed, all ended {:.1} s later",
                round.operation.p95_ms, round.operation.failed, round.drained_s
            ))?;
            if !round.is_held() {
                break;
            }
            held = rate;
        }
        Ok(held)
    }

    /// The system is left as it was found: what sagas inside requests left gets jobs.
    async fn resume(&self) -> anyhow::Result<()> {
        let worker = self.shop.worker(0, 0).await?;
        let resumed = self.session.truth.resume_orders(self.began).await?;
        say(&format!(
            "{resumed} orders were left to nobody by sagas inside requests: they get jobs"
        ))?;
        let patience = Duration::from_secs(120);
        let (_, left) = until_ended(&self.session.truth, self.began, 0, patience).await?;
        anyhow::ensure!(left == 0, "{left} orders have not ended after 120 s");
        worker.end().await
    }
}

impl<'a> Case<'a> for RabbitMq<'a> {
    const NUMBER: &'static str = "2.1";
    const NAME: &'static str = "rabbitmq";
    type Round = Round;
    type Rest = Rest;

    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self> {
        // The system's own worker would take the case's jobs, with a provider of its own.
        let down = tokio::process::Command::new("infra/local/down").arg("worker").output().await?;
        anyhow::ensure!(
            down.status.success(),
            "`down worker`: {}",
            String::from_utf8_lossy(&down.stderr)
        );
        let shop = Shop::prepare(&session.config, arguments)?;
        let began = session.truth.newest_order().await?;
        let market = Arc::new(Market::open(session).await?);
        let before = Some(shop.inside(4_191, 0).await?);
        let after = shop.start("server", 4_192, &[]).await?;
        let worker = Some(shop.worker(0, 0).await?);
        Ok(Self { session, arguments, shop, market, began, before, after, worker })
    }

    fn series(&self) -> Vec<Series> {
        let rate = self.arguments.rate.unwrap_or(TARGET_RATE);
        vec![Series {
            what: "p95 of orderPlace, ms".to_owned(),
            rate: Rate::Fixed(rate),
            warm_up: Some((rate.min(50.0), Duration::from_secs(3))),
            pairs: if self.arguments.quick { 2 } else { 5 },
            length: self.length(),
            pause: Duration::from_secs(1),
        }]
    }

    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Round> {
        let since = self.session.truth.newest_order().await?;
        let client = match (side, &self.before) {
            (Side::Before, Some(before)) => &before.client,
            (Side::Before, None) => anyhow::bail!("the side before has ended"),
            (Side::After, _) => &self.after.client,
        };
        let latencies = orders(client, &self.market, turn.rate, turn.length, turn.seed).await;
        let operation = latencies.measured(1.0)?;
        let drained = match side {
            // Its orders end with their requests.
            Side::Before => Duration::ZERO,
            Side::After => until_ended(&self.session.truth, since, 0, PATIENCE).await?.0,
        };
        Ok(Round { operation, drained_s: drained.as_secs_f64() })
    }

    fn value(round: &Round) -> f64 {
        round.operation.p95_ms
    }

    async fn rest(&mut self, results: &Results<Round>) -> anyhow::Result<Rest> {
        let (first, rate) = (&results.first, results.first.rate);
        let failed = first.sums(|round| float(round.operation.failed));
        let (p95, drained) =
            (medians(&first.values(Self::value)), medians(&first.values(|round| round.drained_s)));
        let held = Pair {
            before: failed.before < 0.5 && p95.before < API_MS,
            after: failed.after < 0.5 && p95.after < API_MS && drained.after < DRAINED_S,
        };
        let held = Pair {
            before: self.held(Side::Before, rate, held.before).await?,
            after: self.held(Side::After, rate, held.after).await?,
        };
        for served in [self.before.take(), self.worker.take()].into_iter().flatten() {
            served.end().await?;
        }
        let experiment = Experiment {
            truth: &self.session.truth,
            market: &self.market,
            shop: &self.shop,
            after: &self.after.client,
            rate,
            quick: self.arguments.quick,
        };
        let faults = experiment.run().await?;
        self.resume().await?;
        let products: Vec<i64> = self.market.products.iter().filter_map(|id| raw_id(id)).collect();
        let wrong_stock = self.session.truth.wrong_stock(&products, STOCK).await?;
        Ok(Rest { held, faults, wrong_stock })
    }

    fn report(&self, results: &Results<Round>, rest: &Rest) -> anyhow::Result<Report> {
        let (pairs, faults) = (results.first.values(Self::value), &rest.faults);
        Ok(Report {
            setting: format!(
                "{:.0} orders/s, the provider takes {PROVIDER_MS} ms; {} pairs of rounds in turns; one worker. Then the provider fails 20 % of attempts and \
                 {} orders in a thousand for good, and is down for {} s; jobs are retried after {RETRY_DELAYS} ms.",
                results.first.rate,
                pairs.len(),
                faults.poison,
                DOWN.as_secs()
            ),
            missed_because: Some(
                "everything, the generator too, shares the machine's cores; an order is six transactions, each confirmed by a replica."
                    .to_owned(),
            ),
            pairs_of: "2.1 RabbitMQ: p95 of orderPlace, ms, by pair of rounds".to_owned(),
            pairs,
            figures: figures(results, rest),
            correct: faults.lost() == 0
                && faults.after_replay == 0
                && rest.wrong_stock == 0
                && (self.arguments.quick || faults.failed.after == 0),
        })
    }

    async fn clean_up() -> anyhow::Result<()> {
        up("worker").await
    }
}

fn count(value: i64) -> f64 {
    float(usize::try_from(value).unwrap_or(usize::MAX))
}

fn figures(results: &Results<Round>, rest: &Rest) -> Vec<Figure> {
    let (first, faults) = (&results.first, &rest.faults);
    let p95 = medians(&first.values(RabbitMq::value));
    let goal = (first.rate * 60.0).round();
    let per_minute = rest.held.map(|rate| (rate * 60.0).round());
    let drained = median(first.pairs.iter().map(|pair| pair.after.drained_s));
    let percent = |failed: usize, asked: usize| float(failed) * 100.0 / float(asked.max(1));
    let failing = Pair {
        before: percent(faults.failed.before, faults.asked.before),
        after: percent(faults.failed.after, faults.asked.after),
    };
    let causes: Vec<&str> = faults.causes.iter().map(String::as_str).collect();
    vec![
        Figure::pair(
            format!("p95 of orderPlace at {goal:.0} orders/min, ms, median of rounds"),
            p95,
        )
        .aimed("below 200", p95.after < API_MS),
        Figure::pair(
            format!("orders/min held with a p95 below {API_MS} ms and none left behind"),
            per_minute,
        )
        .aimed("10000", per_minute.after >= 10_000.0_f64.min(goal)),
        Figure::plain("seconds from a round's last order to the end of all, median", None, drained),
        Figure::pair("requests that failed", first.sums(|round| float(round.operation.failed))),
        Figure::pair("requests that failed while the provider fails or is down, %", failing)
            .aimed("0", faults.failed.after == 0),
        Figure::plain(
            format!(
                "of {} orders: acknowledged and gone, or neither ended nor dead with a cause",
                faults.placed
            ),
            None,
            float(faults.lost()),
        )
        .none()
        .of(float(faults.placed)),
        Figure::plain(format!("dead letters: {}", causes.join("; ")), None, float(faults.dead)),
        Figure::plain("seconds until every job had ended or was dead", None, faults.drained_s),
        Figure::plain(
            "orders not ended after their dead letters were replayed",
            None,
            count(faults.after_replay),
        )
        .none(),
        Figure::plain(
            "products whose stock, held and sold pieces do not add up",
            None,
            count(rest.wrong_stock),
        )
        .none(),
    ]
}
