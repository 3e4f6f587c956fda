//! Snapshots: whole answers, in `snapshots/` beside the test that compares with them.

use std::path::{Path, PathBuf};

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension.to_string_lossy().contains("snap"))
        {
            found.push(path);
        }
    }
}

/// `…/snapshots/it__cli__help__NAME.snap` belongs to `…/help.rs`, which names it.
#[test]
fn every_snapshot_is_compared_with_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["tests/it", "load/src"] {
        find(&root.join(folder), &mut found);
    }
    assert!(!found.is_empty());
    for snapshot in found {
        let shown = snapshot.display();
        let name = snapshot.file_name().unwrap().to_str().unwrap();
        let parts: Vec<&str> = name.strip_suffix(".snap").expect("accepted").split("__").collect();
        let [.., module, name] = parts.as_slice() else { panic!("{shown}") };
        let folder = snapshot.ancestors().nth(2).unwrap();
        let files = [format!("{module}.rs"), "mod.rs".to_owned(), "main.rs".to_owned()];
        let source = files.iter().find_map(|file| std::fs::read_to_string(folder.join(file)).ok());
        let source = source.unwrap_or_else(|| panic!("{shown} belongs to no file"));
        assert!(source.contains(&format!("\"{name}\"")), "no test names {shown}");
    }
}
