//! The crates of src/ and their arrows, as docs/ARCHITECTURE.md draws them. That a crate uses
//! nothing else is for the compiler to see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What everybody may use; ARCHITECTURE leaves it out.
const EVERYBODYS: [&str; 3] = ["base", "config", "telemetry"];

/// Every Rust file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
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

/// The folder of the product's sources.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The crates among the dependencies of a manifest, by their folders' names.
fn used(manifest: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let dependencies = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    dependencies
        .lines()
        .filter_map(|line| line.strip_prefix("plaza-")?.strip_suffix(".workspace = true"))
        .map(|name| name.replace('-', "_"))
        .filter(|name| !EVERYBODYS.contains(&name.as_str()))
        .collect()
}

/// The arrows of the code map: a folder, and what it uses.
fn drawn() -> BTreeMap<String, BTreeSet<String>> {
    let page =
        std::fs::read_to_string(source().parent().unwrap().join("docs/ARCHITECTURE.md")).unwrap();
    let map = page.split("### Code map").nth(1).unwrap().split("\n#").next().unwrap();
    map.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| {
            let (folder, rest) = line.split_once("/` |")?;
            let (_, uses) = rest.trim_end_matches('|').rsplit_once('|')?;
            let uses = uses.split(',').map(str::trim).filter(|name| !name.is_empty());
            Some((folder.to_owned(), uses.map(str::to_owned).collect()))
        })
        .collect()
}

#[test]
fn each_folder_is_a_crate_that_uses_what_the_architecture_says() {
    let drawn = drawn();
    let mut wrong = Vec::new();
    for folder in
        std::fs::read_dir(source()).unwrap().flatten().filter(|entry| entry.path().is_dir())
    {
        let name = folder.file_name().to_str().unwrap().to_owned();
        let manifest = folder.path().join("Cargo.toml");
        // The command line is the root's, which uses all of them.
        if name == "cli" || EVERYBODYS.contains(&name.as_str()) {
            continue;
        }
        if !manifest.is_file() {
            wrong.push(format!("src/{name} is no crate"));
        } else if drawn.get(&name) != Some(&used(&manifest)) {
            wrong.push(format!(
                "src/{name} uses {:?}, ARCHITECTURE says {:?}",
                used(&manifest),
                drawn.get(&name)
            ));
        }
    }
    assert!(wrong.is_empty() && drawn.len() > 10, "{wrong:#?}");
}

#[test]
fn the_surface_knows_no_store() {
    let uses = used(&source().join("graphql/Cargo.toml"));
    assert_eq!(uses, BTreeSet::from(["domain".to_owned()]));
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

/// The variants of an enum, as its source declares it.
fn variants(file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(source().join(file)).unwrap();
    let items = syn::parse_file(&text).unwrap().items;
    let found = items.into_iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == name => Some(item.variants),
        _ => None,
    });
    found.unwrap().iter().map(|variant| variant.ident.to_string()).collect()
}

#[test]
fn every_job_has_a_handler() {
    let handlers = std::fs::read_to_string(source().join("jobs/lib.rs")).unwrap();
    let jobs = variants("protocol/jobs.rs", "Job");
    assert!(jobs.len() > 5, "{jobs:?}");
    for job in jobs {
        assert!(handlers.contains(&format!("Job::{job}")), "{job} has no handler");
    }
}
