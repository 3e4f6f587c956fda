//! The cache under a seeded scheduler: processes that are cut off from Redis, freeze in the middle
//! of a load or a poll and die with invalidations that they could not send; a Redis that is
//! emptied, restarted and restored from an old dump.

use std::time::Duration;

use tokio::time::Instant;

use super::{Generation, Polled, Stale, Trust};
use crate::redis::entry::{decode, encode, is_of, may_fill, over};
use crate::redis::invalidation::{TOMBSTONE, tombstone};
use plaza_simulation::{Chance, Verdict, promise};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const STEPS: usize = 120;
const PROCESSES: usize = 3;
/// How long trust lasts, and a value is kept.
const LASTS: Duration = Duration::from_secs(1);
const KEPT_MS: u64 = 60_000;
/// How far a replica that serves may lag.
const LAG_MS: u64 = 2_000;

/// What Redis holds: one value, and the hash of its generation.
#[derive(Debug, Clone, Default)]
struct Memory {
    value: Option<(String, u64)>,
    generation: Option<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    run: u64,
    memory: String,
    nonce: String,
    epoch: i64,
}

#[derive(Default)]
struct Server {
    run: u64,
    names: u64,
    memory: Memory,
    dump: Memory,
}

/// A value on its way from a replica.
struct Loading {
    version: i64,
    generation: Generation,
    began_ms: u64,
}

/// A poll of a generation on its way.
struct Polling {
    raised: u64,
    began: Instant,
    asked_at: Instant,
    epoch: i64,
}

struct Process {
    trust: Trust,
    /// The server process that its connections lead to, and when Redis failed last.
    run: u64,
    failed_at: Option<Instant>,
    is_cut: bool,
    epoch: Option<(i64, Instant)>,
    polling: Option<Polling>,
    /// The version that whatever it loads must have.
    fresh_since: i64,
    loading: Vec<Loading>,
    written: Vec<i64>,
}

struct World {
    began: Instant,
    now_ms: u64,
    server: Server,
    processes: Vec<Process>,
    epoch: i64,
    /// The row's versions with when each was committed.
    commits: Vec<u64>,
    /// Versions that are invalidated: from when on nobody may be served an older one.
    settled: Vec<(u64, i64)>,
    /// What projectors have still to invalidate: the events come again.
    events: Vec<i64>,
}

/// As `fill.lua`: an older version never replaces a newer one.
fn fill(memory: &mut Memory, version: i64, bytes: String, (now_ms, kept_ms): (u64, u64)) {
    let held = memory.value.as_ref().filter(|(_, until)| *until > now_ms);
    let held = held.and_then(|(held, _)| {
        held.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i64>().ok()
    });
    if held.is_none_or(|held| held <= version) {
        memory.value = Some((bytes, now_ms + kept_ms));
    }
}

/// The one row, as a write has made it old.
fn stale(version: i64) -> Stale {
    Stale { kind: "post".into(), id: 1, version, is_local: false }
}

impl Server {
    /// As `generation.lua`.
    fn poll(&mut self, epoch: i64) -> Polled {
        self.names += 1;
        let name = format!("g{}", self.names);
        let run = self.run;
        let held = self.memory.generation.get_or_insert_with(|| Held {
            run,
            memory: name.clone(),
            nonce: name.clone(),
            epoch: 0,
        });
        if held.run != run {
            *held = Held { run, memory: name.clone(), nonce: name.clone(), epoch: held.epoch };
        }
        if epoch > held.epoch {
            held.epoch = epoch;
            held.nonce = name;
        }
        Polled { generation: held.nonce.as_str().into(), memory: held.memory.clone() }
    }
}

impl Process {
    fn new(run: u64) -> Self {
        let trust = Trust::new(LASTS);
        trust.polls_required.store(true, std::sync::atomic::Ordering::Release);
        Self {
            trust,
            run,
            failed_at: None,
            is_cut: false,
            epoch: None,
            polling: None,
            fresh_since: 0,
            loading: Vec::new(),
            written: Vec::new(),
        }
    }
}

