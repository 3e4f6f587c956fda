//! Posts, with who likes them and what is said of them.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::rows::{Row, Rows, Table};
use super::world::{Made, World, sequence};
use super::{numbered, words};
use plaza_base::ids::{Id, compose};
use plaza_stores::postgres::entities::{Entities, Entity, Reference};

/// A post is loaded after what belongs to it, so beside one that is there everything is there, and
/// has had a life since: nothing comes back.
const OF_NEW_POSTS: &str = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = incoming.post_id)";
const POSTS: Table =
    Table { name: "posts", columns: "id, author_id, text, version, entities", taken: "true" };
const LIKES: Table = Table { name: "likes", columns: "post_id, user_id", taken: OF_NEW_POSTS };
const COMMENTS: Table = Table {
    name: "comments",
    columns: "id, post_id, author_id, text, in_reply_to, depth",
    taken: OF_NEW_POSTS,
};
/// After the comments, which are there or not.
const REPLIES: Table = Table {
    name: "replies",
    columns: "parent_id, comment_id",
    taken: "EXISTS (SELECT 1 FROM comments c WHERE c.id = incoming.comment_id)",
};
const HASHTAGS: Table =
    Table { name: "hashtags", columns: "tag, post_id, author_id", taken: OF_NEW_POSTS };
/// COPY's way to write NULL.
const NULL: &str = "\\N";
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
        let (mut replies, mut hashtags) = (Rows::new(REPLIES), Rows::new(HASHTAGS));
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
            let mut before: Option<i64> = None;
            for reply in 0..said {
                let Some(by) = self.people.choose(&mut random) else { continue };
                // Now and then the author answers the comment before.
                let answered = before.take().filter(|_| random.random_ratio(2, 5));
                let by = if answered.is_some() { &author } else { by };
                let minutes = i64::try_from(reply + 1).unwrap_or_default();
                let comment = compose(
                    at + 60_000 * minutes,
                    bucket,
                    sequence(number * COMMENTS_BELOW + reply),
                );
                let text = match answered {
                    Some(_) => words::answer(&mut random),
                    None => words::comment(&mut random),
                };
                let row = Row::default().plain(comment).plain(id).plain(by.as_i64()).text(text);
                let row = match answered {
                    Some(parent) => {
                        let reply = Row::default().plain(parent).plain(comment);
                        replies.add(&self.map, bucket, reply);
                        row.plain(parent).plain(1)
                    }
                    None => {
                        before = Some(comment);
                        row.plain(NULL).plain(0)
                    }
                };
                comments.add(&self.map, bucket, row);
            }
            let (text, tag) = words::post(&mut random);
            let row = Row::default().plain(id).plain(author.as_i64()).text(&text).plain(0);
            let row = match tag {
                Some(tag) => {
                    let tagged = Row::default().plain(tag).plain(id).plain(author.as_i64());
                    hashtags.add(&self.map, bucket, tagged);
                    row.text(&entities(&text, tag))
                }
                None => row.plain(NULL),
            };
            posts.add(&self.map, bucket, row);
            counts.add(
                &self.map,
                bucket,
                Row::default().plain(id).plain(fans.len()).plain(said).plain(0),
            );
        }
        Made { rows: vec![counts, likes, comments, replies, hashtags, posts], people: Vec::new() }
    }
}

/// What is stored beside a text that ends with a hashtag.
fn entities(text: &str, tag: &str) -> String {
    let units = |text: &str| i32::try_from(text.encode_utf16().count()).unwrap_or_default();
    let end = units(text);
    let reference = Reference::Hashtag(tag.to_owned());
    let found = Entities(vec![Entity { start: end - units(tag) - 1, end, reference }]);
    found.to_stored().unwrap_or_default().to_string()
}
