//! What there will be: people, whom they follow, what they write, sell and buy.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::rows::{Row, Rows, Table};
use super::words;
use crate::ids::{Bucket, Id, UserId, compose};
use crate::stores::postgres::ShardMap;

/// The beginning of seeded time: 2026-01-01T00:00:00Z, Unix milliseconds.
const BEGINNING_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

/// A post is loaded after what belongs to it, so beside one that is there everything is there, and has had a life since: nothing comes back.
const OF_NEW_POSTS: &str = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = incoming.post_id)";
const USERS: Table = Table { name: "users", columns: "id, handle, email, display_name, bio, password_hash", taken: "true" };
const HANDLES: Table = Table { name: "handle_claims", columns: "handle, user_id", taken: "true" };
const EMAILS: Table = Table { name: "email_claims", columns: "email, user_id", taken: "true" };
const FOLLOWS: Table = Table { name: "follows", columns: "follower_id, followee_id, id, version, active", taken: "true" };
const FOLLOWERS: Table = Table { name: "followers", columns: "followee_id, follower_id, follow_id, active", taken: "true" };
const POSTS: Table = Table { name: "posts", columns: "id, author_id, text, version", taken: "true" };
const LIKES: Table = Table { name: "likes", columns: "post_id, user_id", taken: OF_NEW_POSTS };
const COMMENTS: Table = Table { name: "comments", columns: "id, post_id, author_id, text", taken: OF_NEW_POSTS };
const POST_COUNTS: Table = Table { name: "post_counts", columns: "post_id, like_count, comment_count, version", taken: "true" };
const PRODUCTS: Table =
    Table { name: "products", columns: "id, seller_id, title, description, price_amount, price_currency, stock, version", taken: "true" };
const ORDERS: Table = Table { name: "orders", columns: "id, buyer_id, status, total_amount, total_currency, version", taken: "true" };
const LINES: Table = Table { name: "order_lines", columns: "order_id, product_id, quantity, unit_amount", taken: "true" };
const PAYMENTS: Table = Table { name: "payments", columns: "order_id, amount, currency, status, reference", taken: "true" };
const RESERVATIONS: Table =
    Table { name: "reservations", columns: "order_id, product_id, quantity, amount, status, sold_at", taken: "true" };
const VERSIONS: Table = Table { name: "projection_versions", columns: "projection, aggregate, version", taken: "true" };

/// How much of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Posts.
    pub posts: u64,
    /// Products.
    pub products: u64,
    /// Orders, each of one product that exists.
    pub orders: u64,
}

/// A product that can be ordered.
#[derive(Debug, Clone, Copy)]
struct Offer {
    id: i64,
    bucket: Bucket,
    amount: i64,
    sold: i64,
}

/// Rows in the making.
#[derive(Debug)]
pub struct World<'a> {
    map: &'a ShardMap,
    random: StdRng,
    seed: u64,
    /// What has been made, table by table, in the order it must be loaded: what others are told by (versions) and what belongs to a row come
    /// before the row, so that nobody can act on one that is half there, and an interruption leaves nothing that a projection would stumble over.
    pub rows: Vec<Rows>,
}

/// `count` people. Their ids, and so their buckets, follow from the seed and their number.
pub fn people(count: u64, seed: u64) -> Vec<UserId> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|number| {
            let bucket = Bucket::new(random.random());
            UserId::from_i64(compose(BEGINNING_MS + i64::try_from(number).unwrap_or_default(), bucket, sequence(number)))
        })
        .collect()
}

/// The `number`th person's handle.
pub fn handle(number: usize) -> String {
    if number == 0 { "alice".to_owned() } else { format!("u{number:06}") }
}

/// The e-mail address that goes with a handle.
pub fn email(handle: &str) -> String {
    format!("{handle}@example.org")
}

fn sequence(number: u64) -> u16 {
    u16::try_from(number % 4_096).unwrap_or_default()
}

/// Reads an edge list, `a b` a line: how many people there are, and who follows whom (both ways, each once).
///
/// # Errors
/// A file that is not there, or a line that is not two numbers.
pub fn follows_of_file(file: &Path) -> anyhow::Result<(u64, Vec<(u64, u64)>)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut follows = BTreeSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with(['#', '%'])) {
        let mut ends = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(a)), Some(Ok(b))) = (ends.next(), ends.next()) else {
            anyhow::bail!("{}:{}: not two numbers: {line}", file.display(), number + 1);
        };
        if a != b {
            follows.insert((a, b));
            follows.insert((b, a));
        }
    }
    let people = follows.iter().map(|(a, _)| a + 1).max().unwrap_or_default();
    Ok((people, follows.into_iter().collect()))
}

