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
        for file in ["ports.env", "lib/settings.sh", "lib/process.sh"] {
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
