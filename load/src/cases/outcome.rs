//! What a case found: a table, a plot, and JSON that documents are made from.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::Path;

use plaza::clock::Clock;
use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::plot;
use crate::report::write_json;
use crate::table;

/// One figure without and with the mechanism.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// Without the mechanism; nothing where it has no meaning.
    pub before: Option<f64>,
    /// With it.
    pub after: f64,
    /// What it was to be, in words; nothing for a figure that only explains.
    pub target: Option<String>,
    /// Whether it is.
    pub met: Option<bool>,
}

impl Figure {
    /// One that only explains.
    pub fn plain(what: impl Into<String>, before: impl Into<Option<f64>>, after: f64) -> Self {
        Self { what: what.into(), before: before.into(), after, target: None, met: None }
    }

    /// The same, without and with.
    pub fn pair(what: impl Into<String>, pair: Pair) -> Self {
        Self::plain(what, pair.before, pair.after)
    }

    /// That it was to be something, and whether it is; what could not be computed is not.
    #[must_use]
    pub fn aimed(mut self, target: impl Into<String>, met: bool) -> Self {
        self.met = Some(met && self.after.is_finite());
        self.target = Some(target.into());
        self
    }

    /// That it was to be nought.
    #[must_use]
    pub fn none(self) -> Self {
        let met = self.after < 0.5;
        self.aimed("0", met)
    }

    /// That it counts something among so many: of none, no target is met.
    #[must_use]
    pub fn of(mut self, so_many: f64) -> Self {
        self.met = self.met.map(|met| met && so_many > 0.0);
        self
    }

    /// Its cells: what, before, after, target, met.
    pub fn cells(&self) -> [String; 5] {
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        [
            self.what.clone(),
            self.before.map(shown).unwrap_or_default(),
            shown(self.after),
            self.target.clone().unwrap_or_default(),
            met.to_owned(),
        ]
    }
}

/// Something without the mechanism and with it.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Pair<T = f64> {
    /// Without.
    pub before: T,
    /// With.
    pub after: T,
}

impl<T> Pair<T> {
    /// Both by reference.
    pub fn as_ref(&self) -> Pair<&T> {
        Pair { before: &self.before, after: &self.after }
    }

    /// The same made of both.
    pub fn map<U>(self, mut with: impl FnMut(T) -> U) -> Pair<U> {
        Pair { before: with(self.before), after: with(self.after) }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "before {}, after {}", shown(self.before), shown(self.after))
    }
}

/// The medians of the rounds of each side.
pub fn medians(pairs: &[Pair]) -> Pair {
    Pair {
        before: median(pairs.iter().map(|pair| pair.before)),
        after: median(pairs.iter().map(|pair| pair.after)),
    }
}

/// The median of the ratios after/before.
pub fn median_ratio(pairs: &[Pair]) -> f64 {
    median(pairs.iter().filter(|pair| pair.before > 0.0).map(|pair| pair.after / pair.before))
}

/// The median of a few values, of an even number the mean of the middle two; not a number of none.
/// Exact, unlike a histogram's, which is for the many latencies of a round.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2);
    let lower = values.get(values.len().saturating_sub(1) / 2);
    lower.zip(upper).map_or(f64::NAN, |(lower, upper)| lower.midpoint(*upper))
}

/// A line about how far the case is.
///
/// # Errors
/// Standard output is closed.
pub fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// All of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The case's number.
    pub number: String,
    /// Its name, as in its file's.
    pub name: String,
    /// The day.
    pub date: String,
    /// Processor, cores, memory.
    pub machine: String,
    /// What was typed.
    pub command: String,
    /// How it was set up, in a sentence or two.
    pub setting: String,
    /// Why a target was missed, if one was.
    pub missed_because: Option<String>,
    /// What the pairs are.
    pub pairs_of: String,
    /// In the order of measuring.
    pub pairs: Vec<Pair>,
    /// The table.
    pub figures: Vec<Figure>,
    /// Whether nothing was wrong. Not the same as fast.
    #[serde(skip)]
    pub correct: bool,
}

/// Today, where the machine is.
pub fn today() -> String {
    Clock::System.now().with_timezone(&chrono::Local).date_naive().to_string()
}

