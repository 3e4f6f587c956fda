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

/// The words between two `@` that a template is filled at.
fn places(template: &str) -> Vec<&str> {
    let is_place = |word: &&str| {
        word.len() > 1
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            && template.contains(&format!("@{word}@"))
    };
    template.split('@').filter(is_place).collect()
}

/// The files that a compose file mounts: `name: { file: ./path }`.
fn mounted(compose: &str) -> BTreeMap<String, String> {
    let lines = compose.lines().filter_map(|line| line.split_once(": { file: ./"));
    lines
        .map(|(name, path)| (name.trim().to_owned(), path.trim_end_matches(" }").to_owned()))
        .collect()
}

#[test]
fn postgresql_has_the_files_that_it_has_without_containers() {
    let compose = file("infra/docker-compose.yml");
    let files = mounted(&compose);
    for own in ["primary", "replica"] {
        let part = part(&compose, &format!("x-postgres-{own}:"));
        for (source, target) in [
            ("postgres-shared".to_owned(), "/plaza/shared.conf".to_owned()),
            (format!("postgres-{own}"), format!("/plaza/{own}.conf")),
            (format!("postgres-{own}-entrypoint"), "/plaza/entrypoint.sh".to_owned()),
        ] {
            let mount = format!("{{ source: {source}, target: {target} }}");
            assert!(part.contains(&mount), "no {mount}");
        }
        assert_eq!(files.get("postgres-shared").unwrap(), "postgres/shared.conf");
        assert_eq!(files.get(&format!("postgres-{own}")).unwrap(), &format!("postgres/{own}.conf"));
        let script = files.get(&format!("postgres-{own}-entrypoint")).unwrap();
        let script = file(&format!("infra/{script}"));
        assert!(script.contains("config_file=/tmp/plaza.conf"), "{own}");
        for name in ["shared", own] {
            assert!(script.contains(&format!("/plaza/{name}.conf")), "{own}: {name}.conf");
        }
        for place in places(&file(&format!("infra/postgres/{own}.conf"))) {
            assert!(script.contains(&format!("s|@{place}@|")), "{own}: nothing fills @{place}@");
        }
    }
    // Whoever writes by hand in a container waits for a replica too.
    assert!(!compose.contains("PGOPTIONS"));
    let small = file("compose.yaml");
    assert!(small.contains("config_file=/plaza/shared.conf"));
    assert_eq!(mounted(&small).get("postgres").unwrap(), "infra/postgres/shared.conf");
    // It is read as it is.
    assert!(places(&file("infra/postgres/shared.conf")).is_empty());
}

#[test]
fn kafka_has_the_file_that_it_has_without_containers() {
    let here = settings(&file("infra/kafka/server.properties"));
    for (name, folder) in [("compose.yaml", "infra/"), ("infra/docker-compose.yml", "")] {
        let compose = file(name);
        let part = part(&compose, "  kafka:");
        assert!(part.contains("{ source: kafka, target: /mnt/shared/config/server.properties }"));
        let path = format!("{folder}kafka/server.properties");
        assert_eq!(mounted(&compose).get("kafka"), Some(&path), "{name}");
        let environment = part.lines().filter_map(|line| line.trim().strip_prefix("KAFKA_"));
        let there: BTreeMap<String, String> = environment
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase().replace('_', "."), value.to_owned()))
            .collect();
        // Of a listener that the container does not have.
        let of_no_listener = ["ssl.keystore.location"];
        for (setting, value) in &here {
            if !places(value).is_empty() && !of_no_listener.contains(&setting.as_str()) {
                assert!(there.contains_key(setting), "{name} fills no {setting}");
            }
        }
        // Where it is, and what the image asks for; everything else is the file's alone.
        let own = ["process.roles", "listener.security.protocol.map", "heap.opts", "log4j.opts"];
        for setting in there.keys() {
            let is_place = here.get(setting).is_some_and(|value| !places(value).is_empty());
            assert!(is_place || own.contains(&setting.as_str()), "{name} repeats {setting}");
        }
    }
}

