//! What is below a timeline: the newest posts of whom somebody follows.

use plaza::ids::{Id, PostId, UserId};
use plaza::stores::postgres::{ReadSession, ShardIndex, timelines};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::app::{TestApp, with_app};
use crate::template::session;

/// Posts on the shard: (id, author, whether it was deleted). Authors of small numbers write more.
async fn write_posts(app: &TestApp, random: &mut StdRng) -> Vec<(i64, i64, bool)> {
    let posts: Vec<(i64, i64, bool)> = (1..=3_000)
        .map(|id| {
            let most = random.random_range(1..=2_000);
            let author = random.random_range(1..=most);
            (id, author, random.random_range(0..10) == 0)
        })
        .collect();
    let values: Vec<String> = posts
        .iter()
        .map(|(id, author, deleted)| format!("({id}, {author}, 'a post', {deleted})"))
        .collect();
    let insert =
        format!("INSERT INTO posts (id, author_id, text, deleted) VALUES {}", values.join(", "));
    session(&app.app.config.postgres.shards[0].primary).await.batch_execute(&insert).await.unwrap();
    posts
}

/// Many are read in the order of ids, few each by themselves: both give what is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_posts_of_few_and_of_many_authors_are_the_newest_there_are() {
    with_app(async |app| {
        let mut random = StdRng::seed_from_u64(29);
        let posts = write_posts(app, &mut random).await;
        let reads = ReadSession::primary(app.app.domain.cluster.len());
        for round in 0..200 {
            let share = [1, 5, 30, 100][round % 4];
            let authors: Vec<i64> =
                (1..=2_000).filter(|_| random.random_range(0..100) < share).collect();
            let below = random.random_range(1..=3_200);
            let limit = [1, 20, 101, 401][random.random_range(0..4)];
            let wanted: Vec<PostId> = posts
                .iter()
                .rev()
                .filter(|(id, author, deleted)| {
                    *id < below && !deleted && authors.binary_search(author).is_ok()
                })
                .map(|(id, ..)| PostId::from_i64(*id))
                .take(usize::try_from(limit).unwrap())
                .collect();
            let authors: Vec<UserId> = authors.into_iter().map(UserId::from_i64).collect();
            let found = app
                .app
                .domain
                .cluster
                .read(&reads, ShardIndex(0), async |connection| {
                    timelines::newest_posts(connection, &authors, below, limit).await
                })
                .await
                .unwrap();
            assert_eq!(found, wanted, "{} authors below {below}, {limit}", authors.len());
        }
    })
    .await;
}
