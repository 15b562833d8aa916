//! Chance that can be had again.

use std::time::Duration;

/// Numbers that look random, and are the same for the same seed on every machine: `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

// === impl Dice ===

impl Dice {
    /// The dice of one purpose: what one purpose throws changes nothing for another.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed, |mixed, byte| Self(mixed ^ u64::from(byte)).throw());
        Self(mixed)
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0, if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw().checked_rem(end).unwrap_or_default()
    }

    /// True once in so many throws.
    pub fn is_one_in(&mut self, throws: u64) -> bool {
        self.below(throws) == 0
    }

    /// A time between two, in steps of 100 ms.
    pub fn between(&mut self, from: Duration, to: Duration) -> Duration {
        let steps = to.saturating_sub(from).as_millis() / 100;
        let steps = self.below(u64::try_from(steps).unwrap_or(u64::MAX).saturating_add(1));
        from + Duration::from_millis(100) * u32::try_from(steps).unwrap_or(u32::MAX)
    }

    /// One of `choices`, each as often as its weight says.
    pub fn weighed<T: Copy>(&mut self, choices: &[(u64, T)]) -> Option<T> {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return Some(*choice),
            }
        }
        None
    }

    /// One of `choices`.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let number = self.below(u64::try_from(choices.len()).unwrap_or(u64::MAX));
        choices.get(usize::try_from(number).ok()?)
    }

    /// The same in another order.
    #[must_use]
    pub fn shuffled<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        for last in (1..items.len()).rev() {
            let other = self.below(u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1));
            items.swap(last, usize::try_from(other).unwrap_or(last));
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throws = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.throw(), dice.throw(), dice.throw()]
        };
        assert_eq!(throws(7, "pods"), throws(7, "pods"));
        assert_ne!(throws(7, "pods"), throws(8, "pods"));
        assert_ne!(throws(7, "pods"), throws(7, "faults"));
    }

    #[test]
    fn a_time_between_two_is_neither_before_nor_after() {
        let (from, to) = (Duration::from_secs(1), Duration::from_millis(1_350));
        let mut dice = Dice::new(1, "x");
        let mut all: Vec<_> = (0..100).map(|_| dice.between(from, to).as_millis()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, [1_000, 1_100, 1_200, 1_300]);
        assert_eq!(dice.between(to, from), to);
    }

    #[test]
    fn what_weighs_more_comes_more_often() {
        let mut dice = Dice::new(1, "x");
        let often = (0..1_000).filter(|_| dice.weighed(&[(9, true), (1, false)]) == Some(true)).count();
        assert!((850..950).contains(&often), "{often}");
        assert_eq!(dice.weighed::<()>(&[]), None);
    }

    #[test]
    fn shuffling_loses_nothing() {
        let mut shuffled = Dice::new(1, "x").shuffled((0..50).collect());
        assert_ne!(shuffled, (0..50).collect::<Vec<_>>());
        shuffled.sort_unstable();
        assert_eq!(shuffled, (0..50).collect::<Vec<_>>());
    }
}
