//! The files of Docker Compose, read as texts: there is no container engine where this runs. What
//! is alike in two places is held alike.

use std::collections::BTreeMap;

use plaza::config::Config;

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// `name = value` or `name=value`, a line each.
fn settings(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('\'').to_owned()))
        .collect()
}

/// The part of the compose file from a line that begins so to the next that begins as far out.
fn part(text: &str, begins: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| !line.starts_with(begins));
    let outer = depth(lines.next().unwrap_or_else(|| panic!("no {begins}")));
    let inner = lines.take_while(|line| line.trim().is_empty() || depth(line) > outer);
    inner.collect::<Vec<_>>().join("\n")
}

/// `-cname=value` of a command.
fn flags(text: &str) -> BTreeMap<String, String> {
    let items = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let flags = items.map(|item| item.trim_matches('"')).filter_map(|item| item.strip_prefix("-c"));
    settings(&flags.collect::<Vec<_>>().join("\n"))
}

/// What PostgreSQL has by itself, what is about this machine, and what the image decides.
const NOT_IN_COMPOSE: [&str; 17] = [
    "password_encryption",
    "huge_pages",
    "fsync",
    "synchronous_commit",
    "wal_level",
    "checkpoint_completion_target",
    "hot_standby",
    "logging_collector",
    "log_destination",
    "log_line_prefix",
    "log_checkpoints",
    "timezone",
    "log_timezone",
    "primary_conninfo",
    "primary_slot_name",
    // A replica's is empty by default.
    "synchronous_standby_names",
    "max_slot_wal_keep_size",
];

#[test]
fn postgresql_has_the_same_settings_with_and_without_containers() {
    let compose = file("infra/docker-compose.yml");
    for (begins, own) in
        [("x-postgres-primary:", "primary.conf"), ("x-postgres-replica:", "replica.conf")]
    {
        let mut here = settings(&file("infra/postgres/shared.conf"));
        here.extend(settings(&file(&format!("infra/postgres/{own}"))));
        let there = flags(&part(&compose, begins));
        assert!(there.len() > 10, "{there:?}");
        for (name, value) in &there {
            assert_eq!(here.get(name), Some(value), "{name} in {own} and for {begins}");
        }
        for name in here.keys() {
            let excused = NOT_IN_COMPOSE.contains(&name.as_str());
            assert!(there.contains_key(name) || excused, "{begins} has no {name}");
        }
    }
}

#[test]
fn kafka_has_the_same_settings_with_and_without_containers() {
    let here = settings(&file("infra/kafka/server.properties"));
    let environment = part(&file("infra/docker-compose.yml"), "  kafka:");
    let there: BTreeMap<String, String> = environment
        .lines()
        .filter_map(|line| line.trim().strip_prefix("KAFKA_"))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            (name.to_lowercase().replace('_', "."), value.trim_matches('"').into())
        })
        .collect();
    // Where it listens, how that is protected, and how much memory it may have.
    let own = [
        "controller.quorum.voters",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "sasl.enabled.mechanisms",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
        "ssl.keystore.type",
        "ssl.keystore.location",
        "log.dirs",
        "heap.opts",
    ];
    for (name, value) in there.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        assert_eq!(here.get(name), Some(value), "{name}");
    }
    // Kafka's own defaults, or of no meaning with one broker.
    let defaults = [
        "default.replication.factor",
        "min.insync.replicas",
        "log.retention.bytes",
        "num.recovery.threads.per.data.dir",
    ];
    for name in here.keys() {
        let excused = own.contains(&name.as_str()) || defaults.contains(&name.as_str());
        assert!(there.contains_key(name) || excused, "compose has no {name}");
    }
}

