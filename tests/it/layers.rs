//! The arrows between the layers, read off the `use crate::` lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each layer may use. What everybody may use (ids, clock, config, telemetry) is left out.
const ARROWS: [(&str, &[&str]); 15] = [
    ("http", &["app", "graphql", "stores", "telemetry", "domain", "operator"]),
    ("graphql", &["domain", "stores"]),
    ("domain", &["outbox", "protocol", "read_models", "stores"]),
    ("jobs", &["domain", "protocol", "stores"]),
    ("read_models", &["outbox", "protocol", "stores"]),
    ("outbox", &["protocol", "stores"]),
    ("protocol", &[]),
    ("stores", &["protocol"]),
    ("operator", &["app", "outbox", "protocol", "read_models", "stores"]),
    ("seeding", &["stores"]),
    ("app", &["domain", "lifecycle", "stores"]),
    (
        "cli",
        &[
            "app",
            "domain",
            "graphql",
            "http",
            "jobs",
            "lifecycle",
            "outbox",
            "protocol",
            "read_models",
            "seeding",
            "stores",
            "telemetry",
        ],
    ),
    ("telemetry", &["protocol"]),
    ("lifecycle", &[]),
    ("config", &[]),
];
const EVERYBODYS: [&str; 4] = ["ids", "clock", "config", "telemetry"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn layer_of(file: &Path) -> String {
    let first = file.strip_prefix(source()).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = BTreeSet::new();
    for file in files(&source()).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let layer = layer_of(&file);
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == layer) else { continue };
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            for used in line.split("crate::").skip(1) {
                let used: String =
                    used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !used.is_empty()
                    && used != layer
                    && !allowed.contains(&used.as_str())
                    && !EVERYBODYS.contains(&used.as_str())
                {
                    wrong.insert(format!(
                        "{} uses {used}",
                        file.strip_prefix(source()).unwrap().display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_surface_takes_only_vocabulary_from_the_stores() {
    for file in files(&source().join("graphql")) {
        for line in std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .filter(|line| line.contains("crate::stores"))
        {
            let vocabulary =
                line.contains("stores::StoreError") || line.contains("session::ConsistencyToken");
            assert!(vocabulary, "{}: {line}", file.display());
        }
    }
}

#[test]
fn no_file_is_too_long_and_no_name_says_nothing() {
    for file in files(&source()) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 420, "{} has {lines} lines: split it by what it is about", file.display());
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["util", "utils", "helper", "helpers", "common", "misc", "manager"].contains(&name),
            "{}",
            file.display()
        );
    }
}

#[test]
fn every_job_and_projection_is_in_its_list() {
    let jobs = std::fs::read_to_string(source().join("jobs/mod.rs")).unwrap();
    for variant in [
        "FeedFanOut",
        "FeedResumePush",
        "FollowRequestsGrant",
        "OrderProcess",
        "ImageProcess",
        "ImageDelete",
    ] {
        assert!(jobs.contains(&format!("Job::{variant}")), "{variant} has no handler");
    }
}
