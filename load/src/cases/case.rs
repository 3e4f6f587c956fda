//! What a case study is, and the one driver that runs all of them: it prepares the case, finds each
//! series' rate, measures both sides in turns, has the case measure the rest, and makes the
//! outcome.

use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;

use super::CaseArguments;
use super::open_loop::Search;
use super::outcome::{Figure, Outcome, Pair, machine, say, today};
use crate::report::OperationReport;
use crate::session::Session;

/// Seed of the rounds that warm the servers up.
const WARM_UP_SEED: u64 = 100;
/// Seed of the rounds in which a rate is searched for.
const SEARCH_SEED: u64 = 3;

/// Without the mechanism, or with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Without.
    Before,
    /// With.
    After,
}

/// The rate of a series, in requests a second.
#[derive(Debug, Clone)]
pub enum Rate {
    /// Given.
    Fixed(f64),
    /// The first one that saturates the side before, tried for so long at each step.
    Searched(Search, Duration),
}

/// Pairs of rounds under one load.
#[derive(Debug, Clone)]
pub struct Series {
    /// What is measured, with its unit, for the lines of progress.
    pub what: String,
    /// How fast requests arrive.
    pub rate: Rate,
    /// A round of each side before anything is measured: the rate and the length. Nothing where
    /// preparing has warmed both up.
    pub warm_up: Option<(f64, Duration)>,
    /// Pairs of rounds.
    pub pairs: u64,
    /// The length of a round.
    pub length: Duration,
    /// Between two rounds.
    pub pause: Duration,
}

/// One round of one side.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// The place of its series in [`Case::series`].
    pub series: usize,
    /// The number of its pair, from 0. Both sides of a pair draw the same requests from it.
    pub seed: u64,
    /// Requests a second.
    pub rate: f64,
    /// How long requests arrive.
    pub length: Duration,
}

/// What the pairs of a series came to.
#[derive(Debug)]
pub struct Measured<R> {
    /// Requests a second.
    pub rate: f64,
    /// In the order of measuring.
    pub pairs: Vec<Pair<R>>,
}

impl<R> Measured<R> {
    /// One value of each round.
    pub fn values(&self, value: impl Fn(&R) -> f64) -> Vec<Pair> {
        self.pairs.iter().map(|pair| pair.as_ref().map(&value)).collect()
    }

    /// One value of all rounds of a side, added up.
    pub fn sums(&self, value: impl Fn(&R) -> f64) -> Pair {
        let zero = Pair { before: 0.0, after: 0.0 };
        self.values(value).into_iter().fold(zero, |sum, pair| Pair {
            before: sum.before + pair.before,
            after: sum.after + pair.after,
        })
    }
}

/// What was measured in all series.
#[derive(Debug)]
pub struct Results<R> {
    /// The headline: its values are the plot, unless the case makes another.
    pub first: Measured<R>,
    /// The others.
    pub others: Vec<Measured<R>>,
}

impl<R> Results<R> {
    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = &Measured<R>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// What a case says of itself in the end.
#[derive(Debug)]
pub struct Report {
    /// How it was set up, in a sentence or two.
    pub setting: String,
    /// Why a target was missed, if one was.
    pub missed_because: Option<String>,
    /// What the pairs are.
    pub pairs_of: String,
    /// The plot's pairs.
    pub pairs: Vec<Pair>,
    /// The table.
    pub figures: Vec<Figure>,
    /// Whether nothing was wrong. Not the same as fast.
    pub correct: bool,
}

/// A case study. Its value is the world it measures: servers, users, rows.
pub trait Case<'a>: Sized {
    /// Its number, as in `plaza-load case NUMBER`.
    const NUMBER: &'static str;
    /// Its name, as in its files'.
    const NAME: &'static str;
    /// What one round of one side comes to.
    type Round;
    /// What is measured once, after the pairs.
    type Rest;

    /// Starts the servers of both sides, and makes what they are asked for.
    async fn prepare(session: &'a Session, arguments: &'a CaseArguments) -> anyhow::Result<Self>;

    /// The series to measure, one after the other.
    fn series(&self) -> Vec<Series>;

    /// Measures one round of one side.
    async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Self::Round>;

    /// The value of a round that is shown and plotted.
    fn value(round: &Self::Round) -> f64;

    /// What decides whether a rate saturates; for cases whose rate is searched for.
    fn operation(_round: Self::Round) -> Option<OperationReport> {
        None
    }

    /// Measures what is not measured in pairs.
    async fn rest(&mut self, results: &Results<Self::Round>) -> anyhow::Result<Self::Rest>;

    /// The figures, and what they are to be understood by.
    fn report(&self, results: &Results<Self::Round>, rest: &Self::Rest) -> anyhow::Result<Report>;

    /// Leaves the system as it was found, however the case ended; its value is dropped before.
    async fn clean_up() -> anyhow::Result<()> {
        Ok(())
    }
}

