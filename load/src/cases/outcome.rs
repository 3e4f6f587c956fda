//! What a case found: a table, a plot, and JSON that documents are made from.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::plot;

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
    /// One that was to be something, and whether it is; what could not be computed is not.
    pub fn aimed(what: String, before: Option<f64>, after: f64, target: &str, met: bool) -> Self {
        let met = Some(met && after.is_finite());
        Self { what, before, after, target: Some(target.to_owned()), met }
    }

    /// The same, where it counts something among so many: of none, no target is met.
    #[must_use]
    pub fn of(mut self, so_many: f64) -> Self {
        self.met = self.met.map(|met| met && so_many > 0.0);
        self
    }

    /// One that only explains.
    pub fn plain(what: String, before: Option<f64>, after: f64) -> Self {
        Self { what, before, after, target: None, met: None }
    }
}

/// One pair of rounds of the headline figure.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Pair {
    /// Without.
    pub before: f64,
    /// With.
    pub after: f64,
}

impl Pair {
    /// Says that it is measured.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn tell(&self, what: &str, number: u64, of: u64) -> std::io::Result<()> {
        say(&format!(
            "pair {number} of {of}: before {}, after {} ({what})",
            shown(self.before),
            shown(self.after)
        ))
    }
}

/// A line about how far the case is.
///
/// # Errors
/// When nobody reads it.
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

/// The median of the ratios after/before.
pub fn median_ratio(pairs: &[Pair]) -> f64 {
    let mut ratios: Vec<f64> = pairs
        .iter()
        .filter(|pair| pair.before > 0.0)
        .map(|pair| pair.after / pair.before)
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Today, as the machine has it.
///
/// # Errors
/// A machine without `date`.
pub fn today() -> anyhow::Result<String> {
    Ok(String::from_utf8(std::process::Command::new("date").arg("-I").output()?.stdout)?
        .trim()
        .to_owned())
}

/// Processor, cores, memory: from /proc.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| Some(line.strip_prefix(name)?.split_once(':')?.1.trim().to_owned()))
    };
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kib = value(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .unwrap_or_default();
    format!(
        "{}, {cores} cores, {} GiB, everything on it",
        value(&cpu, "model name").unwrap_or_default(),
        kib / 1_048_576
    )
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

impl Figure {
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

impl Outcome {
    /// Why targets were missed; nothing where all are met.
    pub fn why_missed(&self) -> Option<&str> {
        let missed = self.figures.iter().any(|figure| figure.met == Some(false));
        self.missed_because.as_deref().filter(|_| missed)
    }

    /// Prints the table.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "\ncase {} {}: {}\n{}\n",
            self.number, self.name, self.machine, self.setting
        )?;
        writeln!(out, "{:<64} {:>10} {:>10}  {:<10} target", "", "before", "after", "")?;
        for figure in &self.figures {
            let [what, before, after, target, met] = figure.cells();
            writeln!(
                out,
                "{what:<64} {before:>10} {after:>10}  {:<10} {target}",
                met.trim_matches('*')
            )?;
        }
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
        fs::create_dir_all(&folder)?;
        let file = format!("{}-{}", self.number, self.name);
        fs::write(folder.join(format!("{file}.json")), serde_json::to_string_pretty(self)? + "\n")?;
        fs::write(folder.join(format!("{file}.svg")), plot::pairs(&self.pairs_of, &self.pairs))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_nothing_is_not_met() {
        let stale = |of: f64| Figure::aimed("stale".to_owned(), None, 0.0, "0", true).of(of).met;
        assert_eq!((stale(7.0), stale(0.0)), (Some(true), Some(false)));
        let nothing = median(std::iter::empty());
        let p95 = Figure::aimed("p95".to_owned(), None, nothing, "below 50", nothing < 50.0);
        assert_eq!(p95.met, Some(false));
        let rate = Figure::aimed("held, %".to_owned(), None, f64::NAN, "0", true);
        assert_eq!(rate.met, Some(false));
        assert_eq!(Figure::plain("only told".to_owned(), None, 0.0).of(0.0).met, None);
    }
}
