//! Putting sources together without a gap. Pure.

use plaza_base::ids::{Id, PostId};

/// What one source knows: some posts, and down to where it knows all of them.
#[derive(Debug, Clone)]
pub struct Source {
    /// Post ids in any order.
    pub posts: Vec<PostId>,
    /// Every post above this id is among `posts`.
    pub horizon: i64,
}

/// What several sources know together, below a cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    /// Newest first, each once, all above `horizon`.
    pub posts: Vec<PostId>,
    /// Down to where the posts are complete; 0: to the first post ever.
    pub horizon: i64,
}

/// Merges: only what is above every source's horizon is certain to be without a gap.
pub fn merge(sources: &[Source], below: i64) -> Merged {
    let horizon = sources.iter().map(|source| source.horizon).max().unwrap_or_default();
    let mut posts: Vec<PostId> = sources
        .iter()
        .flat_map(|source| &source.posts)
        .copied()
        .filter(|post| post.as_i64() > horizon && post.as_i64() < below)
        .collect();
    posts.sort_unstable_by(|a, b| b.cmp(a));
    posts.dedup();
    Merged { posts, horizon }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn posts(ids: impl IntoIterator<Item = i64>) -> Vec<PostId> {
        ids.into_iter().map(PostId::from_i64).collect()
    }

    #[test]
    fn nothing_below_the_newest_horizon_is_emitted() {
        let pushed = Source { posts: posts([9, 7, 5]), horizon: 4 };
        let pulled = Source { posts: posts([8, 6]), horizon: 5 };
        assert_eq!(
            merge(&[pushed, pulled], i64::MAX),
            Merged { posts: posts([9, 8, 7, 6]), horizon: 5 }
        );
    }

    #[test]
    fn any_sources_merge_to_what_a_full_list_would_show() {
        let mut random = StdRng::seed_from_u64(1);
        for _ in 0..2_000 {
            let mut truth = BTreeSet::new();
            let sources: Vec<Source> = (0..random.random_range(1..4))
                .map(|_| {
                    let all: Vec<i64> = (0..random.random_range(0..30))
                        .map(|_| random.random_range(1..100))
                        .collect();
                    truth.extend(all.iter().copied());
                    let horizon = random.random_range(0..60);
                    // Repeats, and some that are below the horizon, are what redelivery and
                    // lateness leave.
                    let held = all
                        .iter()
                        .copied()
                        .filter(|id| *id > horizon || random.random_bool(0.3))
                        .chain(all.first().copied());
                    let held: Vec<i64> = held.collect();
                    Source { posts: posts(held), horizon }
                })
                .collect();
            let below = random.random_range(1..120);
            let merged = merge(&sources, below);
            let must =
                posts(truth.iter().rev().copied().filter(|id| *id > merged.horizon && *id < below));
            assert_eq!(merged.posts, must);
        }
    }
}
