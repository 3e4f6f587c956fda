//! The manifests in k8s/ say what plaza understands.

use std::process::Command;

fn manifest(name: &str) -> String {
    std::fs::read_to_string(format!("{}/k8s/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines below the one that ends in `key`, as far as they are further in than it, without what
/// they are in by.
fn block(text: &str, key: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| !line.trim_end().ends_with(key));
    let outer = depth(lines.next().unwrap_or_else(|| panic!("no {key}")));
    let inner: Vec<&str> =
        lines.take_while(|line| line.trim().is_empty() || depth(line) > outer).collect();
    let by =
        inner.iter().filter(|line| !line.trim().is_empty()).map(|line| depth(line)).min().unwrap();
    inner.iter().map(|line| line.get(by..).unwrap_or_default().to_owned() + "\n").collect()
}

/// What YAML makes of a folded text, and Kubernetes of `$(NAME)`.
fn folded(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("$(POSTGRES_PASSWORD)", "s3cret")
        .replace("$(REDIS_PASSWORD)", "s3cret")
        .replace("$(RABBITMQ_USER)", "somebody")
        .replace("$(RABBITMQ_PASSWORD)", "s3cret")
}

/// The variables that a manifest gives a role, but for those that are a Secret's and no more.
fn environment(name: &str) -> Vec<(String, String)> {
    let env = block(&manifest(name), "env:");
    let entries = env.split("- name: ").skip(1).filter_map(|entry| {
        let (variable, rest) = entry.split_once('\n')?;
        let value = rest.trim_start().strip_prefix("value: ")?.lines().next()?;
        let value = if value == ">-" { folded(&block(rest, "value: >-")) } else { folded(value) };
        Some((variable.to_owned(), value))
    });
    entries.collect()
}

/// What a subcommand says that is started as the manifest has it, on both streams.
fn said(manifest_name: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plaza.toml");
    std::fs::write(&file, block(&manifest("config.yaml"), "plaza.toml: |")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .args(arguments)
        .envs(environment(manifest_name))
        .env("PLAZA_KAFKA__PASSWORD", "s3cret")
        .env("PLAZA_CONFIG", &file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_roles_configuration_is_a_whole_one() {
    for role in ["deployment", "worker", "relay", "projector", "migrate"] {
        let said = said(&format!("{role}.yaml"), &["config", "check"]);
        assert!(said.starts_with("valid: "), "{role}: {said}");
    }
}

#[test]
fn the_manifests_services_are_where_plaza_looks() {
    let said = said("deployment.yaml", &["doctor"]);
    // Nothing of it is reachable from here; that it is looked for where the manifests' Services are
    // is what is to be seen.
    assert!(said.contains("ok     configuration"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let is_at = |subject: &str, url: &str| {
        let found = said.lines().find(|line| line.contains(&format!(" {subject}: ")));
        assert!(found.is_some_and(|line| line.contains(url)), "{subject} is not at {url}: {said}");
    };
    let services = manifest("data/postgres.yaml");
    for shard in 0..4 {
        let verified = format!(
            "5432/plaza?sslmode=verify-full&sslrootcert=/etc/plaza/ca/postgres-{shard}.crt"
        );
        is_at(
            &format!("shard {shard} primary"),
            &format!("postgres://plaza_server:***@shard-{shard}-rw:{verified}"),
        );
        for instance in 1..=3 {
            let service = format!("shard-{shard}-instance-{instance}");
            is_at(
                &format!("shard {shard} replica {instance}"),
                &format!("postgres://plaza_server:***@{service}:{verified}"),
            );
            assert!(services.contains(&format!("name: {service}\n")), "{service} is no Service");
        }
    }
    assert!(!said.contains("shard 4"), "{said}");
    is_at("redis", "rediss://plaza:***@redis:6379/0?ssl_ca_certs=/etc/plaza/ca/redis.crt");
    is_at(
        "rabbitmq",
        "amqps://somebody:***@rabbitmq:5671/plaza?cacertfile=/etc/plaza/ca/rabbitmq.crt",
    );
    is_at("kafka", "kafka-kafka-bootstrap:9093");
    is_at("signing key", "/etc/plaza/keys/auth-key.pem");
}