#[test]
fn every_log_is_bounded_and_the_image_is_built_once() {
    let compose = file("infra/docker-compose.yml");
    let images = compose.lines().filter(|line| line.trim().starts_with("image: ")).count();
    let bounded = compose.lines().filter(|line| line.trim() == "logging: *logging").count();
    assert_eq!(images, bounded);
    assert!(images >= 8, "{images} images");
    assert_eq!(compose.lines().filter(|line| line.trim().starts_with("build:")).count(), 1);
    assert!(part(&compose, "  migrate:").contains("build:"));
}

/// Before anything starts on it: a Redis that refuses, say, is named in a line of its own.
#[test]
fn what_the_roles_depend_on_is_looked_at_before_they_start() {
    let compose = file("infra/docker-compose.yml");
    let migrate = part(&compose, "  migrate:");
    let command = migrate.lines().find(|line| line.trim().starts_with("command:")).unwrap();
    assert!(command.contains("; plaza doctor\"]"), "{command}");
}

/// Without the mark, SELinux keeps a container from what belongs to this clone. Elsewhere it means
/// nothing.
#[test]
fn folders_of_the_clone_are_mounted_for_where_selinux_is() {
    for name in ["compose.yaml", "infra/docker-compose.yml"] {
        let compose = file(name);
        let mounts = compose.split(['"', '\n', ' ']).filter(|word| word.starts_with("./"));
        for mount in mounts.filter(|word| word.contains(":/")) {
            assert!(mount.ends_with(":ro,z"), "{name}: {mount}");
        }
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
    // The operator's page is asked for through a port that the engine publishes.
    let operators = &config.admin.operators;
    assert!(operators.iter().any(|network| network.contains("172.18.0.1".parse().unwrap())));
    let foreign = "203.0.113.9".parse().unwrap();
    assert!(!operators.iter().any(|network| network.contains(foreign)));
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
        // RabbitMQ's own diagnostics may write a cookie that the server cannot read.
        assert!(!text.contains("rabbitmq-diagnostics"), "{name}");
        // Refused on a machine with fewer.
        assert!(!text.contains("cpus:"), "{name}");
        // As infra/local/run does: alice opens on unread mentions and an order on its way.
        assert!(text.contains("--if-empty --scene"), "{name} seeds nobody, or alice nothing");
    }
    let services = services(&file("infra/docker-compose.yml"));
    for role in ["worker", "relay", "projector"] {
        assert!(services[role].contains("cpu_shares: 256"), "{role} takes from the servers");
    }
    let template = file("infra/nginx/nginx.conf");
    let compose = part(&file("infra/docker-compose.yml"), "  nginx:");
    for word in places(&template) {
        assert!(compose.contains(&format!("s|@{word}@|")), "compose fills no @{word}@");
    }
}

/// The services of a compose file: what is said of each by itself.
fn services(compose: &str) -> BTreeMap<String, String> {
    let mut services: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in part(compose, "services:").lines() {
        let begins = line.strip_prefix("  ").filter(|rest| !rest.starts_with([' ', '#']));
        if let Some((found, _)) = begins.and_then(|rest| rest.split_once(':')) {
            found.clone_into(&mut name);
        }
        let said = services.entry(name.clone()).or_default();
        said.push_str(line);
        said.push('\n');
    }
    services.remove("");
    services
}

/// What is said of a service, and in the parts that it merges: `<<: *name`.
fn with_merged(compose: &str, said: &str) -> String {
    let mut all = said.to_owned();
    for merged in said.split("<<: *").skip(1) {
        let name = merged.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap();
        // Parts within a service have names too.
        let begins = compose.lines().find(|line| {
            line.starts_with("x-") && line.split_whitespace().any(|word| word == format!("&{name}"))
        });
        if let Some(begins) = begins {
            all.push_str(&with_merged(compose, &part(compose, begins)));
        }
    }
    all
}

