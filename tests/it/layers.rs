//! The arrows between the layers, read off the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// What each layer may use. What everybody may use (ids, clock, config, telemetry) is left out.
const ARROWS: [(&str, &[&str]); 16] = [
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
    ("hostile", &["domain", "graphql", "protocol"]),
    ("lifecycle", &[]),
    ("config", &[]),
];
const EVERYBODYS: [&str; 4] = ["ids", "clock", "config", "telemetry"];
/// The roots of the crates.
const ROOTS: [&str; 2] = ["lib", "main"];

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

fn layer_of(file: &Path) -> String {
    let first = file.strip_prefix(source()).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The layers that a file names: by `crate::`, by `super::`, in a path, a `use` or a macro.
struct Uses {
    /// Where the file is, as a module path.
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Uses {
    fn of(file: &Path) -> BTreeSet<String> {
        let inside = file.strip_prefix(source()).unwrap().with_extension("");
        let mut module: Vec<String> =
            inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            module.pop();
        }
        let text = std::fs::read_to_string(file).unwrap();
        let mut uses = Self { module, found: BTreeSet::new() };
        uses.visit_file(&syn::parse_file(&text).expect("Rust"));
        uses.found
    }

    /// Takes the words of a path from its first on.
    fn take(&mut self, words: &[String]) {
        let mut base = match words.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        let mut rest = words
            .iter()
            .map(String::as_str)
            .skip_while(|word| ["crate", "self"].contains(word))
            .peekable();
        while rest.next_if_eq(&"super").is_some() {
            base.pop();
        }
        if base.is_empty()
            && let Some(layer) = rest.next()
        {
            self.found.insert(layer.to_owned());
        }
    }

    fn take_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.take_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.take(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.take(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.take(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_tree(before, tree);
                }
            }
        }
    }

    /// Paths in what a macro is given, which is not parsed.
    fn take_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(word) => path.push(word.to_string()),
                proc_macro2::TokenTree::Punct(mark) if mark.as_char() == ':' => {}
                other => {
                    self.take(&std::mem::take(&mut path));
                    if let proc_macro2::TokenTree::Group(group) = other {
                        self.take_tokens(group.stream());
                    }
                }
            }
        }
        self.take(&path);
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.take(&words);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.take_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = BTreeSet::new();
    for file in files(&source()).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let layer = layer_of(&file);
        if EVERYBODYS.contains(&layer.as_str()) || ROOTS.contains(&layer.as_str()) {
            continue;
        }
        let inside = file.strip_prefix(source()).unwrap().display().to_string();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == layer) else {
            wrong.insert(format!("{inside} is in no known layer"));
            continue;
        };
        for used in Uses::of(&file) {
            let known = ARROWS.iter().any(|(layer, _)| *layer == used);
            if known
                && used != layer
                && !allowed.contains(&used.as_str())
                && !EVERYBODYS.contains(&used.as_str())
            {
                wrong.insert(format!("{inside} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_layer_is_found_however_it_is_named() {
    let mut uses = Uses { module: vec!["stores".into(), "redis".into()], found: BTreeSet::new() };
    let text = "use crate::{http::{self, Served}, ids}; use super::super::domain::Domain;
                fn f() { crate::jobs::run(); g!(crate::outbox::X { a: 1 }) } mod inner { use super::super::super::cli; }";
    uses.visit_file(&syn::parse_file(text).unwrap());
    let found: Vec<&str> = uses.found.iter().map(String::as_str).collect();
    assert_eq!(found, ["cli", "domain", "http", "ids", "jobs", "outbox"]);
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
