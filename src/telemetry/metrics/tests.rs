//! The list against the code.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            sources(&entry.path(), text);
        } else {
            text.push_str(&std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_list_is_what_is_counted() {
    let mut text = String::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), &mut text);
    let mut counted = BTreeMap::new();
    for (kind, word) in
        [(Kind::Counter, "counter!("), (Kind::Gauge, "gauge!("), (Kind::Histogram, "histogram!(")]
    {
        for after in text.split(&format!("metrics::{word}")).skip(1) {
            let Some(name) =
                after.trim_start().strip_prefix('"').and_then(|after| after.split('"').next())
            else {
                continue;
            };
            assert_eq!(
                *counted.entry(name.to_owned()).or_insert(kind),
                kind,
                "{name} is counted as two kinds"
            );
        }
    }
    // Written by hand: see `process.rs`.
    counted.insert("process_cpu_seconds_total".to_owned(), Kind::Counter);
    let listed: BTreeMap<String, Kind> =
        ALL.iter().map(|metric| (metric.name.to_owned(), metric.kind)).collect();
    assert_eq!(listed, counted);
    assert_eq!(listed.len(), ALL.len(), "a name is listed twice");
}

#[test]
fn names_say_what_they_count_in() {
    for metric in ALL {
        assert_eq!(
            metric.name.ends_with("_total"),
            metric.kind == Kind::Counter,
            "{}",
            metric.name
        );
        let name = metric.name.trim_end_matches("_total");
        assert_eq!(name.ends_with("_seconds"), metric.unit == Unit::Seconds, "{}", metric.name);
        assert_eq!(name.ends_with("_bytes"), metric.unit == Unit::Bytes, "{}", metric.name);
    }
}

#[test]
fn counts_become_floats() {
    assert_eq!((float(0), float(7), float(1 << 40)), (0.0, 7.0, 1_099_511_627_776.0));
}

#[test]
fn the_documents_list_is_this_one() {
    let page = include_str!("../../../docs/observability.md");
    let (_, list) = page.split_once("## Metrics").unwrap();
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| `")).collect();
    let listed: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            format!("| `{}` | {kind} | {} |", metric.name, metric.meaning)
        })
        .collect();
    assert_eq!(rows, listed);
}
