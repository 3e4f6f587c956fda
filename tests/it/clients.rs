//! Real clients and the specifications' own checks, in JavaScript: `tests/clients` and `web/tests`,
//! each against a plaza of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use plaza::config::Config;

use crate::app::{TestApp, with_app, with_config};
use crate::operate::process::Process;

/// Of what node says, what whoever reads the run wants: counts, and figures as rows of a table.
const SAID: [&str; 4] = ["# tests", "# pass", "# fail", "# | "];

#[expect(clippy::print_stderr, reason = "figures for whoever reads the run")]
/// Runs the tests of a folder with node; what they say is shown when they fail.
async fn node(app: &TestApp, folder: &str, file: Option<&str>, environment: &[(&str, &str)]) {
    let chosen = match folder {
        // One file alone: PLAZA_WEB_TESTS=operator, PLAZA_CLIENT_TESTS=specification/specification.
        "web" => std::env::var("PLAZA_WEB_TESTS").map(|name| format!("tests/{name}")),
        _ => std::env::var("PLAZA_CLIENT_TESTS"),
    };
    let file = file.map(str::to_owned).or(chosen.ok()).map(|name| format!("{name}.test.mjs"));
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    assert!(
        folder.join("node_modules").exists(),
        "{}: run `infra/local/install tests` once",
        folder.display()
    );
    let output = tokio::process::Command::new("node")
        .args(["--test", "--test-concurrency=1"])
        .args(file)
        .current_dir(&folder)
        .env("PLAZA_URL", &app.url)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("node");
    let said = String::from_utf8_lossy(&output.stdout);
    let counts: Vec<&str> = said
        .lines()
        .filter(|line| SAID.iter().any(|beginning| line.trim_start().starts_with(beginning)))
        .collect();
    eprintln!("{}:\n{}", folder.display(), counts.join("\n"));
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The front end in headless Chromium. With `PLAZA_PICTURES` set to a folder, pictures of it are
/// written there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and a machine for itself: `make test` runs it after all others, `make test-web` alone"]
async fn pages_work_in_a_browser() {
    // A process installs it before it serves; what is set before that is lost.
    plaza::telemetry::metrics::recorder().expect("a recorder");
    // nginx does it otherwise, which is not before this one.
    let compressed = |config: &mut Config| config.server.compress = true;
    with_config(compressed, async |app| {
        let origin = app.url.trim_end_matches("/graphql").to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let admin = format!("http://{}", listener.local_addr().expect("an address"));
        let (router, stop) = (plaza::http::admin_router(&app.app), app.app.tasks.stopping());
        app.app.tasks.spawn("admin", async move {
            // The operator's page asks who connects.
            let router = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
            Ok(axum::serve(listener, router)
                .with_graceful_shutdown(async move { stop.cancelled().await })
                .await?)
        });
        node(app, "web", None, &[("PLAZA_URL", &origin), ("PLAZA_ADMIN_URL", &admin)]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn protocols_clients_and_schema_checks_pass() {
    let plaza = env!("CARGO_BIN_EXE_plaza");
    with_app(async |app| node(app, "tests/clients", None, &[("PLAZA_BINARY", plaza)]).await).await;
}

/// How often the server is killed.
const KILLS: usize = 10;

/// Mutations through cuts, kills of the client and kills of the server: none lost, none doubled,
/// in order.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_a_tunnel_loses_nothing_while_its_server_is_killed() {
    with_app(async |app| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string();
        let url = format!("http://{address}/graphql");
        let over = AtomicBool::new(false);
        let tests = async {
            let killed = [("PLAZA_KILLED_URL", url.as_str())];
            node(app, "tests/clients", Some("tunnel"), &killed).await;
            over.store(true, Ordering::Relaxed);
        };
        let kills = async {
            for kills in 0.. {
                let listen = [("PLAZA_SERVER__LISTEN", address.as_str())];
                let server = Process::start_role(app, "server", &listen).await;
                if kills == KILLS {
                    return server;
                }
                app.until("it has responded, or all is over", async || {
                    over.load(Ordering::Relaxed)
                        || server.figures().await.contains("plaza_graphql_requests_total{")
                })
                .await;
                assert!(!over.load(Ordering::Relaxed), "over after {kills} kills");
                server.kill().await;
            }
            unreachable!("it ends with the last server");
        };
        // The last one serves until the tests are over.
        let (_server, ()) = tokio::join!(kills, tests);
    })
    .await;
}
