//! Readers under a seeded scheduler: two replicas that lag, pause, die and are rebuilt, a primary
//! that is failed over, and a process that knows of them what its last probes have found.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::{History, ReplicaState};
use crate::postgres::position::position;
use crate::postgres::route::Route;
use crate::postgres::routing::ShardIndex;
use crate::postgres::session::{ConsistencyToken, Lsn, ReadSession, Source};
use plaza_base::clock::Clock;
use plaza_simulation::{Chance, Verdict, promise};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const STEPS: usize = 80;
const CLIENTS: usize = 2;
const MAX_LAG: Duration = Duration::from_secs(2);

/// A replica: how much of the log it has, and how much of that it shows.
#[derive(Debug, Clone, Copy)]
struct Server {
    received: u64,
    replayed: u64,
    is_paused: bool,
}

/// A shard: the log of its primary, and where its timelines are noted in it.
struct Servers {
    timeline: i64,
    length: u64,
    notes: Vec<(u64, i64)>,
    /// How much of the log the primary shows: a replica has it.
    visible: u64,
    replicas: [Option<Server>; 2],
}

#[derive(Default)]
struct Client {
    token: ConsistencyToken,
    wrote: u64,
    seen: u64,
}

/// What a process knows.
struct Process {
    states: [Arc<ReplicaState>; 2],
    history: History,
}

struct World {
    began: Instant,
    now_ms: Arc<AtomicI64>,
    servers: Servers,
    process: Process,
    clients: Vec<Client>,
}

impl Servers {
    fn primary(&self) -> Lsn {
        position(self.timeline, self.length)
    }

    /// The position that a replica says it has come to: it knows of the timelines that it has
    /// replayed the notes of.
    fn replayed(&self, server: Server) -> Lsn {
        let noted = self.notes.iter().rev().find(|(place, _)| *place <= server.replayed);
        position(noted.map_or(1, |(_, timeline)| *timeline), server.replayed)
    }

    fn receive(&mut self, chance: &mut Chance) {
        let number = chance.below(2);
        let Some(server) = self.replicas[number].as_mut() else { return };
        if chance.one_in(3) {
            server.received = self.length;
        }
        if !server.is_paused {
            server.replayed += if chance.one_in(2) { server.received - server.replayed } else { 0 };
        }
        self.visible = self.visible.max(server.received);
    }

    /// The replica with more log takes the primary's place; what neither has is gone.
    fn fail_over(&mut self) {
        let both = self.replicas.iter().enumerate().filter_map(|(n, it)| Some((it.as_ref()?, n)));
        let Some((furthest, number)) = both.max_by_key(|(server, _)| server.received) else {
            return;
        };
        self.timeline += 1;
        self.length = furthest.received + 1;
        self.visible = self.length;
        self.notes.push((self.length, self.timeline));
        self.replicas[number] = None;
    }
}

