//! A change of the shard map under a seeded scheduler: processes that start, freeze, connect and
//! write while buckets are dealt out anew, by a run that may end at any step and begins again.

use std::collections::BTreeSet;

use super::{MapInUse, StoredMap};
use crate::postgres::routing::{ShardIndex, ShardMap};
use plaza_base::ids::Bucket;
use plaza_simulation::{Chance, Verdict, promise};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const STEPS: usize = 120;
const SHARDS: usize = 2;
/// The bucket that is written. It moves whenever there is one shard more or less.
const BUCKET: u64 = 1;

/// A shard: the maps that it has stored, whether it says that buckets are moved, and the bucket's
/// rows.
struct Shard {
    map: ShardMap,
    is_moving: bool,
    rows: BTreeSet<u64>,
}

/// A connection: it is there before it has asked anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    Opening,
    Open,
}

/// A process, from when it has read a map.
struct Process {
    in_use: MapInUse,
    map: ShardMap,
    connections: [Option<Connection>; SHARDS],
}

/// How far a run of the rebalance has come.
#[derive(Clone, PartialEq, Eq)]
enum Deal {
    Begin(usize),
    Look(usize),
    Copy,
    Store(usize),
    Delete,
    End(usize),
}

struct World {
    shards: Vec<Shard>,
    processes: [Option<Process>; 2],
    deal: Option<(Deal, ShardMap)>,
    writes: u64,
    acknowledged: BTreeSet<u64>,
}

impl World {
    fn new(map: &ShardMap) -> Self {
        let shard = || Shard { map: map.clone(), is_moving: false, rows: BTreeSet::new() };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            processes: [None, None],
            deal: None,
            writes: 0,
            acknowledged: BTreeSet::new(),
        }
    }

    /// The map in force: the newest on any shard.
    fn in_force(&self) -> ShardMap {
        let newest = self.shards.iter().map(|shard| &shard.map).max_by_key(|map| map.version);
        newest.cloned().unwrap_or_else(|| ShardMap::even(SHARDS))
    }

    fn home(map: &ShardMap) -> usize {
        map.shard_of(Bucket::new(BUCKET)).0
    }

    fn process(&mut self, number: usize, chance: &mut Chance) -> Verdict {
        let Some(mut process) = self.processes[number].take() else {
            let (in_use, map) = (MapInUse::default(), self.in_force());
            chance.tell(|| format!("process {number} starts by map {}", map.version));
            in_use.set(map.version);
            self.processes[number] = Some(Process { in_use, map, connections: [None; SHARDS] });
            return Ok(());
        };
        let home = Self::home(&process.map);
        match process.connections[home] {
            None => process.connections[home] = Some(Connection::Opening),
            Some(Connection::Opening) => {
                let shard = &self.shards[home];
                let (version, is_moving) = (shard.map.version, shard.is_moving);
                let checked = process.in_use.check(home, Some(StoredMap { version, is_moving }));
                chance.tell(|| format!("process {number} connects to {home}: {checked:?}"));
                process.connections[home] = checked.ok().map(|()| Connection::Open);
                if process.in_use.is_old().is_cancelled() {
                    return Ok(());
                }
            }
            Some(Connection::Open) if chance.one_in(5) => process.connections[home] = None,
            Some(Connection::Open) => {
                self.writes += 1;
                chance.tell(|| format!("process {number} writes {} to {home}", self.writes));
                self.shards[home].rows.insert(self.writes);
                self.acknowledged.insert(self.writes);
                let owner = Self::home(&self.in_force());
                promise(owner == home, || {
                    format!("{} is acknowledged by {home}, the bucket is {owner}'s", self.writes)
                })?;
            }
        }
        self.processes[number] = Some(process);
        Ok(())
    }

    fn is_anybody_at(&self, shard: usize) -> bool {
        self.processes.iter().flatten().any(|process| process.connections[shard].is_some())
    }

    /// The next step of a rebalance, to the map that is to be.
    fn deal(&mut self, maps: &[ShardMap; 2], chance: &mut Chance) {
        let Some((step, new)) = self.deal.take() else {
            let old = self.in_force();
            let other = maps.iter().find(|map| Self::home(map) != Self::home(&old));
            if let Some(other) = other {
                let new = ShardMap::from_stored(old.version + 1, &other.to_stored(), SHARDS);
                self.deal = new.map(|new| (Deal::Begin(0), new));
            }
            return;
        };
        let (from, to) = (1 - Self::home(&new), Self::home(&new));
        let next = match step {
            Deal::Begin(shard) => {
                self.shards[shard].is_moving = true;
                if shard + 1 < SHARDS { Deal::Begin(shard + 1) } else { Deal::Look(0) }
            }
            // Somebody may not have seen it.
            Deal::Look(shard) if self.is_anybody_at(shard) => Deal::End(0),
            Deal::Look(shard) if shard + 1 < SHARDS => Deal::Look(shard + 1),
            Deal::Look(_) => Deal::Copy,
            Deal::Copy => {
                self.shards[to].rows = self.shards[from].rows.clone();
                Deal::Store(0)
            }
            Deal::Store(shard) => {
                self.shards[shard].map = new.clone();
                if shard + 1 < SHARDS { Deal::Store(shard + 1) } else { Deal::Delete }
            }
            Deal::Delete => {
                self.shards[from].rows.clear();
                Deal::End(0)
            }
            Deal::End(shard) => {
                self.shards[shard].is_moving = false;
                if shard + 1 == SHARDS {
                    return;
                }
                Deal::End(shard + 1)
            }
        };
        chance.tell(|| format!("map {} is to be: moving {:?}", new.version, self.moving()));
        self.deal = Some((next, new));
    }

    fn moving(&self) -> Vec<bool> {
        self.shards.iter().map(|shard| shard.is_moving).collect()
    }

    /// It ends where it is: some of the shards have the new map, or none. Whoever runs it again
    /// goes on with the map that is in force by then.
    fn interrupt(&mut self) {
        let in_force = self.in_force();
        let Some((_, new)) = self.deal.take() else { return };
        let step = match new.version == in_force.version {
            true => Deal::Store(0),
            false => Deal::Begin(0),
        };
        self.deal = Some((step, new));
    }
}

