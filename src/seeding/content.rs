//! Posts, with who likes them and what is said of them.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::rows::{Row, Rows, Table};
use super::world::{Made, World, sequence};
use super::{numbered, words};
use crate::ids::{Id, compose};

/// A post is loaded after what belongs to it, so beside one that is there everything is there, and
/// has had a life since: nothing comes back.
const OF_NEW_POSTS: &str = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = incoming.post_id)";
const POSTS: Table =
    Table { name: "posts", columns: "id, author_id, text, version", taken: "true" };
const LIKES: Table = Table { name: "likes", columns: "post_id, user_id", taken: OF_NEW_POSTS };
const COMMENTS: Table =
    Table { name: "comments", columns: "id, post_id, author_id, text", taken: OF_NEW_POSTS };
const POST_COUNTS: Table = Table {
    name: "post_counts",
    columns: "post_id, like_count, comment_count, version",
    taken: "true",
};
/// Comments on a post are fewer.
const COMMENTS_BELOW: u64 = 4;

impl World {
    /// Posts, by everybody in turn, so that everybody has something to show. All of a post's rows
    /// lie beside it.
    pub(super) fn make_posts(&self, numbers: Range<u64>) -> Made {
        let (mut posts, mut likes, mut comments) =
            (Rows::new(POSTS), Rows::new(LIKES), Rows::new(COMMENTS));
        let mut counts = Rows::new(POST_COUNTS);
        let people = u64::try_from(self.people.len()).unwrap_or_default().max(1);
        for number in numbers {
            let Some(author) = self.person(number % people) else { continue };
            let mut random = numbered(self.seed, "posts", number);
            let (at, bucket) = (self.moment(number, self.plan.posts), author.bucket());
            let id = compose(at, bucket, sequence(number));
            let wanted = random.random_range(0..8);
            let fans: BTreeSet<i64> =
                self.people.choose_multiple(&mut random, wanted).map(|fan| fan.as_i64()).collect();
            for fan in &fans {
                likes.add(&self.map, bucket, Row::default().plain(id).plain(fan));
            }
            let said = random.random_range(0..COMMENTS_BELOW);
            for reply in 0..said {
                let Some(by) = self.people.choose(&mut random) else { continue };
                let minutes = i64::try_from(reply + 1).unwrap_or_default();
                let comment = compose(
                    at + 60_000 * minutes,
                    bucket,
                    sequence(number * COMMENTS_BELOW + reply),
                );
                let text = words::comment(&mut random);
                comments.add(
                    &self.map,
                    bucket,
                    Row::default().plain(comment).plain(id).plain(by.as_i64()).text(text),
                );
            }
            posts.add(
                &self.map,
                bucket,
                Row::default()
                    .plain(id)
                    .plain(author.as_i64())
                    .text(&words::post(&mut random))
                    .plain(0),
            );
            counts.add(
                &self.map,
                bucket,
                Row::default().plain(id).plain(fans.len()).plain(said).plain(0),
            );
        }
        Made { rows: vec![counts, likes, comments, posts], people: Vec::new() }
    }
}
