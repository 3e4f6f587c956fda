//! Rows that nobody asks for any more are deleted, in statements that each hold few of them.

use std::sync::Arc;

use plaza::app::App;
use plaza::cli::roles::{Role, start_without_ports};
use plaza::clock::Clock;
use plaza::domain::mutation;
use plaza::jobs::housekeeping;
use plaza::stores::postgres::idempotency_keys::FORGOTTEN_AT_ONCE;
use tokio_util::sync::CancellationToken;

use crate::app::{TestApp, with_server};
use crate::template::session;

/// Most rows that housekeeping deletes in one statement.
const PIECE: i64 = 1_000;

/// Notes how many rows each statement deletes.
async fn note_deletions(app: &TestApp, tables: &[&str]) {
    let mut statements = "CREATE TABLE deletions (of_table text NOT NULL, size bigint NOT NULL);
        CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN
                INSERT INTO deletions SELECT TG_TABLE_NAME, count(*) FROM gone;
                RETURN NULL;
            END $$;"
        .to_owned();
    for table in tables {
        statements += &format!(
            "CREATE TRIGGER note_deletion AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
                 FOR EACH STATEMENT EXECUTE FUNCTION note_deletion();"
        );
    }
    for urls in &app.app.config.postgres.shards {
        session(&urls.primary).await.batch_execute(&statements).await.unwrap();
    }
}

/// All of so many a shard were deleted, and at most `most` in a statement.
async fn assert_in_pieces(app: &TestApp, table: &str, each: i64, most: i64) {
    let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
    let sum =
        format!("SELECT coalesce(sum(size), 0)::bigint FROM deletions WHERE of_table = '{table}'");
    assert_eq!(app.count(&sum).await, shards * each, "{table}");
    let large =
        format!("SELECT count(*) FROM deletions WHERE of_table = '{table}' AND size > {most}");
    assert_eq!(app.count(&large).await, 0, "{table}: statements that deleted more than {most}");
}

/// 2,500 of each have been over for more than sixty days, by what ends them; 10 of each kind for
/// less, or not at all.
const ROWS: &str = "
    INSERT INTO spent_refresh_tokens (refresh_hash, session_id, next_hash, spent_at)
    SELECT decode(md5(n::text), 'hex'), n, '',
            now() - make_interval(days => CASE WHEN n <= 2500 THEN 61 ELSE 59 END)
    FROM generate_series(1, 2510) n;
    INSERT INTO sessions (id, user_id, refresh_hash, expires_at, revoked_at)
    SELECT n, 7, '', now() - interval '61 days', NULL FROM generate_series(1, 1500) n;
    INSERT INTO sessions (id, user_id, refresh_hash, expires_at, revoked_at)
    SELECT n, 7, '', now() + interval '9 days', now() - interval '61 days'
    FROM generate_series(1501, 2500) n;
    INSERT INTO sessions (id, user_id, refresh_hash, expires_at, revoked_at)
    SELECT n, 8, '', now() - interval '59 days', NULL FROM generate_series(2501, 2510) n;
    INSERT INTO sessions (id, user_id, refresh_hash, expires_at, revoked_at)
    SELECT n, 8, '', now() + interval '9 days', now() - interval '59 days'
    FROM generate_series(2511, 2520) n;
    INSERT INTO sessions (id, user_id, refresh_hash, expires_at, revoked_at)
    SELECT n, 8, '', now() + interval '30 days', NULL FROM generate_series(2521, 2530) n";

const OLD: &str =
    "SELECT (SELECT count(*) FROM spent_refresh_tokens WHERE spent_at < now() - interval '60 days')
    + (SELECT count(*) FROM sessions WHERE user_id = 7)";

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_tokens_that_ended_long_ago_are_deleted_in_pieces_and_others_stay() {
    with_server(async |app| {
        note_deletions(app, &["spent_refresh_tokens", "sessions"]).await;
        app.execute(ROWS).await;
        let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
        assert_eq!(app.count(OLD).await, shards * 5_000);
        let stop = CancellationToken::new();
        let keeping = housekeeping::run(Arc::clone(&app.app.domain.cluster), stop.clone());
        let (kept, ()) = tokio::join!(keeping, async {
            app.until("what is old is gone", async || app.count(OLD).await == 0).await;
            stop.cancel();
        });
        kept.expect("housekeeping");
        for (table, young) in [("spent_refresh_tokens", 10), ("sessions", 30)] {
            assert_in_pieces(app, table, 2_500, PIECE).await;
            let left = app.count(&format!("SELECT count(*) FROM {table}")).await;
            assert_eq!(left, shards * young, "{table}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_mutations_are_deleted_in_pieces() {
    with_server(async |app| {
        note_deletions(app, &["idempotency_keys"]).await;
        app.execute(
            "INSERT INTO idempotency_keys
                (user_id, client_key, operation, payload_hash, answer, created_at)
             SELECT 7, n::text, 'postLike', '', 'null',
                     now() - make_interval(hours => CASE WHEN n <= 4500 THEN 49 ELSE 47 END)
             FROM generate_series(1, 4510) n",
        )
        .await;
        let shards = app.app.domain.cluster.len();
        assert_eq!(mutation::sweep(&app.app.domain).await.unwrap(), shards * 4_500);
        let most = i64::try_from(FORGOTTEN_AT_ONCE).unwrap();
        assert_in_pieces(app, "idempotency_keys", 4_500, most).await;
        let left = app.count("SELECT count(*) FROM idempotency_keys").await;
        assert_eq!(left, i64::try_from(shards).unwrap() * 10);
    })
    .await;
}

/// Rows that jobs left which ended while the row's shard was unavailable.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_deletes_attempts_of_a_week_ago_in_pieces_and_others_stay() {
    with_server(async |app| {
        note_deletions(app, &["job_attempts"]).await;
        app.execute(
            "INSERT INTO job_attempts (job_id, attempts, last_error, updated_at)
             SELECT 'job:' || n, 1, 'timeout',
                     now() - make_interval(days => CASE WHEN n <= 2500 THEN 8 ELSE 6 END)
             FROM generate_series(1, 2510) n",
        )
        .await;
        let worker = App::build(app.app.config.as_ref().clone(), Clock::System).await.unwrap();
        start_without_ports(&worker, Role::Worker);
        let shards = i64::try_from(app.app.domain.cluster.len()).unwrap();
        app.until("what is old is gone", async || {
            app.count("SELECT count(*) FROM job_attempts").await == shards * 10
        })
        .await;
        worker.tasks.drain().await.unwrap();
        assert_in_pieces(app, "job_attempts", 2_500, PIECE).await;
        let young =
            "SELECT count(*) FROM job_attempts WHERE updated_at > now() - interval '7 days'";
        assert_eq!(app.count(young).await, shards * 10);
    })
    .await;
}