impl World {
    fn new() -> Self {
        let now_ms = Arc::new(AtomicI64::new(1_000_000));
        let state = || {
            let clock = Clock::Manual(Arc::clone(&now_ms));
            Arc::new(ReplicaState { clock, ..ReplicaState::default() })
        };
        let states = [state(), state()];
        let server = Server { received: 1, replayed: 1, is_paused: false };
        Self {
            began: Instant::now(),
            servers: Servers {
                timeline: 1,
                length: 1,
                notes: vec![(1, 1)],
                visible: 1,
                replicas: [Some(server); 2],
            },
            process: Process { states, history: History::default() },
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            now_ms,
        }
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms().unsigned_abs())
    }

    /// The primary is asked first; its answer and the replicas' are not of one moment.
    fn ask_primary(&mut self) {
        let (lsn, asked_ms, now) = (self.servers.primary(), self.now_ms(), self.now());
        self.process.history.record(lsn, asked_ms, now);
    }

    fn ask_replicas(&self) {
        for (state, server) in self.process.states.iter().zip(self.servers.replicas) {
            match server {
                Some(server) => {
                    let lsn = self.servers.replayed(server);
                    state.poll(lsn, self.process.history.lag(lsn, self.now()), MAX_LAG);
                }
                None => state.eject(),
            }
        }
    }

    fn write(&mut self, number: usize, chance: &mut Chance) {
        let replica = chance.below(2);
        let Some(acknowledging) = self.servers.replicas[replica].as_mut() else { return };
        self.servers.length += 1;
        acknowledging.received = self.servers.length;
        self.servers.visible = self.servers.length;
        let client = &mut self.clients[number];
        client.wrote = self.servers.length;
        // Others have written meanwhile, and nobody has acknowledged that.
        self.servers.length += u64::from(chance.one_in(3));
        let (lsn, now) = (self.servers.primary(), self.now_ms.load(Ordering::Relaxed));
        let written = ConsistencyToken {
            shards: [(0, lsn)].into(),
            written_at_ms: now,
            ..ConsistencyToken::default()
        };
        chance.tell(|| format!("client {number} writes {}", client.wrote));
        client.token.merge(&written);
    }

    fn read(&mut self, number: usize, chance: &mut Chance) -> Verdict {
        let name = u64::try_from(number).unwrap_or_default();
        let session = ReadSession::new(1, &self.clients[number].token, name);
        let replicas = &self.process.states;
        let route = Route { shard: ShardIndex(0), replicas, fresh_since_ms: 0 };
        let source = route.choose(&session);
        let answered = match source {
            Source::Primary => self.servers.visible,
            Source::Replica(replica) => match self.servers.replicas[replica] {
                Some(server) => server.replayed,
                None => {
                    self.process.states[replica].eject();
                    session.mark_left_replica();
                    self.servers.visible
                }
            },
        };
        let now = self.now_ms();
        let client = &mut self.clients[number];
        chance.tell(|| format!("client {number} reads {answered} of {source:?} at {now}"));
        promise(answered >= client.wrote, || {
            format!("client {number} wrote {} and reads {answered}", client.wrote)
        })?;
        promise(answered >= client.seen, || {
            format!("client {number} has seen {} and reads {answered}", client.seen)
        })?;
        client.seen = answered;
        if session.has_left_replica() {
            let seen = ConsistencyToken { seen_at_ms: now, ..ConsistencyToken::default() };
            client.token.merge(&seen);
        }
        Ok(())
    }

    /// Something becomes of a replica, or of the primary.
    fn disturb(&mut self, chance: &mut Chance) {
        let (number, servers) = (chance.below(2), &mut self.servers);
        let whole =
            Server { received: servers.visible, replayed: servers.visible, is_paused: false };
        let both = servers.replicas.iter().all(Option::is_some);
        match (chance.below(4), servers.replicas[number].as_mut()) {
            (0, Some(server)) => server.is_paused = !server.is_paused,
            (1, Some(_)) if both => {
                chance.tell(|| format!("replica {number} dies"));
                servers.replicas[number] = None;
            }
            (2, None) => servers.replicas[number] = Some(whole),
            (3, _) if both => {
                chance.tell(|| "a replica takes the primary's place".to_owned());
                servers.fail_over();
            }
            _ => {}
        }
    }
}

fn run(chance: &mut Chance) -> Verdict {
    let mut world = World::new();
    for _ in 0..STEPS {
        match chance.below(16) {
            0..3 => {
                let ms = i64::try_from(chance.below(400)).unwrap_or_default();
                world.now_ms.fetch_add(ms, Ordering::Relaxed);
            }
            3 | 4 => world.servers.receive(chance),
            5 | 6 => world.ask_primary(),
            7..10 => world.ask_replicas(),
            10 | 11 => world.write(chance.below(CLIENTS), chance),
            12 => world.disturb(chance),
            _ => world.read(chance.below(CLIENTS), chance)?,
        }
        world.now_ms.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn nobody_is_answered_with_less_than_they_have_written_or_seen() {
    plaza_simulation::hold(FAILED_ONCE, run);
}

#[test]
#[cfg(debug_assertions)]
fn a_replica_that_answers_before_it_has_what_a_token_names_is_seen() {
    use plaza_base::seeded::Bug;
    let seen = plaza_simulation::with_bug(Bug::TokenNotAwaited, run);
    assert!(seen.contains("wrote"), "{seen}");
}
