//! Runs of state machines that follow from a seed alone: which message is lost, delayed or doubled,
//! which process pauses or dies, and what is done next. For tests only.
//!
//! The machines are those of production, whose decisions are kept apart from their input and
//! output; a simulation gives them a model of the stores instead. It is a function from a
//! [`Chance`] to a verdict, without a thread, a clock or a socket, so that a seed is the same run
//! each time.

mod chance;

pub use chance::Chance;

#[cfg(debug_assertions)]
use plaza_base::seeded::{Bug, during};

/// Seeds of one machine in one run of the tests, counted from 0.
pub const SEEDS: u64 = 10_000;

/// What a run comes to: `Err` is the promise that was broken, in words.
pub type Verdict = Result<(), String>;

/// Holds a promise: `Err` with what is said of it where it is broken.
///
/// # Errors
/// The promise is broken.
pub fn promise(kept: bool, broken: impl FnOnce() -> String) -> Verdict {
    if kept { Ok(()) } else { Err(broken()) }
}

/// Runs a machine under the seeds that failed once, then under [`SEEDS`] others.
///
/// # Panics
/// With the seed, what it did and the promise that it broke, at the first that breaks one.
pub fn hold(failed_once: &[u64], run: impl Fn(&mut Chance) -> Verdict) {
    let seeds = failed_once.iter().copied().chain(0..SEEDS);
    if let Some(told) = first_broken(seeds, run) {
        panic!("{told}");
    }
}

/// The first of [`SEEDS`] seeds under which a promise is broken, in words; `None`: none is. For
/// machines with a bug that was put there on purpose.
pub fn broken(run: impl Fn(&mut Chance) -> Verdict) -> Option<String> {
    first_broken(0..SEEDS, run)
}

/// The promise that a machine breaks with this bug in it, in words; empty: it keeps them all, and
/// nobody would see the bug.
#[cfg(debug_assertions)]
pub fn with_bug(bug: Bug, run: impl Fn(&mut Chance) -> Verdict) -> String {
    during(bug, || broken(run)).unwrap_or_default()
}

fn first_broken(
    mut seeds: impl Iterator<Item = u64>,
    run: impl Fn(&mut Chance) -> Verdict,
) -> Option<String> {
    let seed = seeds.find(|seed| run(&mut Chance::of(*seed)).is_err())?;
    // Once more, and this time it is written down.
    let mut chance = Chance::told(seed);
    let broken = run(&mut chance).err().unwrap_or_else(|| "not the same run twice".to_owned());
    Some(format!("seed {seed}: {broken}\n{}", chance.history().join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter that must not come to five ones in a row.
    fn coins(chance: &mut Chance) -> Verdict {
        let mut ones = 0;
        for _ in 0..20 {
            ones = if chance.one_in(2) { ones + 1 } else { 0 };
            chance.tell(|| format!("{ones} in a row"));
            promise(ones < 5, || "five ones".to_owned())?;
        }
        Ok(())
    }

    #[test]
    fn a_seed_is_the_same_run_each_time_and_says_what_it_did() {
        let told = broken(coins).unwrap();
        assert_eq!(broken(coins).unwrap(), told);
        assert!(told.starts_with("seed ") && told.ends_with("5 in a row"), "{told}");
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut chance = Chance::of(7);
        let mut met = [0_u32; 10];
        for _ in 0..10_000 {
            met[chance.below(10)] += 1;
        }
        assert!(met.iter().all(|met| (850..1_150).contains(met)), "{met:?}");
        assert_eq!((chance.below(0), chance.pick::<u8>(&[])), (0, None));
    }
}
