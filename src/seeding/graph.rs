//! Who follows whom: drawn user by user, so that nobody need hold the whole of it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use rand::Rng;

use super::numbered;

/// Up to so many users, the best known is followed by nearly everybody, so that a small system has
/// somebody whose post is a burst too.
const SMALL: u32 = 10_000;
/// Beyond: the share of users who follow the best known.
const BEST_KNOWN: f64 = 0.1;

/// Who follows whom. Users are numbers, from 0.
#[derive(Debug)]
pub enum Follows {
    /// As a file lists it: (follower, followee), sorted, each once.
    Listed(Vec<(u32, u32)>),
    /// A power law among so many users: few are followed by very many. Everything follows from the
    /// seed.
    Drawn {
        /// Users.
        people: u32,
        /// Users followed, on average.
        mean: f64,
        /// Of the uniform number that a followee is drawn by: the higher, the more the low numbers
        /// are favoured.
        exponent: f64,
        /// Random seed.
        seed: u64,
    },
}

/// Reads an edge list, `a b` a line: how many users there are, and who follows whom (both ways,
/// each once).
///
/// # Errors
/// A file that is not there, or a line that is not two numbers.
pub fn follows_of_file(file: &Path) -> anyhow::Result<(u32, Follows)> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut follows = BTreeSet::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with(['#', '%']))
    {
        let mut ends = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (Some(Ok(a)), Some(Ok(b))) = (ends.next(), ends.next()) else {
            anyhow::bail!("{}:{}: not two numbers: {line}", file.display(), number + 1);
        };
        if a != b {
            follows.insert((a, b));
            follows.insert((b, a));
        }
    }
    let people = follows.iter().map(|(a, _)| a.saturating_add(1)).max().unwrap_or_default();
    Ok((people, Follows::Listed(follows.into_iter().collect())))
}

impl Follows {
    /// Drawn among `people`, each of whom follows `mean` others on average.
    pub fn drawn(people: u32, mean: f64, seed: u64) -> Self {
        let exponent = if people <= SMALL {
            3.0
        } else {
            // Of `mean` draws, one must be user 0 with probability BEST_KNOWN; one draw is, with
            // users^(-1 / exponent).
            let one_draw = 1.0 - (1.0 - BEST_KNOWN).powf(1.0 / mean.max(1.0));
            (f64::from(people).ln() / -one_draw.ln()).max(1.0)
        };
        Self::Drawn { people, mean, exponent, seed }
    }

    /// Whom a user follows, sorted, each once.
    pub fn of(&self, follower: u32) -> Vec<u32> {
        match self {
            Self::Listed(edges) => {
                let begin = edges.partition_point(|(a, _)| *a < follower);
                edges
                    .iter()
                    .skip(begin)
                    .take_while(|(a, _)| *a == follower)
                    .map(|(_, b)| *b)
                    .collect()
            }
            Self::Drawn { people, mean, exponent, seed } => {
                let mut random = numbered(*seed, "follows", u64::from(follower));
                let size = f64::from(*people);
                // Pareto with exponent 2, cut off, around the mean, so that some follow many:
                // 1.6345 is the mean of the root's inverse.
                let wanted = whole(
                    (mean / 1.6345 / random.random_range(0.05_f64..1.0).sqrt())
                        .round()
                        .min(size - 1.0),
                );
                let mut followees: Vec<u32> = (0..wanted)
                    .map(|_| {
                        whole(random.random::<f64>().powf(*exponent) * size)
                            .min(people.saturating_sub(1))
                    })
                    .filter(|followee| *followee != follower)
                    .collect();
                followees.sort_unstable();
                followees.dedup();
                followees
            }
        }
    }

    /// About how many follows there are; rather too many than too few.
    pub fn expected(&self) -> u64 {
        match self {
            Self::Listed(edges) => u64::try_from(edges.len()).unwrap_or_default(),
            Self::Drawn { people, mean, .. } => u64::from(*people) * u64::from(whole(mean.ceil())),
        }
    }

    /// The users, cut into at most `parts` ranges with about as many followers each: the first
    /// number of every range, and the end.
    pub fn ranges(&self, people: u32, parts: u32) -> Vec<u32> {
        let exponent = match self {
            Self::Listed(_) => 1.0,
            Self::Drawn { exponent, .. } => *exponent,
        };
        let parts = parts.max(1);
        let mut bounds: Vec<u32> = (0..parts)
            .map(|part| {
                whole((f64::from(part) / f64::from(parts)).powf(exponent) * f64::from(people))
            })
            .collect();
        bounds.push(people);
        bounds.dedup();
        bounds
    }

    /// What distinguishes it from others.
    pub fn name(&self) -> String {
        match self {
            Self::Listed(edges) => {
                let sum = edges.iter().fold(0_u64, |sum, (a, b)| {
                    sum.wrapping_mul(31).wrapping_add(u64::from(*a) << 32 | u64::from(*b))
                });
                format!("listed {sum:x}")
            }
            Self::Drawn { people, mean, .. } => format!("drawn {people} {mean}"),
        }
    }
}

/// The whole part of a number; 0 for what is negative, the greatest for what is too great.
#[expect(
    clippy::as_conversions,
    reason = "saturates, and fifty million draws cannot go through text"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followers(people: u32, mean: f64) -> Vec<usize> {
        let follows = Follows::drawn(people, mean, 1);
        let mut followers = vec![0_usize; usize::try_from(people).unwrap()];
        for follower in 0..people {
            let followees = follows.of(follower);
            assert_eq!(followees, follows.of(follower), "the same seed, the same follows");
            assert!(!followees.contains(&follower));
            for followee in followees {
                followers[usize::try_from(followee).unwrap()] += 1;
            }
        }
        followers
    }

    #[test]
    fn few_are_followed_by_many() {
        let mut followers = followers(1_000, 20.0);
        let mean = followers.iter().sum::<usize>() / 1_000;
        followers.sort_unstable();
        assert!((10..=20).contains(&mean), "{mean}");
        assert!(followers[999] > 10 * mean, "{}", followers[999]);
        assert!(followers[500] < mean, "{}", followers[500]);
    }

    #[test]
    fn in_a_large_graph_a_tenth_follow_the_best_known_and_the_mean_is_what_was_asked() {
        let followers = followers(20_000, 50.0);
        let mean = followers.iter().sum::<usize>() / 20_000;
        assert!((48..=50).contains(&mean), "{mean}");
        assert!((1_800..2_200).contains(&followers[0]), "{}", followers[0]);
        assert!(followers[0] >= *followers.iter().max().unwrap() * 9 / 10);
    }

    #[test]
    fn ranges_cover_everybody_once() {
        let follows = Follows::drawn(100_000, 50.0, 1);
        let bounds = follows.ranges(100_000, 40);
        assert_eq!((bounds[0], bounds[bounds.len() - 1]), (0, 100_000));
        assert!(bounds.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_listed_graph_goes_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edges");
        std::fs::write(&file, "# comment\n0 2\n2 0\n1 1\n2 3\n").unwrap();
        let (people, follows) = follows_of_file(&file).unwrap();
        std::fs::write(&file, "0 x\n").unwrap();
        assert!(follows_of_file(&file).is_err());
        assert_eq!(people, 4);
        assert_eq!((follows.of(0), follows.of(1), follows.of(2)), (vec![2], vec![], vec![0, 3]));
    }
}
