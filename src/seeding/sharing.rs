//! Which posts pass on or quote an earlier one. It follows from numbers alone and can be asked from
//! either side, so that a post's chunk holds how often it is shared without the chunks of those
//! that share it.

use super::world::World;

/// How a post shares an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// It only passes it on, and has no text, likes or comments of its own.
    Repost,
    /// It says something about it.
    Quote,
}

/// Of so many posts, about [`REPOSTS`] pass on what was said before, and [`QUOTES`] quote it.
const OF: u64 = 30;
const REPOSTS: u64 = 3;
const QUOTES: u64 = 2;
/// What is shared is one of so many earlier posts.
const REACH: u64 = 48;
/// With more posts than this, those are further apart by number: the same hours lie between.
const CLOSE: u64 = 3_000;

/// A number that belongs to a post, as good as random, for a fraction of what a generator costs:
/// each post asks for that of all that may share it.
fn scrambled(seed: u64, number: u64) -> u64 {
    let mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl World {
    /// Numbers between two of the posts of which a later one shares one.
    fn apart(&self) -> u64 {
        (self.plan.posts / CLOSE).max(1)
    }

    /// How a post would share an earlier one, and how far back by number that lies. The first
    /// person writes everything themselves. Authors take turns, so with fewer posts between the two
    /// than there are people, nobody shares their own, and nobody the same one twice.
    fn drawn(&self, number: u64) -> Option<(Sharing, u64)> {
        let people = self.authors();
        let drawn = scrambled(self.seed, number);
        let sharing = match drawn % OF {
            of if of < REPOSTS => Sharing::Repost,
            of if of < REPOSTS + QUOTES => Sharing::Quote,
            _ => return None,
        };
        let back = (1 + (drawn >> 32) % REACH) * self.apart();
        (back < people && !number.is_multiple_of(people)).then_some((sharing, back))
    }

    /// How the `number`th post shares an earlier one, and which. What only passes on is not shared,
    /// nor is the first: it is the same one however many there are, and so may be there already.
    pub(super) fn shared_by(&self, number: u64) -> Option<(Sharing, u64)> {
        let (sharing, back) = self.drawn(number)?;
        let shared = number.checked_sub(back).filter(|shared| *shared > 0)?;
        let is_repost = matches!(self.drawn(shared), Some((Sharing::Repost, _)));
        (!is_repost).then_some((sharing, shared))
    }

    /// The posts that share the `number`th, and how.
    pub(super) fn sharers_of(&self, number: u64) -> impl Iterator<Item = (Sharing, u64)> {
        let apart = self.apart();
        (1..=REACH)
            .map(move |step| number + step * apart)
            .take_while(|later| *later < self.plan.posts)
            .filter_map(move |later| {
                let (sharing, shared) = self.shared_by(later)?;
                (shared == number).then_some((sharing, later))
            })
    }
}
