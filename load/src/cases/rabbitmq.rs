//! Case 2.1: an order's saga inside the request that places it, against a job for a worker.
//!
//! The same `domain/orders/saga.rs` on both sides, the provider taking 150 ms;
//! `orders.saga_in_request` is the whole difference. Then the provider fails one attempt in five
//! and cannot make sense of one order in a hundred, then it is down for a while. At the end the
//! rows are asked: every acknowledged order is there, and has ended, or is in the dead letters with
//! its cause; and the stock adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::CaseArguments;
use super::open_loop::drive;
use super::outcome::{Figure, Outcome, Pair, machine, median, say, today};
use super::shop::{Market, PROVIDER_MS, RETRY_DELAYS, STOCK, Side};
use crate::client::{Client, raw_id};
use crate::faults::up;
use crate::report::{Latencies, float};
use crate::truth::Truth;

/// 10,000 orders a minute, in orders a second.
const TARGET_RATE: f64 = 10_000.0 / 60.0;
/// The API's p95 must stay below this.
const API_MS: f64 = 200.0;
/// How long the provider is down.
const DOWN: Duration = Duration::from_secs(4);
/// Rates tried after the rounds, as multiples of the first.
const STEPS: [f64; 4] = [1.5, 2.0, 3.0, 4.0];

/// Waits until of the orders that were placed since, no more have not ended than are dead; how long
/// that took.
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

/// What the rounds came to.
#[derive(Debug, Default)]
struct Rounds {
    pairs: Vec<Pair>,
    drained: Vec<f64>,
    failed: [usize; 2],
    /// The highest rate at which the API's p95 was below the limit, nothing failed, and the worker
    /// kept up: before, after.
    held: [f64; 2],
}

async fn measure(
    truth: &Truth,
    market: &Arc<Market>,
    clients: (&Client, &Client),
    rate: f64,
    quick: bool,
) -> anyhow::Result<Rounds> {
    let (count, length) =
        if quick { (2, Duration::from_secs(6)) } else { (5, Duration::from_secs(12)) };
    let mut rounds = Rounds::default();
    for number in 0..count {
        let mut pair = Pair { before: 0.0, after: 0.0 };
        for turn in [number % 2, 1 - number % 2] {
            let since = truth.newest_order().await?;
            if turn == 0 {
                let report = orders(clients.0, market, rate, length, number).await.measured(1.0)?;
                pair.before = report.p95_ms;
                rounds.failed[0] += report.failed;
            } else {
                let report = orders(clients.1, market, rate, length, number).await.measured(1.0)?;
                pair.after = report.p95_ms;
                rounds.failed[1] += report.failed;
                rounds.drained.push(
                    until_ended(truth, since, 0, Duration::from_secs(60)).await?.0.as_secs_f64(),
                );
            }
            sleep(Duration::from_secs(1)).await;
        }
        pair.tell("p95 of orderPlace, ms", number + 1, count)?;
        rounds.pairs.push(pair);
    }
    let first = [
        rounds.failed[0] == 0 && median(rounds.pairs.iter().map(|pair| pair.before)) < API_MS,
        rounds.failed[1] == 0
            && median(rounds.pairs.iter().map(|pair| pair.after)) < API_MS
            && median(rounds.drained.iter().copied()) < 3.0,
    ];
    for (side, client) in [clients.0, clients.1].into_iter().enumerate() {
        let (Some(held), Some(true)) = (rounds.held.get_mut(side), first.get(side)) else {
            continue;
        };
        *held = rate;
        for step in STEPS.iter().filter(|_| !quick) {
            let since = truth.newest_order().await?;
            let report = orders(client, market, rate * step, Duration::from_secs(8), 50)
                .await
                .measured(1.0)?;
            let (drained, _) = until_ended(truth, since, 0, Duration::from_secs(60)).await?;
            let name = if side == 0 { "before" } else { "after" };
            say(&format!(
                "{name}, {:.0} orders/s: p95 {} ms, {} failed, all ended {:.1} s later",
                rate * step,
                report.p95_ms,
                report.failed,
                drained.as_secs_f64()
            ))?;
            if report.failed > 0 || report.p95_ms >= API_MS || drained > Duration::from_secs(3) {
                break;
            }
            *held = rate * step;
        }
    }
    Ok(rounds)
}

/// What the faults left.
#[derive(Debug, Default)]
struct Faults {
    /// Orders that it never makes sense of, in thousandths.
    poison: u64,
    placed: usize,
    failed: [usize; 2],
    asked: [usize; 2],
    missing: usize,
    unexplained: usize,
    dead: usize,
    causes: BTreeSet<String>,
    after_replay: i64,
    drained_s: f64,
}

