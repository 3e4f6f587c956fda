//! Projectors under a seeded scheduler: two processes that both believe that they lead, each of
//! which freezes between two transactions or dies; a topic with repeats, and with events that come
//! late.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Part, Progress, positions};
use crate::post_counts::added;
use crate::projector::Located;
use crate::projector::classify::{Held, classify};
use crate::projector::steps::{Step, plan};
use crate::sample;
use plaza_base::ids::{Id, PostId, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::Event;
use plaza_simulation::{Chance, Verdict, promise};
use plaza_stores::kafka::consumer::Partition;
use plaza_stores::postgres::ShardIndex;
use plaza_stores::postgres::projections::Position;
use plaza_stores::postgres::unreadable_records::{Place, State};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[];
const STEPS: usize = 60;
const POSTS: usize = 3;
const SHARDS: usize = 2;
/// Records read at a time.
const BATCH: usize = 4;
/// How many of the partition may be aside on a shard, where a run has little room for that.
const LITTLE_ROOM: i64 = 2;
const POSTS_PARTITION: Partition = Partition { topic: "posts", number: 0 };

type Version = (String, i64);

#[derive(Default)]
struct Shard {
    position: Option<Position>,
    versions: HashMap<String, Held>,
    /// How often each version was applied.
    applied: BTreeMap<Version, u32>,
    /// Likes, and the version they were counted at.
    counts: BTreeMap<PostId, (i64, i64)>,
    aside: Vec<Located>,
}

/// A batch under way: the shards that have not got their part yet.
struct Batch {
    events: Vec<Located>,
    shards: Vec<usize>,
    level: bool,
    effects: Vec<Version>,
    ends: Vec<(Partition, i64, String)>,
}

struct Process {
    progress: Progress,
    batch: Option<Batch>,
}

#[derive(Default)]
struct World {
    /// All events of each post, by version from 1.
    posts: Vec<Vec<EventEnvelope>>,
    late: Vec<EventEnvelope>,
    topic: Vec<EventEnvelope>,
    shards: Vec<Shard>,
    processes: [Option<Process>; 2],
    /// Versions whose effects have run.
    told: BTreeSet<Version>,
    room: i64,
}

fn version_of(event: &EventEnvelope) -> Version {
    (event.subject.clone(), event.version)
}

fn shard_of(event: &EventEnvelope) -> usize {
    usize::from(!event.subject.ends_with('0')) % SHARDS
}

impl World {
    fn new() -> Self {
        Self {
            posts: (0..POSTS).map(|_| Vec::new()).collect(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            ..Self::default()
        }
    }

    /// Something happens to a post; most often it is in the topic at once.
    fn happen(&mut self, chance: &mut Chance) {
        let post = chance.below(POSTS);
        let post_id = PostId::from_i64(i64::try_from(post).unwrap_or_default());
        let user_id = UserId::from_i64(1);
        let event = match chance.one_in(3) {
            true => Event::PostUnliked { post_id, user_id },
            false => Event::PostLiked { post_id, user_id },
        };
        let version = i64::try_from(self.posts[post].len() + 1).unwrap_or_default();
        let event = sample::event(event, version);
        self.posts[post].push(event.clone());
        if chance.one_in(12) {
            chance.tell(|| format!("{} {version} comes late", event.subject));
            self.late.push(event);
        } else {
            chance.tell(|| format!("{} {version} at {}", event.subject, self.topic.len()));
            self.topic.push(event);
        }
    }

    /// A relay sends again what it had sent.
    fn repeat(&mut self, chance: &mut Chance) {
        let from = chance.below(self.topic.len());
        let again: Vec<EventEnvelope> = self.topic.iter().skip(from).take(3).cloned().collect();
        chance.tell(|| format!("{} records from {from} come again", again.len()));
        self.topic.extend(again);
    }

    fn process(&mut self, number: usize, chance: &mut Chance) {
        let Some(mut process) = self.processes[number].take() else {
            let shards = self.shards.iter().enumerate();
            let stored = shards.map(|(index, shard)| {
                (ShardIndex(index), shard.position.iter().cloned().collect::<Vec<_>>())
            });
            let progress = Progress::stored(&[POSTS_PARTITION], stored);
            chance.tell(|| format!("process {number} begins at {:?}", progress.starts()));
            self.processes[number] = Some(Process { progress, batch: None });
            return;
        };
        match process.batch.take() {
            None if process.progress.parked.is_empty() => self.read(&mut process, chance),
            // Tried again when there may be room.
            None => return,
            Some(mut batch) => match batch.shards.pop() {
                Some(shard) => {
                    chance.tell(|| format!("process {number} writes shard {shard}"));
                    self.write(shard, &mut batch, &process.progress);
                    process.batch = Some(batch);
                }
                None => self.finish(batch, &mut process.progress),
            },
        }
        self.processes[number] = Some(process);
    }

    fn read(&self, process: &mut Process, chance: &mut Chance) {
        let read = process.progress.read.entry(POSTS_PARTITION).or_default();
        let records =
            self.topic.iter().zip(0_i64..).skip(usize::try_from(*read).unwrap_or_default());
        let located = |(event, offset): (&EventEnvelope, i64)| Located {
            partition: POSTS_PARTITION,
            offset,
            event: event.clone(),
        };
        let events: Vec<Located> = records.take(BATCH).map(located).collect();
        *read += i64::try_from(events.len()).unwrap_or_default();
        let shards = if chance.one_in(2) { vec![0, 1] } else { vec![1, 0] };
        let level = chance.one_in(4);
        process.batch =
            Some(Batch { events, shards, level, effects: Vec::new(), ends: Vec::new() });
    }

    /// A shard's part, in one transaction.
    fn write(&mut self, index: usize, batch: &mut Batch, progress: &Progress) {
        let shard = &mut self.shards[index];
        let events: Vec<&Located> =
            batch.events.iter().filter(|located| shard_of(&located.event) == index).collect();
        if events.is_empty() && !batch.level {
            return;
        }
        let next = progress.next_of(&events, batch.level);
        let held: Vec<Position> = shard.position.iter().cloned().collect();
        let Part { repeated, new } = Part::of(&events, &held);
        let open = i64::try_from(shard.aside.len()).unwrap_or_default();
        let classified = classify(&new, &shard.versions, |_| self.room - open);
        let told = repeated.iter().chain(&classified.repeated).map(|at| version_of(&at.event));
        batch.effects.extend(told.chain(classified.apply.iter().map(version_of)));
        shard.aside.extend(classified.aside.iter().filter_map(|record| {
            let found = events.iter().find(|located| located.offset == record.offset)?;
            Some((*found).clone())
        }));
        for reached in classified.versions {
            shard.versions.insert(reached.aggregate, (reached.version, reached.identity));
        }
        shard.apply(&classified.apply, &self.posts);
        for position in positions(next, &progress.effects, &classified.gaps) {
            shard.move_to(position);
        }
        batch.ends.extend(classified.gaps);
    }

    fn finish(&mut self, batch: Batch, progress: &mut Progress) {
        if batch.level {
            progress.level = progress.effects.clone();
        }
        for (partition, offset, _) in batch.ends {
            progress.ends_at(&partition, offset);
            progress.parked.insert(partition);
        }
        self.told.extend(batch.effects);
        progress.effects_ran();
    }

    /// Tries again what an aggregate's records are aside for; what was parked is read once more.
    fn tend(&mut self, dies: bool) {
        for shard in &mut self.shards {
            let Some(subject) = shard.aside.first().map(|at| at.event.subject.clone()) else {
                continue;
            };
            let mut waiting: Vec<&Located> =
                shard.aside.iter().filter(|at| at.event.subject == subject).collect();
            waiting.sort_by_key(|at| at.event.version);
            let steps: Vec<Step> = waiting.into_iter().map(step).collect();
            let held = shard.versions.get(&subject).copied().unwrap_or_default();
            let taken = plan(&steps, held.0);
            shard.apply(&taken.apply, &self.posts);
            if taken.version > held.0 {
                shard.versions.insert(subject.clone(), (taken.version, None));
            }
            if dies {
                return;
            }
            let told = taken.apply.iter().chain(&taken.repeated);
            self.told.extend(told.map(version_of));
            let is_done = |at: &Located| {
                taken.outcomes.iter().any(|(place, why)| place.offset == at.offset && why.is_none())
            };
            shard.aside.retain(|at| !is_done(at));
            // The others get their turn.
            let by = usize::from(!shard.aside.is_empty());
            shard.aside.rotate_left(by);
        }
        for process in &mut self.processes {
            if process.as_ref().is_some_and(|process| !process.progress.parked.is_empty()) {
                *process = None;
            }
        }
    }

    fn once(&self) -> Verdict {
        for shard in &self.shards {
            let twice = shard.applied.iter().find(|(_, times)| **times > 1);
            promise(twice.is_none(), || format!("applied more than once: {twice:?}"))?;
            for (post, (likes, version)) in &shard.counts {
                let truth = likes_at(&self.posts, *post, *version);
                promise(*likes == truth, || {
                    format!("post {post:?} is counted {likes} at {version}, and has {truth}")
                })?;
            }
        }
        Ok(())
    }

    fn all(&self) -> Verdict {
        for event in self.posts.iter().flatten() {
            let shard = &self.shards[shard_of(event)];
            let version = version_of(event);
            promise(shard.applied.contains_key(&version), || {
                format!("never applied: {version:?}")
            })?;
            promise(self.told.contains(&version), || format!("no effect of {version:?}"))?;
        }
        Ok(())
    }
}

impl Shard {
    fn apply(&mut self, events: &[EventEnvelope], posts: &[Vec<EventEnvelope>]) {
        for event in events {
            *self.applied.entry(version_of(event)).or_default() += 1;
        }
        let (torn, added) = added(events);
        let mut recounted: Vec<PostId> = torn.into_iter().collect();
        for added in added {
            match self.counts.get_mut(&added.post) {
                Some((likes, version)) if *version == added.before => {
                    *likes += added.likes;
                    *version = added.version;
                }
                _ => recounted.push(added.post),
            }
        }
        for post in recounted {
            let newest = of_post(posts, post).len();
            let newest = i64::try_from(newest).unwrap_or_default();
            if self.counts.get(&post).is_none_or(|(_, version)| *version < newest) {
                self.counts.insert(post, (likes_at(posts, post, newest), newest));
            }
        }
    }

    /// As `move_positions`: forward, never back.
    fn move_to(&mut self, to: Position) {
        let held = self.position.get_or_insert_with(|| to.clone());
        held.next_offset = held.next_offset.max(to.next_offset);
        held.effects_offset = held.effects_offset.max(to.effects_offset);
    }
}

fn of_post(posts: &[Vec<EventEnvelope>], post: PostId) -> &[EventEnvelope] {
    usize::try_from(post.as_i64()).ok().and_then(|post| posts.get(post)).map_or(&[], Vec::as_slice)
}

fn likes_at(posts: &[Vec<EventEnvelope>], post: PostId, version: i64) -> i64 {
    let until = of_post(posts, post).iter().filter(|event| event.version <= version);
    until.map(|event| if matches!(event.event, Event::PostLiked { .. }) { 1 } else { -1 }).sum()
}

fn step(located: &Located) -> Step {
    let place = Place {
        projection: String::new(),
        topic: "posts".to_owned(),
        partition: 0,
        offset: located.offset,
    };
    let (subject, version) = version_of(&located.event);
    let event = Ok(located.event.clone());
    Step { place, subject, version, state: State::Waiting, over_gap: false, event }
}

fn run(chance: &mut Chance) -> Verdict {
    let mut world = World::new();
    world.room = if chance.one_in(4) { LITTLE_ROOM } else { i64::MAX };
    for _ in 0..STEPS {
        match chance.below(16) {
            0..4 => world.happen(chance),
            4 => world.repeat(chance),
            5 => {
                if let Some(event) = chance.take(&mut world.late) {
                    chance.tell(|| format!("{:?} comes after all", version_of(&event)));
                    world.topic.push(event);
                }
            }
            6 => {
                let killed = chance.below(2);
                chance.tell(|| format!("process {killed} is killed"));
                world.processes[killed] = None;
            }
            7 => world.tend(chance.one_in(4)),
            _ => world.process(usize::from(chance.one_in(4)), chance),
        }
        world.once()?;
    }
    let late = std::mem::take(&mut world.late);
    world.topic.extend(late);
    for round in 0..6 * STEPS {
        world.process(0, chance);
        if round % 3 == 0 {
            world.tend(false);
        }
    }
    world.once()?;
    // Where there is no room, what is missing may lie behind what cannot be put aside.
    if world.room == LITTLE_ROOM { Ok(()) } else { world.all() }
}

#[test]
fn every_event_is_applied_once_and_has_its_effects_whatever_comes_again() {
    plaza_simulation::hold(FAILED_ONCE, run);
}

#[test]
#[cfg(debug_assertions)]
fn a_projector_that_ignores_versions_is_seen() {
    let seen = plaza_simulation::with_bug(plaza_base::seeded::Bug::ProjectorIgnoresVersions, run);
    assert!(seen.contains("applied more than once"), "{seen}");
}

#[test]
#[cfg(debug_assertions)]
fn likes_that_count_twice_are_seen() {
    let seen = plaza_simulation::with_bug(plaza_base::seeded::Bug::CountsAddedTwice, run);
    assert!(seen.contains("is counted"), "{seen}");
}