/// A program that has been taken over comes to nobody else's rights by one with the setuid bit.
#[test]
fn no_service_gains_privileges() {
    for (name, least) in [("compose.yaml", 5), ("infra/docker-compose.yml", 22)] {
        let compose = file(name);
        let services = services(&compose);
        assert!(services.len() >= least, "{name}: {:?}", services.keys());
        for (service, said) in &services {
            let said = with_merged(&compose, said);
            let option = "security_opt: [\"no-new-privileges:true\"]";
            assert_eq!(said.matches(option).count(), 1, "{name}: {service}");
        }
    }
}

/// Containers are reached by their own addresses, published or not, by whoever is on the machine.
#[test]
fn passwords_are_from_the_environment_and_redis_asks_for_one() {
    const PASSWORD: &str = "${PLAZA_PASSWORD:-plaza-local}";
    for name in ["compose.yaml", "infra/docker-compose.yml"] {
        let compose = file(name);
        assert!(!compose.replace(PASSWORD, "").contains("plaza-local"), "{name}");
        let services = services(&compose);
        for (service, asks) in [
            ("redis", format!("--requirepass, \"{PASSWORD}\"]")),
            ("rabbitmq", format!("RABBITMQ_DEFAULT_PASS: \"{PASSWORD}\"")),
        ] {
            assert!(services[service].contains(&asks), "{name}: {service}");
        }
        assert_eq!(compose.matches("_PASSWORD: ").count(), 1, "{name}: PostgreSQL's");
        assert!(!compose.contains("protected-mode"), "{name}: needless with a password");
    }
    // The addresses stand in two files: here with the password, there without.
    let path = format!("{}/infra/docker/plaza.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("plaza-local"), "{path}");
    let listed = part(&file("infra/docker-compose.yml"), "    PLAZA_POSTGRES__SHARDS: >-");
    assert_eq!(listed.matches(PASSWORD).count(), 12);
    let listed: String = listed.split_whitespace().collect();
    let listed = listed.replace(&format!(":{PASSWORD}@"), "@");
    let shards = text.split_once("shards = [").unwrap().1.split_once(']').unwrap().0;
    let shards: String = shards.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    assert_eq!(listed, shards.trim_end_matches(','));
}

/// An administrator's password would be the image's own, admin.
#[test]
fn nobody_logs_in_to_grafana() {
    let services = services(&file("infra/docker-compose.yml"));
    let settings = [
        "GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer\n",
        "GF_AUTH_DISABLE_LOGIN_FORM: \"true\"\n",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: \"true\"\n",
    ];
    for setting in settings {
        assert!(services["grafana"].contains(setting), "{setting}");
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

#[test]
fn what_can_be_set_is_listed() {
    let listed = file(".env.example");
    let listed = settings(&listed);
    let small = file("compose.yaml");
    for text in [&small, &file("infra/docker-compose.yml")] {
        let used = text.split("${").skip(1).filter_map(|rest| rest.split_once(":-"));
        let names: Vec<&str> = used.map(|(name, _)| name).collect();
        assert!(names.len() >= 3, "{names:?}");
        for name in names {
            assert!(listed.contains_key(name), ".env.example has no {name}");
        }
    }
    for (name, default) in &listed {
        assert!(small.contains(&format!("${{{name}:-{default}}}")), "{name} is another by default");
    }
}

#[test]
fn a_release_has_both_images_of_the_dockerfile() {
    let dockerfile = file("infra/Dockerfile");
    let release = file(".github/workflows/release.yml");
    assert!(dockerfile.contains(" AS compose\n"));
    let last = dockerfile.lines().rfind(|line| line.starts_with("FROM ")).unwrap();
    assert!(!last.contains(" AS "), "{last} is built without a name");
    assert_eq!(release.matches("file: infra/Dockerfile").count(), 2);
    assert_eq!(release.matches("target: compose").count(), 1);
}
