//! What runs elsewhere is configured alike.

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines of a configuration that say something.
fn directives(text: &str) -> Vec<String> {
    let said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    said.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// What only a cluster needs: it looks servers up, is asked how it is, and stands behind another
/// proxy.
const OF_A_CLUSTER: [&str; 13] = [
    "set_real_ip_from 10.0.0.0/8;",
    "set_real_ip_from 172.16.0.0/12;",
    "set_real_ip_from 192.168.0.0/16;",
    "real_ip_header X-Forwarded-For;",
    "map $http_x_forwarded_proto $plaza_scheme {",
    "\"\"      $scheme;",
    "default $http_x_forwarded_proto;",
    "resolver kube-dns.kube-system.svc.cluster.local valid=2s ipv6=off;",
    "resolver_timeout 2s;",
    "location = /nginx-health {",
    "return 200 \"alive\\n\";",
    "}",
    "}",
];

#[test]
fn nginx_in_a_cluster_has_the_same_directives() {
    let manifest = file("k8s/nginx.yaml");
    let inner = manifest.split_once("nginx.conf: |\n").unwrap().1.split_once("\n---").unwrap().0;
    let here = file("infra/nginx/nginx.conf")
        .replace("\"@DATA@/pid\"", "/tmp/nginx.pid")
        .replace("\"@DATA@/", "/tmp/")
        .replace("@LISTEN@", "8080")
        .replace("@SERVER_A@", "api.plaza.svc.cluster.local:4100 resolve")
        .replace("@REQUESTS_PER_ADDRESS@", "100")
        .replace("@SOCKETS_PER_ADDRESS@", "1000")
        .replace("@UPLOADS_PER_ADDRESS@", "4")
        .replace("X-Forwarded-Proto $scheme", "X-Forwarded-Proto $plaza_scheme");
    let mut expected: Vec<String> = directives(&here)
        .into_iter()
        .filter(|line| !line.contains("@USER_LINE@") && !line.contains("@SERVER_B@"))
        .map(|line| match line.strip_suffix("\";") {
            Some(path) if path.contains("_temp_path /tmp/") => format!("{path};"),
            _ => line,
        })
        .collect();
    let mut found = directives(inner);
    for line in OF_A_CLUSTER {
        let place = found.iter().position(|found| found == line);
        found.remove(place.unwrap_or_else(|| panic!("k8s/nginx.yaml has no {line}")));
    }
    expected.sort();
    found.sort();
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let more: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    assert_eq!(expected, found, "not in k8s/nginx.yaml: {missing:?}; only there: {more:?}");
}

#[test]
fn whoever_fills_the_template_fills_it_with_what_nginx_can_count() {
    let template = file("infra/nginx/nginx.conf");
    let words: Vec<&str> = template.split('@').filter(|word| word.ends_with("_ADDRESS")).collect();
    assert_eq!(words.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{words:?}");
    for name in ["infra/local/lib/nginx.sh", "load/src/cases/nginx.rs", "infra/docker-compose.yml"]
    {
        let text = file(name);
        for word in &words {
            let (_, after) = text.split_once(word).unwrap_or_else(|| panic!("{name}: no {word}"));
            let digits = after.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap();
            let number: u32 = digits[..end].parse().unwrap();
            assert!((1..65_536).contains(&number), "{name}: {word} is {number}");
        }
    }
}
