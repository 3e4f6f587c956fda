//! Single flight: of several requests that miss the same key at the same time, one loads and the
//! others share what it got.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::ids::Id;

/// How long a request waits for another's load before it loads by itself.
const PATIENCE: Duration = Duration::from_secs(2);

type Landed = Option<Arc<dyn Any + Send + Sync>>;

/// The loads under way in this process.
#[derive(Default)]
pub struct Flights {
    under_way: Mutex<HashMap<(&'static str, i64), watch::Receiver<Landed>>>,
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flights")
    }
}

/// A load that this request does for everybody. Dropped without landing (an error, a client that
/// left), it wakes the others, who load by themselves.
pub struct Lead<'a, I: Id> {
    flights: &'a Flights,
    kind: &'static str,
    ids: Vec<I>,
    landed: watch::Sender<Landed>,
}

impl<I: Id> std::fmt::Debug for Lead<'_, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lead")
            .field("kind", &self.kind)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

/// A load that another request does.
#[derive(Debug)]
pub struct Follow<I> {
    /// The key's id.
    pub id: I,
    landing: watch::Receiver<Landed>,
}

impl Flights {
    /// Splits the ids into those that this request loads, and those that others are loading
    /// already.
    pub fn board<I: Id>(
        &self,
        kind: &'static str,
        ids: &[I],
    ) -> (Option<Lead<'_, I>>, Vec<Follow<I>>) {
        let (landed, landing) = watch::channel(None);
        let mut under_way = self.under_way.lock();
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for id in ids {
            match under_way.get(&(kind, id.as_i64())) {
                Some(landing) => others.push(Follow { id: *id, landing: landing.clone() }),
                None => {
                    under_way.insert((kind, id.as_i64()), landing.clone());
                    mine.push(*id);
                }
            }
        }
        drop(under_way);
        // Made only when it leads: one made and dropped would take the lock to leave.
        let lead = (!mine.is_empty()).then(|| Lead { flights: self, kind, ids: mine, landed });
        (lead, others)
    }
}

impl<I: Id> Lead<'_, I> {
    /// What to load.
    pub fn ids(&self) -> &[I] {
        &self.ids
    }

    /// Hands what was loaded to everybody who waits.
    pub fn land<V: Clone + Send + Sync + 'static>(self, values: &HashMap<I, V>) {
        let values: HashMap<I, V> = values.clone();
        self.landed.send_replace(Some(Arc::new(values)));
    }
}

impl<I: Id> Drop for Lead<'_, I> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock();
        for id in &self.ids {
            under_way.remove(&(self.kind, id.as_i64()));
        }
    }
}

impl<I: Id> Follow<I> {
    /// What the other request got; `None` when it came to nothing. `Some(None)`: there is no such
    /// row.
    pub async fn landed<V: Clone + Send + Sync + 'static>(mut self) -> Option<Option<V>> {
        let landed = tokio::time::timeout(PATIENCE, self.landing.wait_for(Option::is_some))
            .await
            .ok()?
            .ok()?
            .clone()?;
        Some(landed.downcast_ref::<HashMap<I, V>>()?.get(&self.id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PostId;

    fn posts<const N: usize>(numbers: [i64; N]) -> [PostId; N] {
        numbers.map(PostId::from_i64)
    }

    #[tokio::test]
    async fn followers_get_what_the_leader_got() {
        let flights = Flights::default();
        let (lead, none) = flights.board("post", &posts([1, 2]));
        assert!(none.is_empty());
        let (second, mut others) = flights.board("post", &posts([2, 3]));
        assert_eq!(second.as_ref().unwrap().ids(), posts([3]));
        lead.unwrap()
            .land(&HashMap::from([(PostId::from_i64(1), "one"), (PostId::from_i64(2), "two")]));
        assert_eq!(others.pop().unwrap().landed::<&str>().await, Some(Some("two")));
        let (again, _) = flights.board("post", &posts([1]));
        assert!(again.is_some(), "a landed flight is over");
    }

    #[tokio::test]
    async fn a_leader_that_leaves_strands_nobody() {
        let flights = Flights::default();
        let (lead, _) = flights.board("post", &posts([1]));
        let (_, mut others) = flights.board("post", &posts([1]));
        drop(lead);
        assert_eq!(others.pop().unwrap().landed::<&str>().await, None);
    }
}
