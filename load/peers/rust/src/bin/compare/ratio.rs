//! What many pairs of rounds come to.

use std::fmt;

/// A value over all pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The one in the middle.
    pub median: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
}

impl Ratio {
    /// Of all pairs; not a number where there are none.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut all: Vec<f64> = values.collect();
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or(f64::NAN);
        let middle = all.len() / 2;
        let odd = all.len() % 2 == 1;
        let median = if odd { at(middle) } else { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 };
        Self { median, least: at(0), most: at(all.len().wrapping_sub(1)) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: f64| match value {
            value if value >= 99.5 => format!("{value:.0}"),
            value if value >= 9.95 => format!("{value:.1}"),
            value if value >= 0.0995 => format!("{value:.2}"),
            value => format!("{value:.3}"),
        };
        write!(f, "**{}** ({}..{})", number(self.median), number(self.least), number(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let of = |values: &[f64]| Ratio::of(values.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Ratio { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(of(&[4.0, 1.0]), Ratio { median: 2.5, least: 1.0, most: 4.0 });
        assert_eq!(of(&[7.0]).to_string(), "**7.00** (7.00..7.00)");
        assert!(of(&[]).median.is_nan());
    }
}
