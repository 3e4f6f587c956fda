//! A bounded run of the fuzz targets over their corpus: the same bytes every time, no nightly
//! compiler, no libFuzzer.

#[path = "../../fuzz/hostile.rs"]
mod hostile;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Inputs of a target. `PLAZA_FUZZ_SECONDS` goes on for so long instead.
const RUNS: usize = 20_000;
/// Pictures are drawn as well as read.
const PICTURES: usize = 500;
/// What breaks parsers.
const WORDS: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "\"\"\"",
    "...",
    "...f",
    "fragment f on Query",
    "$a: Int = 1",
    "@include(if: true)",
    "#",
    "\\",
    "\u{0}",
    "-1",
    "99999999999999999999",
    "null",
    ":",
    "!",
    "\u{feff}",
    "first: 100",
    "query",
    "\\u{1F600}",
    "\\uD83D\\uDE00",
    "\\\"\"\"",
    "... on Post { id }",
    "@skip(if: $a)",
    "a: id a: text",
    "\u{0}{\"a\": [1, null]}",
    "{ __type(name: \"Node\") { possibleTypes { interfaces { name } } } }",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn mutate(random: &mut StdRng, data: &mut Vec<u8>, other: &[u8]) {
    let at = random.random_range(0..=data.len());
    match random.random_range(0..6) {
        0 if !data.is_empty() => {
            let place = random.random_range(0..data.len());
            data[place] = random.random();
        }
        1 => {
            let word = WORDS[random.random_range(0..WORDS.len())];
            let times = 1 << random.random_range(0..9);
            data.splice(at..at, word.repeat(times).into_bytes());
        }
        2 => data.truncate(at),
        3 => {
            let from = random.random_range(0..=at);
            let copy = data[from..at].to_vec();
            data.splice(at..at, copy);
        }
        4 => {
            let from = random.random_range(0..=other.len());
            data.splice(at..at, other[from..].iter().copied());
        }
        _ => drop(data.drain(..at.min(data.len()) / 2)),
    }
    data.truncate(64 * 1_024);
}

#[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
fn run(name: &str, target: fn(&[u8]), runs: usize) {
    let corpus = corpus(name);
    let mut random = StdRng::seed_from_u64(7);
    let (started, mut slowest) = (Instant::now(), (Duration::ZERO, 0));
    let seconds = std::env::var("PLAZA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let goes_on = |number: usize| match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => number < runs,
    };
    let mut number = 0;
    while goes_on(number) {
        let mut data = corpus[number % corpus.len()].clone();
        // The corpus itself first.
        if number >= corpus.len() {
            for _ in 0..random.random_range(1..6) {
                let other = &corpus[random.random_range(0..corpus.len())];
                mutate(&mut random, &mut data, other);
            }
        }
        let began = Instant::now();
        target(&data);
        slowest = slowest.max((began.elapsed(), data.len()));
        number += 1;
    }
    eprintln!(
        "{name}: {number} runs in {:?}, slowest {:?} for {} bytes",
        started.elapsed(),
        slowest.0,
        slowest.1
    );
}

/// On a thread whose stack is a worker's: what would overflow there overflows here.
fn on_a_workers_stack(name: &'static str, target: fn(&[u8]), runs: usize) {
    let thread = std::thread::Builder::new()
        .stack_size(2 * 1_024 * 1_024)
        .spawn(move || run(name, target, runs))
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn no_query_text_stops_the_guard() {
    on_a_workers_stack("guard", hostile::guard, RUNS);
}

#[test]
fn no_cursor_stops_its_reader() {
    on_a_workers_stack("cursor", hostile::cursor, RUNS);
}

#[test]
fn no_message_stops_its_reader() {
    on_a_workers_stack("event", hostile::event, RUNS);
}

#[test]
fn nothing_opens_a_seal_but_what_was_sealed() {
    on_a_workers_stack("sealed", hostile::sealed, RUNS);
}

#[test]
fn no_text_stops_its_reader_and_its_stored_form_is_one() {
    on_a_workers_stack("text", hostile::text, RUNS);
}

#[test]
fn no_picture_stops_its_reader() {
    on_a_workers_stack("picture", hostile::picture, PICTURES);
}
