//! The kustomizations of k8s/ and infra/k8s/overlays, read as texts: each manifest is part of one,
//! and each patch is about an object that is there. `make k8s-check` builds them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const OVERLAYS: [&str; 4] = ["small", "three-zones", "three-zones/data", "backups"];

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

/// The number that stands right after these words, where they are for the last time.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, after) = text.rsplit_once(words)?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..end)?.parse().ok()
}

/// What a kustomization patches of one object.
fn patches_of(text: &str, kind: &str, name: &str) -> String {
    let begins = format!("{{ kind: {kind}, name: {name} }}\n");
    text.split("- target: ").filter(|patch| patch.starts_with(&begins)).collect()
}

/// While Redis is unavailable, each server grants 1/`redis.servers` of a limit.
#[test]
fn no_autoscaler_makes_more_servers_than_share_the_limits() {
    let base = |name: &str| std::fs::read_to_string(root().join("k8s").join(name)).unwrap();
    let most = number_after(&base("hpa.yaml"), "\n  maxReplicas: ").expect("maxReplicas");
    let shared_by = number_after(&base("config.yaml"), "\n    servers = ").expect("servers");
    assert!(most <= shared_by, "k8s: {most} servers, of which {shared_by} share a limit");
    let deployment = base("deployment.yaml");
    assert!(!deployment.contains("PLAZA_REDIS__SERVERS"), "which goes over config.yaml");
    let mut changed = 0;
    for overlay in OVERLAYS {
        let text = kustomization(&root().join("infra/k8s/overlays").join(overlay));
        let scaler = patches_of(&text, "HorizontalPodAutoscaler", "api");
        let replaced = number_after(&scaler, "path: /spec/maxReplicas, value: ");
        assert_eq!(replaced.is_some(), text.contains("maxReplicas"), "{overlay}: of whom?");
        let added = number_after(
            &patches_of(&text, "Deployment", "api"),
            "/containers/0/env/-, value: { name: PLAZA_REDIS__SERVERS, value: \"",
        );
        assert_eq!(added.is_some(), text.contains("PLAZA_REDIS__SERVERS"), "{overlay}: of whom?");
        let (most, shared_by) = (replaced.unwrap_or(most), added.unwrap_or(shared_by));
        assert!(most <= shared_by, "{overlay}: {most} servers, {shared_by} share a limit");
        changed += usize::from(replaced.is_some());
    }
    assert!(changed >= 2, "{changed} overlays change the autoscaler");
}
