//! What the `sh` blocks of the documents show is run, as who pastes it does: commands of `plaza` on
//! a test's own system, names of tests by the list of them. What cannot be run here is named, with
//! the reason; a command of another kind fails until it has its place.

use std::path::Path;

use plaza::config::Config;
use tokio::process::Command;

use crate::app::{TestApp, config_file, with_app};
use crate::commands::documents;
use crate::operate::process::environment;

/// Programs whose commands are not run here, and where they are.
const ELSEWHERE: [(&str, &str); 4] = [
    ("make", "infra/check/examples.mjs: make says of each what it would run"),
    ("npm", "infra/check/examples.mjs looks the scripts up; `make check` and `make test` run them"),
    ("kubectl", "it wants a cluster; `make k8s-check` reads what is deployed to one"),
    ("rabbitmqctl", "it is the broker's, and wants the broker's user"),
];
/// Commands that are not run here, by their beginnings, and why.
const EXCUSED: [(&str, &str); 3] = [
    ("cargo test --lib", "`make test` runs all unit tests"),
    ("plaza backup", "`make drill-restore` runs it, on servers that it may stop"),
    ("plaza rebalance", "all of plaza must be stopped: tests/it/stores/moving.rs"),
];
/// Their blocks are run against a plaza, by tests/clients/guides.test.mjs.
const CLIENTS: &str = "docs/clients/";

/// A command of a block.
struct Pasted {
    file: String,
    command: String,
}

/// Commands of all `sh` blocks, those of a block in its order: each begins a line and goes on to
/// the end of the last that a backslash continues.
fn pasted() -> Vec<Pasted> {
    let mut found = Vec::new();
    for (file, text) in documents() {
        if file.starts_with(CLIENTS) {
            continue;
        }
        let (mut in_block, mut command) = (false, String::new());
        for line in text.lines().map(str::trim) {
            if line.starts_with("```") {
                in_block = !in_block && line == "```sh";
                continue;
            }
            if !in_block || line.is_empty() {
                continue;
            }
            command.push_str(line.trim_end_matches('\\'));
            if !line.ends_with('\\') {
                found.push(Pasted { file: file.clone(), command: std::mem::take(&mut command) });
            }
        }
    }
    found
}

/// The first word that is a program's name.
fn program(command: &str) -> &str {
    command.split_whitespace().find(|word| *word != "until").unwrap_or_default()
}

/// What a pasted command is to this test.
#[derive(Debug, PartialEq)]
enum Kind {
    /// It is run.
    Plaza,
    /// It chooses tests by their names.
    Tests,
    /// Not here.
    Elsewhere,
    /// Nobody has said what becomes of it.
    Unknown,
}

fn kind(command: &str) -> Kind {
    if EXCUSED.iter().any(|(beginning, _)| command.starts_with(beginning)) {
        return Kind::Elsewhere;
    }
    match program(command) {
        "plaza" => Kind::Plaza,
        "cargo" if command.starts_with("cargo test --test it -- ") => Kind::Tests,
        program if ELSEWHERE.iter().any(|(name, _)| *name == program) => Kind::Elsewhere,
        _ => Kind::Unknown,
    }
}

#[test]
fn every_command_of_a_block_has_its_place() {
    let all = pasted();
    let of = |wanted: Kind| all.iter().filter(|one| kind(&one.command) == wanted).count();
    let unknown: Vec<String> = all
        .iter()
        .filter(|one| kind(&one.command) == Kind::Unknown)
        .map(|one| format!("{}: {}", one.file, one.command))
        .collect();
    assert!(unknown.is_empty(), "run it or say where it is run: {unknown:#?}");
    assert!(of(Kind::Plaza) > 8 && of(Kind::Tests) >= 3 && of(Kind::Elsewhere) > 20);
}

#[test]
fn tests_that_are_named_in_blocks_are_there() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("--list")
        .output()
        .unwrap();
    let tests = String::from_utf8(output.stdout).unwrap();
    for Pasted { file, command } in pasted().iter().filter(|one| kind(&one.command) == Kind::Tests)
    {
        let (_, names) = command.split_once(" -- ").unwrap();
        for name in names.split_whitespace() {
            assert!(tests.contains(name), "{file}: no test has {name} in its name");
        }
    }
}

/// Has bash run a line as it stands, where `plaza` is on the path, and waits for its end.
async fn paste(folder: &Path, config: &Config, Pasted { file, command }: &Pasted) {
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command.as_str()])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", folder.join("bin").display()))
        .env("PLAZA_CONFIG", config_file())
        .envs(environment(config))
        .env("PLAZA_KAFKA__PARTITIONS", config.kafka.partitions.to_string())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{file}: {command}\n{output:?}");
}

/// What a reader has before: the executable on the path, a list of edges, a folder of documents.
fn prepare(folder: &Path) {
    for name in ["bin", "docs"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_plaza"), folder.join("bin/plaza")).unwrap();
    std::fs::write(folder.join("friends.edges"), "0 1\n1 2\n2 0\n").unwrap();
}

async fn paste_all(app: &TestApp, folder: &Path) {
    for one in pasted().iter().filter(|one| kind(&one.command) == Kind::Plaza) {
        paste(folder, &app.app.config, one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_plaza_in_a_block_runs_as_it_is_pasted() {
    with_app(async |app| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        prepare(folder);
        paste_all(app, folder).await;
        // What writes a file has written the one that is here.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["schema.graphql", "docs/configuration.md"] {
            let read = |folder: &Path| std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(read(folder) == read(root), "{name} differs");
        }
    })
    .await;
}
