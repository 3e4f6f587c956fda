//! bucket ▶ shard: a versioned map, kept in the database and held in memory. Routing an id is an
//! array look-up.

use std::collections::BTreeMap;

use plaza_base::ids::{BUCKETS, Bucket, Id};

/// Which shard, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub usize);

impl std::fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where every bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMap {
    /// Rises with each change.
    pub version: i32,
    shards: Vec<usize>,
}

/// Buckets that go from one shard to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where they are.
    pub from: ShardIndex,
    /// Where they are to be.
    pub to: ShardIndex,
    /// Their numbers, rising.
    pub buckets: Vec<i32>,
}

impl ShardMap {
    /// Buckets dealt out in turn over `shards` shards: version 1 of a new cluster.
    pub fn even(shards: usize) -> Self {
        Self {
            version: 1,
            shards: (0..usize::from(BUCKETS)).map(|bucket| bucket % shards.max(1)).collect(),
        }
    }

    /// A map as stored: one entry a bucket. `None` when it is not of this cluster (wrong length, or
    /// a shard that is not configured).
    pub fn from_stored(version: i32, stored: &[i32], shards: usize) -> Option<Self> {
        let parsed: Vec<usize> = stored
            .iter()
            .filter_map(|shard| usize::try_from(*shard).ok())
            .filter(|shard| *shard < shards)
            .collect();
        (parsed.len() == usize::from(BUCKETS)).then_some(Self { version, shards: parsed })
    }

    /// The map as stored.
    pub fn to_stored(&self) -> Vec<i32> {
        self.shards.iter().map(|shard| i32::try_from(*shard).unwrap_or_default()).collect()
    }

    /// The next version: as many buckets on each of `shards` shards, give or take one, and as few
    /// moved as that needs. Shards beyond them give all they have.
    pub fn dealt_over(&self, shards: usize) -> Self {
        let shards = shards.max(1);
        let fair = |shard: usize| {
            self.shards.len() / shards + usize::from(shard < self.shards.len() % shards)
        };
        let mut held = vec![0_usize; shards];
        let mut dealt = self.shards.clone();
        let mut homeless = Vec::new();
        for (bucket, shard) in dealt.iter().enumerate() {
            match held.get_mut(*shard) {
                Some(count) if *count < fair(*shard) => *count += 1,
                _ => homeless.push(bucket),
            }
        }
        for bucket in homeless {
            let free = held.iter().enumerate().position(|(shard, count)| *count < fair(shard));
            if let (Some(shard), Some(place)) = (free, dealt.get_mut(bucket)) {
                *place = shard;
                if let Some(count) = held.get_mut(shard) {
                    *count += 1;
                }
            }
        }
        Self { version: self.version + 1, shards: dealt }
    }

    /// What has to move for another map to be true.
    pub fn moves_to(&self, other: &Self) -> Vec<Move> {
        let mut moves: BTreeMap<(usize, usize), Vec<i32>> = BTreeMap::new();
        for (bucket, (from, to)) in (0_i32..).zip(self.shards.iter().zip(&other.shards)) {
            if from != to {
                moves.entry((*from, *to)).or_default().push(bucket);
            }
        }
        let named =
            |((from, to), buckets)| Move { from: ShardIndex(from), to: ShardIndex(to), buckets };
        moves.into_iter().map(named).collect()
    }

    /// The numbers of a shard's buckets, rising.
    pub fn buckets_of(&self, shard: usize) -> Vec<i32> {
        (0_i32..)
            .zip(&self.shards)
            .filter(|(_, on)| **on == shard)
            .map(|(bucket, _)| bucket)
            .collect()
    }

    /// The shard a bucket is on.
    pub fn shard_of(&self, bucket: Bucket) -> ShardIndex {
        ShardIndex(self.shards.get(usize::from(bucket.number())).copied().unwrap_or_default())
    }

    /// Ids grouped by the shard they are on, each once, sorted.
    pub fn group<I: Id>(&self, ids: impl IntoIterator<Item = I>) -> BTreeMap<ShardIndex, Vec<I>> {
        let mut groups: BTreeMap<ShardIndex, Vec<I>> = BTreeMap::new();
        for id in ids {
            groups.entry(self.shard_of(id.bucket())).or_default().push(id);
        }
        for ids in groups.values_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_dealt_out_evenly() {
        let map = ShardMap::even(4);
        for shard in 0..4 {
            let held = (0..1024)
                .filter(|bucket| map.shard_of(Bucket::new(*bucket)) == ShardIndex(shard))
                .count();
            assert_eq!(held, 256);
        }
    }

    #[test]
    fn a_new_shard_gets_its_share_and_nothing_else_moves() {
        let four = ShardMap::even(4);
        let five = four.dealt_over(5);
        let held: Vec<usize> = (0..5).map(|shard| five.buckets_of(shard).len()).collect();
        assert_eq!((five.version, held), (2, vec![205, 205, 205, 205, 204]));
        let moves = four.moves_to(&five);
        assert!(moves.iter().all(|step| step.to == ShardIndex(4)));
        assert_eq!(moves.iter().map(|step| step.buckets.len()).sum::<usize>(), 204);
        assert_eq!(five.dealt_over(5).moves_to(&five), []);
        let three = five.dealt_over(3);
        assert_eq!((three.buckets_of(3), three.buckets_of(4)), (vec![], vec![]));
    }

    #[test]
    fn a_stored_map_must_fit_the_cluster() {
        let map = ShardMap::even(4);
        assert_eq!(ShardMap::from_stored(1, &map.to_stored(), 4), Some(map.clone()));
        assert_eq!(ShardMap::from_stored(1, &map.to_stored(), 3), None);
        assert_eq!(ShardMap::from_stored(1, &[0, 1], 4), None);
    }
}
