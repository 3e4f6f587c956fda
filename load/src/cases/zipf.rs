//! Zipf's law: the n-th most wanted thing is wanted 1/n as often as the first.

use rand::Rng;
use rand::rngs::StdRng;

use crate::report::float;

/// Draws places, 0 the most wanted.
#[derive(Debug)]
pub struct Zipf {
    /// Sums of the shares up to each place; the last is 1.
    up_to: Vec<f64>,
}

impl Zipf {
    /// Over so many things.
    pub fn new(count: usize) -> Self {
        let total: f64 = (1..=count).map(|place| 1.0 / float(place)).sum();
        let up_to = (1..=count)
            .scan(0.0, |sum, place| {
                *sum += 1.0 / float(place) / total;
                Some(*sum)
            })
            .collect();
        Self { up_to }
    }

    /// A place.
    pub fn draw(&self, random: &mut StdRng) -> usize {
        let at: f64 = random.random();
        self.up_to.partition_point(|up_to| *up_to < at).min(self.up_to.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_first_is_drawn_twice_as_often_as_the_second() {
        let zipf = Zipf::new(1_000);
        let mut random = StdRng::seed_from_u64(1);
        let mut drawn = [0_u32; 2];
        for _ in 0..100_000 {
            if let Some(count) = drawn.get_mut(zipf.draw(&mut random)) {
                *count += 1;
            }
        }
        let ratio = f64::from(drawn[0]) / f64::from(drawn[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
    }
}
