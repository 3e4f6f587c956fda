//! docs/PROGRESS.md and README's table of metrics, from docs/results/*.json and nothing else.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::outcome::Outcome;

const BEGIN: &str = "<!-- metrics: written by `plaza-load case` from docs/results -->";
const END: &str = "<!-- end of metrics -->";

fn outcomes(root: &Path) -> anyhow::Result<Vec<Outcome>> {
    let mut files: Vec<_> = fs::read_dir(root.join("docs/results"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .iter()
        .map(|file| {
            serde_json::from_str(&fs::read_to_string(file)?)
                .with_context(|| format!("{} is not a result", file.display()))
        })
        .collect()
}

/// Every measured figure that has a target, case by case.
fn table(outcomes: &[Outcome], link: &str) -> String {
    let mut text =
        "| case | figure | before | after | target | |\n|---|---|---|---|---|---|\n".to_owned();
    for outcome in outcomes {
        for figure in outcome.figures.iter().filter(|figure| figure.target.is_some()) {
            let (number, name) = (&outcome.number, &outcome.name);
            text += &format!(
                "| [{number} {name}]({link}{number}-{name}.md) | {} |\n",
                figure.cells().join(" | ")
            );
        }
    }
    text
}

/// Writes both.
///
/// # Errors
/// The disk's; a README without the place for the table.
pub fn write(root: &Path) -> anyhow::Result<()> {
    let outcomes = outcomes(root)?;
    let mut progress = format!(
        "# Progress\n\nWritten by `plaza-load case` from [results](results): what is not here was not measured.\n\n{}",
        table(&outcomes, "")
    );
    for outcome in &outcomes {
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
    fs::write(root.join("docs/PROGRESS.md"), progress)?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme)?;
    let (head, rest) = text.split_once(BEGIN).context("README.md has no place for the metrics")?;
    let (_, tail) = rest.split_once(END).context("README.md has no end of the metrics")?;
    fs::write(readme, format!("{head}{BEGIN}\n{}{END}{tail}", table(&outcomes, "docs/")))?;
    Ok(())
}
