//! The alarms by themselves: each fires when it must and only then, and says where to read on.

use std::path::PathBuf;
use std::process::Command;

pub fn infra(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("infra").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(infra(path)).unwrap()
}

/// The names of all alarms.
fn names() -> Vec<String> {
    let names: Vec<String> = text("prometheus/rules.yml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[test]
fn every_alarm_fires_when_it_must_and_is_quiet_when_it_must() {
    for arguments in [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]] {
        let output =
            Command::new("promtool").args(arguments).current_dir(infra("prometheus")).output();
        let output = output.expect("promtool: run `infra/local/install tests` once");
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let tests = text("prometheus/rules.test.yml");
    for name in names() {
        assert!(
            tests.contains(&format!("name: {name} fires\n")),
            "{name} has no test in which it fires"
        );
        assert!(
            tests.contains(&format!("name: {name} is quiet\n")),
            "{name} has no test in which it is quiet"
        );
    }
}

#[test]
fn every_alarm_has_a_section_in_the_operations_guide() {
    let guide = std::fs::read_to_string(infra("../docs/operations.md")).unwrap();
    let rules = text("prometheus/rules.yml");
    for name in names() {
        let section = format!("\n### {name}\n");
        let (_, after) = guide
            .split_once(&section)
            .unwrap_or_else(|| panic!("docs/operations.md has no section {name}"));
        let body = after.split("\n### ").next().unwrap();
        assert!(body.len() > 100, "{name}: what does one do?");
        let link = format!("runbook_url: docs/operations.md#{}\n", name.to_lowercase());
        assert!(rules.contains(&link), "{name} does not link to its section");
    }
}
