//! What a home feed must hold, from the rows alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Truth;

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

    /// Whose posts these people's homes hold: those they follow, and their own.
    fn authors(&self, people: &[i64]) -> Vec<i64> {
        let followed = self.follows.values().flatten();
        followed.chain(people).copied().collect::<BTreeSet<i64>>().into_iter().collect()
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
        let authors = world.authors(people);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_posts_are_asked_for_whoever_else_is_audited() {
        let mut world = World::default();
        world.follows.insert(1, vec![3]);
        assert_eq!(world.authors(&[1, 2]), [1, 2, 3]);
    }

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
