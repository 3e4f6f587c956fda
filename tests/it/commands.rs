//! docs/commands.md and the Makefile tell of the same verbs.

use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Targets, and whether `make help` shows them.
fn targets(makefile: &str) -> Vec<(&str, bool)> {
    let rules = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains(":="));
    rules.filter_map(|line| Some((line.split_once(':')?.0, line.contains(" ## ")))).collect()
}

#[test]
fn every_verb_that_is_documented_is_there_and_is_shown_by_help() {
    let (makefile, documented) = (read("Makefile"), read("docs/commands.md"));
    let targets = targets(&makefile);
    let shown: BTreeSet<&str> =
        targets.iter().filter(|(_, shown)| *shown).map(|(name, _)| *name).collect();
    let named: BTreeSet<&str> = documented
        .split("`make ")
        .skip(1)
        .filter_map(|rest| rest.split(['`', ' ']).next())
        // A family of them.
        .filter(|name| !name.ends_with('…'))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !shown.contains(*name)).collect();
    assert!(
        missing.is_empty(),
        "docs/commands.md names what `make help` does not show: {missing:?}"
    );
}