/// Follows among `people` with a power law: few are followed by very many.
pub fn follows_of_users(people: u64, mean: f64, seed: u64) -> Vec<(u64, u64)> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x666f_6c6c_6f77);
    let mut follows = BTreeSet::new();
    let size = f64::from(u32::try_from(people).unwrap_or(u32::MAX));
    for follower in 0..people {
        // Pareto with exponent 2 around the mean, so that some follow many.
        let wanted = (mean / 2.0 / random.random_range(0.05_f64..1.0).sqrt()).round().min(size - 1.0);
        let mut left = wanted;
        while left >= 1.0 {
            // The cube favours low numbers: person 0 is the best known.
            let share: f64 = random.random::<f64>().powi(3);
            let followee = floor(share * size).min(people.saturating_sub(1));
            if followee != follower {
                follows.insert((follower, followee));
            }
            left -= 1.0;
        }
    }
    follows.into_iter().collect()
}

/// The whole part of a number that is not negative.
fn floor(number: f64) -> u64 {
    format!("{:.0}", number.floor()).parse().unwrap_or_default()
}

impl<'a> World<'a> {
    /// An empty one.
    pub fn new(map: &'a ShardMap, seed: u64) -> Self {
        Self { map, random: StdRng::seed_from_u64(seed ^ 0x0077_6f72_6c64), seed, rows: Vec::new() }
    }

    /// A moment in the first thirty seeded days: the `number`th of `of`, so that ids of one kind never meet.
    fn moment(&self, number: u64, of: u64) -> i64 {
        let step = 30 * DAY_MS / i64::try_from(of.max(1)).unwrap_or(i64::MAX).max(1);
        let offset = i64::try_from(self.seed % 997).unwrap_or_default();
        BEGINNING_MS + DAY_MS + offset + step.max(1) * i64::try_from(number).unwrap_or_default()
    }

    /// Accounts, all with one password: the claims to be loaded first, and apart from them the first person, who is loaded when all else is done.
    pub fn accounts(&mut self, people: &[UserId], password_hash: &str) -> Rows {
        let (mut first, mut users) = (Rows::new(USERS), Rows::new(USERS));
        let (mut handles, mut emails) = (Rows::new(HANDLES), Rows::new(EMAILS));
        for (number, user) in people.iter().enumerate() {
            let (handle, id) = (handle(number), user.as_i64());
            let email = email(&handle);
            let name = if number == 0 { "Alice".to_owned() } else { format!("Person {number}") };
            let row = Row::default().plain(id).text(&handle).text(&email).text(&name).text("Seeded.").text(password_hash);
            let of = if number == 0 { &mut first } else { &mut users };
            of.add(self.map, user.bucket(), row);
            handles.add(self.map, Bucket::of_text(&handle), Row::default().text(&handle).plain(id));
            emails.add(self.map, Bucket::of_text(&email), Row::default().text(&email).plain(id));
        }
        self.rows.extend([handles, emails, users]);
        first
    }

    /// Both sides of every follow.
    pub fn follows(&mut self, people: &[UserId], follows: &[(u64, u64)]) {
        let (mut own, mut others, mut versions) = (Rows::new(FOLLOWS), Rows::new(FOLLOWERS), Rows::new(VERSIONS));
        let of = u64::try_from(follows.len()).unwrap_or(1);
        let person = |number: u64| usize::try_from(number).ok().and_then(|number| people.get(number)).copied();
        for (number, (follower, followee)) in (0_u64..).zip(follows) {
            let (Some(follower), Some(followee)) = (person(*follower), person(*followee)) else { continue };
            let id = compose(self.moment(number, of), follower.bucket(), sequence(number));
            let (a, b) = (follower.as_i64(), followee.as_i64());
            own.add(self.map, follower.bucket(), Row::default().plain(a).plain(b).plain(id).plain(1).plain("t"));
            others.add(self.map, followee.bucket(), Row::default().plain(b).plain(a).plain(id).plain("t"));
            let edge = format!("edge:{a}:{b}");
            versions.add(self.map, followee.bucket(), Row::default().plain("followers").plain(&edge).plain(1));
            versions.add(self.map, follower.bucket(), Row::default().plain("profile_counts").plain(&edge).plain(1));
        }
        self.rows.extend([versions, others, own]);
    }

