//! What there will be, in steps, each of them in chunks that can be made by themselves.

use std::sync::Arc;

use parking_lot::Mutex;

use super::graph::Follows;
use super::rows::Rows;
use plaza_base::ids::{Id, UserId, compose};
use plaza_stores::postgres::ShardMap;

pub(super) const DAY_MS: i64 = 86_400_000;
/// Days over which what is seeded came to be.
pub(super) const DAYS: i64 = 30;
/// Follows that are sorted by whom they go to at a time: 12 bytes each.
const SORTED_AT_ONCE: u64 = 6_000_000;
/// About as many rows make a chunk.
const CHUNK_ROWS: u64 = 100_000;

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

/// A kind of rows, in the order they are loaded: what belongs to a row comes before the row, so
/// that nobody can act on one that is half there; users come last, so that nobody can open one
/// before everything of theirs is there; and of them the first comes after all others: where there
/// is a first user, the seeding is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The followed side of follows.
    Followers,
    /// The follower's side.
    Follows,
    /// Posts with their likes, comments, reposts, quotes and counts.
    Posts,
    /// Products.
    Products,
    /// Orders with their lines, payments and reservations.
    Orders,
    /// Handles and e-mail addresses.
    Claims,
    /// Everybody but the first.
    People,
    /// The first.
    First,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Followers,
        Self::Follows,
        Self::Posts,
        Self::Products,
        Self::Orders,
        Self::Claims,
        Self::People,
        Self::First,
    ];

    /// What operators call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Followers => "followers",
            Self::Follows => "follows",
            Self::Posts => "posts, likes, comments",
            Self::Products => "products",
            Self::Orders => "orders",
            Self::Claims => "handles",
            Self::People => "people",
            Self::First => "the first person",
        }
    }
}

/// A chunk.
#[derive(Debug, Default)]
pub struct Made {
    /// Rows, table by table in the order they are loaded.
    pub rows: Vec<Rows>,
    /// Users among them, whose counts are derived in the same transaction.
    pub people: Vec<UserId>,
}

/// A follow, seen from whom it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Followed {
    pub followee: u32,
    pub follower: u32,
    /// The how manyeth follow of the follower it is.
    pub place: u32,
}

/// Follows to a range of users, sorted.
#[derive(Debug)]
pub(super) struct Sorted {
    pass: u64,
    pub follows: Vec<Followed>,
}

/// Everything that is to be made.
#[derive(Debug)]
pub struct World {
    pub(super) map: ShardMap,
    pub(super) seed: u64,
    /// The beginning of seeded time, Unix milliseconds.
    beginning_ms: i64,
    /// Everybody who can write, sell and buy.
    pub(super) people: Vec<UserId>,
    /// Whether they are made too, with this hash of their one password; else they were there.
    pub(super) password_hash: Option<String>,
    pub(super) follows: Follows,
    pub(super) plan: Plan,
    sorted: Mutex<Option<Arc<Sorted>>>,
}

fn size(number: usize) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

impl World {
    /// Users who are made, and whatever they do.
    pub fn of_new_people(
        map: ShardMap,
        seed: u64,
        people: Vec<UserId>,
        password_hash: String,
        follows: Follows,
        plan: Plan,
        beginning_ms: i64,
    ) -> Self {
        Self {
            map,
            seed,
            beginning_ms,
            people,
            password_hash: Some(password_hash),
            follows,
            plan,
            sorted: Mutex::default(),
        }
    }

    /// What users who are there do.
    pub fn of_people(
        map: ShardMap,
        seed: u64,
        people: Vec<UserId>,
        plan: Plan,
        beginning_ms: i64,
    ) -> Self {
        Self {
            map,
            seed,
            beginning_ms,
            people,
            password_hash: None,
            follows: Follows::Listed(Vec::new()),
            plan,
            sorted: Mutex::default(),
        }
    }

    /// What determines a step's rows: where it was done under this name, it is not done again.
    pub fn name(&self, step: Step) -> String {
        let people = match (&self.password_hash, self.people.first(), self.people.last()) {
            (None, Some(first), Some(last)) => {
                format!("{} people, {} to {}", self.people.len(), first.as_i64(), last.as_i64())
            }
            _ => format!("{} people", self.people.len()),
        };
        let what = match step {
            Step::Followers | Step::Follows => self.follows.name(),
            // Not as it was named before posts shared each other: those are others.
            Step::Posts => format!("{} and shares", self.plan.posts),
            Step::Products => self.plan.products.to_string(),
            Step::Orders => format!("{} of {}", self.plan.orders, self.plan.products),
            Step::Claims | Step::People | Step::First => String::new(),
        };
        format!("2: seed {}, {people}, {step:?} {what}", self.seed).trim_end().to_owned()
    }

    /// Rows of a step, about.
    pub fn expected(&self, step: Step) -> u64 {
        let people = if self.password_hash.is_some() { size(self.people.len()) } else { 0 };
        match step {
            Step::Followers | Step::Follows => self.follows.expected(),
            Step::Posts => self.plan.posts * 7,
            Step::Products => self.plan.products,
            Step::Orders => self.plan.orders * 5,
            Step::Claims => people * 2,
            Step::People => people.saturating_sub(1),
            Step::First => people.min(1),
        }
    }

    /// Things of a step in one chunk.
    fn per_chunk(step: Step) -> u64 {
        match step {
            Step::Posts => CHUNK_ROWS / 7,
            Step::Orders => CHUNK_ROWS / 5,
            Step::Follows => CHUNK_ROWS / 50,
            Step::Claims | Step::People => CHUNK_ROWS / 4,
            Step::Followers | Step::Products | Step::First => CHUNK_ROWS,
        }
    }

