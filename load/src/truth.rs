//! What the rows say, read from the primaries without any of plaza's code.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use plaza::ids::{Id, OrderId};
use plaza::protocol::envelope::JobEnvelope;
use plaza::protocol::jobs::Job;
use plaza::protocol::routing::queue_of;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

/// A connection to each shard's primary.
#[derive(Debug)]
pub struct Truth {
    shards: Vec<Client>,
}

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Id.
    pub id: i64,
    /// Handle.
    pub handle: String,
}

/// Some people's follows and the posts of those they follow, as of one moment.
#[derive(Debug, Default)]
pub struct World {
    follows: HashMap<i64, Vec<i64>>,
    posts: HashMap<i64, Vec<i64>>,
    /// By repost: the original.
    reposts: HashMap<i64, i64>,
    /// Every post of theirs, and every original.
    there: HashSet<i64>,
}

/// A repost is left out when the original, or another repost of it, is among so many posts right
/// below it.
const REPEAT_WINDOW: usize = 40;

impl World {
    /// The home feed that a person must have, of those they follow and themselves: newest first.
    pub fn home(&self, person: i64) -> Vec<i64> {
        let followed = self.follows.get(&person).map(Vec::as_slice).unwrap_or_default();
        let posts: BTreeSet<i64> = followed
            .iter()
            .chain([&person])
            .filter_map(|author| self.posts.get(author))
            .flatten()
            .copied()
            .collect();
        // A repost goes with the original.
        let shown = |post: &i64| {
            self.reposts.get(post).is_none_or(|original| self.there.contains(original))
        };
        let posts: Vec<i64> = posts.into_iter().rev().filter(shown).collect();
        self.without_repeats(&posts)
    }

    fn without_repeats(&self, posts: &[i64]) -> Vec<i64> {
        let subject = |post: &i64| *self.reposts.get(post).unwrap_or(post);
        let is_repeat = |place: usize, post: &i64| {
            self.reposts.contains_key(post)
                && posts
                    .iter()
                    .skip(place + 1)
                    .take(REPEAT_WINDOW)
                    .any(|other| subject(other) == subject(post))
        };
        posts
            .iter()
            .enumerate()
            .filter(|(place, post)| !is_repeat(*place, post))
            .map(|(_, post)| *post)
            .collect()
    }
}

impl Truth {
    /// # Errors
    /// A configuration that cannot be read, a primary that cannot be reached.
    pub async fn connect(config: &PathBuf) -> anyhow::Result<Self> {
        let config = plaza::config::Config::load(Some(config))?;
        let mut shards = Vec::new();
        for urls in &config.postgres.shards {
            let (client, connection) =
                tokio_postgres::connect(urls.primary.expose_secret(), NoTls).await.with_context(
                    || format!("cannot reach {}", plaza::config::redacted(&urls.primary)),
                )?;
            #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
            tokio::spawn(connection);
            shards.push(client);
        }
        Ok(Self { shards })
    }

