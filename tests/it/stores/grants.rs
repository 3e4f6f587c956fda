//! What the roles' users may do: each table and function is somebody's, and nothing is everybody's.

use secrecy::{ExposeSecret, SecretString};

use crate::app::{base_config, config_file, with_server};

/// The owner's alone: ids are made by `next_id`, migrations, seeding and restores are no role's
/// work, and two functions that no running version calls. Backups have a user of their own.
const OWNERS: &[&str] = &[
    "__diesel_schema_migrations",
    "follower_counts_reach()",
    "id_clock",
    "id_sequence",
    "outbox_hold()",
    "outbox_maintain(integer)",
    "restores",
];

const WITHOUT: &str = "
    WITH ours AS (
        SELECT 'pg_class'::regclass AS of, oid, oid::regclass::text AS name, relacl::text AS acl
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S')
          AND relname !~ '^outbox_[0-9]{8}$' AND relname <> 'seeded_chunks'
        UNION ALL
        SELECT 'pg_proc'::regclass, oid, oid::regprocedure::text, proacl::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace)
    SELECT name FROM ours
    WHERE NOT EXISTS (SELECT 1 FROM pg_depend
                      WHERE classid = of AND objid = ours.oid AND deptype = 'e')
      AND coalesce(acl, '') !~ 'plaza_(server|worker|relay|projector)='
      AND NOT EXISTS (SELECT 1 FROM pg_attribute
                      WHERE attrelid = ours.oid AND attacl::text ~ 'plaza_')
    ORDER BY name";

#[tokio::test(flavor = "multi_thread")]
async fn every_table_and_function_is_granted_to_whoever_needs_it() {
    with_server(async |app| {
        let primary = &app.app.config.postgres.shards[0].primary;
        let client = plaza::stores::postgres::target::connect(primary).await.unwrap();
        let rows = client.query(WITHOUT, &[]).await.unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
        assert_eq!(names, OWNERS, "src/stores/postgres/grants.sql says who needs what");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_cannot_do_another_ones_work() {
    with_server(async |app| {
        app.sign_up("ann").await;
        let owner = app.app.config.postgres.shards[0].primary.expose_secret();
        let refused = async |role: &str, statement: &str| {
            let url: SecretString = owner.replace("//plaza:", &format!("//plaza_{role}:")).into();
            let client = plaza::stores::postgres::target::connect(&url).await.unwrap();
            let error = client.batch_execute(statement).await.expect_err(statement);
            let code = error.code().map(|code| code.code().to_owned());
            assert_eq!(code.as_deref(), Some("42501"), "{role}: {statement}: {error}");
        };
        for role in ["server", "worker", "relay", "projector"] {
            refused(role, "UPDATE users SET is_admin = true").await;
            refused(role, "UPDATE users SET password_hash = 'x'").await;
            refused(role, "CREATE TABLE mine (id bigint)").await;
            refused(role, "DROP TABLE users").await;
            refused(role, "TRUNCATE outbox").await;
            refused(role, "SELECT setval('id_clock', 1)").await;
            refused(role, "COPY (SELECT 1) TO PROGRAM 'true'").await;
        }
        for role in ["worker", "relay", "projector"] {
            refused(role, "SELECT password_hash FROM users").await;
            refused(role, "SELECT email FROM users").await;
            refused(role, "SELECT refresh_hash FROM sessions").await;
        }
        refused("relay", "SELECT id FROM users").await;
        refused("projector", "DELETE FROM posts").await;
        refused("server", "SELECT outbox_drop_partition('2020-01-01')").await;
    })
    .await;
}

/// Whoever reads plaza's configuration must not become the system's user by `COPY TO PROGRAM`. A
/// clone whose data is older has one user, who is the superuser.
#[tokio::test]
async fn the_owner_is_no_superuser() {
    if !config_file().with_file_name("config").join("superuser-password").exists() {
        return;
    }
    for urls in &base_config().postgres.shards {
        let client = plaza::stores::postgres::target::connect(&urls.primary).await.unwrap();
        let query = "SELECT rolname::text, rolsuper FROM pg_roles WHERE rolname = current_user";
        let row = client.query_one(query, &[]).await.unwrap();
        let (user, is_superuser): (String, bool) = (row.get("rolname"), row.get("rolsuper"));
        assert!(!is_superuser, "{user}");
        let program = client.batch_execute("COPY (SELECT 1) TO PROGRAM 'true'").await;
        let error = program.expect_err("a program");
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{user}: {error}");
    }
}
