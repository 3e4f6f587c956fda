//! What waits of an aggregate, as the steps that it is taken on by.

use std::collections::BTreeMap;

use super::classify::gap;
use plaza_protocol::envelope::EventEnvelope;
use plaza_stores::StoreError;
use plaza_stores::postgres::unreadable_records::{Place, RecordAside, State};

/// What became of a record: `None`, it is applied; else why it waits.
pub type Outcome = (Place, Option<String>);

/// A record of an aggregate's that waits, or is left out.
pub struct Step {
    /// Where it lies.
    pub place: Place,
    /// The aggregate.
    pub subject: String,
    /// Which version of it.
    pub version: i64,
    /// What is to become of it.
    pub state: State,
    /// Whether the aggregate goes on with or behind it although versions are missing.
    pub over_gap: bool,
    /// The event, or why it is none.
    pub event: Result<EventEnvelope, String>,
}

/// Records by what they are about, each aggregate's in order of versions; what is about nothing
/// waits on, and says why.
pub fn by_aggregate(
    records: impl Iterator<Item = RecordAside>,
) -> (BTreeMap<String, Vec<Step>>, Vec<Outcome>) {
    let (mut aggregates, mut unread) = (BTreeMap::<String, Vec<Step>>::new(), Vec::new());
    for record in records {
        let event = serde_json::from_slice::<EventEnvelope>(&record.payload)
            .map_err(|error| format!("cannot be read: {error}"));
        let of = match &event {
            Ok(event) => Some((event.subject.clone(), event.version)),
            Err(_) => record.aggregate.zip(record.version),
        };
        let RecordAside { place, state, over_gap, reason, .. } = record;
        match of {
            Some((subject, version)) => {
                let steps = aggregates.entry(subject.clone()).or_default();
                steps.push(Step { place, subject, version, state, over_gap, event });
            }
            // The reason for which it was put aside says more.
            None if state == State::Retry => unread.push((place, Some(reason))),
            None => {}
        }
    }
    for steps in aggregates.values_mut() {
        steps.sort_by_key(|step| step.version);
    }
    (aggregates, unread)
}

/// Of an aggregate that no event says where it belongs: what cannot be read waits on, and says why
/// when it was asked for; what can is nothing to this projection.
pub fn outcomes_without_shard(steps: &[Step]) -> Vec<Outcome> {
    let outcome = |step: &Step| match &step.event {
        Ok(_) => Some((step.place.clone(), None)),
        Err(error) => {
            (step.state == State::Retry).then(|| (step.place.clone(), Some(error.clone())))
        }
    };
    steps.iter().filter_map(outcome).collect()
}

/// Records that were asked for wait again when applying them failed by itself; when a shard was
/// away they are tried again.
pub fn failed(steps: &[Step], error: &StoreError) -> Vec<Outcome> {
    let asked = steps.iter().filter(|step| step.state == State::Retry && !error.is_transient());
    asked.map(|step| (step.place.clone(), Some(error.to_string()))).collect()
}

/// What is applied of an aggregate, and what becomes of its records.
pub struct Taken {
    /// Its next events.
    pub apply: Vec<EventEnvelope>,
    /// Those that were applied before, by somebody who may have died before their effects.
    pub repeated: Vec<EventEnvelope>,
    /// The version it comes to.
    pub version: i64,
    /// Of its records.
    pub outcomes: Vec<Outcome>,
}

/// Takes an aggregate's records in order, for as long as each is the next one, or may go over what
/// is missing.
pub fn plan(steps: &[Step], held: i64) -> Taken {
    let (apply, repeated) = (Vec::new(), Vec::new());
    let mut taken = Taken { apply, repeated, version: held, outcomes: Vec::new() };
    for step in steps {
        let is_next = step.version == taken.version + 1 || step.over_gap;
        let outcome = match &step.event {
            event if step.version <= taken.version => {
                taken.repeated.extend(event.clone());
                None
            }
            _ if step.state == State::Skipped => {
                if step.over_gap {
                    taken.version = step.version;
                }
                continue;
            }
            _ if !is_next => Some(gap(&step.subject, taken.version, step.version)),
            Err(error) => Some(error.clone()),
            Ok(event) => {
                taken.apply.push(event.clone());
                taken.version = step.version;
                None
            }
        };
        // What only waits on need not be written again.
        if outcome.is_none() || step.state == State::Retry {
            taken.outcomes.push((step.place.clone(), outcome));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use plaza_base::ids::{Id, PostId, UserId};
    use plaza_protocol::events::Event;

    fn step(version: i64, state: State, over_gap: bool) -> Step {
        let created =
            Event::PostCreated { post_id: PostId::from_i64(1), author_id: UserId::from_i64(2) };
        let event = Ok(sample::event(created, version));
        let place = Place {
            projection: "shares".into(),
            topic: "posts".into(),
            partition: 3,
            offset: version,
        };
        Step { place, subject: "post:1".into(), version, state, over_gap, event }
    }

    #[test]
    fn an_aggregate_goes_on_as_far_as_nothing_is_missing() {
        use State::{Retry, Skipped, Waiting};
        let versions =
            |taken: &Taken| -> Vec<i64> { taken.apply.iter().map(|event| event.version).collect() };
        let taken = plan(&[step(3, Retry, false), step(4, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.version, taken.outcomes.len()), (vec![3, 4], 4, 2));
        let taken = plan(&[step(4, Retry, false), step(5, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.version), (vec![], 2));
        assert_eq!(taken.outcomes.len(), 1, "who was asked for is told");
        let taken = plan(&[step(4, Retry, true), step(5, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.version), (vec![4, 5], 5));
        // Left out, and no version of the aggregate's; or one that it goes on behind.
        let taken = plan(&[step(3, Skipped, false), step(4, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.version), (vec![], 2));
        let taken = plan(&[step(3, Skipped, true), step(4, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.version), (vec![4], 4));
        let taken = plan(&[step(2, Waiting, false)], 2);
        assert_eq!((versions(&taken), taken.outcomes[0].1.clone()), (vec![], None));
    }
}
