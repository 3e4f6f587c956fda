//! Timelines and watched homes in Redis.

use plaza::clock::Clock;
use plaza::ids::{Id, PostId, UserId};
use plaza::stores::redis::Redis;
use plaza::stores::redis::timelines::Timeline;

use super::redis::{config, fresh, server};

/// Ids that a double cannot tell apart.
const BIG: i64 = 6_000_000_000_000_000_000;

fn posts(ids: impl IntoIterator<Item = i64>) -> Vec<PostId> {
    ids.into_iter().map(PostId::from_i64).collect()
}

async fn built(redis: &Redis, user: UserId, ids: impl IntoIterator<Item = i64>, horizon: i64) {
    let marker = redis.begin_rebuild(user).await.unwrap().expect("there is none yet");
    assert!(
        redis.finish_rebuild(&marker, &Timeline { posts: posts(ids), horizon }, 60).await.unwrap()
    );
}

#[tokio::test]
async fn posts_pushed_during_a_rebuild_are_kept_and_those_who_have_no_timeline_get_none() {
    let (redis, me, nobody) = (fresh(), UserId::from_i64(1), UserId::from_i64(2));
    let marker = redis.begin_rebuild(me).await.unwrap().unwrap();
    assert!(redis.begin_rebuild(me).await.unwrap().is_none(), "one at a time");
    assert_eq!(redis.push_to_timelines(&posts([BIG + 3]), &[me, nobody], 100).await.unwrap(), 1);
    assert_eq!(redis.timeline(me).await.unwrap(), None, "not before it is whole");
    redis
        .finish_rebuild(&marker, &Timeline { posts: posts([BIG + 2, BIG + 1]), horizon: BIG }, 60)
        .await
        .unwrap();
    // Pushed twice, as after a redelivery.
    redis.push_to_timelines(&posts([BIG + 3]), &[me], 100).await.unwrap();
    let expected = Timeline { posts: posts([BIG + 3, BIG + 2, BIG + 1]), horizon: BIG };
    assert_eq!(redis.timeline(me).await.unwrap(), Some(expected));
    assert_eq!(redis.timeline(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn a_rebuild_that_was_overtaken_by_a_follow_stores_nothing() {
    let (redis, me) = (fresh(), UserId::from_i64(1));
    let first = redis.begin_rebuild(me).await.unwrap().unwrap();
    redis.forget_timelines(&[me]).await.unwrap();
    let second = redis.begin_rebuild(me).await.unwrap().unwrap();
    let outdated = Timeline { posts: posts([1]), horizon: 0 };
    assert!(!redis.finish_rebuild(&first, &outdated, 60).await.unwrap());
    let current = Timeline { posts: posts([2, 1]), horizon: 0 };
    assert!(redis.finish_rebuild(&second, &current, 60).await.unwrap());
    assert_eq!(redis.timeline(me).await.unwrap(), Some(current));
}

#[tokio::test]
async fn a_timeline_that_grew_too_long_keeps_the_newest_and_knows_what_it_lost() {
    let (redis, me) = (fresh(), UserId::from_i64(1));
    built(&redis, me, (BIG + 1..=BIG + 8).rev(), BIG).await;
    for id in [BIG + 10, BIG + 9, BIG + 11, BIG + 9] {
        redis.push_to_timelines(&posts([id]), &[me], 8).await.unwrap();
    }
    let timeline = redis.timeline(me).await.unwrap().unwrap();
    assert!(timeline.posts.len() <= 11);
    let must: Vec<PostId> = posts((timeline.horizon + 1..=BIG + 11).rev());
    let above: Vec<PostId> =
        timeline.posts.into_iter().filter(|post| post.as_i64() > timeline.horizon).collect();
    assert_eq!(above, must, "without a gap down to the horizon");
    assert!(timeline.horizon > BIG, "trimmed at least once");
}

#[tokio::test]
async fn a_raised_horizon_never_sinks_and_a_rebuild_is_left_alone() {
    let (redis, me, other) = (fresh(), UserId::from_i64(1), UserId::from_i64(2));
    built(&redis, me, [BIG + 9, BIG + 5, BIG + 2], 0).await;
    let marker = redis.begin_rebuild(other).await.unwrap().unwrap();
    redis.raise_horizons(&[me, other, UserId::from_i64(3)], 100, BIG + 4).await.unwrap();
    redis.raise_horizons(&[me], 100, BIG + 1).await.unwrap();
    assert_eq!(
        redis.timeline(me).await.unwrap(),
        Some(Timeline { posts: posts([BIG + 9, BIG + 5]), horizon: BIG + 4 })
    );
    assert!(
        redis
            .finish_rebuild(&marker, &Timeline { posts: Vec::new(), horizon: 0 }, 60)
            .await
            .unwrap()
    );
    assert_eq!(redis.timeline(UserId::from_i64(3)).await.unwrap(), None);
}

/// By default Redis allocates 4 KB for a stream's first entry: a hundred thousand watched homes
/// then push each other out of its memory.
#[tokio::test]
async fn a_watched_home_is_small() {
    let (config, me) = (config(&server(), 2), UserId::from_i64(1));
    let redis = Redis::new(&config, Clock::System).unwrap();
    redis.open_live(me).await.unwrap();
    for post in posts(BIG..BIG + 5) {
        assert_eq!(redis.push_live(post, &[me]).await.unwrap(), 1);
    }
    let mut connection =
        redis::Client::open(server()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let key = format!("{}:live:1", config.key_prefix);
    let bytes: usize =
        redis::cmd("MEMORY").arg("USAGE").arg(&key).query_async(&mut connection).await.unwrap();
    assert!((500..1_500).contains(&bytes), "{bytes}");
    let memory = redis.memory().await.unwrap();
    assert!(memory.used_bytes > 0 && memory.max_bytes >= 512 << 20, "{memory:?}");
}
