//! Keys under a seeded scheduler: clients that send a mutation again, also while an attempt is at
//! work; attempts that die before or after their commit; the same key for another input.

use std::collections::BTreeMap;

use super::super::tx::Effects;
use super::{Answer, Named, Standing};
use plaza_base::ids::{Id, UserId};
use plaza_simulation::{Chance, Verdict, promise};
use plaza_stores::postgres::idempotency_keys::Stored;

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const STEPS: usize = 40;
const KEYS: usize = 3;

/// A shard: what is stored under each key, and what was done under it, by input.
#[derive(Default)]
struct World {
    keys: BTreeMap<String, Stored>,
    done: BTreeMap<(usize, u8), Vec<i64>>,
    answered: BTreeMap<(usize, u8), i64>,
    rows: i64,
}

fn named(key: usize, input: u8) -> Named {
    let (name, user) = (format!("k{key}"), UserId::from_i64(1));
    let payload_hash = vec![input];
    Named { user, operation: "postCreate", payload_hash, name, claimed_as: None, may_repeat: true }
}

impl World {
    /// An attempt: its transaction has the key to itself. The answer that the client gets, if the
    /// process lives so long.
    fn attempt(&mut self, key: usize, input: u8, chance: &mut Chance) -> Result<(), String> {
        let named = named(key, input);
        let Ok(standing) = named.read(self.keys.get(&named.name).cloned()) else {
            chance.tell(|| format!("key {key} with input {input} is a conflict"));
            return Ok(());
        };
        let row = match standing {
            Standing::Answered(answer) => {
                answer.into_value::<i64>().map_err(|error| error.to_string())?.0
            }
            Standing::New if chance.one_in(4) => return Ok(()),
            Standing::New => self.write(named, (key, input))?,
        };
        chance.tell(|| format!("key {key} with input {input} is answered {row}"));
        if chance.one_in(4) {
            return Ok(());
        }
        let before = *self.answered.entry((key, input)).or_insert(row);
        promise(before == row, || format!("key {key} is answered {before}, then {row}"))
    }

    /// The rows, and the answer under the key, in one transaction.
    fn write(&mut self, named: Named, of: (usize, u8)) -> Result<i64, String> {
        self.rows += 1;
        self.done.entry(of).or_default().push(self.rows);
        let answer =
            Answer::of(&self.rows, &Effects::default()).map_err(|error| error.to_string())?;
        let Named { operation, payload_hash, name, .. } = named;
        let operation = operation.to_owned();
        self.keys.insert(name, Stored { operation, payload_hash, answer, is_new: false });
        Ok(self.rows)
    }
}

fn run(chance: &mut Chance) -> Verdict {
    let mut world = World::default();
    for _ in 0..STEPS {
        let input = u8::from(chance.one_in(6));
        world.attempt(chance.below(KEYS), input, chance)?;
    }
    for key in 0..KEYS {
        let done: Vec<&Vec<i64>> =
            world.done.iter().filter(|((of, _), _)| *of == key).map(|(_, rows)| rows).collect();
        let many: usize = done.iter().map(|rows| rows.len()).sum();
        promise(many <= 1, || format!("under key {key} {many} are done"))?;
    }
    Ok(())
}

#[test]
fn under_a_key_one_mutation_is_done_once_and_is_answered_the_same_each_time() {
    plaza_simulation::hold(FAILED_ONCE, run);
}

#[test]
#[cfg(debug_assertions)]
fn a_replay_that_ignores_its_key_is_seen() {
    use plaza_base::seeded::Bug;
    let seen = plaza_simulation::with_bug(Bug::KeyIgnoredOnReplay, run);
    assert!(seen.contains("is answered") || seen.contains("are done"), "{seen}");
}