    /// Posts with likes and comments.
    pub fn posts(&mut self, people: &[UserId], count: u64) {
        let (mut posts, mut likes, mut comments) = (Rows::new(POSTS), Rows::new(LIKES), Rows::new(COMMENTS));
        let (mut counts, mut versions) = (Rows::new(POST_COUNTS), Rows::new(VERSIONS));
        let mut comment_number = 0_u64;
        for number in 0..count {
            // One each in turn, so that everybody has something to show.
            let turn = usize::try_from(number).unwrap_or_default() % people.len().max(1);
            let Some(author) = people.get(turn).copied() else { return };
            let (at, bucket) = (self.moment(number, count), author.bucket());
            let id = compose(at, bucket, sequence(number));
            let wanted = self.random.random_range(0..8);
            let fans: BTreeSet<i64> = people.choose_multiple(&mut self.random, wanted).map(|fan| fan.as_i64()).collect();
            for fan in &fans {
                likes.add(self.map, bucket, Row::default().plain(id).plain(fan));
            }
            let said = self.random.random_range(0..4_i64);
            for reply in 0..said {
                let Some(by) = people.choose(&mut self.random) else { return };
                let comment = compose(at + 60_000 * (reply + 1), bucket, sequence(comment_number));
                comment_number += 1;
                let text = words::comment(&mut self.random);
                comments.add(self.map, bucket, Row::default().plain(comment).plain(id).plain(by.as_i64()).text(text));
            }
            let liked = i64::try_from(fans.len()).unwrap_or_default();
            let version = 1 + liked + said;
            posts.add(
                self.map,
                bucket,
                Row::default().plain(id).plain(author.as_i64()).text(&words::post(&mut self.random)).plain(version),
            );
            counts.add(self.map, bucket, Row::default().plain(id).plain(liked).plain(said).plain(version));
            for projection in ["post_counts", "profile_counts"] {
                versions.add(self.map, bucket, Row::default().plain(projection).plain(format!("post:{id}")).plain(version));
            }
        }
        self.rows.extend([versions, counts, likes, comments, posts]);
    }

    /// Products, and confirmed orders of them.
    pub fn shop(&mut self, people: &[UserId], products: u64, orders: u64) {
        let mut offers: Vec<Offer> = Vec::new();
        let mut titles: HashMap<i64, (i64, String)> = HashMap::new();
        for number in 0..products {
            let Some(seller) = people.choose(&mut self.random).copied() else { return };
            let id = compose(self.moment(number, products), seller.bucket(), sequence(number));
            let amount = i64::from(self.random.random_range(2..200_u32)) * 100 - 1;
            titles.insert(id, (seller.as_i64(), words::product(&mut self.random)));
            offers.push(Offer { id, bucket: seller.bucket(), amount, sold: 0 });
        }
        let sales = self.orders(people, &mut offers, orders);
        let (mut rows, mut versions) = (Rows::new(PRODUCTS), Rows::new(VERSIONS));
        for offer in &offers {
            let Some((seller, title)) = titles.get(&offer.id) else { continue };
            let row = Row::default().plain(offer.id).plain(seller).text(title).text("Made by hand, one at a time.").plain(offer.amount);
            rows.add(self.map, offer.bucket, row.plain("EUR").plain(100).plain(1 + offer.sold));
            let product = format!("product:{}", offer.id);
            versions.add(self.map, offer.bucket, Row::default().plain("product_sales").plain(product).plain(1 + offer.sold));
        }
        self.rows.extend([versions, rows]);
        self.rows.extend(sales);
    }

    fn orders(&mut self, people: &[UserId], offers: &mut [Offer], count: u64) -> [Rows; 4] {
        let (mut orders, mut lines, mut payments) = (Rows::new(ORDERS), Rows::new(LINES), Rows::new(PAYMENTS));
        let mut reservations = Rows::new(RESERVATIONS);
        for number in 0..count {
            let chosen = self.random.random_range(0..offers.len().max(1));
            let (Some(buyer), Some(offer)) = (people.choose(&mut self.random).copied(), offers.get_mut(chosen)) else { break };
            offer.sold += 1;
            let offer = *offer;
            let at = self.moment(number, count);
            let id = compose(at, buyer.bucket(), sequence(number));
            let sold_at = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default().to_rfc3339();
            let quantity = self.random.random_range(1..=3_i64);
            let total = offer.amount * quantity;
            orders.add(
                self.map,
                buyer.bucket(),
                Row::default().plain(id).plain(buyer.as_i64()).plain("CONFIRMED").plain(total).plain("EUR").plain(4),
            );
            lines.add(self.map, buyer.bucket(), Row::default().plain(id).plain(offer.id).plain(quantity).plain(offer.amount));
            let paid = Row::default().plain(id).plain(total).plain("EUR").plain("CAPTURED").plain(format!("sim-{id}"));
            payments.add(self.map, buyer.bucket(), paid);
            let sold = Row::default().plain(id).plain(offer.id).plain(quantity).plain(total).plain("SOLD").plain(sold_at);
            reservations.add(self.map, offer.bucket, sold);
        }
        [reservations, payments, lines, orders]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_and_follows() {
        assert_eq!(people(100, 7), people(100, 7));
        assert_ne!(people(100, 7), people(100, 8));
        assert_eq!(follows_of_users(200, 20.0, 7), follows_of_users(200, 20.0, 7));
    }

    #[test]
    fn few_are_followed_by_many() {
        let follows = follows_of_users(1_000, 20.0, 1);
        let mut followers = vec![0_usize; 1_000];
        for (follower, followee) in &follows {
            assert_ne!(follower, followee);
            followers[usize::try_from(*followee).unwrap()] += 1;
        }
        let mean = follows.len() / 1_000;
        followers.sort_unstable();
        assert!((10..40).contains(&mean), "{mean}");
        assert!(followers[999] > 10 * mean, "{}", followers[999]);
        assert!(followers[500] < mean, "{}", followers[500]);
    }
}