/// The provider fails one attempt in five and one order in a hundred for good; then it is down;
/// then it is well again.
async fn suffer(
    truth: &Truth,
    market: &Arc<Market>,
    side: &Side,
    after: &Client,
    rate: f64,
    quick: bool,
) -> anyhow::Result<Faults> {
    let length = Duration::from_secs(if quick { 6 } else { 12 });
    // Enough orders to be seen.
    let poison = if quick { 100 } else { 10 };
    let mut faults = Faults { poison, ..Faults::default() };
    let failing = side.inside(4194, 200).await?;
    orders(&failing.client, market, rate.min(20.0), Duration::from_secs(3), 30).await;
    let inside = orders(&failing.client, market, rate, length, 31).await.measured(1.0)?;
    (faults.asked[0], faults.failed[0]) = (inside.requests, inside.failed);
    failing.end().await?;

    let since = truth.newest_order().await?;
    let dead_before = side.dead().await?;
    market.acknowledged.lock().await.clear();
    say(&format!(
        "the provider fails one attempt in five, and {poison} orders in a thousand for good"
    ))?;
    let worker = side.worker(200, poison).await?;
    let mut asked = vec![orders(after, market, rate, length, 32).await];
    worker.end().await?;
    say("the provider is down")?;
    let worker = side.worker(1_000, poison).await?;
    asked.push(orders(after, market, rate, DOWN, 33).await);
    worker.end().await?;
    say(&format!("the provider is well again, but for {poison} orders in a thousand"))?;
    let worker = side.worker(0, poison).await?;
    asked.push(orders(after, market, rate, length / 2, 34).await);
    for mut latencies in asked {
        let report = latencies.report(1.0);
        faults.asked[1] += report.requests;
        faults.failed[1] += report.failed;
    }
    // Until nothing is left but what is dead: every job's attempts come to an end.
    let started = Instant::now();
    let dead = loop {
        let dead: BTreeMap<i64, String> = side
            .dead()
            .await?
            .into_iter()
            .filter(|(id, _)| !dead_before.contains_key(id))
            .collect();
        let (_, left) =
            until_ended(truth, since, i64::try_from(dead.len())?, Duration::from_secs(2)).await?;
        if left <= i64::try_from(dead.len())? || started.elapsed() > Duration::from_secs(90) {
            break dead;
        }
    };
    faults.drained_s = started.elapsed().as_secs_f64();
    let rows = truth.orders_since(since).await?;
    let acknowledged = market.acknowledged.lock().await;
    faults.placed = rows.len();
    faults.missing = acknowledged.iter().filter(|id| !rows.contains_key(id)).count();
    faults.unexplained = rows
        .iter()
        .filter(|(id, status)| !ended(status) && dead.get(id).is_none_or(|cause| cause.is_empty()))
        .count();
    faults.dead = dead.len();
    faults.causes = dead.values().cloned().collect();
    worker.end().await?;

    say(&format!("replaying {} dead letters, the provider well", dead.len()))?;
    let worker = side.worker(0, 0).await?;
    side.replay(dead.keys()).await?;
    faults.after_replay = until_ended(truth, since, 0, Duration::from_secs(60)).await?.1;
    worker.end().await?;
    Ok(faults)
}

fn ended(status: &str) -> bool {
    matches!(status, "CONFIRMED" | "REJECTED" | "CANCELLED")
}

/// The case.
///
/// # Errors
/// The servers'.
pub async fn run(
    client: &Client,
    truth: &Truth,
    config: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    // The system's own worker would take the case's jobs, with a provider of its own.
    let down = tokio::process::Command::new("infra/local/down").arg("worker").output().await?;
    anyhow::ensure!(
        down.status.success(),
        "`down worker`: {}",
        String::from_utf8_lossy(&down.stderr)
    );
    let outcome = with_own_worker(client, truth, config, password, arguments).await;
    up("worker").await?;
    outcome
}

async fn with_own_worker(
    client: &Client,
    truth: &Truth,
    config: &Path,
    password: &str,
    arguments: &CaseArguments,
) -> anyhow::Result<Outcome> {
    let rate = arguments.rate.unwrap_or(TARGET_RATE);
    let side = Side::prepare(config, arguments)?;
    let began = truth.newest_order().await?;
    let market = Arc::new(Market::open(client, truth, password).await?);
    let before = side.inside(4191, 0).await?;
    let after = side.start("server", 4192, &[]).await?;
    let worker = side.worker(0, 0).await?;
    for served in [&before, &after] {
        orders(&served.client, &market, rate.min(50.0), Duration::from_secs(3), 99).await;
    }
    let rounds =
        measure(truth, &market, (&before.client, &after.client), rate, arguments.quick).await?;
    before.end().await?;
    worker.end().await?;
    let faults = suffer(truth, &market, &side, &after.client, rate, arguments.quick).await?;
    // So that the system is left as it was found.
    let worker = side.worker(0, 0).await?;
    say(&format!(
        "{} orders were left to nobody by sagas inside requests: they get jobs",
        truth.resume_orders(began).await?
    ))?;
    let (_, left) = until_ended(truth, began, 0, Duration::from_secs(120)).await?;
    anyhow::ensure!(left == 0, "{left} orders have not ended after 120 s");
    worker.end().await?;
    let products: Vec<i64> = market.products.iter().filter_map(|id| raw_id(id)).collect();
    let wrong_stock = truth.wrong_stock(&products, STOCK).await?;
    outcome(arguments, rate, &rounds, &faults, wrong_stock)
}

