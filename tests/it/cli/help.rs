//! What the executable says of itself, whole: a change of it is seen in review.

use std::process::Command;

/// The help of a verb, and below it of its own verbs.
fn help(verb: &[&str], all: &mut String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .args(verb)
        .arg("--help")
        .env_remove("PLAZA_CONFIG")
        .output()
        .unwrap();
    assert!(output.status.success(), "plaza {} --help: {output:?}", verb.join(" "));
    let text = String::from_utf8(output.stdout).unwrap();
    let title = [&["plaza"], verb].concat().join(" ");
    all.push_str(&format!("## {title}\n\n{text}\n"));
    let commands = text.split_once("Commands:\n").map(|(_, rest)| rest).unwrap_or_default();
    // A verb stands two columns from the edge; what goes on from the line above stands further in.
    let verbs = commands.lines().take_while(|line| !line.is_empty());
    for line in verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        match line.split_whitespace().next() {
            Some("help") | None => {}
            Some(name) => help(&[verb, &[name]].concat(), all),
        }
    }
}

fn said(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_plaza")).args(arguments).output().expect("plaza");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shells_complete_every_verb_and_each_has_a_manual_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for word in ["dead-letters", "projections", "--run-dir", "--json"] {
            assert!(script.contains(word.trim_start_matches('-')), "{shell}: no {word}");
        }
    }
    let checked = Command::new("bash").args(["-n", "-c", &said(&["completions", "bash"])]).status();
    assert!(checked.unwrap().success());
    assert!(said(&["man"]).starts_with(".ie "), "a page in roff");
    let folder = tempfile::tempdir().unwrap();
    said(&["man", folder.path().to_str().unwrap()]);
    for page in ["plaza.1", "plaza-seed.1", "plaza-dead-letters-list.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
}

/// Verbs that print no facts: they serve until they are stopped, print a document as it is, make a
/// file, or do one thing. `rebalance` and `failover switch` say how far they are.
const WITHOUT_JSON: [&str; 17] = [
    "plaza server",
    "plaza worker",
    "plaza relay",
    "plaza projector",
    "plaza all",
    "plaza backup run",
    "plaza failover watch",
    "plaza failover switch",
    "plaza projections skip",
    "plaza projections retry",
    "plaza rebalance",
    "plaza schema",
    "plaza config reference",
    "plaza config example",
    "plaza keygen",
    "plaza completions",
    "plaza man",
];

#[test]
fn every_verb_that_prints_facts_prints_them_as_json_on_asking() {
    let mut all = String::new();
    help(&[], &mut all);
    let (mut checked, mut missing) = (0, Vec::new());
    for (title, text) in all.split("## ").filter_map(|part| part.split_once('\n')) {
        // A verb with verbs below it prints something itself where it can go without them.
        let is_group = text.contains("\nCommands:\n");
        let usage = format!("Usage: {title} [OPTIONS]\n");
        if WITHOUT_JSON.contains(&title) || is_group && !text.contains(&usage) {
            continue;
        }
        checked += 1;
        if !text.contains("--json") {
            missing.push(title);
        }
    }
    assert!(checked > 15 && missing.is_empty(), "{checked} checked, without --json: {missing:?}");
}

#[test]
fn the_help_of_every_verb_is_as_it_was() {
    let mut all = String::new();
    help(&[], &mut all);
    assert!(all.matches("\n## ").count() > 5, "{all}");
    insta::assert_snapshot!("help", all);
}