/// Processor, cores, memory.
pub fn machine() -> String {
    let system = System::new_with_specifics(
        RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram()),
    );
    let (cpus, gib) = (system.cpus(), system.total_memory() / 1_073_741_824);
    let brand = cpus.first().map(|cpu| cpu.brand().trim()).unwrap_or_default();
    format!("{brand}, {} cores, {gib} GiB, everything on it", cpus.len())
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

impl Outcome {
    /// Why targets were missed; nothing where all are met.
    pub fn why_missed(&self) -> Option<&str> {
        let missed = self.figures.iter().any(|figure| figure.met == Some(false));
        self.missed_because.as_deref().filter(|_| missed)
    }

    /// Prints the table.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn print(&self) -> std::io::Result<()> {
        let Self { number, name, machine, setting, .. } = self;
        let mut out = std::io::stdout();
        writeln!(out, "\ncase {number} {name}: {machine}\n{setting}\n")?;
        let rows = self.figures.iter().map(|figure| {
            let [what, before, after, target, met] = figure.cells();
            [what, before, after, met.trim_matches('*').to_owned(), target]
        });
        table::print(&["figure", "before", "after", "", "target"], rows)?;
        if let Some(why) = self.why_missed() {
            writeln!(out, "\nmissed: {why}")?;
        }
        Ok(())
    }

    /// Writes docs/results/NUMBER-NAME.json and .svg.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, root: &Path) -> anyhow::Result<()> {
        let folder = root.join("docs/results");
        let file = format!("{}-{}", self.number, self.name);
        write_json(&folder.join(format!("{file}.json")), self)?;
        fs::write(folder.join(format!("{file}.svg")), plot::pairs(&self.pairs_of, &self.pairs))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_nothing_is_not_met() {
        let stale = |of: f64| Figure::plain("stale", None, 0.0).none().of(of).met;
        assert_eq!((stale(7.0), stale(0.0)), (Some(true), Some(false)));
        let nothing = median(std::iter::empty());
        let p95 = Figure::plain("p95", None, nothing).aimed("below 50", nothing < 50.0);
        assert_eq!(p95.met, Some(false));
        let rate = Figure::plain("held, %", None, f64::NAN).aimed("0", true);
        assert_eq!(rate.met, Some(false));
        assert_eq!(Figure::plain("only told", None, 0.0).of(0.0).met, None);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        let pair = |before, after| Pair { before, after };
        assert_eq!(median_ratio(&[pair(2.0, 1.0), pair(0.0, 9.0), pair(4.0, 4.0)]), 0.75);
    }

    #[test]
    fn the_machine_is_described() {
        let machine = machine();
        assert!(machine.ends_with(" GiB, everything on it"), "{machine}");
        assert!(!machine.starts_with(','), "{machine}");
        assert!(!machine.contains(" 0 cores") && !machine.contains(" 0 GiB"), "{machine}");
    }

    #[test]
    fn results_are_written_as_they_were_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results");
        let root = tempfile::tempdir().unwrap();
        let mut read = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // Those of case studies begin with their number.
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.starts_with(|first: char| first.is_ascii_digit()) || !name.ends_with(".json") {
                continue;
            }
            let kept = fs::read_to_string(&path).unwrap();
            let outcome: Outcome = serde_json::from_str(&kept).unwrap();
            outcome.keep(root.path()).unwrap();
            let written = |file: &Path| {
                let name = file.file_name().unwrap();
                fs::read_to_string(root.path().join("docs/results").join(name)).unwrap()
            };
            // Numbers as they were read: a number read from text may be off by its last digit.
            let value: serde_json::Value = serde_json::from_str(&kept).unwrap();
            assert_eq!(serde_json::to_value(&outcome).unwrap(), value, "{}", path.display());
            let keys = |text: &str| -> Vec<String> {
                let key = |line: &str| line.split(": ").next().unwrap_or_default().to_owned();
                text.lines().map(key).collect()
            };
            assert_eq!(keys(&written(&path)), keys(&kept), "{}", path.display());
            let plot = path.with_extension("svg");
            assert_eq!(written(&plot), fs::read_to_string(&plot).unwrap(), "{}", plot.display());
            read += 1;
        }
        assert_eq!(read, 8);
    }
}
