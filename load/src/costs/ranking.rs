//! The ranking: which operation is the dearest a point, which the cheapest, and how far they are
//! apart.

use std::io::Write;

use serde::Serialize;

use super::meter::Used;
use crate::report::float;
use crate::table;

/// The dearest point may cost so many times what the cheapest does.
pub const GOAL: f64 = 20.0;
/// Rows at each end of the ranking that are shown.
const SHOWN: usize = 10;
/// A batch that used less than this share of what it was to use is too short to be ranked: clocks
/// count in hundredths of a second.
const TOO_SHORT: f64 = 0.2;

/// What one operation came to, a request.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The operation.
    pub name: String,
    /// Requests that were sent.
    pub requests: usize,
    /// Points that a request is charged before it runs.
    pub charged: u64,
    /// Points that it keeps when it is over; nothing where the bucket refills too fast.
    pub kept: Option<f64>,
    /// CPU-milliseconds of the whole batch.
    pub batch_cpu_ms: f64,
    /// What a request used.
    pub used: Used,
}

/// Points by which everything is divided: of all rows the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Points {
    /// What is kept when a request is over.
    Kept,
    /// What is charged before it runs: the most that it can cost.
    Charged,
}

/// A row of the ranking.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// CPU-milliseconds a point.
    pub cpu_ms_a_point: f64,
    /// Statements a point.
    pub statements_a_point: f64,
}

/// An operation without a place in the ranking, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unranked {
    /// The operation.
    pub name: String,
    /// Why.
    pub why: String,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Ranking {
    /// What the system used in a second when nothing was asked of it.
    pub idle: Used,
    /// What points are.
    pub points: Points,
    /// The dearest first.
    pub rows: Vec<Row>,
    /// What is not among them.
    pub unranked: Vec<Unranked>,
    /// The dearest point by the cheapest; nothing without two rows.
    pub ratio: Option<f64>,
    /// What it may be.
    pub goal: f64,
    /// Whether it is.
    pub met: bool,
}

impl Row {
    fn of(measured: Measured, points: Points) -> Self {
        let charged = f64::from(u32::try_from(measured.charged).unwrap_or(u32::MAX));
        let paid = match points {
            Points::Kept => measured.kept.unwrap_or(charged),
            Points::Charged => charged,
        };
        // Nothing that is sent is free: a point is the least that is taken.
        let paid = paid.max(1.0);
        Self {
            cpu_ms_a_point: measured.used.cpu_ms() / paid,
            statements_a_point: measured.used.statements / paid,
            measured,
        }
    }

    fn cells(&self) -> [String; 11] {
        let Measured { name, requests, charged, kept, used, .. } = &self.measured;
        let kept = kept.map_or_else(|| "?".to_owned(), |kept| format!("{kept:.0}"));
        let ms = |value: f64| format!("{value:.2}");
        [
            name.clone(),
            requests.to_string(),
            charged.to_string(),
            kept,
            format!("{:.1}", used.statements),
            ms(used.servers_ms),
            ms(used.postgres_ms),
            ms(used.roles_ms),
            ms(used.redis_ms),
            format!("{:.4}", self.cpu_ms_a_point),
            format!("{:.3}", self.statements_a_point),
        ]
    }
}

impl Ranking {
    /// Ranks what was measured in batches that were to use so many CPU-milliseconds.
    pub fn of(
        measured: Vec<Measured>,
        mut unranked: Vec<Unranked>,
        idle: Used,
        wanted_ms: f64,
    ) -> Self {
        let least = wanted_ms * TOO_SHORT;
        let (measured, short): (Vec<_>, Vec<_>) =
            measured.into_iter().partition(|one| one.batch_cpu_ms >= least);
        unranked.extend(short.into_iter().map(|one| {
            let why = format!(
                "{} requests used {:.0} CPU-ms, too little to be ranked",
                one.requests, one.batch_cpu_ms
            );
            Unranked { name: one.name, why }
        }));
        let points = match measured.iter().all(|one| one.kept.is_some()) {
            true => Points::Kept,
            false => Points::Charged,
        };
        let mut rows: Vec<Row> = measured.into_iter().map(|one| Row::of(one, points)).collect();
        rows.sort_by(|a, b| b.cpu_ms_a_point.total_cmp(&a.cpu_ms_a_point));
        let ends = rows.first().zip(rows.last()).filter(|_| rows.len() > 1);
        let ratio =
            ends.map(|(dearest, cheapest)| dearest.cpu_ms_a_point / cheapest.cpu_ms_a_point);
        let met = ratio.is_some_and(|ratio| ratio <= GOAL);
        Self { idle, points, rows, unranked, ratio, goal: GOAL, met }
    }

