//! Failovers under a seeded scheduler: three servers that die, hang and come back, connections
//! between any two of them that break, and two supervisors that see different parts of it, freeze
//! between two steps and begin anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::{Replacement, Step, Watch, astray};
use crate::cli::failover::verdict::{Verdict, primary};
use plaza_simulation::{Chance, Verdict as Kept, promise};
use plaza_stores::postgres::conninfo::fenced;
use plaza_stores::postgres::supervision::Seen;

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[11_119, 131_314];
const STEPS: usize = 100;
const SERVERS: usize = 3;
/// For how long a replica whose primary has gone silent counts as hearing it.
const HEARD: Duration = Duration::from_secs(3);

/// One of a shard's servers.
#[derive(Debug, Clone)]
struct Server {
    is_up: bool,
    is_replica: bool,
    timeline: i64,
    /// The commits that it has, by their numbers.
    log: Vec<u64>,
    /// Whom it follows; `None`: nobody, since it was fenced for that time.
    follows: Option<usize>,
    fence: u64,
    heard: Instant,
    waits_for: String,
}

#[derive(Default)]
struct Supervisor {
    watch: Watch,
    replacement: Option<(Replacement, BTreeSet<usize>)>,
}

struct World {
    now: Instant,
    servers: Vec<Server>,
    /// Connections that are broken: between two servers, and from a supervisor to a server.
    broken: BTreeSet<(usize, usize)>,
    unseen: BTreeSet<(usize, usize)>,
    supervisors: [Supervisor; 2],
    commits: u64,
    fences: u64,
    acknowledged: Vec<u64>,
    /// Who acknowledges on a timeline.
    writers: BTreeMap<i64, usize>,
}

fn address(number: usize) -> (String, u16) {
    ("h".to_owned(), 10 + u16::try_from(number).unwrap_or_default())
}

fn addresses() -> Vec<(String, u16)> {
    (0..SERVERS).map(address).collect()
}

