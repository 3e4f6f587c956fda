//! Migrations and the shard map.

use plaza::stores::postgres::Cluster;
use plaza::stores::postgres::migrations::{load_map, migrate, versions};
use secrecy::ExposeSecret;

use crate::app::{in_database, with_app};
use crate::template::session;

#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_one_migrates_and_a_second_time_changes_nothing() {
    with_app(async |app| {
        let primary = &app.app.config.postgres.shards[0].primary;
        let name = format!("{}_new", primary.expose_secret().rsplit_once('/').unwrap().1);
        let client = session(primary).await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let url = in_database(primary, &name);
        let applied = futures_util::future::join_all((0..4).map(|_| {
            let url = url.clone();
            // Each on a task of its own: migrations block theirs.
            tokio::task::spawn(async move { migrate(&url).await })
        }))
        .await;
        let again = migrate(&url).await;
        client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        let applied: Vec<usize> = applied
            .into_iter()
            .map(|outcome| outcome.unwrap().expect("migrated").applied.len())
            .collect();
        assert_eq!(applied.iter().sum::<usize>(), versions().len(), "{applied:?}");
        assert_eq!(applied.iter().filter(|count| **count > 0).count(), 1, "{applied:?}");
        assert_eq!(again.expect("migrated").applied, Vec::<String>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_map_on_any_shard_is_in_force_and_an_unmigrated_shard_is_named() {
    with_app(async |app| {
        let mut config = app.app.config.postgres.clone();
        assert_eq!(load_map(&Cluster::new(&config).unwrap()).await.unwrap().version, 1);
        let newer =
            "INSERT INTO shard_maps SELECT version + 1, shards FROM shard_maps WHERE version = 1";
        session(&config.shards[3].primary).await.batch_execute(newer).await.unwrap();
        assert_eq!(load_map(&Cluster::new(&config).unwrap()).await.unwrap().version, 2);
        // A shard that is away does not keep the others from starting.
        config.shards[1].primary = "postgres://plaza@127.0.0.1:1/plaza".into();
        assert_eq!(load_map(&Cluster::new(&config).unwrap()).await.unwrap().version, 2);
        config.shards[2].primary = in_database(&config.shards[2].primary, "postgres");
        let error = load_map(&Cluster::new(&config).unwrap()).await.unwrap_err().to_string();
        assert!(
            error.contains("shard 2 is not migrated") && error.contains("plaza migrate"),
            "{error}"
        );
    })
    .await;
}
