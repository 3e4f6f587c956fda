//! Posts, with who likes and shares them and what is said of them.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::rows::{Row, Rows, Table};
use super::sharing::Sharing;
use super::world::{Made, World, sequence};
use super::{names, numbered, words};
use plaza_base::ids::{Bucket, Id, UserId, compose};
use plaza_stores::postgres::entities::{Entities, Entity, Reference};

/// A post is loaded after what belongs to it, so beside one that is there everything is there, and
/// has had a life since: nothing comes back.
const OF_NEW_POSTS: &str = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = incoming.post_id)";
const POSTS: Table = Table {
    name: "posts",
    columns: "id, author_id, text, version, entities, repost_of, quoted_post_id",
    taken: "true",
};
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
const POST_COUNTS: Table = Table {
    name: "post_counts",
    columns: "post_id, like_count, comment_count, version",
    taken: "true",
};
/// Beside the repost: what its author reposts.
const REPOSTS: Table =
    Table { name: "reposts", columns: "author_id, original_id, post_id", taken: OF_NEW_POSTS };
/// Beside the shared post: what shares it.
const SHARES: Table =
    Table { name: "shares", columns: "post_id, sharing_id, is_quote, active", taken: OF_NEW_POSTS };
const SHARE_COUNTS: Table = Table {
    name: "share_counts",
    columns: "post_id, repost_count, quote_count",
    taken: OF_NEW_POSTS,
};
/// A share has no version of its own: its beginning is an event of version 1, its end of version 2.
/// Who reads those events must know the first, or would wait for it when a seeded share ends.
const VERSIONS: Table =
    Table { name: "projection_versions", columns: "projection, aggregate, version", taken: "true" };
/// The projections that read events of shares.
const READERS_OF_SHARES: [&str; 2] = ["notifications", "shares"];
/// COPY's way to write NULL.
const NULL: &str = "\\N";
/// Comments on a post are fewer.
const COMMENTS_BELOW: u64 = 4;

/// Rows of posts and of what belongs to them.
struct Tables {
    counts: Rows,
    likes: Rows,
    comments: Rows,
    replies: Rows,
    hashtags: Rows,
    share_counts: Rows,
    shares: Rows,
    versions: Rows,
    reposts: Rows,
    posts: Rows,
}

impl Tables {
    fn new() -> Self {
        Self {
            counts: Rows::new(POST_COUNTS),
            likes: Rows::new(LIKES),
            comments: Rows::new(COMMENTS),
            replies: Rows::new(REPLIES),
            hashtags: Rows::new(HASHTAGS),
            share_counts: Rows::new(SHARE_COUNTS),
            shares: Rows::new(SHARES),
            versions: Rows::new(VERSIONS),
            reposts: Rows::new(REPOSTS),
            posts: Rows::new(POSTS),
        }
    }

    /// In the order in which they are loaded: the posts after what belongs to them.
    fn made(self) -> Made {
        let rows = vec![
            self.counts,
            self.likes,
            self.comments,
            self.replies,
            self.hashtags,
            self.share_counts,
            self.shares,
            self.versions,
            self.reposts,
            self.posts,
        ];
        Made { rows, people: Vec::new() }
    }
}

/// A post to be made.
#[derive(Clone, Copy)]
struct New {
    number: u64,
    id: i64,
    author: UserId,
    /// When, Unix milliseconds.
    at: i64,
}

impl New {
    fn bucket(&self) -> Bucket {
        self.author.bucket()
    }
}

impl World {
    /// The `number`th post, as far as numbers say what it is.
    fn new_post(&self, number: u64) -> Option<New> {
        let author = self.person(number % self.authors())?;
        let at = self.moment(number, self.plan.posts);
        Some(New { number, id: compose(at, author.bucket(), sequence(number)), author, at })
    }

    /// Posts, by everybody in turn, so that everybody has something to show. All of a post's rows
    /// lie beside it.
    pub(super) fn make_posts(&self, numbers: Range<u64>) -> Made {
        let mut rows = Tables::new();
        for new in numbers.filter_map(|number| self.new_post(number)) {
            let shared = self.shared_by(new.number).and_then(|(sharing, shared)| {
                let shared = self.new_post(shared)?;
                Some((sharing, shared.id))
            });
            match shared {
                Some((Sharing::Repost, original)) => self.add_repost(&mut rows, new, original),
                Some((Sharing::Quote, quoted)) => self.add_post(&mut rows, new, Some(quoted)),
                None => self.add_post(&mut rows, new, None),
            }
        }
        rows.made()
    }

    fn add_repost(&self, rows: &mut Tables, new: New, original: i64) {
        let (New { id, author, .. }, bucket) = (new, new.bucket());
        let row = Row::default().plain(author.as_i64()).plain(original).plain(id);
        rows.reposts.add(&self.map, bucket, row);
        let row = Row::default().plain(id).plain(author.as_i64()).text("").plain(0);
        rows.posts.add(&self.map, bucket, row.plain(NULL).plain(original).plain(NULL));
    }

