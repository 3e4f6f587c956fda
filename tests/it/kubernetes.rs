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

/// The network policies of all manifests, without comments.
fn policies() -> Vec<String> {
    let mut policies = Vec::new();
    for folder in ["", "data/"] {
        let files = std::fs::read_dir(format!("{}/k8s/{folder}", env!("CARGO_MANIFEST_DIR")));
        for file in files.unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if !name.ends_with(".yaml") {
                continue;
            }
            let text = manifest(&format!("{folder}{name}"));
            let said = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            let said: Vec<&str> = said.collect();
            let documents = said.split(|line| *line == "---").map(|lines| lines.join("\n"));
            policies.extend(documents.filter(|text| text.contains("kind: NetworkPolicy")));
        }
    }
    policies
}

/// Each rule of what a policy lets in, without white space: `from:[..]ports:[..]`.
fn admitted(policy: &str) -> Vec<String> {
    let mut lines = policy.lines().map(str::trim);
    let Some(begun) = lines.find(|line| line.starts_with("ingress:")) else { return Vec::new() };
    if begun != "ingress:" {
        return vec![begun.to_owned()];
    }
    let rules = "\n".to_owned() + &block(policy, "ingress:");
    rules.split("\n- ").skip(1).map(|rule| rule.split_whitespace().collect()).collect()
}

/// Whether a rule begins with whom it lets in, and each of them is named: by labels that they have,
/// not by ones that they lack.
fn names_its_peers(rule: &str) -> bool {
    let Some(rest) = rule.strip_prefix("from:[") else { return false };
    let peers = rest.split("]ports:").next().unwrap_or_default();
    let everybody = ["{}", "null", "~", "NotIn", "DoesNotExist", "ipBlock"];
    peers.starts_with('{')
        && !everybody.iter().any(|word| peers.contains(word))
        && peers.split("namespaceSelector:").skip(1).all(|of| of.starts_with("{matchLabels:{"))
}

#[test]
fn no_policy_lets_in_whoever_is_of_any_namespace() {
    for everybody in [
        "from:[{namespaceSelector:{}}]ports:[{port:http}]",
        "from:[{namespaceSelector:{matchExpressions:[{key:kubernetes.io/metadata.name,operator:NotIn,values:[plaza]}]}}]",
        "from:[{namespaceSelector:{matchExpressions:[{key:kubernetes.io/metadata.name,operator:Exists}]}}]",
        "from:[{podSelector:{matchLabels:{a:b}}},{namespaceSelector:{}}]",
        "from:[{ipBlock:{cidr:0.0.0.0/0}}]ports:[{port:http}]",
        "from:[]ports:[{port:http}]",
        "ports:[{port:http}]",
        "ingress: [{}]",
        "{}",
    ] {
        assert!(!names_its_peers(everybody), "{everybody}");
    }
    let mut rules = 0;
    for policy in policies() {
        for rule in admitted(&policy) {
            assert!(names_its_peers(&rule), "{rule} in\n{policy}");
            rules += 1;
        }
    }
    assert!(rules >= 12, "{rules} rules");
}

/// Whether a policy is about pods of this name: by its selector, which is what stands before its
/// types.
fn selects(policy: &str, pod: &str) -> bool {
    let selector = policy.split_once("podSelector:").expect("a selector").1;
    let selector = selector.split_once("policyTypes:").expect("types").0;
    let every = selector.trim() == "{}" || selector.contains("app.kubernetes.io/part-of: plaza");
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    every || selector.split(|c| !is_word(c)).any(|word| word == pod)
}

/// nginx believes whoever reaches it when they say who a client is, and a server believes nginx.
#[test]
fn nginx_is_reached_by_the_ingress_controller_alone_and_the_roles_by_whom_they_serve() {
    let controller = "from:[{namespaceSelector:{matchLabels:{plaza.example/ingress:\"true\"}}}]ports:[{port:http}]";
    let nginx =
        "from:[{podSelector:{matchLabels:{app.kubernetes.io/name:nginx}}}]ports:[{port:http}]";
    let prometheus = "from:[{namespaceSelector:{matchLabels:{plaza.example/monitoring:\"true\"}}}]ports:[{port:admin}]";
    let policies = policies();
    for (pod, expected) in [
        ("nginx", vec![controller]),
        ("api", vec![nginx, prometheus]),
        ("worker", vec![prometheus]),
        ("relay", vec![prometheus]),
        ("projector", vec![prometheus]),
        ("migrate", Vec::new()),
    ] {
        let about: Vec<&String> = policies.iter().filter(|policy| selects(policy, pod)).collect();
        let bounds_what_comes_in = |policy: &str| {
            let types = policy.split_once("policyTypes:").unwrap().1;
            types.lines().next().unwrap().contains("Ingress")
        };
        // Otherwise everybody reaches it.
        assert!(about.iter().any(|policy| bounds_what_comes_in(policy)), "{pod}");
        let rules: Vec<String> = about.iter().flat_map(|policy| admitted(policy)).collect();
        assert_eq!(rules, expected, "{pod}");
    }
}
