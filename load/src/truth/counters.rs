//! Stored counters against the rows they count.

use std::time::Duration;

use super::Truth;

impl Truth {
    /// Waits up to half a minute for the projections to be level, then counts stored counters that
    /// differ from their rows, and by how many edges the two sides differ (1 where they are as
    /// many, but not the same).
    ///
    /// # Errors
    /// The server's.
    pub async fn wrong_counters(&self) -> anyhow::Result<i64> {
        let mut wrong = 0;
        for _ in 0..60 {
            wrong = self.counters_now().await?;
            if wrong == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(wrong)
    }

    async fn counters_now(&self) -> anyhow::Result<i64> {
        const POSTS: &str = "SELECT count(*) FROM posts p JOIN post_counts c ON c.post_id = p.id
            WHERE c.version <> p.version
               OR c.like_count <> (SELECT count(*) FROM likes l WHERE l.post_id = p.id)
               OR c.comment_count <> (SELECT count(*) FROM comments m WHERE m.post_id = p.id)";
        const PROFILES: &str = "SELECT count(*) FROM users u JOIN user_counts c ON c.user_id = u.id
            WHERE c.post_count <> (SELECT count(*) FROM posts p 
                WHERE p.author_id = u.id AND NOT p.deleted AND p.repost_of IS NULL)
               OR c.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active)";
        const FOLLOWERS: &str = "SELECT count(*) FROM follower_counts c
            WHERE c.follower_count <> (SELECT count(*) FROM followers f WHERE f.followee_id = c.user_id AND f.active)";
        // The sum over all edges of a number that belongs to the edge: both sides are alike,
        // whatever shards they are on, when their sums are.
        const SIDES: &str = "SELECT
            (SELECT count(*) FROM follows WHERE active),
            (SELECT count(*) FROM followers WHERE active),
            ((SELECT coalesce(sum(hashint8extended(follower_id, followee_id)::numeric), 0)
                FROM follows WHERE active)
           - (SELECT coalesce(sum(hashint8extended(follower_id, followee_id)::numeric), 0)
                FROM followers WHERE active))::text";
        let mut wrong = 0;
        let (mut difference, mut sums) = (0, 0_i128);
        for shard in &self.shards {
            for query in [POSTS, PROFILES, FOLLOWERS] {
                wrong += shard.query_one(query, &[]).await?.get::<_, i64>(0);
            }
            let row = shard.query_one(SIDES, &[]).await?;
            difference += row.get::<_, i64>(0) - row.get::<_, i64>(1);
            sums += row.get::<_, &str>(2).parse::<i128>()?;
        }
        Ok(wrong + difference.abs().max(i64::from(sums != 0)))
    }
}