    fn things(&self, step: Step) -> u64 {
        match step {
            Step::Posts => self.plan.posts,
            Step::Products => self.plan.products,
            Step::Orders => self.plan.orders,
            Step::Followers | Step::Follows if self.follows.expected() == 0 => 0,
            _ if self.password_hash.is_none() => 0,
            Step::First => size(self.people.len()).min(1),
            _ => size(self.people.len()),
        }
    }

    /// How many chunks a step has.
    pub fn chunks(&self, step: Step) -> u64 {
        match step {
            Step::Followers if self.things(step) > 0 => size(self.ranges().len()).saturating_sub(1),
            _ => self.things(step).div_ceil(Self::per_chunk(step)),
        }
    }

    /// Makes a chunk.
    pub fn make(&self, step: Step, chunk: u64) -> Made {
        let from = chunk * Self::per_chunk(step);
        let numbers = from..(from + Self::per_chunk(step)).min(self.things(step));
        match step {
            Step::Followers => self.make_followers(chunk),
            Step::Follows => self.make_follows(numbers),
            Step::Posts => self.make_posts(numbers),
            Step::Products => self.make_products(numbers),
            Step::Orders => self.make_orders(numbers),
            Step::Claims => self.make_claims(numbers),
            Step::People => self.make_people(numbers.start.max(1)..numbers.end),
            Step::First => self.make_people(0..1),
        }
    }

    /// How many there are who write in turn; never 0.
    pub(super) fn authors(&self) -> u64 {
        size(self.people.len()).max(1)
    }

    /// A user by number.
    pub(super) fn person(&self, number: u64) -> Option<UserId> {
        self.people.get(usize::try_from(number).ok()?).copied()
    }

    /// A moment in the first thirty seeded days: the `number`th of `of`, so that ids of one kind
    /// never meet.
    pub(super) fn moment(&self, number: u64, of: u64) -> i64 {
        let step = (DAYS * DAY_MS / i64::try_from(of.max(1)).unwrap_or(i64::MAX)).max(1);
        let offset = i64::try_from(self.seed % 997).unwrap_or_default();
        self.beginning_ms + DAY_MS + offset + step * i64::try_from(number).unwrap_or_default()
    }

    /// The id of a user's follow. Two users's follows are milliseconds apart, unless they are of
    /// different buckets or places.
    pub(super) fn follow_id(&self, follower: u32, place: u32) -> i64 {
        let (number, people) = (u64::from(follower), size(self.people.len()));
        let at = self.moment(number, people) + i64::from(place);
        compose(
            at,
            self.person(number).map_or(plaza_base::ids::Bucket::new(0), Id::bucket),
            sequence(u64::from(place)),
        )
    }

    fn ranges(&self) -> Vec<u32> {
        let parts = self.follows.expected().div_ceil(CHUNK_ROWS);
        self.follows.ranges(
            u32::try_from(self.people.len()).unwrap_or(u32::MAX),
            u32::try_from(parts).unwrap_or(u32::MAX),
        )
    }

    /// The range of users of a chunk of followers, and all the follows that it is cut out of: the
    /// follows are gone through once for so many chunks as may be sorted at once.
    pub(super) fn sorted(&self, chunk: u64) -> (std::ops::Range<u32>, Arc<Sorted>) {
        let ranges = self.ranges();
        let at =
            |index: u64| usize::try_from(index).ok().and_then(|index| ranges.get(index)).copied();
        let end = ranges.last().copied().unwrap_or_default();
        let range = at(chunk).unwrap_or(end)..at(chunk + 1).unwrap_or(end);
        let chunks_a_pass = SORTED_AT_ONCE / CHUNK_ROWS;
        let pass = chunk / chunks_a_pass;
        let mut held = self.sorted.lock();
        let sorted = match held.as_ref().filter(|sorted| sorted.pass == pass) {
            Some(sorted) => Arc::clone(sorted),
            None => {
                // The last pass's follows go first: two of them are never held.
                *held = None;
                let of_pass = at(pass * chunks_a_pass).unwrap_or(end)
                    ..at((pass + 1) * chunks_a_pass).unwrap_or(end);
                Arc::clone(held.insert(Arc::new(Sorted { pass, follows: self.followed(&of_pass) })))
            }
        };
        (range, sorted)
    }

    /// All follows to a range of users, sorted, gone through by as many threads as there are
    /// cores.
    fn followed(&self, range: &std::ops::Range<u32>) -> Vec<Followed> {
        let people = u32::try_from(self.people.len()).unwrap_or(u32::MAX);
        let threads = std::thread::available_parallelism()
            .map_or(1, |threads| u32::try_from(threads.get()).unwrap_or(1));
        let share = people.div_ceil(threads.max(1)).max(1);
        let mut follows: Vec<Followed> = std::thread::scope(|scope| {
            let parts: Vec<_> = (0..threads)
                .map(|part| {
                    let followers = part.saturating_mul(share).min(people)
                        ..(part + 1).saturating_mul(share).min(people);
                    scope.spawn(move || {
                        let mut found = Vec::new();
                        for follower in followers {
                            for (place, followee) in (0_u32..).zip(self.follows.of(follower)) {
                                if range.contains(&followee) {
                                    found.push(Followed { followee, follower, place });
                                }
                            }
                        }
                        found
                    })
                })
                .collect();
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        });
        follows.sort_unstable();
        follows
    }
}

/// The sequence part of an id of the `number`th thing.
pub(super) fn sequence(number: u64) -> u16 {
    u16::try_from(number % 4_096).unwrap_or_default()
}

#[cfg(test)]
mod tests;
