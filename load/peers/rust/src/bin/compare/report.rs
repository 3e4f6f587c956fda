//! The results: a file of JSON, to which each run adds what it measured, and tables in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::drawing;
use crate::series::{Comparison, Pair, Round, medians, ratio};

/// Between these lines of a document stands what the last run printed.
const BEGIN: &str = "<!-- peers: written by `make bench-peers` -->";
const END: &str = "<!-- end of peers -->";

/// Everything measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// What it was measured on.
    pub machine: String,
    /// Pages that all programs answered alike.
    pub pages: usize,
    /// Mean bytes of an answer.
    pub bytes: usize,
    /// SQL statements a page, by program.
    pub statements: BTreeMap<String, f64>,
    /// CPU time while nobody asks, in milliseconds a second, by program; of PostgreSQL and Redis
    /// meanwhile too.
    pub idle_ms_per_s: BTreeMap<String, f64>,
    /// All comparisons.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// What earlier runs have written, or nothing.
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes it, and the drawing beside it.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(std::fs::write(file.with_extension("svg"), drawing::svg(&self.comparisons)?)?)
    }

    /// Adds a comparison, in the place of an earlier one of the same two.
    pub fn add(&mut self, comparison: Comparison) {
        let is_same = |other: &Comparison| {
            (&other.plaza, &other.peer) == (&comparison.plaza, &comparison.peer)
        };
        match self.comparisons.iter_mut().find(|other| is_same(other)) {
            Some(other) => *other = comparison,
            None => self.comparisons.push(comparison),
        }
    }

    /// The tables.
    ///
    /// # Errors
    /// None: a text takes everything.
    pub fn markdown(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "Measured on {}.", self.machine)?;
        writeln!(
            text,
            "{} pages of 20 posts, answered alike by all programs, {} bytes on average.\n",
            self.pages, self.bytes
        )?;
        writeln!(text, "![CPU time a page, plaza's divided by the peer's](results/peers.svg)\n")?;
        self.programs(&mut text)?;
        self.rates(&mut text)?;
        self.at_once(&mut text)?;
        self.on_schedule(&mut text)?;
        Ok(text.trim_end().to_owned())
    }

    fn programs(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "| program | SQL statements a page | idle, ms of CPU a second |\n|---|---|---|"
        )?;
        for (name, statements) in &self.statements {
            let idle = self.idle_ms_per_s.get(name).copied().unwrap_or_default();
            writeln!(text, "| {name} | {statements:.0} | {idle:.1} |")?;
        }
        writeln!(text)
    }

    fn rates(&self, text: &mut String) -> std::fmt::Result {
        let connections = self.comparisons.first().map_or(0, |first| first.connections);
        writeln!(text, "Requests a second at full load, {connections} connections, medians:\n")?;
        writeln!(
            text,
            "| plaza | measured | load average before | pairs | plaza / peer | ratio |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|")?;
        for of in &self.comparisons {
            let [plaza, peer] = medians(&of.at_once, |round| round.per_s);
            let per_s = ratio(&of.at_once, |round| round.per_s);
            let load =
                if of.load_average > 0.0 { format!("{:.0}", of.load_average) } else { "-".into() };
            let (at, pairs) = (&of.at, of.at_once.len());
            writeln!(
                text,
                "| {} | {at} | {load} | {pairs} | {plaza:.0} / {peer:.0} | {per_s} |",
                of.name()
            )?;
        }
        writeln!(text)
    }

    fn at_once(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Microseconds of CPU a request at full load, plaza / peer, medians:\n")?;
        writeln!(
            text,
            "| plaza | server | ratio | PostgreSQL | ratio | Redis | all three, ratio |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|")?;
        for of in &self.comparisons {
            let pairs = &of.at_once;
            let both = |metric: fn(&Round) -> f64| {
                let [plaza, peer] = medians(pairs, metric);
                format!("{plaza:.0} / {peer:.0}")
            };
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                of.name(),
                both(|round| round.server_us),
                ratio(pairs, |round| round.server_us),
                both(|round| round.postgres_us),
                postgres_ratio(pairs),
                both(|round| round.redis_us),
                ratio(pairs, Round::all_us),
            )?;
        }
        writeln!(text)
    }

    fn on_schedule(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "Both at the same rate, half of what the slower one can; milliseconds from when a request was to start:\n"
        )?;
        writeln!(
            text,
            "| plaza | rate/s | p50, plaza / peer | ratio | p95 | ratio | server CPU, ratio | PostgreSQL CPU, ratio | failed |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
        for of in &self.comparisons {
            let pairs = &of.on_schedule;
            let both = |metric: fn(&Round) -> f64| {
                let [plaza, peer] = medians(pairs, metric);
                format!("{plaza:.1} / {peer:.1}")
            };
            writeln!(
                text,
                "| {} | {:.0} | {} | {} | {} | {} | {} | {} | {} |",
                of.name(),
                of.rate,
                both(|round| round.p50_ms),
                ratio(pairs, |round| round.p50_ms),
                both(|round| round.p95_ms),
                ratio(pairs, |round| round.p95_ms),
                ratio(pairs, |round| round.server_us),
                postgres_ratio(pairs),
                of.failed(),
            )?;
        }
        writeln!(text)
    }
}

/// A side that hardly asks PostgreSQL has nothing to be divided.
fn postgres_ratio(pairs: &[Pair]) -> String {
    let [plaza, peer] = medians(pairs, |round| round.postgres_us);
    if plaza.min(peer) < plaza.max(peer) / 10.0 {
        return "-".into();
    }
    ratio(pairs, |round| round.postgres_us).to_string()
}

/// Puts a text between its marks in a document.
///
/// # Errors
/// A document without the marks.
pub fn insert(document: &Path, text: &str) -> anyhow::Result<()> {
    let whole = std::fs::read_to_string(document)?;
    let found = whole.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n\n{text}\n\n{END}{after}"))
    });
    let Some(changed) = found else {
        anyhow::bail!("{} has no place for the results: {BEGIN} .. {END}", document.display())
    };
    Ok(std::fs::write(document, changed)?)
}