    /// Everybody, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn people(&self) -> anyhow::Result<Vec<Person>> {
        let mut people = Vec::new();
        for shard in &self.shards {
            for row in shard.query("SELECT id, handle FROM users", &[]).await? {
                people.push(Person { id: row.get(0), handle: row.get(1) });
            }
        }
        people.sort_by_key(|person| person.id);
        Ok(people)
    }

    /// Everybody's name as shown, by id.
    ///
    /// # Errors
    /// The server's.
    pub async fn display_names(&self) -> anyhow::Result<HashMap<i64, String>> {
        let mut names = HashMap::new();
        for shard in &self.shards {
            names.extend(
                shard
                    .query("SELECT id, display_name FROM users", &[])
                    .await?
                    .iter()
                    .map(|row| (row.get(0), row.get(1))),
            );
        }
        Ok(names)
    }

    /// The hash of somebody's password: seeded people all have the same.
    ///
    /// # Errors
    /// The server's, or an empty system.
    pub async fn any_password_hash(&self) -> anyhow::Result<String> {
        for shard in &self.shards {
            if let Some(row) =
                shard.query_opt("SELECT password_hash FROM users ORDER BY id LIMIT 1", &[]).await?
            {
                return Ok(row.get(0));
            }
        }
        anyhow::bail!("nobody is there: seed first")
    }

    /// The newest posts, at most so many.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_posts(&self, limit: i64) -> anyhow::Result<Vec<i64>> {
        let mut posts: Vec<i64> = Vec::new();
        for shard in &self.shards {
            let rows =
                shard.query("SELECT id FROM posts ORDER BY id DESC LIMIT $1", &[&limit]).await?;
            posts.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
        posts.sort_unstable_by(|a, b| b.cmp(a));
        posts.truncate(usize::try_from(limit)?);
        Ok(posts)
    }

    /// The newest posts with their authors, at most so many.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_posts_by(&self, limit: i64) -> anyhow::Result<Vec<(i64, i64)>> {
        let mut posts: Vec<(i64, i64)> = Vec::new();
        for shard in &self.shards {
            let rows = shard
                .query(
                    "SELECT id, author_id FROM posts WHERE NOT deleted ORDER BY id DESC LIMIT $1",
                    &[&limit],
                )
                .await?;
            posts.extend(rows.iter().map(|row| (row.get(0), row.get(1))));
        }
        posts.sort_unstable_by(|a, b| b.cmp(a));
        posts.truncate(usize::try_from(limit)?);
        Ok(posts)
    }

    /// Views that are in windows.
    ///
    /// # Errors
    /// The server's.
    pub async fn counted_views(&self) -> anyhow::Result<i64> {
        let looks = self.shards.iter().map(|shard| {
            shard.query_one("SELECT coalesce(sum(counted), 0)::bigint FROM view_totals", &[])
        });
        Ok(futures_util::future::try_join_all(looks)
            .await?
            .iter()
            .map(|row| row.get::<_, i64>(0))
            .sum())
    }

    /// Makes somebody an administrator: there is no mutation for it.
    ///
    /// # Errors
    /// The server's.
    pub async fn make_admin(&self, person: i64) -> anyhow::Result<()> {
        for shard in &self.shards {
            shard
                .execute(
                    "UPDATE users SET is_admin = true, version = version + 1 WHERE id = $1",
                    &[&person],
                )
                .await?;
        }
        Ok(())
    }

    /// Whom these people follow, and every post of those.
    ///
    /// # Errors
    /// The server's.
    pub async fn world_of(&self, people: &[i64]) -> anyhow::Result<World> {
        let mut world = World::default();
        for shard in &self.shards {
            for row in
                shard.query("SELECT follower_id, followee_id FROM follows WHERE active AND follower_id = ANY($1)", &[&people]).await?
            {
                world.follows.entry(row.get(0)).or_default().push(row.get(1));
            }
        }
        let authors: Vec<i64> = world
            .follows
            .values()
            .flatten()
            .copied()
            .collect::<BTreeSet<i64>>()
            .into_iter()
            .collect();
        for shard in &self.shards {
            let posts = "SELECT author_id, id, repost_of FROM posts WHERE NOT deleted AND author_id = ANY($1)";
            for row in shard.query(posts, &[&authors]).await? {
                world.posts.entry(row.get(0)).or_default().push(row.get(1));
                world.there.insert(row.get(1));
                if let Some(original) = row.get::<_, Option<i64>>(2) {
                    world.reposts.insert(row.get(1), original);
                }
            }
        }
        let originals: Vec<i64> = world.reposts.values().copied().collect();
        for shard in &self.shards {
            for row in shard
                .query("SELECT id FROM posts WHERE NOT deleted AND id = ANY($1)", &[&originals])
                .await?
            {
                world.there.insert(row.get(0));
            }
        }
        Ok(world)
    }

    /// The person with the most followers, and the followers, counted on the followers' side.
    ///
    /// # Errors
    /// The server's, or an empty system.
    pub async fn most_followed(&self) -> anyhow::Result<(i64, Vec<i64>)> {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for shard in &self.shards {
            for row in shard
                .query(
                    "SELECT followee_id, count(*) FROM follows WHERE active GROUP BY followee_id",
                    &[],
                )
                .await?
            {
                *counts.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
            }
        }
        let (most, _) = counts
            .into_iter()
            .max_by_key(|(id, count)| (*count, *id))
            .context("nobody follows anybody: seed first")?;
        let mut followers = Vec::new();
        for shard in &self.shards {
            let rows = shard
                .query(
                    "SELECT follower_id FROM follows WHERE active AND followee_id = $1",
                    &[&most],
                )
                .await?;
            followers.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
        }
        Ok((most, followers))
    }

    /// Waits until no outbox row is unsent, three looks in a row.
    ///
    /// # Errors
    /// When that takes longer than a minute.
    pub async fn wait_until_sent(&self) -> anyhow::Result<()> {
        let mut quiet = 0;
        for _ in 0..240 {
            let mut unsent: i64 = 0;
            for shard in &self.shards {
                unsent += shard
                    .query_one("SELECT count(*) FROM outbox WHERE sent_at IS NULL", &[])
                    .await?
                    .get::<_, i64>(0);
            }
            quiet = if unsent == 0 { quiet + 1 } else { 0 };
            if quiet >= 3 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        anyhow::bail!("the outbox is not empty after a minute")
    }

    /// Sum of a single number over the shards.
    ///
    /// # Errors
    /// The server's.
    pub async fn sum(&self, query: &str, id: i64) -> anyhow::Result<i64> {
        let mut sum = 0;
        for shard in &self.shards {
            sum += shard.query_one(query, &[&id]).await?.get::<_, i64>(0);
        }
        Ok(sum)
    }

    /// How many rows each post text of this pattern has.
    ///
    /// # Errors
    /// The server's.
    pub async fn texts(&self, pattern: &str) -> anyhow::Result<HashMap<String, i64>> {
        let mut texts = HashMap::new();
        for shard in &self.shards {
            for row in shard
                .query(
                    "SELECT text, count(*) FROM posts WHERE text LIKE $1 GROUP BY text",
                    &[&pattern],
                )
                .await?
            {
                *texts.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
            }
        }
        Ok(texts)
    }

    /// The orders that hold a product, with their states.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_of(&self, product: i64) -> anyhow::Result<HashMap<i64, String>> {
        let query = "SELECT o.id, o.status FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE l.product_id = $1";
        let mut orders = HashMap::new();
        for shard in &self.shards {
            for row in shard.query(query, &[&product]).await? {
                orders.insert(row.get(0), row.get(1));
            }
        }
        Ok(orders)
    }

    /// The newest order's id; 0 when there is none.
    ///
    /// # Errors
    /// The server's.
    pub async fn newest_order(&self) -> anyhow::Result<i64> {
        let mut newest = 0;
        for shard in &self.shards {
            newest = newest
                .max(shard.query_one("SELECT coalesce(max(id), 0) FROM orders", &[]).await?.get(0));
        }
        Ok(newest)
    }

    /// Orders after this one, with their states.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_since(&self, id: i64) -> anyhow::Result<HashMap<i64, String>> {
        let mut orders = HashMap::new();
        for shard in &self.shards {
            orders.extend(
                shard
                    .query("SELECT id, status FROM orders WHERE id > $1", &[&id])
                    .await?
                    .iter()
                    .map(|row| (row.get(0), row.get(1))),
            );
        }
        Ok(orders)
    }

    /// Gives every order after this one that has not ended a job, as placing it would have: what a
    /// saga inside a request left belongs to nobody else.
    ///
    /// # Errors
    /// The server's.
    pub async fn resume_orders(&self, id: i64) -> anyhow::Result<u64> {
        let open = "SELECT id FROM orders WHERE id > $1 AND status NOT IN ('CONFIRMED', 'REJECTED', 'CANCELLED')";
        let mut resumed = 0;
        for shard in &self.shards {
            let ids: Vec<i64> =
                shard.query(open, &[&id]).await?.iter().map(|row| row.get(0)).collect();
            let keys: Vec<String> = ids.iter().map(|id| format!("order:{id}/process")).collect();
            let job = |id: &i64| Job::OrderProcess { order_id: OrderId::from_i64(*id) };
            let queues: Vec<&str> = ids.iter().map(|id| queue_of(&job(id)).name()).collect();
            let payload = |(id, key): (&i64, &String)| {
                serde_json::to_string(&JobEnvelope {
                    id: key.clone(),
                    traceparent: None,
                    job: job(id),
                })
            };
            let payloads =
                ids.iter().zip(&keys).map(payload).collect::<Result<Vec<String>, _>>()?;
            let insert = "INSERT INTO outbox (sink, topic, key, payload) SELECT 0, * FROM unnest($1::text[], $2::text[], $3::text[])";
            resumed += shard.execute(insert, &[&queues, &keys, &payloads]).await?;
        }
        Ok(resumed)
    }

    /// How many orders after this one have not ended.
    ///
    /// # Errors
    /// The server's.
    pub async fn orders_under_way(&self, id: i64) -> anyhow::Result<i64> {
        self.sum("SELECT count(*) FROM orders WHERE id > $1 AND status NOT IN ('CONFIRMED', 'REJECTED', 'CANCELLED')", id).await
    }

    /// Products of which stock, held and sold pieces do not add up to what there was.
    ///
    /// # Errors
    /// The server's.
    pub async fn wrong_stock(&self, products: &[i64], stock: i64) -> anyhow::Result<i64> {
        const WRONG: &str = "SELECT count(*) FROM products p WHERE p.id = ANY($1) AND $2 <> p.stock + coalesce(
            (SELECT sum(r.quantity) FROM reservations r WHERE r.product_id = p.id AND r.status IN ('HELD', 'SOLD')), 0)";
        let mut wrong = 0;
        for shard in &self.shards {
            wrong += shard.query_one(WRONG, &[&products, &stock]).await?.get::<_, i64>(0);
        }
        Ok(wrong)
    }

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
            WHERE c.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted AND p.repost_of IS NULL)
               OR c.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active)";
        const FOLLOWERS: &str = "SELECT count(*) FROM follower_counts c
            WHERE c.follower_count <> (SELECT count(*) FROM followers f WHERE f.followee_id = c.user_id AND f.active)";
        // The sum over all edges of a number that belongs to the edge: both sides are alike,
        // whatever shards they are on, when their sums are.
        const SIDES: &str = "SELECT
            (SELECT count(*) FROM follows WHERE active), (SELECT count(*) FROM followers WHERE active),
            ((SELECT coalesce(sum(hashint8extended(follower_id, followee_id)::numeric), 0) FROM follows WHERE active)
           - (SELECT coalesce(sum(hashint8extended(follower_id, followee_id)::numeric), 0) FROM followers WHERE active))::text";
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_holds_each_post_once_within_forty() {
        let mut world = World::default();
        world.follows.insert(1, vec![2, 3]);
        // 3 passes on 10 and 50, which 2 wrote; 90 and 91 are gone, or were never there.
        world.posts.insert(2, (10..=50).collect());
        world.posts.insert(3, vec![51, 52, 53]);
        world.reposts.extend([(51, 10), (52, 50), (53, 90)]);
        world.there.extend(10..=53);
        let home = world.home(1);
        assert_eq!(
            home.first(),
            Some(&51),
            "beyond forty it comes again; near, and of what is gone, it does not"
        );
        assert_eq!(home.len(), 42);
    }
}