impl World {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            now_ms: 100_000,
            server: Server::default(),
            processes: (0..PROCESSES).map(|_| Process::new(0)).collect(),
            epoch: 0,
            commits: vec![0],
            settled: Vec::new(),
            events: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms)
    }

    fn newest(&self) -> i64 {
        i64::try_from(self.commits.len()).unwrap_or_default()
    }

    /// Whether a process reaches Redis; one that does not, or whose connections are those to the
    /// server before, knows that.
    fn reaches(&mut self, number: usize) -> bool {
        let (now, run) = (self.now(), self.server.run);
        let process = &mut self.processes[number];
        let reaches = !process.is_cut && process.run == run;
        if !reaches {
            process.failed_at = Some(now);
            process.run = run;
        }
        reaches
    }

    fn settle(&mut self, version: i64, after: Duration) {
        let after = u64::try_from(after.as_millis()).unwrap_or_default();
        self.settled.push((self.now_ms + after, version));
    }

    fn invalidate(&mut self, version: i64) {
        let kept = u64::try_from(TOMBSTONE.as_millis()).unwrap_or_default();
        fill(&mut self.server.memory, version, tombstone(version), (self.now_ms, kept));
        self.settle(version, Duration::ZERO);
    }

    /// Sends what a write, or an event that comes again, has made old; keeps it when that fails.
    fn send(&mut self, number: usize, version: i64, chance: &mut Chance) {
        let reaches = self.reaches(number);
        chance.tell(|| format!("{number} invalidates {version}: {reaches}"));
        if reaches {
            self.invalidate(version);
        } else {
            let stale = stale(version);
            self.processes[number].trust.defer_values(&[stale]);
        }
    }

    /// Sends again what failed, or raises the epoch instead.
    fn retry(&mut self, number: usize, chance: &mut Chance) {
        let pending = self.processes[number].trust.pending.lock().clone();
        if pending.is_empty() {
            return;
        }
        let versions: Vec<i64> = pending.values.values().map(|stale| stale.version).collect();
        if self.reaches(number) {
            chance.tell(|| format!("{number} invalidates after all {versions:?}"));
            for version in versions {
                self.invalidate(version);
            }
            self.processes[number].trust.delivered(&pending);
        } else if chance.one_in(2) {
            chance.tell(|| format!("{number} raises the epoch for {versions:?}"));
            self.epoch += 1;
            for version in versions {
                self.settle(version, LASTS);
            }
            self.processes[number].trust.discard(&pending);
        }
    }

    fn ask_epoch(&mut self, number: usize) {
        let (epoch, now) = (self.epoch, self.now());
        self.processes[number].epoch = Some((epoch, now));
    }

    fn poll(&mut self, number: usize, chance: &mut Chance) {
        let (now, newest) = (self.now(), self.newest());
        let process = &mut self.processes[number];
        let Some(polling) = process.polling.take() else {
            let raised = process.trust.raised.load(std::sync::atomic::Ordering::Acquire);
            process.polling = process.epoch.map(|(epoch, asked_at)| Polling {
                raised,
                began: now,
                asked_at,
                epoch,
            });
            return;
        };
        if !self.reaches(number) {
            return;
        }
        let polled = self.server.poll(polling.epoch);
        chance.tell(|| format!("{number} polls {polled:?}"));
        let process = &mut self.processes[number];
        if !process.trust.is_current(&polled) {
            process.fresh_since = newest;
        }
        process.trust.believe(polled, polling.began, polling.asked_at, polling.raised);
    }

    fn generation(&self, number: usize) -> Option<Generation> {
        let process = &self.processes[number];
        let has_failed_since = |at| process.failed_at.is_some_and(|failed| failed >= at);
        process.trust.generation(self.now(), has_failed_since)
    }

    /// A read: of what Redis holds, or past it.
    fn read(&mut self, number: usize, chance: &mut Chance) -> Verdict {
        let Some(generation) = self.generation(number) else { return Ok(()) };
        if !self.reaches(number) {
            return Ok(());
        }
        let now_ms = self.now_ms;
        let held = self.server.memory.value.as_ref().filter(|(_, until)| *until > now_ms);
        let held = held.map(|(bytes, _)| bytes.as_bytes()).filter(|it| is_of(it, &generation));
        match held.and_then(decode::<i64>).flatten() {
            Some(version) => {
                chance.tell(|| format!("{number} is served {version} at {now_ms}"));
                let settled = self.settled.iter().filter(|(from, _)| *from <= now_ms);
                let least = settled.map(|(_, version)| *version).max().unwrap_or_default();
                promise(version >= least, || {
                    format!("{number} is served {version}, and {least} is invalidated")
                })
            }
            None => {
                self.load(number, generation, chance);
                Ok(())
            }
        }
    }

    /// Loads from a replica that may lag, but not behind what the process must have.
    fn load(&mut self, number: usize, generation: Generation, chance: &mut Chance) {
        let since = self.now_ms.saturating_sub(LAG_MS);
        let oldest = self.commits.iter().filter(|at| **at <= since).count();
        let lag = chance.below(self.commits.len() - oldest + 1);
        let process = &mut self.processes[number];
        let version = i64::try_from(oldest + lag).unwrap_or_default().max(process.fresh_since);
        chance.tell(|| format!("{number} loads {version}"));
        process.loading.push(Loading { version, generation, began_ms: self.now_ms });
    }

    fn fill(&mut self, number: usize, chance: &mut Chance) {
        let Some(loaded) = chance.take(&mut self.processes[number].loading) else { return };
        let took_ms = i64::try_from(self.now_ms - loaded.began_ms).unwrap_or_default();
        if !may_fill(took_ms) || !self.reaches(number) {
            return;
        }
        let Loading { version, generation, .. } = loaded;
        chance.tell(|| format!("{number} stores {version} of {generation}"));
        let bytes = encode(version, (0, took_ms), &generation, &version.to_string());
        fill(&mut self.server.memory, over(version), bytes, (self.now_ms, KEPT_MS));
    }

    /// What Redis held is gone, or what it held long ago is back.
    fn lose_memory(&mut self, chance: &mut Chance) {
        match chance.below(4) {
            0 => return self.server.dump = self.server.memory.clone(),
            1 => self.server.memory = Memory::default(),
            kind => {
                let dump = self.server.dump.clone();
                self.server.memory = if kind == 2 { dump } else { Memory::default() };
                self.server.run += 1;
            }
        }
        chance.tell(|| "redis loses its memory".to_owned());
        let until = self.now_ms + u64::try_from(LASTS.as_millis()).unwrap_or_default();
        for (from, _) in &mut self.settled {
            *from = until.max(*from);
        }
    }

    fn kill(&mut self, number: usize) {
        let run = self.server.run;
        let killed = std::mem::replace(&mut self.processes[number], Process::new(run));
        let pending = killed.trust.pending.lock().clone();
        self.events.extend(killed.written);
        self.events.extend(pending.values.values().map(|stale| stale.version));
    }
}