#[test]
fn the_containers_configuration_is_a_whole_one_and_knows_who_is_a_proxy() {
    let path = format!("{}/infra/docker/plaza.toml", env!("CARGO_MANIFEST_DIR"));
    let config = Config::load(Some(&path.into())).unwrap();
    assert_eq!(config.postgres.shards.len(), 4);
    // The networks that Docker gives out.
    for address in ["172.18.0.5", "10.1.2.3", "192.168.80.2"] {
        let address = address.parse().unwrap();
        assert!(config.server.trusted_proxies.iter().any(|network| network.contains(address)));
    }
    let foreign = "203.0.113.9".parse().unwrap();
    assert!(!config.server.trusted_proxies.iter().any(|network| network.contains(foreign)));
}

#[test]
fn compose_files_keep_what_a_real_engine_demanded() {
    for name in ["compose.yaml", "infra/docker-compose.yml"] {
        let text = file(name);
        // Copied into containers that are read-only, no inline content is possible.
        assert!(!text.contains("content: |"), "{name}");
        // Each check is a process that is started: more often than this takes half a machine.
        for line in text.lines().filter(|line| line.contains(" interval: ")) {
            let value = line.split(" interval: ").nth(1).unwrap();
            let seconds: u32 = value.split('s').next().unwrap().parse().unwrap();
            assert!(seconds >= 30, "{name}: {line}");
        }
        for line in text.lines().filter(|line| line.trim().starts_with("image: ")) {
            let image = line.trim().trim_start_matches("image: ");
            let tag = image.trim_end_matches('}').rsplit(':').next().unwrap();
            let pinned = tag.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
            assert!(pinned || image.contains("plaza:local"), "{name}: {image}");
        }
        // As infra/local/run does: alice opens on unread mentions and an order on its way.
        assert!(text.contains("--if-empty --scene"), "{name} seeds nobody, or alice nothing");
    }
    let template = file("infra/nginx/nginx.conf");
    let compose = part(&file("infra/docker-compose.yml"), "  nginx:");
    let words = template
        .split('@')
        .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    for word in words {
        assert!(compose.contains(&format!("s|@{word}@|")), "compose fills no @{word}@");
    }
}

/// Whether a line of .dockerignore is about this path, or about a folder that it is in.
fn is_about(line: &str, path: &str) -> bool {
    let (pattern, parts) = (line.trim_start_matches("**/"), path.split('/').collect::<Vec<_>>());
    let words: Vec<&str> = pattern.split('/').collect();
    let starts = if pattern == line { 1 } else { parts.len() };
    (0..starts).any(|start| {
        let rest = parts.get(start..).unwrap_or_default();
        rest.len() >= words.len()
            && words.iter().zip(rest).all(|(word, part)| *word == "*" || word == part)
    })
}

/// Whether a path is part of the build's context: the last line that is about it decides.
fn is_kept(ignore: &str, path: &str) -> bool {
    let lines = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.fold(true, |kept, line| match line.strip_prefix('!') {
        Some(again) => kept || is_about(again, path),
        None => kept && !is_about(line, path),
    })
}

#[test]
fn what_the_image_is_built_from_is_sent_to_the_builder() {
    let ignore = file(".dockerignore");
    for (path, kept) in [
        ("docs/load.md", false),
        ("web/node_modules/graphql/index.js", false),
        ("clients/other/index.ts", false),
        ("clients/js/tests/queue.test.mjs", false),
        ("clients/js/src/index.ts", true),
        ("web/demo/main.tsx", true),
        // The workspace's members, and what they include.
        ("Cargo.lock", true),
        ("load/Cargo.toml", true),
        ("src/base/Cargo.toml", true),
        ("migrations/00000000000014_search_key/up.sql", true),
    ] {
        assert_eq!(is_kept(&ignore, path), kept, "{path}");
    }
    let dockerfile = file("infra/Dockerfile");
    let mut copied = 0;
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        if line.starts_with("--from=") {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        for source in words.iter().rev().skip(1).filter(|source| **source != ".") {
            let there = format!("{}/{source}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::fs::exists(there).unwrap(), "{source} is not there");
            assert!(is_kept(&ignore, source), "{source} is copied, and .dockerignore drops it");
            copied += 1;
        }
    }
    assert!(copied >= 5, "{copied} sources");
}
