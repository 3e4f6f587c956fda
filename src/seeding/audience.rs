//! Who has viewed somebody's posts, over the last thirty days.

use std::collections::BTreeSet;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::numbered;
use super::world::{DAY_MS, DAYS};
use plaza_base::ids::{Id, PostId, UserId};

/// An hour, in milliseconds: a post counts once a viewer and hour.
const HOUR_MS: i64 = 3_600_000;
/// Views that are drawn; a few fall together.
const DRAWN: u64 = 420;

/// That a post was viewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Viewing {
    /// Which.
    pub post: PostId,
    /// By whom.
    pub viewer: UserId,
    /// When, Unix milliseconds.
    pub at_ms: i64,
}

/// Views of these posts by these users: half of them in the last day up to `until_ms` (Unix
/// milliseconds), the others over thirty days, none before its post was written.
pub fn views(seed: u64, posts: &[PostId], viewers: &[UserId], until_ms: i64) -> Vec<Viewing> {
    let mut seen = BTreeSet::new();
    let drawn = (0..DRAWN).filter_map(|number| {
        let random = &mut numbered(seed, "views", number);
        let span = if random.random_ratio(1, 2) { DAY_MS } else { DAYS * DAY_MS };
        let at_ms = until_ms - random.random_range(0..span);
        let there: Vec<PostId> = posts
            .iter()
            .copied()
            .filter(|post| post.created_at().timestamp_millis() <= at_ms)
            .collect();
        let (post, viewer) = (*there.choose(random)?, *viewers.choose(random)?);
        seen.insert((post, viewer, at_ms.div_euclid(HOUR_MS))).then_some(Viewing {
            post,
            viewer,
            at_ms,
        })
    });
    drawn.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::{Bucket, compose};

    #[test]
    fn views_are_of_posts_that_were_there_once_an_hour_and_half_are_of_the_last_day() {
        let until = 1_767_225_600_000;
        let post =
            |days_ago| PostId::from_i64(compose(until - days_ago * DAY_MS, Bucket::new(5), 0));
        let posts = [post(20), post(3), post(0)];
        let viewers: Vec<UserId> = (1..=40).map(UserId::from_i64).collect();
        let found = views(7, &posts, &viewers, until);
        assert_eq!(found, views(7, &posts, &viewers, until), "the same seed, the same views");
        assert!(found.len() > 200, "{}", found.len());
        for Viewing { post, at_ms, .. } in &found {
            assert!((post.created_at().timestamp_millis()..=until).contains(at_ms));
        }
        let once: BTreeSet<_> =
            found.iter().map(|view| (view.post, view.viewer, view.at_ms / HOUR_MS)).collect();
        assert_eq!(once.len(), found.len());
        let of_the_day = found.iter().filter(|view| view.at_ms > until - DAY_MS).count();
        assert!((found.len() * 2 / 5..found.len() * 9 / 10).contains(&of_the_day), "{of_the_day}");
        assert!(
            views(7, &[], &viewers, until).is_empty() && views(7, &posts, &[], until).is_empty()
        );
    }
}