fn run(chance: &mut Chance) -> Verdict {
    let mut world = World::new();
    for _ in 0..STEPS {
        let number = chance.below(PROCESSES);
        match chance.below(32) {
            0..4 => world.now_ms += u64::try_from(chance.below(300)).unwrap_or_default(),
            4 if chance.one_in(4) => world.now_ms += 40_000,
            5..8 => world.ask_epoch(number),
            8..13 => world.poll(number, chance),
            13..15 => {
                world.commits.push(world.now_ms);
                let version = world.newest();
                chance.tell(|| format!("{number} writes {version}"));
                world.processes[number].written.push(version);
            }
            15..18 => {
                if let Some(version) = chance.take(&mut world.processes[number].written) {
                    world.send(number, version, chance);
                }
            }
            18 => {
                if let Some(version) = chance.take(&mut world.events) {
                    world.send(number, version, chance);
                }
            }
            19 | 20 => world.retry(number, chance),
            21..24 => world.fill(number, chance),
            24 if chance.one_in(4) => world.processes[number].is_cut ^= true,
            25 if chance.one_in(3) => world.lose_memory(chance),
            26 if chance.one_in(8) => world.kill(number),
            _ => world.read(number, chance)?,
        }
        world.now_ms += 1;
    }
    Ok(())
}

#[test]
fn nobody_is_served_what_was_invalidated() {
    plaza_simulation::hold(FAILED_ONCE, run);
}

#[test]
#[cfg(debug_assertions)]
fn a_value_that_is_stored_after_its_invalidation_is_seen() {
    use plaza_base::seeded::Bug;
    let seen = plaza_simulation::with_bug(Bug::CacheFilledAfterInvalidation, run);
    assert!(seen.contains("is invalidated"), "{seen}");
}