    /// Prints both ends, what has no place, and whether the goal is met.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self) -> std::io::Result<()> {
        const HEAD: [&str; 11] = [
            "operation",
            "requests",
            "charged",
            "kept",
            "SQL",
            "servers ms",
            "PostgreSQL ms",
            "roles ms",
            "Redis ms",
            "CPU-ms a point",
            "SQL a point",
        ];
        let mut out = std::io::stdout();
        let dearest = self.rows.iter().take(SHOWN);
        let Used { statements, servers_ms, postgres_ms, roles_ms, redis_ms } = self.idle;
        writeln!(
            out,
            "\nIdle, a second: {statements:.0} statements; CPU-ms: servers {servers_ms:.0}, PostgreSQL {postgres_ms:.0}, roles {roles_ms:.0}, Redis {redis_ms:.0}"
        )?;
        writeln!(out, "\nThe dearest of {}, a request:\n", self.rows.len())?;
        table::print(&HEAD, dearest.map(Row::cells))?;
        let rest = self.rows.iter().skip(SHOWN);
        let cheapest: Vec<&Row> = rest.rev().take(SHOWN).collect();
        writeln!(out, "\nThe cheapest:\n")?;
        table::print(&HEAD, cheapest.into_iter().rev().map(Row::cells))?;
        if !self.unranked.is_empty() {
            writeln!(out, "\nNot ranked:\n")?;
            let cells = |one: &Unranked| [one.name.clone(), one.why.clone()];
            table::print(&["operation", "why"], self.unranked.iter().map(cells))?;
        }
        let points = match self.points {
            Points::Kept => "kept when a request is over",
            Points::Charged => {
                "charged before it runs: what is kept is not known, since buckets refill too fast"
            }
        };
        let requests: usize = self.rows.iter().map(|row| row.measured.requests).sum();
        writeln!(out, "\n{requests} requests; points are those {points}")?;
        match self.ratio {
            Some(ratio) => writeln!(
                out,
                "the dearest point costs {ratio:.1} times the CPU of the cheapest; goal: at most {GOAL:.0}: {}",
                if self.met { "met" } else { "missed" }
            ),
            None => writeln!(out, "nothing was ranked; goal: at most {GOAL:.0}: missed"),
        }
    }

    /// Rows in relation to everything that was tried.
    pub fn share(&self) -> f64 {
        float(self.rows.len()) / float((self.rows.len() + self.unranked.len()).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, charged: u64, kept: Option<f64>, ms: f64, batch: f64) -> Measured {
        let used = Used {
            statements: ms / 2.0,
            servers_ms: ms / 2.0,
            postgres_ms: ms / 2.0,
            ..Used::default()
        };
        Measured { name: name.to_owned(), requests: 10, charged, kept, batch_cpu_ms: batch, used }
    }

    #[test]
    fn rows_are_ranked_by_what_a_kept_point_costs() {
        let all = vec![
            measured("cheap", 1_000, Some(100.0), 1.0, 500.0),
            measured("dear", 100, Some(100.0), 30.0, 500.0),
            measured("between", 10, Some(10.0), 1.0, 500.0),
        ];
        let ranking = Ranking::of(all, Vec::new(), Used::default(), 500.0);
        let names: Vec<&str> = ranking.rows.iter().map(|row| row.measured.name.as_str()).collect();
        assert_eq!(names, ["dear", "between", "cheap"]);
        let first = &ranking.rows[0];
        assert_eq!((first.cpu_ms_a_point, first.statements_a_point), (0.3, 0.15));
        assert!((ranking.ratio.unwrap() - 30.0).abs() < 1e-9);
        assert_eq!((ranking.points, ranking.met), (Points::Kept, false));
        assert_eq!(first.cells()[3..5], ["100".to_owned(), "15.0".to_owned()]);
    }

    #[test]
    fn one_that_keeps_nobody_knows_what_has_all_divided_by_what_is_charged() {
        let all = vec![
            measured("known", 1_000, Some(100.0), 1.0, 500.0),
            measured("unknown", 100, None, 1.0, 500.0),
        ];
        let ranking = Ranking::of(all, Vec::new(), Used::default(), 500.0);
        assert_eq!(ranking.points, Points::Charged);
        assert!((ranking.ratio.unwrap() - 10.0).abs() < 1e-9 && ranking.met);
        assert_eq!(ranking.rows[0].cells()[3], "?");
    }

    #[test]
    fn what_was_refused_or_hardly_ran_is_not_cheap() {
        let refused = Unranked { name: "refused".to_owned(), why: "RATE_LIMITED".to_owned() };
        let all = vec![
            measured("short", 100, Some(1.0), 0.0, 20.0),
            measured("one", 1, Some(0.0), 1.0, 500.0),
        ];
        let ranking = Ranking::of(all, vec![refused.clone()], Used::default(), 500.0);
        assert_eq!(ranking.rows.len(), 1);
        assert_eq!(ranking.rows[0].cpu_ms_a_point, 1.0, "a point is the least");
        assert_eq!(ranking.unranked[0], refused);
        assert_eq!(ranking.unranked[1].name, "short");
        assert_eq!((ranking.ratio, ranking.met), (None, false));
        assert!((ranking.share() - 1.0 / 3.0).abs() < 1e-9);
    }
}