/// Runs a case.
///
/// # Errors
/// The servers'; an interruption.
pub async fn run<'a, C: Case<'a>>(
    session: &'a Session,
    arguments: &'a CaseArguments,
) -> anyhow::Result<Outcome> {
    let report = tokio::select! {
        report = Box::pin(measure::<C>(session, arguments)) => report,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    C::clean_up().await?;
    let report = report?;
    Ok(Outcome {
        number: C::NUMBER.to_owned(),
        name: C::NAME.to_owned(),
        date: today(),
        machine: machine(),
        command: format!("make case-{}", C::NUMBER),
        setting: report.setting,
        missed_because: report.missed_because,
        pairs_of: report.pairs_of,
        pairs: report.pairs,
        figures: report.figures,
        correct: report.correct,
    })
}

async fn measure<'a, C: Case<'a>>(
    session: &'a Session,
    arguments: &'a CaseArguments,
) -> anyhow::Result<Report> {
    let mut case = C::prepare(session, arguments).await?;
    let mut measured = Vec::new();
    for (index, series) in case.series().into_iter().enumerate() {
        measured.push(measure_series(&mut case, index, series).await?);
    }
    let mut measured = measured.into_iter();
    let first = measured.next().context("a case measures at least one series")?;
    let results = Results { first, others: measured.collect() };
    let rest = case.rest(&results).await?;
    case.report(&results, &rest)
}

async fn measure_series<'a, C: Case<'a>>(
    case: &mut C,
    index: usize,
    series: Series,
) -> anyhow::Result<Measured<C::Round>> {
    let turn = |seed, rate, length| Turn { series: index, seed, rate, length };
    if let Some((rate, length)) = series.warm_up {
        for side in [Side::Before, Side::After] {
            case.round(side, turn(WARM_UP_SEED, rate, length)).await?;
        }
    }
    let rate = match series.rate {
        Rate::Fixed(rate) => rate,
        Rate::Searched(search, step) => {
            let step = async |rate| {
                let round = case.round(Side::Before, turn(SEARCH_SEED, rate, step)).await?;
                C::operation(round).context("this case has no rate to search for")
            };
            let rate = search.rate(step).await?;
            sleep(search.pause).await;
            rate
        }
    };
    let mut pairs = Vec::new();
    for number in 0..series.pairs {
        let round = async |side| {
            let round = case.round(side, turn(number, rate, series.length)).await;
            sleep(series.pause).await;
            round
        };
        let pair = in_turns(number, round).await?;
        let shown = pair.as_ref().map(C::value);
        say(&format!("pair {} of {}: {shown} ({})", number + 1, series.pairs, series.what))?;
        pairs.push(pair);
    }
    Ok(Measured { rate, pairs })
}

/// A pair of rounds: before and after, every second pair after and before. What changes with time
/// affects both sides alike.
///
/// # Errors
/// The round's.
pub async fn in_turns<R>(
    number: u64,
    mut round: impl AsyncFnMut(Side) -> anyhow::Result<R>,
) -> anyhow::Result<Pair<R>> {
    if number.is_multiple_of(2) {
        let before = round(Side::Before).await?;
        Ok(Pair { before, after: round(Side::After).await? })
    } else {
        let after = round(Side::After).await?;
        Ok(Pair { before: round(Side::Before).await?, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A case whose rounds are the order in which they were measured.
    struct Counting(u32);

    impl Case<'_> for Counting {
        const NUMBER: &'static str = "0.0";
        const NAME: &'static str = "counting";
        type Round = (Side, Turn, u32);
        type Rest = u32;

        async fn prepare(_: &Session, _: &CaseArguments) -> anyhow::Result<Self> {
            anyhow::bail!("made by the test")
        }

        fn series(&self) -> Vec<Series> {
            Vec::new()
        }

        async fn round(&mut self, side: Side, turn: Turn) -> anyhow::Result<Self::Round> {
            self.0 += 1;
            Ok((side, turn, self.0))
        }

        fn value(round: &Self::Round) -> f64 {
            f64::from(round.2)
        }

        fn operation((_, turn, _): Self::Round) -> Option<OperationReport> {
            let p95_ms = turn.rate * 10.0;
            let none = crate::report::Latencies::default().report(1.0);
            Some(OperationReport { requests: 1, p95_ms, ..none })
        }

        async fn rest(&mut self, _: &Results<Self::Round>) -> anyhow::Result<u32> {
            Ok(self.0)
        }

        fn report(&self, _: &Results<Self::Round>, _: &u32) -> anyhow::Result<Report> {
            anyhow::bail!("not asked for by the test")
        }
    }

    fn series(rate: Rate) -> Series {
        let second = Duration::from_secs(1);
        let what = "its number".to_owned();
        Series {
            what,
            rate,
            warm_up: Some((1.0, second)),
            pairs: 3,
            length: second,
            pause: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn sides_take_turns_after_both_are_warm() {
        let mut case = Counting(0);
        let measured = measure_series(&mut case, 4, series(Rate::Fixed(7.0))).await.unwrap();
        let order = measured.values(|round| f64::from(round.2));
        let order: Vec<_> = order.iter().map(|pair| (pair.before, pair.after)).collect();
        assert_eq!(order, [(3.0, 4.0), (6.0, 5.0), (7.0, 8.0)]);
        for (number, pair) in (0..).zip(&measured.pairs) {
            assert_eq!((pair.before.0, pair.after.0), (Side::Before, Side::After));
            let turn = pair.after.1;
            assert_eq!((turn.series, turn.seed, turn.rate), (4, number, 7.0));
        }
        assert_eq!(measured.sums(|round| f64::from(round.2)).after, 17.0);
    }

    #[tokio::test]
    async fn the_rate_is_the_first_that_saturates_twice() {
        let search = Search { from: 10.0, factor: 2.0, above_ms: 300.0, pause: Duration::ZERO };
        let rate = Rate::Searched(search, Duration::from_secs(1));
        let measured = measure_series(&mut Counting(0), 0, series(rate)).await.unwrap();
        assert_eq!(measured.rate, 40.0);
    }
}
