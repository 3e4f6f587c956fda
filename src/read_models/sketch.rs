//! How many different users there were, without keeping who: HyperLogLog with 2,048 registers.
//! Sketches can be merged in any order and any number of times. The standard error is 1.04 /
//! sqrt(2048) = 2.3 %; a few dozen users are counted to the user or nearly so.

/// Registers: the error's square root.
const REGISTERS: usize = 2_048;
/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 11;
/// Bits of an entry that hold its rank; the others hold its register.
const RANK_BITS: u32 = 5;
const MAX_RANK: u16 = 31;
/// Entries above which a register a byte is smaller.
const SPARSE: usize = 1_023;

/// A sketch. While few registers are set it is a sorted list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Sparse(Vec<u16>),
    Dense(Vec<u8>),
}

/// A set of hashes of which only the size is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch(Form);

impl Default for Sketch {
    fn default() -> Self {
        Self(Form::Sparse(Vec::new()))
    }
}

fn register_of(entry: u16) -> usize {
    usize::from(entry >> RANK_BITS)
}

fn rank_of(entry: u16) -> u16 {
    entry & MAX_RANK
}

impl Sketch {
    /// Adds a hash, all of whose bits must be as good as random.
    pub fn insert(&mut self, hash: u64) {
        let register = u16::try_from(hash >> (u64::BITS - INDEX_BITS)).unwrap_or_default();
        let rank = u16::try_from((hash << INDEX_BITS).leading_zeros() + 1)
            .unwrap_or(MAX_RANK)
            .min(MAX_RANK);
        self.raise(register << RANK_BITS | rank);
    }

    /// Whether the entry says more than is known.
    fn raise(&mut self, entry: u16) -> bool {
        match &mut self.0 {
            Form::Dense(ranks) => {
                let rank = u8::try_from(rank_of(entry)).unwrap_or_default();
                match ranks.get_mut(register_of(entry)) {
                    Some(held) if rank > *held => *held = rank,
                    _ => return false,
                }
            }
            Form::Sparse(entries) => {
                let place = entries.partition_point(|held| register_of(*held) < register_of(entry));
                match entries.get_mut(place) {
                    Some(held) if register_of(*held) == register_of(entry) && entry <= *held => {
                        return false;
                    }
                    Some(held) if register_of(*held) == register_of(entry) => *held = entry,
                    _ => entries.insert(place, entry),
                }
                if entries.len() > SPARSE {
                    let mut dense = vec![0; REGISTERS];
                    for entry in entries {
                        if let Some(rank) = dense.get_mut(register_of(*entry)) {
                            *rank = u8::try_from(rank_of(*entry)).unwrap_or_default();
                        }
                    }
                    self.0 = Form::Dense(dense);
                }
            }
        }
        true
    }

    /// Adds everybody in another sketch; whether that changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = false;
        match &other.0 {
            Form::Sparse(entries) => entries.iter().for_each(|entry| changed |= self.raise(*entry)),
            Form::Dense(ranks) => {
                for (register, rank) in (0_u16..).zip(ranks).filter(|(_, rank)| **rank > 0) {
                    changed |= self.raise(register << RANK_BITS | u16::from(*rank));
                }
            }
        }
        changed
    }

    /// How many there are, about.
    pub fn count(&self) -> i64 {
        let (mut empty, mut sum) = (0.0, 0.0);
        let mut add = |rank: u16| {
            empty += if rank == 0 { 1.0 } else { 0.0 };
            sum += 0.5_f64.powi(i32::from(rank));
        };
        match &self.0 {
            Form::Dense(ranks) => ranks.iter().for_each(|rank| add(u16::from(*rank))),
            Form::Sparse(entries) => {
                entries.iter().for_each(|entry| add(rank_of(*entry)));
                (entries.len()..REGISTERS).for_each(|_| add(0));
            }
        }
        let registers = 2_048.0_f64;
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let count = if raw <= 2.5 * registers && empty > 0.0 {
            registers * (registers / empty).ln()
        } else {
            raw
        };
        #[expect(
            clippy::as_conversions,
            reason = "a float becomes an integer in no other way; it is far below the largest"
        )]
        let count = count.round() as i64;
        count
    }

    /// As stored: a register a byte, or two bytes for each that is set.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Form::Dense(ranks) => ranks.clone(),
            Form::Sparse(entries) => entries.iter().flat_map(|entry| entry.to_be_bytes()).collect(),
        }
    }

    /// As read; bytes that are none count nobody.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if bytes.len() == REGISTERS {
            return Self(Form::Dense(bytes.to_vec()));
        }
        let mut sketch = Self::default();
        for entry in bytes.as_chunks::<2>().0 {
            sketch.raise(u16::from_be_bytes(*entry));
        }
        sketch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(number.to_be_bytes());
        u64::from_be_bytes(digest[..8].try_into().unwrap())
    }

    fn of(range: std::ops::Range<u64>) -> Sketch {
        let mut sketch = Sketch::default();
        range.for_each(|number| sketch.insert(hash(number)));
        sketch
    }

    #[test]
    fn few_are_counted_nearly_exactly_and_many_within_four_standard_errors() {
        assert_eq!(Sketch::default().count(), 0);
        for (people, off) in [(1_u32, 0), (2, 0), (10, 0), (60, 2)] {
            let error = (of(0..u64::from(people)).count() - i64::from(people)).abs();
            assert!(error <= off, "{people}: off by {error}");
        }
        for people in [500_u32, 2_000, 20_000, 200_000] {
            let error = (of(0..u64::from(people)).count() - i64::from(people)).abs();
            assert!(error * 1_000 <= i64::from(people) * 92, "{people}: off by {error}");
        }
    }

    #[test]
    fn merging_is_the_same_as_having_seen_both_in_any_order_and_twice() {
        for (first, second) in
            [(0..40, 20..70), (0..600, 500..1_400), (0..5_000, 10..20), (10..20, 0..5_000)]
        {
            let mut whole = of(first.clone());
            second.clone().for_each(|number| whole.insert(hash(number)));
            let mut merged = of(first.clone());
            merged.merge(&of(second.clone()));
            merged.merge(&of(second));
            assert_eq!(merged.count(), whole.count());
            let mut stored = Sketch::from_bytes(&merged.to_bytes());
            assert_eq!(stored, merged);
            assert!(!stored.merge(&of(first)), "nobody is new");
            assert_eq!(stored, merged);
        }
    }
}
