//! Single flight: of several requests that miss the same key at the same time, one loads and the
//! others share what it got.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use plaza_base::ids::Id;

/// How long a request waits for another's load before it loads by itself.
const TIMEOUT: Duration = Duration::from_secs(2);

type Outcome = Option<Arc<dyn Any + Send + Sync>>;

/// The loads under way in this process.
#[derive(Default)]
pub struct Flights {
    under_way: Mutex<HashMap<(&'static str, i64), watch::Receiver<Outcome>>>,
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flights")
    }
}

/// A load that this request does for everybody. Dropped without landing (an error, a client that
/// left), it wakes the others, who load by themselves.
pub struct Leader<'a, I: Id> {
    flights: &'a Flights,
    kind: &'static str,
    ids: Vec<I>,
    completed: watch::Sender<Outcome>,
}

impl<I: Id> std::fmt::Debug for Leader<'_, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lead")
            .field("kind", &self.kind)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

/// A load that another request does.
#[derive(Debug)]
pub struct Waiter<I> {
    /// The key's id.
    pub id: I,
    completion: watch::Receiver<Outcome>,
}

impl Flights {
    /// Splits the ids into those that this request loads, and those that others are loading
    /// already.
    pub fn join<I: Id>(
        &self,
        kind: &'static str,
        ids: &[I],
    ) -> (Option<Leader<'_, I>>, Vec<Waiter<I>>) {
        let (completed, completion) = watch::channel(None);
        let mut under_way = self.under_way.lock();
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for id in ids {
            match under_way.get(&(kind, id.as_i64())) {
                Some(completion) => others.push(Waiter { id: *id, completion: completion.clone() }),
                None => {
                    under_way.insert((kind, id.as_i64()), completion.clone());
                    mine.push(*id);
                }
            }
        }
        drop(under_way);
        // Made only when it leads: one made and dropped would take the lock to leave.
        let leader =
            (!mine.is_empty()).then(|| Leader { flights: self, kind, ids: mine, completed });
        (leader, others)
    }
}

impl<I: Id> Leader<'_, I> {
    /// What to load.
    pub fn ids(&self) -> &[I] {
        &self.ids
    }

    /// Hands what was loaded to everybody who waits.
    pub fn complete<V: Clone + Send + Sync + 'static>(self, values: &HashMap<I, V>) {
        let values: HashMap<I, V> = values.clone();
        self.completed.send_replace(Some(Arc::new(values)));
    }
}

impl<I: Id> Drop for Leader<'_, I> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock();
        for id in &self.ids {
            under_way.remove(&(self.kind, id.as_i64()));
        }
    }
}

impl<I: Id> Waiter<I> {
    /// What the other request got; `None` when it came to nothing. `Some(None)`: there is no such
    /// row.
    pub async fn completed<V: Clone + Send + Sync + 'static>(mut self) -> Option<Option<V>> {
        let completed = tokio::time::timeout(TIMEOUT, self.completion.wait_for(Option::is_some))
            .await
            .ok()?
            .ok()?
            .clone()?;
        Some(completed.downcast_ref::<HashMap<I, V>>()?.get(&self.id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plaza_base::ids::PostId;

    fn posts<const N: usize>(numbers: [i64; N]) -> [PostId; N] {
        numbers.map(PostId::from_i64)
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_got() {
        let flights = Flights::default();
        let (leader, none) = flights.join("post", &posts([1, 2]));
        assert!(none.is_empty());
        let (second, mut others) = flights.join("post", &posts([2, 3]));
        assert_eq!(second.as_ref().unwrap().ids(), posts([3]));
        leader
            .unwrap()
            .complete(&HashMap::from([(PostId::from_i64(1), "one"), (PostId::from_i64(2), "two")]));
        assert_eq!(others.pop().unwrap().completed::<&str>().await, Some(Some("two")));
        let (again, _) = flights.join("post", &posts([1]));
        assert!(again.is_some(), "a landed flight is over");
    }

    #[tokio::test]
    async fn a_leader_that_leaves_strands_nobody() {
        let flights = Flights::default();
        let (leader, _) = flights.join("post", &posts([1]));
        let (_, mut others) = flights.join("post", &posts([1]));
        drop(leader);
        assert_eq!(others.pop().unwrap().completed::<&str>().await, None);
    }
}