    fn add_post(&self, rows: &mut Tables, new: New, quoted: Option<i64>) {
        let (New { id, author, .. }, bucket) = (new, new.bucket());
        let mut random = numbered(self.seed, "posts", new.number);
        let wanted = random.random_range(0..8);
        let fans: BTreeSet<i64> =
            self.people.choose_multiple(&mut random, wanted).map(|fan| fan.as_i64()).collect();
        for fan in &fans {
            rows.likes.add(&self.map, bucket, Row::default().plain(id).plain(fan));
        }
        let said = self.add_comments(rows, new, &mut random);
        let row = Row::default().plain(id).plain(fans.len()).plain(said).plain(0);
        rows.counts.add(&self.map, bucket, row);
        self.add_sharers(rows, new);

        let row = Row::default().plain(id).plain(author.as_i64());
        let row = if let Some(quoted) = quoted {
            row.text(words::quote(&mut random)).plain(0).plain(NULL).plain(NULL).plain(quoted)
        } else {
            let mentioned = self.mentioned(new.number, &mut random);
            let handle = mentioned.as_ref().map(|(_, handle)| handle.as_str());
            let (text, tag) = words::post(&mut random, handle);
            if let Some(tag) = tag {
                let tagged = Row::default().plain(tag).plain(id).plain(author.as_i64());
                rows.hashtags.add(&self.map, bucket, tagged);
            }
            let row = row.text(&text).plain(0);
            let row = match entities(&text, mentioned, tag) {
                Some(entities) => row.text(&entities),
                None => row.plain(NULL),
            };
            row.plain(NULL).plain(NULL)
        };
        rows.posts.add(&self.map, bucket, row);
    }

    /// What is said of a post; how many comments that are.
    fn add_comments(&self, rows: &mut Tables, new: New, random: &mut StdRng) -> u64 {
        let (New { number, id, author, at }, bucket) = (new, new.bucket());
        let said = random.random_range(0..COMMENTS_BELOW);
        let mut before: Option<i64> = None;
        for reply in 0..said {
            let Some(by) = self.people.choose(random) else { continue };
            // Now and then the author answers the comment before.
            let answered = before.take().filter(|_| random.random_ratio(2, 5));
            let by = if answered.is_some() { &author } else { by };
            let minutes = i64::try_from(reply + 1).unwrap_or_default();
            let comment =
                compose(at + 60_000 * minutes, bucket, sequence(number * COMMENTS_BELOW + reply));
            let text = match answered {
                Some(_) => words::answer(random),
                None => words::comment(random),
            };
            let row = Row::default().plain(comment).plain(id).plain(by.as_i64()).text(text);
            let row = match answered {
                Some(parent) => {
                    let reply = Row::default().plain(parent).plain(comment);
                    rows.replies.add(&self.map, bucket, reply);
                    row.plain(parent).plain(1)
                }
                None => {
                    before = Some(comment);
                    row.plain(NULL).plain(0)
                }
            };
            rows.comments.add(&self.map, bucket, row);
        }
        said
    }

    /// What shares a post, counted.
    fn add_sharers(&self, rows: &mut Tables, new: New) {
        let (mut reposts, mut quotes, bucket) = (0, 0, new.bucket());
        for (sharing, number) in self.sharers_of(new.number) {
            let Some(New { id: sharer, .. }) = self.new_post(number) else { continue };
            let is_quote = match sharing {
                Sharing::Repost => {
                    reposts += 1;
                    "f"
                }
                Sharing::Quote => {
                    quotes += 1;
                    "t"
                }
            };
            let row = Row::default().plain(new.id).plain(sharer).plain(is_quote).plain("t");
            rows.shares.add(&self.map, bucket, row);
            for projection in READERS_OF_SHARES {
                let aggregate = format!("share:{sharer}:{}", new.id);
                let row = Row::default().plain(projection).plain(aggregate).plain(1);
                rows.versions.add(&self.map, bucket, row);
            }
        }
        if reposts + quotes > 0 {
            let row = Row::default().plain(new.id).plain(reposts).plain(quotes);
            rows.share_counts.add(&self.map, bucket, row);
        }
    }

    /// Somebody whom the author of a post follows and mentions in it, with their handle; only of
    /// people who are made are handles known.
    fn mentioned(&self, number: u64, random: &mut StdRng) -> Option<(UserId, String)> {
        self.password_hash.as_ref()?;
        if !random.random_ratio(1, 12) {
            return None;
        }
        let author = u32::try_from(number % self.authors()).ok()?;
        let followed = u64::from(*self.follows.of(author).choose(random)?);
        Some((self.person(followed)?, names::handle(followed)))
    }
}

/// What is stored beside a text that may mention somebody and may end with a hashtag.
fn entities(text: &str, mentioned: Option<(UserId, String)>, tag: Option<&str>) -> Option<String> {
    let units = |text: &str| i32::try_from(text.encode_utf16().count()).unwrap_or_default();
    let mut found = Vec::new();
    if let Some((person, handle)) = mentioned {
        let before = text.split_once(&format!("@{handle}")).map(|(before, _)| units(before));
        found.extend(before.map(|start| {
            let end = start + 1 + units(&handle);
            Entity { start, end, reference: Reference::User(person) }
        }));
    }
    if let Some(tag) = tag {
        let (end, reference) = (units(text), Reference::Hashtag(tag.to_owned()));
        found.push(Entity { start: end - units(tag) - 1, end, reference });
    }
    Entities(found).to_stored().map(|stored| stored.to_string())
}
