//! Many measurements of one thing, told in three numbers.

/// The middle, nearly the worst, and the worst of many measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number, halfway between the two in the middle.
    pub median: f64,
    /// The lowest that 99 of 100 are at most: of fewer than a hundred, the worst.
    pub p99: f64,
    /// The highest.
    pub worst: f64,
    /// How many there were.
    pub of: usize,
}

// === impl Spread ===

impl Spread {
    /// Of `values` in any order; nothing, if there are none.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let of = values.len();
        let worst = *values.last()?;
        let (below, above) = (values.get((of - 1) / 2)?, values.get(of / 2)?);
        // Whole numbers: the nearest rank, one too high of the index.
        let p99 = *values.get((of * 99).div_ceil(100) - 1)?;
        Some(Self { median: below.midpoint(*above), p99, worst, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> (f64, f64, usize) {
        let spread = Spread::of(values.to_vec()).unwrap();
        (spread.median, spread.worst, spread.of)
    }

    #[test]
    fn the_median_is_the_middle_one_in_whatever_order_they_come() {
        assert_eq!(of(&[7.0, 1.0, 100.0]), (7.0, 100.0, 3));
        assert_eq!(of(&[5.0]), (5.0, 5.0, 1));
    }

    #[test]
    fn the_median_of_an_even_number_is_halfway_between_the_middle_two() {
        assert_eq!(of(&[4.0, 1.0, 2.0, 100.0]), (3.0, 100.0, 4));
    }

    #[test]
    fn a_negative_one_is_not_the_worst() {
        assert_eq!(of(&[-3.0, -1.0]), (-2.0, -1.0, 2));
    }

    #[test]
    fn p99_leaves_out_one_of_a_hundred() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(Spread::of(hundred).map(|spread| spread.p99), Some(99.0));
        assert_eq!(Spread::of(vec![1.0, 3.0, 2.0]).map(|spread| spread.p99), Some(3.0));
    }

    #[test]
    fn nothing_has_no_spread() {
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
