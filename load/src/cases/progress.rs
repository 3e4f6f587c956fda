//! docs/PROGRESS.md and README's table of headline metrics, from docs/results/*.json and nothing
//! else.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::outcome::Outcome;

const BEGIN: &str = "<!-- metrics: written by `plaza-load case` from docs/results -->";
const END: &str = "<!-- end of metrics -->";

/// The case and the first words of each metric that README shows.
const HEADLINES: [(&str, &str); 6] = [
    ("1.2", "primaries' CPU against before"),
    ("1.3", "p95 of reads"),
    ("2.1", "p95 of orderPlace"),
    ("2.2", "views a second, acknowledged"),
    ("3.1", "answered rightly through all faults"),
    ("4.0", "p95 of the mix"),
];

fn outcomes(root: &Path) -> anyhow::Result<Vec<Outcome>> {
    let mut files: Vec<_> = fs::read_dir(root.join("docs/results"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| is_of_a_case(file));
    files.sort();
    files
        .iter()
        .map(|file| {
            serde_json::from_str(&fs::read_to_string(file)?)
                .with_context(|| format!("{} is not a result", file.display()))
        })
        .collect()
}

/// Whether a file is `1.1-sharding.json` or another case's: other runs keep theirs beside them.
fn is_of_a_case(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(|first: char| first.is_ascii_digit()) && name.ends_with(".json")
}

/// Every measured figure that has a target, case by case.
fn table(outcomes: &[Outcome]) -> String {
    let mut text =
        "| case | figure | before | after | target | |\n|---|---|---|---|---|---|\n".to_owned();
    for outcome in outcomes {
        for figure in outcome.figures.iter().filter(|figure| figure.target.is_some()) {
            let (number, name) = (&outcome.number, &outcome.name);
            text += &format!(
                "| [{number} {name}]({number}-{name}.md) | {} |\n",
                figure.cells().join(" | ")
            );
        }
    }
    text
}

/// The headline metrics, each with the day on which it was measured.
fn headlines(outcomes: &[Outcome]) -> String {
    let mut text =
        "| case | measured | metric | before | after | target | |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (number, start) in HEADLINES {
        let measured = outcomes.iter().filter(|outcome| outcome.number == number);
        for (outcome, figure) in
            measured.flat_map(|outcome| outcome.figures.iter().map(move |figure| (outcome, figure)))
        {
            let cells = figure.cells();
            if cells.first().is_some_and(|name| name.starts_with(start)) {
                let (name, date) = (&outcome.name, &outcome.date);
                text += &format!(
                    "| [{number} {name}](docs/{number}-{name}.md) | {date} | {} |\n",
                    cells.join(" | ")
                );
            }
        }
    }
    text
}

/// docs/PROGRESS.md.
fn progress(outcomes: &[Outcome]) -> String {
    let mut progress = format!(
        "# Progress\n\nWritten by `plaza-load case` from [results](results): what is not here was not measured.\n\n{}",
        table(outcomes)
    );
    for outcome in outcomes {
        progress += &format!(
            "\n## {} {}\n\n{}, {}. `{}`\n\n{}\n",
            outcome.number,
            outcome.name,
            outcome.date,
            outcome.machine,
            outcome.command,
            outcome.setting
        );
        progress += "\n| figure | before | after | target | |\n|---|---|---|---|---|\n";
        for figure in &outcome.figures {
            progress += &format!("| {} |\n", figure.cells().join(" | "));
        }
        if let Some(why) = outcome.why_missed() {
            progress += &format!("\nMissed: {why}\n");
        }
        progress += &format!(
            "\n![{}](results/{}-{}.svg)\n",
            outcome.pairs_of, outcome.number, outcome.name
        );
    }
    progress
}

/// README with the headline metrics of these outcomes.
fn readme(text: &str, outcomes: &[Outcome]) -> anyhow::Result<String> {
    let (head, rest) = text.split_once(BEGIN).context("README.md has no place for the metrics")?;
    let (_, tail) = rest.split_once(END).context("README.md has no end of the metrics")?;
    Ok(format!("{head}{BEGIN}\n{}{END}{tail}", headlines(outcomes)))
}

/// Writes both.
///
/// # Errors
/// The disk's; a README without the place for the table.
pub fn write(root: &Path) -> anyhow::Result<()> {
    let outcomes = outcomes(root)?;
    fs::write(root.join("docs/PROGRESS.md"), progress(&outcomes))?;
    let file = root.join("README.md");
    let text = readme(&fs::read_to_string(&file)?, &outcomes)?;
    fs::write(file, text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_pages_say_what_the_results_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let outcomes = outcomes(root).unwrap();
        let held = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(held("docs/PROGRESS.md"), progress(&outcomes));
        assert_eq!(held("README.md"), readme(&held("README.md"), &outcomes).unwrap());
        let rows = headlines(&outcomes).lines().count() - 2;
        assert_eq!(
            rows,
            HEADLINES.len(),
            "a headline is missing, or its first words are ambiguous"
        );
    }
}
