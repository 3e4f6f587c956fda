//! The kustomizations of k8s/ and infra/k8s/overlays, read as texts: each manifest is part of one,
//! and each patch is about an object that is there. `make k8s-check` builds them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const OVERLAYS: [&str; 3] = ["small", "three-zones", "three-zones/data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn kustomization(folder: &Path) -> String {
    let file = folder.join("Kustomization");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What stands under `resources:`, an item a line or all on one.
fn resources(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("resources:"));
    let first = lines.next().expect("resources");
    let inline = first.trim_start_matches("resources:").trim();
    if !inline.is_empty() {
        let items = inline.trim_start_matches('[').trim_end_matches(']').split(", ");
        return items.map(str::to_owned).collect();
    }
    lines.map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// The manifests of a folder, but for links: `00-namespace.yaml` is one for `kubectl apply -f`.
fn manifests(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    names.sort();
    names
}

/// The kind and name of each object in the manifests of a folder.
fn objects(folder: &Path) -> BTreeSet<(String, String)> {
    let mut objects = BTreeSet::new();
    for name in manifests(folder) {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        for document in text.split("\n---\n") {
            let after = |begins: &str| {
                let found = document.lines().find_map(|line| line.strip_prefix(begins));
                found.unwrap_or_else(|| panic!("no {begins} in\n{document}")).to_owned()
            };
            objects.insert((after("kind: "), after("  name: ")));
        }
    }
    objects
}

#[test]
fn every_manifest_is_listed_by_its_kustomization_and_is_there() {
    for folder in ["k8s", "k8s/data"] {
        let folder = root().join(folder);
        let mut listed = resources(&kustomization(&folder));
        listed.sort();
        assert_eq!(listed, manifests(&folder), "{}", folder.display());
    }
    // kubectl apply -f k8s/ would take it for an object.
    assert!(!root().join("k8s/kustomization.yaml").exists());
}

#[test]
fn every_patch_of_an_overlay_is_about_an_object_that_is_there() {
    for overlay in OVERLAYS {
        let folder = root().join("infra/k8s/overlays").join(overlay);
        let text = kustomization(&folder);
        let bases = resources(&text);
        let base = folder.join(bases.first().expect("a base"));
        assert!(base.join("Kustomization").exists(), "{overlay}: {}", base.display());
        let there = objects(&base);
        let mut patches = 0;
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("- target: { kind: ")) {
            let (kind, names) = line.trim_end_matches(" }").split_once(", name: ").unwrap();
            for name in names.split('|') {
                let object = (kind.to_owned(), name.to_owned());
                assert!(there.contains(&object), "{overlay} patches {object:?}");
            }
            patches += 1;
        }
        assert_eq!(patches, text.matches("patch: |-").count(), "{overlay}");
        assert!(patches >= 3, "{overlay}: {patches} patches");
    }
}