fn outcome(
    arguments: &CaseArguments,
    rate: f64,
    rounds: &Rounds,
    faults: &Faults,
    wrong_stock: i64,
) -> anyhow::Result<Outcome> {
    let (before, after) = (
        median(rounds.pairs.iter().map(|pair| pair.before)),
        median(rounds.pairs.iter().map(|pair| pair.after)),
    );
    let lost = faults.missing + faults.unexplained;
    let [failing_before, failing_after] = [0, 1].map(|side: usize| {
        let (failed, asked) = (
            faults.failed.get(side).copied().unwrap_or_default(),
            faults.asked.get(side).copied().unwrap_or_default(),
        );
        float(failed) * 100.0 / float(asked.max(1))
    });
    let per_minute = rounds.held.map(|rate| (rate * 60.0).round());
    let drained = median(rounds.drained.iter().copied());
    let (held_before, held_after) = (per_minute[0], per_minute[1]);
    let goal = (rate * 60.0).round();
    let figures = vec![
        Figure::aimed(
            format!("p95 of orderPlace at {goal:.0} orders/min, ms, median of rounds"),
            Some(before),
            after,
            "below 200",
            after < API_MS,
        ),
        Figure::aimed(
            format!("orders/min held with a p95 below {API_MS} ms and none left behind"),
            Some(held_before),
            held_after,
            "10000",
            held_after >= 10_000.0_f64.min(goal),
        ),
        Figure::plain(
            "seconds from a round's last order to the end of all, median".to_owned(),
            None,
            drained,
        ),
        Figure::plain(
            "requests that failed".to_owned(),
            Some(float(rounds.failed[0])),
            float(rounds.failed[1]),
        ),
        Figure::aimed(
            "requests that failed while the provider fails or is down, %".to_owned(),
            Some(failing_before),
            failing_after,
            "0",
            faults.failed[1] == 0,
        ),
        Figure::aimed(
            format!(
                "of {} orders: acknowledged and gone, or neither ended nor dead with a cause",
                faults.placed
            ),
            None,
            float(lost),
            "0",
            lost == 0,
        )
        .of(float(faults.placed)),
        Figure::plain(
            format!(
                "dead letters: {}",
                faults.causes.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
            ),
            None,
            float(faults.dead),
        ),
        Figure::plain(
            "seconds until every job had ended or was dead".to_owned(),
            None,
            faults.drained_s,
        ),
        Figure::aimed(
            "orders not ended after their dead letters were replayed".to_owned(),
            None,
            count(faults.after_replay),
            "0",
            faults.after_replay == 0,
        ),
        Figure::aimed(
            "products whose stock, held and sold pieces do not add up".to_owned(),
            None,
            count(wrong_stock),
            "0",
            wrong_stock == 0,
        ),
    ];
    Ok(Outcome {
        number: "2.1".to_owned(),
        name: "rabbitmq".to_owned(),
        date: today()?,
        machine: machine(),
        command: "make case-2.1".to_owned(),
        setting: format!(
            "{rate:.0} orders/s, the provider takes {PROVIDER_MS} ms; {} pairs of rounds in turns; one worker. Then the provider fails 20 % of attempts and \
             {} orders in a thousand for good, and is down for {} s; jobs are retried after {RETRY_DELAYS} ms.",
            rounds.pairs.len(),
            faults.poison,
            DOWN.as_secs()
        ),
        missed_because: Some(
            "everything, the generator too, shares the machine's cores; an order is six transactions, each confirmed by a replica."
                .to_owned(),
        ),
        pairs_of: "2.1 RabbitMQ: p95 of orderPlace, ms, by pair of rounds".to_owned(),
        pairs: rounds.pairs.clone(),
        figures,
        correct: lost == 0 && faults.after_replay == 0 && wrong_stock == 0 && (arguments.quick || faults.failed[1] == 0),
    })
}

fn count(value: i64) -> f64 {
    float(usize::try_from(value).unwrap_or(usize::MAX))
}
