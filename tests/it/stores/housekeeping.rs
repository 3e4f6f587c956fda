//! What each shard needs from time to time, and what it knows of itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plaza::cli::doctor::examine;
use plaza::stores::postgres::identity::{check_identity, stored_identity};
use plaza::stores::postgres::migrations::{ensure_map, load_map};
use plaza::stores::postgres::outbox_partitions::{default_rows, maintain};
use plaza::stores::postgres::replicas::{self, ReplicaState};
use plaza::stores::postgres::{Cluster, Connection, ReadSession, ShardIndex, id_clock};
use serde_json::json;
use tokio_postgres::Client;

use crate::app::{TestApp, with_server};
use crate::template::session;

const DROP_DAYS: &str = "DO $$ DECLARE partition text; BEGIN
    FOR partition IN SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent = 'outbox'::regclass AND inhrelid <> 'outbox_default'::regclass LOOP
        EXECUTE 'DROP TABLE ' || partition; END LOOP; END $$";
const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'outbox'::regclass";

/// A statement on every primary that may hold semicolons.
async fn on_every_shard(app: &TestApp, statement: &str) {
    for urls in &app.app.config.postgres.shards {
        session(&urls.primary).await.batch_execute(statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_days_without_a_partition_are_moved_into_one_made_ahead() {
    with_server(async |app| {
        on_every_shard(app, DROP_DAYS).await;
        let ann = app.sign_up("ann").await;
        app.post(&ann, "into the default partition").await;
        app.execute("INSERT INTO outbox (created_on, sink, topic, key, payload, sent_at) VALUES (current_date - 30, 1, 'posts', 'old', '{}', now())").await;
        let messages = app.count("SELECT count(*) FROM outbox").await;
        assert_eq!(app.count("SELECT count(*) FROM outbox_default").await, messages);
        assert!(messages > 4);
        let cluster = &app.app.domain.cluster;
        let mut moved = 0;
        for index in cluster.indexes() {
            let mut connection = cluster.shard(index).unwrap().direct().await.unwrap();
            assert!(default_rows(&mut connection).await.unwrap() > 0);
            let done = maintain(&mut connection, 7).await.unwrap();
            moved += done.moved;
            assert_eq!((done.made, done.dropped), (3, 0), "today, tomorrow, and the old one");
            assert_eq!(default_rows(&mut connection).await.unwrap(), 0);
            let done = maintain(&mut connection, 7).await.unwrap();
            assert_eq!((done.made, done.moved, done.dropped), (0, 0, 1), "the old day is sent");
        }
        assert_eq!(i64::try_from(moved).unwrap(), messages);
        let shards = i64::try_from(cluster.len()).unwrap();
        assert_eq!(app.count("SELECT count(*) FROM outbox").await, messages - shards);
        assert_eq!(app.count(PARTITIONS).await, shards * 3);
        app.post(&ann, "into today's").await;
        assert_eq!(app.count("SELECT count(*) FROM outbox_default").await, 0);
    })
    .await;
}

/// So many messages of yesterday in the default partition of a shard, the last of them unsent.
async fn yesterdays(shard: &Client, messages: i32, unsent: i32) {
    let insert = "INSERT INTO outbox (created_on, sink, topic, key, payload, sent_at)
        SELECT (now() AT TIME ZONE 'utc')::date - 1, 1, 'posts', 'old', '{}',
               CASE WHEN n <= $1 THEN now() END
        FROM generate_series(1, $2::integer) n";
    shard.execute(insert, &[&(messages - unsent), &messages]).await.unwrap();
}

async fn number(shard: &Client, query: &str) -> i64 {
    shard.query_one(query, &[]).await.unwrap().get(0)
}

const IN_DEFAULT: &str = "SELECT count(*) FROM outbox_default";
const MESSAGES: &str = "SELECT count(*) FROM outbox";
/// The number that whoever deletes yesterday's messages waits for while the test has it locked.
const HELD_UP: &str = "
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        WHILE NOT pg_try_advisory_xact_lock_shared(42) LOOP PERFORM pg_sleep(0.01); END LOOP;
        RETURN OLD;
    END $$;
    CREATE TRIGGER hold_up BEFORE DELETE ON outbox_default FOR EACH ROW
        WHEN (OLD.created_on < (now() AT TIME ZONE 'utc')::date) EXECUTE FUNCTION hold_up();
    SELECT pg_advisory_lock(42)";
/// Housekeeping, held up so, while it moves something.
const MOVING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'SELECT outbox_%' AND wait_event = 'PgSleep'";

/// A lock that moving took from whoever writes would be held until the test ends the moving: no
/// bound on the wait is long enough for it.
#[tokio::test(flavor = "multi_thread")]
async fn no_mutation_waits_while_messages_of_a_day_that_is_over_are_moved() {
    with_server(async |app| {
        let primary = &app.app.config.postgres.shards[0].primary;
        let (holder, writer) = (session(primary).await, session(primary).await);
        holder.batch_execute(DROP_DAYS).await.unwrap();
        yesterdays(&holder, 50_000, 0).await;
        holder.batch_execute(HELD_UP).await.unwrap();
        writer.batch_execute("SET lock_timeout = '2s'").await.unwrap();
        let shard = app.app.domain.cluster.shard(ShardIndex(0)).unwrap();
        let mut connection = shard.direct().await.unwrap();
        let writing = async {
            app.until("yesterday is being moved", async || number(&holder, MOVING).await > 0).await;
            let write =
                "INSERT INTO outbox (sink, topic, key, payload) VALUES (1, 'posts', 'new', '{}')";
            for _ in 0..20 {
                writer.batch_execute(write).await.expect("nothing to wait for");
            }
            // Nor does the relay, which reads every partition.
            let unsent = number(&writer, "SELECT count(*) FROM outbox WHERE sent_at IS NULL").await;
            assert_eq!(unsent, 20);
            holder.batch_execute("SELECT pg_advisory_unlock(42)").await.unwrap();
        };
        let (done, ()) = tokio::join!(maintain(&mut connection, 7), writing);
        let done = done.unwrap();
        assert_eq!((done.made, done.moved), (3, 50_000), "today, tomorrow and yesterday");
        assert_eq!(number(&holder, IN_DEFAULT).await, 0);
        assert_eq!(number(&holder, MESSAGES).await, 50_020);
    })
    .await;
}

/// Elsewhere the relay would not see them for a moment, and would send later ones before them.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_day_that_is_over_are_moved_when_all_are_sent() {
    with_server(async |app| {
        let primary = &app.app.config.postgres.shards[0].primary;
        let client = session(primary).await;
        client.batch_execute(DROP_DAYS).await.unwrap();
        yesterdays(&client, 20, 1).await;
        let shard = app.app.domain.cluster.shard(ShardIndex(0)).unwrap();
        let mut connection = shard.direct().await.unwrap();
        let done = maintain(&mut connection, 7).await.unwrap();
        assert_eq!((done.made, done.moved), (2, 0), "today and tomorrow");
        assert_eq!(number(&client, IN_DEFAULT).await, 20);
        let by_force = "SELECT outbox_make_partition((now() AT TIME ZONE 'utc')::date - 1)";
        let refused = client.query_one(by_force, &[]).await.unwrap_err();
        assert_eq!(refused.code().map(|code| code.code()), Some("55006"), "{refused}");
        client.batch_execute("UPDATE outbox SET sent_at = now()").await.unwrap();
        // As if housekeeping had been killed after the last batch.
        for batch in [5, 15] {
            let moved =
                format!("SELECT outbox_move_sent((now() AT TIME ZONE 'utc')::date - 1, {batch})");
            assert!(number(&client, &moved).await > 0);
        }
        assert_eq!((number(&client, IN_DEFAULT).await, number(&client, MESSAGES).await), (0, 0));
        let done = maintain(&mut connection, 7).await.unwrap();
        assert_eq!((done.made, done.moved), (1, 0), "what was moved is there again");
        assert_eq!(number(&client, MESSAGES).await, 20);
    })
    .await;
}

/// More of today than may be moved while mutations wait: they are moved when the day is over, and
/// so are those of other days.
#[tokio::test(flavor = "multi_thread")]
async fn no_day_is_moved_while_mutations_write_to_the_default_partition() {
    with_server(async |app| {
        let primary = &app.app.config.postgres.shards[0].primary;
        let client = session(primary).await;
        client.batch_execute(DROP_DAYS).await.unwrap();
        yesterdays(&client, 20, 0).await;
        let today = "INSERT INTO outbox (sink, topic, key, payload) SELECT 1, 'posts', 'new', '{}' FROM generate_series(1, 10001)";
        client.batch_execute(today).await.unwrap();
        let shard = app.app.domain.cluster.shard(ShardIndex(0)).unwrap();
        let done = maintain(&mut shard.direct().await.unwrap(), 7).await.unwrap();
        assert_eq!((done.made, done.moved), (1, 0), "tomorrow");
        assert_eq!(number(&client, IN_DEFAULT).await, 10_021);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_outbox_holds_up_no_mutation_while_partitions_are_made() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        let today = "SELECT count(*) FROM pg_inherits WHERE inhrelid::regclass::text = 'outbox_' || to_char(now() AT TIME ZONE 'utc', 'YYYYMMDD')";
        on_every_shard(app, DROP_DAYS).await;
        let cluster = &app.app.domain.cluster;
        for index in cluster.indexes() {
            maintain(&mut cluster.shard(index).unwrap().direct().await.unwrap(), 7).await.unwrap();
        }
        assert_eq!(app.count(today).await, i64::try_from(cluster.len()).unwrap());
        on_every_shard(app, &DROP_DAYS.replace("'outbox_default'::regclass", "'outbox_default'::regclass AND right(inhrelid::regclass::text, 8) > to_char(now() AT TIME ZONE 'utc', 'YYYYMMDD')")).await;
        let mut readers = Vec::new();
        for urls in &app.app.config.postgres.shards {
            let reader = session(&urls.primary).await;
            reader.batch_execute("BEGIN; SELECT count(*) FROM outbox").await.unwrap();
            readers.push(reader);
        }
        let maintained = futures_util::future::join_all(cluster.indexes().map(async |index| {
            maintain(&mut cluster.shard(index).unwrap().direct().await.unwrap(), 7).await.unwrap()
        }));
        let posting = async {
            let mut longest = Duration::ZERO;
            for number in 0..10 {
                let began = Instant::now();
                app.post(&ann, &format!("{number}")).await;
                longest = longest.max(began.elapsed());
            }
            longest
        };
        let (maintained, longest) = tokio::join!(maintained, posting);
        assert!(longest < Duration::from_secs(5), "{longest:?}");
        assert!(maintained.iter().all(|done| done.made == 0), "the readers are there still");
        drop(readers);
        app.until("the partitions are made", async || {
            for index in cluster.indexes() {
                maintain(&mut cluster.shard(index).unwrap().direct().await.unwrap(), 7).await.unwrap();
            }
            app.count(PARTITIONS).await == i64::try_from(cluster.len()).unwrap() * 3
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_knows_which_shard_it_is_and_exchanged_addresses_are_refused() {
    with_server(async |app| {
        // As `plaza migrate` does; a template of databases may be older.
        ensure_map(&app.app.config.postgres).await.unwrap();
        let mut connection =
            app.app.domain.cluster.shard(ShardIndex(2)).unwrap().direct().await.unwrap();
        let stored = stored_identity(&mut connection).await.unwrap();
        assert_eq!(stored, Some(2));
        assert!(check_identity(2, stored).is_ok() && check_identity(2, None).is_ok());
        let mut config = app.app.config.as_ref().clone();
        config.postgres.shards.swap(0, 1);
        let refused = load_map(&Cluster::new(&config.postgres).unwrap()).await.unwrap_err();
        let words =
            "postgres.shards, entry 0, is the database of shard 1: the addresses are exchanged";
        assert_eq!(refused.to_string(), words);
        let findings = examine(&config, Duration::from_secs(60)).await;
        for (subject, exchanged) in [
            ("shard 0 primary", true),
            ("shard 1 replica 1", true),
            ("shard 2 primary", false),
            ("shard 3 replica 2", false),
        ] {
            let finding = findings.iter().find(|finding| finding.subject == subject).unwrap();
            assert_eq!(
                finding.to_string().contains("the addresses are exchanged"),
                exchanged,
                "{finding}"
            );
        }
    })
    .await;
}

/// A primary that was unavailable when the process began is compared when it responds: a cluster
/// opens nothing before it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_another_shards_is_not_used_whenever_it_comes() {
    with_server(async |app| {
        ensure_map(&app.app.config.postgres).await.unwrap();
        let mut config = app.app.config.postgres.clone();
        // So long is a connection waited for that does not come.
        config.checkout_timeout_ms = 5_000;
        let own = config.shards[0].primary.clone();
        config.shards[0].primary = std::mem::replace(&mut config.shards[1].primary, own);
        let cluster = Arc::new(Cluster::new(&config).unwrap());
        let (every, max_lag) = (Duration::from_millis(20), Duration::from_secs(60));
        let polling = tokio::spawn(replicas::poll(Arc::clone(&cluster), every, max_lag));
        let session = ReadSession::primary(cluster.len());
        for (number, exchanged) in [(0, true), (1, true), (2, false), (3, false)] {
            let shard = ShardIndex(number);
            let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
            let begun = async { cluster.begin(shard, deadline).await.map(|_| ()) };
            let ask = async |connection: &mut Connection| id_clock::read(connection).await;
            let read = async { cluster.read(&session, shard, ask).await.map(|_| ()) };
            let direct = async { cluster.shard(shard).unwrap().direct().await.map(|_| ()) };
            let (begun, read, direct) = tokio::join!(begun, read, direct);
            for (what, outcome) in [("begun", begun), ("read", read), ("direct", direct)] {
                let refused = outcome.err().map(|error| error.to_string()).unwrap_or_default();
                let says = refused.contains("the addresses are exchanged");
                assert_eq!(says, exchanged, "shard {number}, {what}: {refused}");
            }
        }
        app.until("the others are polled", async || {
            let epochs = cluster.epochs();
            epochs[2] > 0 && epochs[3] > 0
        })
        .await;
        let epochs = cluster.epochs();
        assert_eq!((epochs[0], epochs[1]), (0, 0), "nothing is read from the two");
        polling.abort();
    })
    .await;
}

/// A replica of another shard's would answer with that shard's rows, or with none.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_shards_serves_nothing() {
    with_server(async |app| {
        ensure_map(&app.app.config.postgres).await.unwrap();
        let mut config = app.app.config.postgres.clone();
        let own = config.shards[0].replicas.clone();
        config.shards[0].replicas = std::mem::replace(&mut config.shards[1].replicas, own);
        let cluster = Arc::new(Cluster::new(&config).unwrap());
        let (every, max_lag) = (Duration::from_millis(20), Duration::from_secs(60));
        let polling = tokio::spawn(replicas::poll(Arc::clone(&cluster), every, max_lag));
        let states = |shard: usize| {
            cluster.shard(ShardIndex(shard)).unwrap().replica_states().map(|(_, state)| state)
        };
        app.until("each says whose it is", async || {
            [0, 1].into_iter().flat_map(states).all(ReplicaState::is_foreign)
                && [2, 3].into_iter().flat_map(states).all(ReplicaState::is_serving)
        })
        .await;
        assert!(![0, 1].into_iter().flat_map(states).any(ReplicaState::is_serving));
        assert!(![2, 3].into_iter().flat_map(states).any(ReplicaState::is_foreign));
        polling.abort();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_clock_is_behind_says_so_and_can_be_set_back() {
    with_server(async |app| {
        let ann = app.sign_up("ann").await;
        app.execute("SELECT setval('id_clock', last_value + 600000) FROM id_clock").await;
        let post = "mutation { postCreate(input: {text: \"now\"}) { post { id } userErrors { code } } }";
        let authorization = format!("Bearer {}", ann.token);
        let refused = app.send(&[("authorization", &authorization)], post, json!({})).await;
        assert_eq!(refused.code(), "CLOCK_REFUSED");
        let cluster = &app.app.domain.cluster;
        for index in cluster.indexes() {
            let mut connection = cluster.shard(index).unwrap().direct().await.unwrap();
            let clock = id_clock::read(&mut connection).await.unwrap();
            // A shard that has issued nothing yet has no clock to be behind.
            if clock.highest_ms == 0 {
                continue;
            }
            assert!(clock.behind_ms() > 500_000, "{clock:?}");
            id_clock::set_back(&mut connection).await.unwrap();
            let clock = id_clock::read(&mut connection).await.unwrap();
            assert!(clock.behind_ms() < 1_000 && clock.issued_ms > clock.highest_ms, "{clock:?}");
        }
        app.post(&ann, "again").await;
        // Not below an id that is in use.
        app.execute("INSERT INTO blocks (blocker_id, blocked_id, id, version, active) SELECT 1, 2, (last_value + 900000) << 22, 1, false FROM id_clock;
                     SELECT setval('id_clock', last_value + 950000) FROM id_clock").await;
        for index in cluster.indexes() {
            let mut connection = cluster.shard(index).unwrap().direct().await.unwrap();
            id_clock::set_back(&mut connection).await.unwrap();
            let clock = id_clock::read(&mut connection).await.unwrap();
            // A shard whose clock is not ahead stays as it is.
            if clock.highest_ms > clock.now_ms {
                assert_eq!(clock.issued_ms, clock.highest_ms + 1, "{clock:?}");
            }
        }
    })
    .await;
}
