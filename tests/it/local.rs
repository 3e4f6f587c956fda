//! What the scripts in infra/local do to the machine that they run on: the real functions, in a
//! clone of their own that has nothing but them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::wait;

struct NewClone(TempDir);

impl NewClone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir_all(folder.path().join("infra/local/lib")).unwrap();
        for file in ["ports.env", "lib/settings.sh", "lib/process.sh", "lib/kafka.sh", "lib/web.sh"]
        {
            let file = Path::new("infra/local").join(file);
            std::fs::copy(here.join(&file), folder.path().join(&file)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn file(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap()
    }

    /// Runs commands after the scripts, for somebody whose files are everybody's where nothing
    /// else is asked for; what they print.
    fn run(&self, commands: &str) -> String {
        let script = format!(
            "umask 000; source infra/local/lib/settings.sh; source infra/local/lib/process.sh; {commands}"
        );
        // A file, and no pipe: a daemon that inherits it after all is not waited for.
        let said = std::fs::File::create(self.path("said")).unwrap();
        let status = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stderr(said.try_clone().unwrap())
            .stdout(said)
            .status()
            .expect("bash");
        let said = self.file("said");
        assert!(status.success(), "{commands}: {said}");
        said
    }

    fn mode(&self, below: &str) -> u32 {
        std::fs::metadata(self.path(below)).unwrap().permissions().mode() & 0o777
    }
}

const START: &str = "make_folders; printf '%s\\n' \"$SUPERUSER\" \"$SUPERUSER_PASSWORD\" \"$LOCAL_USER\" \"$LOCAL_PASSWORD\"";

#[test]
fn a_new_clones_passwords_are_random_and_its_folders_are_its_owners() {
    let mut passwords = BTreeSet::new();
    for _ in 0..2 {
        let clone = NewClone::new();
        let used = clone.run(START);
        let [superuser, password] = ["superuser-password", "password"].map(|name| {
            let name = format!(".local/config/{name}");
            assert_eq!(clone.mode(&name), 0o600, "{name}");
            clone.file(&name).trim_end().to_owned()
        });
        assert_eq!(used, format!("postgres\n{superuser}\nplaza\n{password}\n"));
        for password in [superuser, password] {
            let stands_in_addresses = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert!(password.len() == 32 && password.chars().all(stands_in_addresses));
            passwords.insert(password);
        }

        assert_eq!(clone.mode(".local"), 0o711, "postgres passes through");
        let folders: Vec<String> = std::fs::read_dir(clone.path(".local"))
            .unwrap()
            .map(|entry| format!(".local/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        for name in ["config", "kafka", "log", "objects", "run"] {
            assert!(folders.contains(&format!(".local/{name}")), "{name}: {folders:?}");
        }
        for folder in &folders {
            assert_eq!(clone.mode(folder), 0o700, "{folder}");
        }
        let left = std::fs::read_dir(clone.path(".local/config")).unwrap().count();
        assert_eq!(left, 2, "the passwords and nothing that was on the way to them");
        assert_eq!(clone.run(START), used, "and they stay what they are");
    }
    assert_eq!(passwords.len(), 4, "each clone and each user has another one");
}

/// Its servers ask for the password that they were made with.
#[test]
fn a_clone_whose_data_is_older_than_its_passwords_is_given_none() {
    for older in [".local/postgres", ".local/plaza.toml"] {
        let clone = NewClone::new();
        std::fs::create_dir_all(clone.path(older)).unwrap();
        assert_eq!(clone.run(START), "plaza\nplaza-local\nplaza\nplaza-local\n");
        assert!(!clone.path(".local/config/password").exists());
        assert!(!clone.path(".local/config/superuser-password").exists());
    }
}

/// Killed when dropped.
struct Started(String);

impl Started {
    fn is_sleep(&self) -> bool {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.0));
        name.is_ok_and(|name| name == "sleep\n")
    }

    /// What it has open, by number.
    fn descriptors(&self) -> Vec<(String, PathBuf)> {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fd", self.0)) else {
            return Vec::new();
        };
        let open = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().into_string().ok()?, std::fs::read_link(entry.path()).ok()?))
        });
        let mut open: Vec<_> = open.collect();
        open.sort();
        open
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0]).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_inherits_nothing_that_its_starter_has_open() {
    let clone = NewClone::new();
    // The lock of the scripts, and what somebody holds who calls them, by the number too that bash
    // gives its own script. It sleeps for longer than is waited below.
    clone.run("take_lock; exec 7>held 12<held 255<held; spawn worker sleep 600");
    let record = clone.file(".local/run/worker");
    let pid = record.lines().find_map(|line| line.strip_prefix("pid=")).expect("its id");
    let daemon = Started(pid.to_owned());
    let log = clone.path(".local/log/worker").canonicalize().unwrap();
    let expected = vec![
        ("0".to_owned(), PathBuf::from("/dev/null")),
        ("1".to_owned(), log.clone()),
        ("2".to_owned(), log),
    ];
    // Not at once: the loader opens libraries.
    wait::holds(async || daemon.is_sleep() && daemon.descriptors() == expected).await;
    assert!(daemon.is_sleep(), "it runs: {record}");
    assert_eq!(daemon.descriptors(), expected);
}

