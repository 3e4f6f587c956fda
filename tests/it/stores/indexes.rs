//! Indexes that are built beside the writes.

use plaza::stores::postgres::indexes::INDEXES;
use plaza::stores::postgres::migrations::migrate;

use crate::app::with_app;
use crate::template::session;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_was_not_finished_is_built_by_the_next_migration() {
    with_app(async |app| {
        let primary = app.app.config.postgres.shards[0].primary.clone();
        let client = session(&primary).await;
        let valid = async || {
            let names: Vec<&str> = INDEXES.iter().map(|index| index.name).collect();
            let query =
                "SELECT count(*) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname = ANY($1) AND i.indisvalid";
            client.query_one(query, &[&names]).await.unwrap().get::<_, i64>(0)
        };
        let all = i64::try_from(INDEXES.len()).unwrap();
        assert_eq!(valid().await, all);
        // As one that was stopped half-way leaves it: there, and invalid.
        client.batch_execute("DROP INDEX posts_search_key").await.unwrap();
        let unfinished =
            "CREATE UNIQUE INDEX CONCURRENTLY posts_search_key ON __diesel_schema_migrations ((1))";
        client.batch_execute(unfinished).await.expect_err("not unique");
        client.batch_execute("DROP INDEX users_search_key").await.unwrap();
        assert_eq!(valid().await, all - 2);
        assert_eq!(tokio::task::spawn(async move { migrate(&primary).await }).await.unwrap().expect("migrated").applied, Vec::<String>::new());
        assert_eq!(valid().await, all);
    })
    .await;
}
