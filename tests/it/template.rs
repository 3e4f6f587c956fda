//! The migrated database that every test copies, made once for all runs on the same servers, and
//! the end of what killed runs left.

use plaza::config::Config;
use plaza::stores::kafka::topology;
use plaza::stores::postgres::indexes::INDEXES;
use plaza::stores::postgres::migrations;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::app::{in_database, with_database};

/// A session on a server, for as long as the client lives.
pub async fn session(url: &SecretString) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url.expose_secret(), NoTls).await.expect("a primary");
    tokio::task::spawn(connection);
    client
}

/// The text of every migration, in order, and of the indexes that are built after them.
fn all_migrations() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("migrations")
        .map(|entry| entry.expect("a migration").path())
        .filter(|path| path.is_dir())
        .map(|folder| folder.join("up.sql"))
        .collect();
    files.sort();
    assert_eq!(
        files.len(),
        migrations::versions().len(),
        "the executable has other migrations than the folder"
    );
    let indexes = INDEXES.iter().map(|index| index.on.to_owned());
    let indexes = indexes.chain([migrations::GRANTS.to_owned()]);
    files.iter().map(|file| std::fs::read_to_string(file).expect("SQL")).chain(indexes).collect()
}

/// The name of a database that has the schema of these migrations and a shard map, on every
/// primary.
pub async fn template(base: &Config) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let hash = all_migrations()
                .bytes()
                .fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
            let name = format!("plaza_tests_{hash:x}");
            // Another run may be at it; the lock ends with the session.
            let lock = session(&base.postgres.shards[0].primary).await;
            lock.batch_execute(
                "SELECT pg_advisory_lock(hashtextextended('plaza test template', 0))",
            )
            .await
            .expect("the lock");
            sweep(base).await;
            let mut unfinished = Vec::new();
            for urls in &base.postgres.shards {
                let client = session(&urls.primary).await;
                // Marked a template when it was whole: one that is not was left by a run that was
                // killed.
                let found = client
                    .query_one(
                        "SELECT count(*) FROM pg_database WHERE datname = $1 AND datistemplate",
                        &[&name],
                    )
                    .await;
                if found.expect("a count").get::<_, i64>(0) == 0 {
                    client
                        .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                        .await
                        .expect("dropped");
                    client
                        .batch_execute(&format!("CREATE DATABASE {name}"))
                        .await
                        .expect("created");
                    migrations::migrate(&in_database(&urls.primary, &name))
                        .await
                        .expect("migrations");
                    unfinished.push(client);
                }
            }
            if !unfinished.is_empty() {
                migrations::ensure_map(&with_database(base, &name).postgres)
                    .await
                    .expect("the shard map");
            }
            for client in unfinished {
                client
                    .batch_execute(&format!("ALTER DATABASE {name} WITH IS_TEMPLATE true"))
                    .await
                    .expect("marked");
            }
            name
        })
        .await
}

/// Whether a database `t_<process>_..` belongs to a run that is over.
fn is_left_over(database: &str) -> bool {
    let process = database
        .strip_prefix("t_")
        .and_then(|rest| rest.split('_').next())
        .and_then(|process| process.parse::<u32>().ok());
    process.is_some_and(|process| !std::path::Path::new(&format!("/proc/{process}")).exists())
}

/// Drops the databases and topics of runs that were killed before they could: a broker that has to
/// look through thousands of dead logs takes a minute to start. A database that is in use after all
/// stays.
async fn sweep(base: &Config) {
    if let Ok(admin) = topology::admin(&base.kafka)
        && let Ok(metadata) = admin.inner().fetch_metadata(None, std::time::Duration::from_secs(10))
    {
        let left: Vec<String> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .filter(|name| is_left_over(name))
            .collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let _ = admin.delete_topics(&left, &rdkafka::admin::AdminOptions::new()).await;
    }
    for urls in &base.postgres.shards {
        let client = session(&urls.primary).await;
        for row in client
            .query("SELECT datname::text FROM pg_database WHERE datname ~ '^t_[0-9]+_'", &[])
            .await
            .expect("databases")
        {
            let name: String = row.get(0);
            if is_left_over(&name) {
                let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await;
            }
        }
    }
}
