//! A Redis that is slow, cut off or not there.

use std::sync::Arc;
use std::time::Duration;

use plaza::clock::Clock;
use plaza::stores::StoreError;
use plaza::stores::redis::Redis;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::redis::{Row, config, read, row, row_id, server};
use crate::wait::until;

/// The server's URL with a listener in its place, and the server's own `host:port`.
fn by_way_of(listener: &TcpListener) -> (String, String) {
    let url = server();
    // `redis://:password@host:port/db`
    let at = url.rsplit('@').next().unwrap().trim_start_matches("redis://");
    let at = at.split('/').next().unwrap().to_owned();
    (url.replace(&at, &listener.local_addr().unwrap().to_string()), at)
}

#[tokio::test]
async fn without_redis_everything_is_loaded_and_nothing_waits() {
    // A port that was free a moment ago: nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let redis =
        Redis::new(&config(&format!("redis://127.0.0.1:{port}/0"), 2), Clock::System).unwrap();
    assert!(matches!(redis.ping().await, Err(StoreError::Unavailable { .. })));
    let begun = tokio::time::Instant::now();
    for version in 1..=20 {
        assert_eq!(read(&redis, Some(row("a", version))).await, Some(row("a", version)));
    }
    assert!(
        begun.elapsed() < Duration::from_millis(400),
        "{:?}: the breaker is open",
        begun.elapsed()
    );
    assert!(matches!(
        redis.invalidate::<Row>(&[(row_id(), 1)]).await,
        Err(StoreError::Unavailable { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_many_commands_at_a_time_and_a_dead_one_is_replaced() {
    // A wire to the server that can be cut, and that takes 50 ms: one command after another would
    // take 5 s.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, address) = by_way_of(&listener);
    let cut = Arc::new(std::sync::Mutex::new(CancellationToken::new()));
    let (mut tasks, cutter) = (JoinSet::new(), Arc::clone(&cut));
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(&address).await.unwrap();
            let cut = cutter.lock().unwrap().clone();
            wires.spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                tokio::select! {
                    () = cut.cancelled() => {}
                    _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
                    () = slowly(&mut far_in, &mut near_out) => {}
                }
            });
        }
    });
    let redis = Redis::new(&config(&url, 1), Clock::System).unwrap();
    redis.ping().await.unwrap();
    let begun = tokio::time::Instant::now();
    futures_util::future::try_join_all((0..100).map(|_| redis.ping())).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    std::mem::take(&mut *cut.lock().unwrap()).cancel();
    let begun = tokio::time::Instant::now();
    until("it is back", async || redis.ping().await.is_ok()).await;
    // One failure, and then half a second of standing off.
    assert!(begun.elapsed() < Duration::from_millis(800), "{:?}", begun.elapsed());
}

/// A slow answer concerns who asked for it; several in a row are an outage.
#[tokio::test(flavor = "multi_thread")]
async fn one_slow_answer_is_no_outage() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, address) = by_way_of(&listener);
    // So many answers are kept back for longer than anybody waits.
    let kept_back = Arc::new(AtomicU64::new(0));
    let (mut tasks, keeps) = (JoinSet::new(), Arc::clone(&kept_back));
    tasks.spawn(async move {
        let mut wires = JoinSet::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(&address).await.unwrap();
            let keeps = Arc::clone(&keeps);
            wires.spawn(async move {
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.into_split(), far.into_split());
                let back = async {
                    let mut bytes = vec![0; 4 * 1024];
                    while let Ok(read @ 1..) = far_in.read(&mut bytes).await {
                        let take = |left: u64| left.checked_sub(1);
                        let (set, got) = (Ordering::SeqCst, Ordering::SeqCst);
                        if keeps.fetch_update(set, got, take).is_ok() {
                            std::future::pending::<()>().await;
                        }
                        if near_out.write_all(&bytes[..read]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
                    () = back => {}
                }
            });
        }
    });
    let redis = Redis::new(&config(&url, 1), Clock::System).unwrap();
    redis.ping().await.unwrap();
    kept_back.store(1, Ordering::SeqCst);
    assert!(matches!(redis.ping().await, Err(StoreError::Unavailable { .. })));
    assert!(redis.state().0, "one answer was late");
    redis.ping().await.unwrap();
    kept_back.store(u64::MAX, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(redis.ping().await.is_err());
    }
    assert!(!redis.state().0, "nobody is answered");
}

async fn slowly(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut bytes).await {
        if read == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if to.write_all(bytes.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