fn run(maps: &[ShardMap; 2], chance: &mut Chance) -> Verdict {
    let mut world = World::new(&maps[0]);
    for _ in 0..STEPS {
        match chance.below(16) {
            0..8 => world.process(chance.below(2), chance)?,
            8 => world.processes[chance.below(2)] = None,
            9 if chance.one_in(3) => world.interrupt(),
            _ => world.deal(maps, chance),
        }
    }
    let home = World::home(&world.in_force());
    let mut lost = world.acknowledged.difference(&world.shards[home].rows);
    let lost = lost.next();
    promise(lost.is_none(), || format!("{lost:?} was acknowledged, and is not on shard {home}"))
}

fn maps() -> [ShardMap; 2] {
    let two = ShardMap::even(SHARDS);
    let one = two.dealt_over(1);
    assert_ne!(two.shard_of(Bucket::new(BUCKET)), one.shard_of(Bucket::new(BUCKET)));
    assert_eq!(two.shard_of(Bucket::new(BUCKET)), ShardIndex(1));
    [two, one]
}

#[test]
fn no_write_is_acknowledged_by_a_shard_that_does_not_have_the_bucket() {
    let maps = maps();
    plaza_simulation::hold(FAILED_ONCE, |chance| run(&maps, chance));
}

#[test]
#[cfg(debug_assertions)]
fn a_process_that_goes_on_by_an_old_map_is_seen() {
    use plaza_base::seeded::Bug;
    let maps = maps();
    let seen = plaza_simulation::with_bug(Bug::OldMapGoesOn, |chance| run(&maps, chance));
    assert!(seen.contains("the bucket is"), "{seen}");
}