fn here(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// What is fetched is run: it is what it was when its checksum was written.
#[test]
fn jars_that_nobody_has_seen_before_are_refused() {
    let clone = NewClone::new();
    clone.run(
        "mkdir -p infra/kafka jars; printf one >jars/a.jar; printf two >jars/b.jar; \
         (cd jars && sha256sum -- *.jar) >infra/kafka/SHA256SUMS",
    );
    for (change, expected) in [
        (":", "known"),
        ("printf other >new/b.jar", "unknown"),
        ("printf three >new/c.jar", "unknown"),
        ("rm new/b.jar", "unknown"),
        ("mv new/b.jar new/c.jar", "unknown"),
    ] {
        let said = clone.run(&format!(
            "source infra/local/lib/kafka.sh; rm -rf new; cp -r jars new; {change}; \
             if kafka_jars_are_known new >/dev/null 2>&1; then say known; else say unknown; fi"
        ));
        assert_eq!(said.trim_end(), expected, "{change}");
    }
    let install = here("infra/local/install");
    let fetched = install.split_once("dependency:copy-dependencies").expect("the jars").1;
    let (before, _) = fetched.split_once("mv \"$libs.partial\"").expect("their place");
    assert!(before.contains("kafka_jars_are_known \"$libs.partial\""), "{before}");
}

#[test]
fn the_jars_checksums_are_those_of_the_versions_in_use() {
    let pom = here("infra/kafka/pom.xml");
    let version = |name: &str| {
        let (_, rest) = pom.split_once(&format!("<{name}.version>")).expect("a version");
        rest.split('<').next().unwrap().to_owned()
    };
    let sums = here("infra/kafka/SHA256SUMS");
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap_or_else(|| panic!("{line}"));
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
        assert!(name.ends_with(".jar") && !name.contains('/'), "{line}");
    }
    for name in [
        format!("kafka_2.13-{}.jar", version("kafka")),
        format!("kafka-tools-{}.jar", version("kafka")),
        format!("log4j-core-{}.jar", version("log4j")),
        format!("log4j-slf4j-impl-{}.jar", version("log4j")),
    ] {
        assert!(sums.lines().any(|line| line.ends_with(&format!("  {name}"))), "{name}");
    }
}

#[test]
fn packages_are_those_of_the_lock_files_by_their_checksums() {
    let clone = NewClone::new();
    clone.run(
        "source infra/local/lib/web.sh; make_folders; mkdir web; cd web; touch package-lock.json; \
         npm() { printf '%s\\n' \"$*\" >>../asked; mkdir node_modules; \
         touch node_modules/.package-lock.json; }; web_modules; web_modules",
    );
    assert_eq!(clone.file("asked"), "ci --no-audit --no-fund\n", "once");
    for folder in ["web", "clients/js", "tests/clients"] {
        let lock: serde_json::Value =
            serde_json::from_str(&here(&format!("{folder}/package-lock.json"))).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.len() > 20, "{folder}: {}", packages.len());
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            let sum = package["integrity"].as_str().unwrap_or_default();
            assert!(sum.starts_with("sha512-"), "{folder}: {name} has {sum:?}");
        }
    }
}
