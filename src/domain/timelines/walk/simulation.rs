//! Fan-outs under a seeded scheduler: followers come and go meanwhile, and a walk that dies begins
//! again.

use std::collections::BTreeSet;

use super::{Step, Walk};
use plaza_base::ids::{Id, UserId};
use plaza_simulation::{Chance, Verdict, promise};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const AUTHOR: i64 = 1;
/// Followers read at a time.
const CHUNK: usize = 3;

fn user(chance: &mut Chance) -> UserId {
    UserId::from_i64(i64::try_from(2 + chance.below(20)).unwrap_or_default())
}

fn run(chance: &mut Chance) -> Verdict {
    let many = chance.below(16);
    let mut followers: BTreeSet<UserId> = (0..many).map(|_| user(chance)).collect();
    // Who follows all the while.
    let mut faithful = followers.clone();
    let (mut walk, mut reached) = (Walk::of(UserId::from_i64(AUTHOR)), BTreeSet::new());
    for _ in 0..200 {
        match chance.below(12) {
            0 => drop(followers.insert(user(chance))),
            1 => {
                let one = user(chance);
                followers.remove(&one);
                faithful.remove(&one);
            }
            2 if chance.one_in(4) => walk = Walk::of(UserId::from_i64(AUTHOR)),
            _ => {
                let Step::Read(after) = walk.step() else { break };
                let next = followers.iter().filter(|user| after.is_none_or(|after| **user > after));
                let chunk: Vec<UserId> = next.take(CHUNK).copied().collect();
                let is_full = chunk.len() == CHUNK;
                let users = walk.found(chunk, is_full);
                chance.tell(|| format!("after {after:?}: {users:?}"));
                // As `fan_out`: nobody more is the end.
                if users.is_empty() {
                    break;
                }
                reached.extend(users);
            }
        }
    }
    let missed: Vec<&UserId> = faithful.difference(&reached).collect();
    promise(missed.is_empty(), || format!("nothing is pushed to {missed:?}"))?;
    promise(reached.contains(&UserId::from_i64(AUTHOR)), || {
        "the author has no post of theirs".to_owned()
    })
}

#[test]
fn everybody_who_follows_all_the_while_is_reached() {
    plaza_simulation::hold(FAILED_ONCE, run);
}

#[test]
#[cfg(debug_assertions)]
fn a_fan_out_that_drops_a_page_is_seen() {
    use plaza_base::seeded::Bug;
    let seen = plaza_simulation::with_bug(Bug::FanOutDropsPage, run);
    assert!(seen.contains("nothing is pushed to"), "{seen}");
}
