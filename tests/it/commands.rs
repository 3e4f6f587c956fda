//! What the documents say of commands: docs/commands.md and the Makefile have the same verbs, and
//! `plaza` has every subcommand and flag that is shown. infra/check/examples.mjs does the rest.

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

/// The documents that show commands: those at the root, and all below docs/.
pub fn documents() -> Vec<(String, String)> {
    let mut folders = vec!["docs".to_owned()];
    let mut found = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    while let Some(folder) = folders.pop() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.into_iter().map(|file| (file.clone(), read(&file))).collect()
}

/// What follows `plaza ` in back quotes, and at the start of a line of a fenced block.
fn plaza_commands(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let command = line.trim_start().strip_prefix("plaza ");
            found.extend(command.and_then(|rest| rest.split(" #").next()).map(str::to_owned));
        } else {
            let quoted = line.split("`plaza ").skip(1);
            found.extend(quoted.filter_map(|rest| rest.split('`').next()).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_documented_subcommand_and_flag_of_plaza_is_there() {
    let is_verb = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let mut checked = 0;
    for (file, text) in documents() {
        for command in plaza_commands(&text) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let flags: Vec<&str> =
                words.iter().filter(|word| word.starts_with("--")).copied().collect();
            let verbs = words.iter().take_while(|word| !word.starts_with('-')).copied();
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_plaza"))
                .args(verbs.take_while(is_verb))
                .arg("--help")
                .output()
                .unwrap();
            let help = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{file}: plaza {command}: {error}");
            for flag in flags {
                let flag = flag.split('=').next().unwrap();
                let has = help.split([' ', '\n', ',', '=', '[']).any(|word| word == flag);
                assert!(has, "{file}: plaza {command}: it has no {flag}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} commands");
}

#[test]
fn the_wrapper_at_the_root_runs_what_was_built_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("plaza");
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("plaza");
    std::os::unix::fs::symlink(wrapper, &link).unwrap();
    let said = || {
        let output = std::process::Command::new(&link)
            .args(["doctor", "--json"])
            .env("CARGO_TARGET_DIR", folder.path())
            .env_remove("PLAZA_CONFIG")
            .current_dir(folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    assert!(said().contains("run 'make build'"), "{}", said());
    std::fs::create_dir(folder.path().join("debug")).unwrap();
    std::os::unix::fs::symlink("/bin/echo", folder.path().join("debug/plaza")).unwrap();
    assert_eq!(said(), "doctor --json\n");
}

#[test]
fn status_is_found_from_any_folder_of_a_checkout() {
    let checkout = tempfile::tempdir().unwrap();
    let within = checkout.path().join("src/deep");
    std::fs::create_dir_all(&within).unwrap();
    let status = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_plaza"))
            .args(["status", "--json"])
            .current_dir(&within)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(!status().0, "nothing was started there");
    std::fs::create_dir_all(checkout.path().join(".local/run")).unwrap();
    std::fs::write(
        checkout.path().join(".local/run/redis"),
        "name=redis\nrole=redis\nport=1\npid=1\nstart=0\n",
    )
    .unwrap();
    let (found, text) = status();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(found && told[0]["name"] == "redis" && told[0]["state"] == "stopped", "{text}");
}
