//! Choices that follow from a seed.

/// A sequence of choices. The same seed is the same sequence in every build: libraries of random
/// numbers do not promise that between their releases, and a seed that failed once is kept.
#[derive(Debug)]
pub struct Chance {
    state: u64,
    history: Option<Vec<String>>,
}

impl Chance {
    /// The sequence of a seed.
    pub fn of(seed: u64) -> Self {
        Self { state: seed, history: None }
    }

    /// The same, which keeps what it is told.
    pub fn told(seed: u64) -> Self {
        Self { state: seed, history: Some(Vec::new()) }
    }

    /// Writes down what is done, in a run that is told.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            history.push(what());
        }
    }

    /// What was written down.
    pub fn history(&self) -> &[String] {
        self.history.as_deref().unwrap_or_default()
    }

    /// The next number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, each as likely; 0 below 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let number = (self.number() >> 1).checked_rem(bound).unwrap_or_default();
        usize::try_from(number).unwrap_or_default()
    }

    /// Whether something happens that happens once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Takes one of them out; the last one comes to its place.
    pub fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        let place = self.below(of.len());
        (place < of.len()).then(|| of.swap_remove(place))
    }
}