fn names(replicas: impl Iterator<Item = usize>) -> String {
    let names: Vec<String> = replicas.map(|number| format!("r{number}")).collect();
    format!("ANY 1 ({})", names.join(", "))
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let server = |number: usize| Server {
            is_up: true,
            is_replica: number > 0,
            timeline: 1,
            log: Vec::new(),
            follows: (number > 0).then_some(0),
            fence: 0,
            heard: now,
            waits_for: names((0..SERVERS).filter(|other| *other != number)),
        };
        Self {
            now,
            servers: (0..SERVERS).map(server).collect(),
            broken: BTreeSet::new(),
            unseen: BTreeSet::new(),
            supervisors: Default::default(),
            commits: 0,
            fences: 0,
            acknowledged: Vec::new(),
            writers: BTreeMap::new(),
        }
    }

    fn is_linked(&self, one: usize, other: usize) -> bool {
        !self.broken.contains(&(one.min(other), one.max(other)))
            && self.servers[one].is_up
            && self.servers[other].is_up
    }

    /// Somebody writes to a server, whoever they believe it is.
    fn write(&mut self, number: usize) {
        let server = &mut self.servers[number];
        if server.is_up && !server.is_replica {
            self.commits += 1;
            server.log.push(self.commits);
        }
    }

    /// A replica hears its primary, and gets some of its log: what was waited for is acknowledged.
    fn stream(&mut self, number: usize, chance: &mut Chance) -> Kept {
        let Some(of) = self.servers[number].follows.filter(|_| self.servers[number].is_replica)
        else {
            return Ok(());
        };
        if !self.is_linked(number, of) || self.servers[of].is_replica {
            return Ok(());
        }
        let source = self.servers[of].clone();
        let now = self.now;
        let replica = &mut self.servers[number];
        if !source.log.starts_with(&replica.log) || source.timeline < replica.timeline {
            return Ok(());
        }
        replica.heard = now;
        let more = source.log.len() - replica.log.len();
        let got = replica.log.len() + if chance.one_in(2) { more } else { chance.below(more + 1) };
        replica.log = source.log.get(..got).unwrap_or_default().to_vec();
        replica.timeline = source.timeline;
        if !source.waits_for.contains(&format!("r{number}")) {
            return Ok(());
        }
        let known: Vec<u64> = self.acknowledged.clone();
        let acknowledged = source.log.iter().take(got).filter(|commit| !known.contains(commit));
        for commit in acknowledged {
            chance.tell(|| format!("{commit} is acknowledged by {of} through {number}"));
            let writer = self.writers.entry(source.timeline).or_insert(of);
            promise(*writer == of, || format!("timeline {} has two writers", source.timeline))?;
            let other =
                self.servers.iter().find(|it| !it.is_replica && it.timeline > source.timeline);
            promise(other.is_none(), || {
                format!("{of} acknowledges {commit}, and another one is promoted")
            })?;
            self.acknowledged.push(*commit);
        }
        Ok(())
    }

    fn seen_by(&self, supervisor: usize) -> Vec<Option<Seen>> {
        let seen = |(number, server): (usize, &Server)| {
            let is_seen = server.is_up && !self.unseen.contains(&(supervisor, number));
            is_seen.then(|| Seen {
                is_replica: server.is_replica,
                timeline: server.timeline,
                place: u64::try_from(server.log.len()).unwrap_or_default(),
                hears: server.is_replica
                    && server.follows.is_some()
                    && self.now.duration_since(server.heard) < HEARD,
                waits_for: server.waits_for.clone(),
                follows: match server.follows {
                    Some(of) => format!("host=h port={}", address(of).1),
                    None => fenced("host=h", "h", &server.fence.to_string()),
                },
            })
        };
        self.servers.iter().enumerate().map(seen).collect()
    }

    fn may_tell(&self, supervisor: usize, number: usize) -> bool {
        self.servers[number].is_up && !self.unseen.contains(&(supervisor, number))
    }

    /// A round of a supervisor's, or the next step of what it is at.
    fn supervise(&mut self, number: usize, chance: &mut Chance) -> Kept {
        let mut supervisor = std::mem::take(&mut self.supervisors[number]);
        let ended = match supervisor.replacement.take() {
            None => {
                let seen = self.seen_by(number);
                match supervisor.watch.look(&seen, self.now) {
                    Verdict::Well(primary) => {
                        if supervisor.watch.may_bring_together(&seen, primary, self.now) {
                            self.bring_together(number, &seen, primary);
                        }
                    }
                    Verdict::FailOver(old) => {
                        chance.tell(|| format!("supervisor {number} replaces {old}"));
                        let others = (0..SERVERS).filter(|other| *other != old).collect();
                        supervisor.replacement = Some((Replacement::of(old, self.now), others));
                    }
                    Verdict::Wait(_) | Verdict::Cannot(_) => {}
                }
                Ok(())
            }
            Some(at_work) => self.replace(number, &mut supervisor, at_work, chance),
        };
        self.supervisors[number] = supervisor;
        ended
    }

    fn replace(
        &mut self,
        number: usize,
        supervisor: &mut Supervisor,
        (mut replacement, mut left): (Replacement, BTreeSet<usize>),
        chance: &mut Chance,
    ) -> Kept {
        let step = replacement.step(self.now);
        chance.tell(|| format!("supervisor {number}: {step:?}"));
        match step {
            Step::Fence => match left.pop_first() {
                None => replacement.fenced(),
                Some(replica) if !self.may_tell(number, replica) => return Ok(()),
                Some(replica) => {
                    self.fences += 1;
                    self.servers[replica].follows = None;
                    self.servers[replica].fence = self.fences;
                }
            },
            Step::See => replacement.seen(&self.seen_by(number)),
            Step::Prepare(new) | Step::Promote(new) if !self.may_tell(number, new) => {
                return Ok(());
            }
            Step::Prepare(new) => {
                self.servers[new].waits_for = names((0..SERVERS).filter(|other| *other != new));
                replacement.prepared();
            }
            Step::Promote(new) => {
                let server = &mut self.servers[new];
                if server.is_replica {
                    server.is_replica = false;
                    server.timeline += 1;
                }
                let seen = self.seen_by(number);
                if primary(&seen, supervisor.watch.last()) == Some(new) {
                    supervisor.watch.remember(&seen, new);
                    supervisor.watch.replaced();
                    self.bring_together(number, &seen, new);
                }
                return self.nothing_lost(new);
            }
            Step::GiveUp(_) => return Ok(()),
        }
        supervisor.replacement = Some((replacement, left));
        Ok(())
    }

    fn bring_together(&mut self, supervisor: usize, seen: &[Option<Seen>], primary: usize) {
        for number in astray(seen, primary, &addresses()) {
            if self.may_tell(supervisor, number) {
                self.servers[number].follows = Some(primary);
            }
        }
    }

    fn nothing_lost(&self, primary: usize) -> Kept {
        let log = &self.servers[primary].log;
        let lost: Vec<&u64> =
            self.acknowledged.iter().filter(|commit| !log.contains(commit)).collect();
        promise(lost.is_empty(), || {
            format!("{lost:?} were acknowledged, and the new primary {primary} lacks them")
        })
    }

    fn disturb(&mut self, chance: &mut Chance) {
        let (one, other) = (chance.below(SERVERS), chance.below(SERVERS));
        let server = &mut self.servers[one];
        match chance.below(6) {
            0 => server.is_up = !server.is_up,
            1 => server.is_up = true,
            2 if one != other => toggle(&mut self.broken, (one.min(other), one.max(other))),
            3 => toggle(&mut self.unseen, (chance.below(2), one)),
            4 => {
                self.broken.clear();
                self.unseen.clear();
            }
            _ => self.rebuild(one),
        }
        chance.tell(|| {
            let up: Vec<bool> = self.servers.iter().map(|server| server.is_up).collect();
            format!("up {up:?}, broken {:?}, unseen {:?}", self.broken, self.unseen)
        });
    }

    /// An operator makes a replica of an old primary, once there is a new one that is well.
    fn rebuild(&mut self, number: usize) {
        let leads = (0..SERVERS).find(|other| {
            let other = &self.servers[*other];
            other.is_up && !other.is_replica && other.timeline > self.servers[number].timeline
        });
        if let Some(leads) = leads.filter(|_| !self.servers[number].is_replica) {
            let source = self.servers[leads].clone();
            let (follows, heard) = (Some(leads), self.now);
            self.servers[number] = Server { is_replica: true, follows, heard, ..source };
        }
    }
}

fn toggle(of: &mut BTreeSet<(usize, usize)>, pair: (usize, usize)) {
    if !of.remove(&pair) {
        of.insert(pair);
    }
}

fn run(chance: &mut Chance) -> Kept {
    let mut world = World::new();
    for _ in 0..STEPS {
        match chance.below(16) {
            0..3 => world.now += Duration::from_millis(900),
            3..5 => world.write(chance.below(SERVERS)),
            5..10 => world.stream(chance.below(SERVERS), chance)?,
            10 if chance.one_in(2) => world.disturb(chance),
            11 if chance.one_in(8) => world.supervisors[chance.below(2)] = Supervisor::default(),
            12 if chance.one_in(20) => world.now += Duration::from_secs(20),
            _ => world.supervise(usize::from(chance.one_in(3)), chance)?,
        }
    }
    Ok(())
}

#[test]
fn a_new_primary_has_all_that_was_acknowledged_and_a_timeline_has_one_writer() {
    plaza_simulation::hold(FAILED_ONCE, run);
}
