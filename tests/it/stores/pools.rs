//! Connections that are opened before they are needed, those that a server has ended, and callers
//! that wait for one.

use std::time::Duration;

use futures_util::poll;
use plaza::stores::StoreError;
use plaza::stores::postgres::{Cluster, ShardIndex};
use tokio::time::Instant;

use crate::app::with_server;
use crate::template::session;

fn open(cluster: &Cluster) -> Vec<(String, u32)> {
    let pools = cluster.indexes().flat_map(|index| cluster.shard(index).unwrap().pool_states());
    pools.map(|(name, state)| (name, state.open)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_opens_connections_to_every_server_before_it_is_asked() {
    with_server(async |app| {
        let cluster = Cluster::new(&app.app.config.postgres).unwrap();
        assert!(open(&cluster).iter().all(|(_, open)| *open == 0));
        cluster.warm_up(2, Duration::from_secs(30)).await;
        // A primary for writes and for reads, and two replicas, on each of four shards.
        let opened = open(&cluster);
        assert_eq!(opened.len(), 16);
        assert!(opened.iter().all(|(_, open)| *open == 2), "{opened:?}");
        assert_eq!(cluster.statements(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_away_keeps_no_process_from_starting() {
    with_server(async |app| {
        let mut config = app.app.config.postgres.clone();
        config.shards[1].primary = "postgres://plaza:none@127.0.0.1:1/plaza".into();
        let cluster = Cluster::new(&config).unwrap();
        cluster.warm_up(2, Duration::from_secs(30)).await;
        let opened = open(&cluster);
        let (away, there): (Vec<_>, Vec<_>) =
            opened.iter().partition(|(name, _)| name.starts_with("shard 1 primary"));
        assert_eq!(away.len(), 2);
        assert!(away.iter().all(|(_, open)| *open == 0), "{away:?}");
        assert!(there.iter().all(|(_, open)| *open == 2), "{there:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_a_server_has_ended_fail_nobody() {
    with_server(async |app| {
        let cluster = Cluster::new(&app.app.config.postgres).unwrap();
        cluster.warm_up(3, Duration::from_secs(30)).await;
        let here = "datname = current_database() AND pid <> pg_backend_pid()";
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {here} AND application_name = 'plaza'");
        for urls in &app.app.config.postgres.shards {
            session(&urls.primary).await.batch_execute(&end).await.unwrap();
        }
        // As after a restart: told by the servers, not yet noticed by anybody who wants a
        // connection.
        app.until("all connections to primaries have ended", async || {
            let ended = cluster.indexes().flat_map(|index| cluster.shard(index).unwrap().connections_ended());
            ended.filter(|(name, _)| name.contains("primary")).all(|(_, ended)| ended == 3)
        })
        .await;
        for shard in cluster.indexes() {
            for _ in 0..3 {
                let deadline = Instant::now() + Duration::from_secs(30);
                cluster.write(shard, deadline, async |_: &mut _| Ok::<_, StoreError>(())).await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_left_while_it_waited_waits_no_more() {
    with_server(async |app| {
        let mut config = app.app.config.postgres.clone();
        config.primary_pool = 1;
        let cluster = Cluster::new(&config).unwrap();
        let shard = ShardIndex(0);
        let waiting = || {
            cluster
                .shard(shard)
                .unwrap()
                .pool_states()
                .find(|(name, _)| name == "shard 0 primary")
                .unwrap()
                .1
                .waiting
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let one = cluster.write(shard, deadline, async |_: &mut _| {
            let mut other =
                Box::pin(cluster.write(shard, deadline, async |_: &mut _| Ok::<_, StoreError>(())));
            assert!(poll!(&mut other).is_pending());
            assert_eq!(waiting(), 1);
            Ok::<_, StoreError>(())
        });
        one.await.unwrap();
        assert_eq!(waiting(), 0);
    })
    .await;
}
