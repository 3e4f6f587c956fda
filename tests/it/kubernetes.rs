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
        .replace("$(RABBITMQ_USER)", "somebody")
        .replace("$(RABBITMQ_PASSWORD)", "s3cret")
}

#[test]
fn the_manifests_configuration_is_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plaza.toml");
    std::fs::write(&file, block(&manifest("config.yaml"), "plaza.toml: |")).unwrap();
    let api = manifest("deployment.yaml");
    let after = |name: &str| api.split_once(&format!("- name: {name}\n")).unwrap().1.to_owned();
    let rabbitmq = after("PLAZA_RABBITMQ__URL");
    let rabbitmq = rabbitmq.lines().next().unwrap().trim().strip_prefix("value: ").unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_plaza"))
        .arg("doctor")
        .env("PLAZA_CONFIG", &file)
        .env(
            "PLAZA_POSTGRES__SHARDS",
            folded(&block(&after("PLAZA_POSTGRES__SHARDS"), "value: >-")),
        )
        .env("PLAZA_RABBITMQ__URL", folded(rabbitmq))
        .output()
        .unwrap();

    // Nothing of it is reachable from here; that it is looked for where the manifests' Services are
    // is what is to be seen.
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("ok     configuration"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let services = manifest("data/postgres.yaml");
    for shard in 0..4 {
        assert!(
            said.contains(&format!(
                "shard {shard} primary: postgres://plaza:***@shard-{shard}-rw:5432/plaza "
            )),
            "{said}"
        );
        for instance in 1..=3 {
            let service = format!("shard-{shard}-instance-{instance}");
            assert!(
                said.contains(&format!(
                    "shard {shard} replica {instance}: postgres://plaza:***@{service}:5432/plaza "
                )),
                "{said}"
            );
            assert!(services.contains(&format!("name: {service}\n")), "{service} is no Service");
        }
    }
    assert!(!said.contains("shard 4"), "{said}");
    for found in [
        "amqp://somebody:***@rabbitmq:5672/plaza",
        "kafka-kafka-bootstrap:9092",
        "redis://redis:6379/0",
        "/etc/plaza/keys/auth-key.pem",
    ] {
        assert!(said.contains(found), "{found}: {said}");
    }
}
