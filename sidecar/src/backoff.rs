//! How long to wait between attempts.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// 100 ms, 200 ms, … up to 1 s, each with up to as much again by chance: the pods of a job end together.
pub(crate) fn pauses(seed: u64) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_factor(2.0)
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter()
        // Without `std`, backon's own seed is the same in every process.
        .with_jitter_seed(seed)
        .build()
}

/// A number that differs from process to process and call to call: good enough to spread load and to tell our DNS
/// queries apart, not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn backoff_grows_and_is_capped(seed in any::<u64>()) {
            let bases = [100, 200, 400, 800, 1_000, 1_000, 1_000].map(Duration::from_millis);
            for (pause, base) in pauses(seed).zip(bases) {
                prop_assert!((base..=base * 2).contains(&pause), "{pause:?} is not within {base:?} and its double");
            }
        }
    }

    #[test]
    fn pods_that_end_together_do_not_come_back_together() {
        assert_ne!(pauses(random()).next(), pauses(random()).next());
    }
}
