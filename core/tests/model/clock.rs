//! Time, in minutes: what is kept warm, retained or lost is so for whole ones.

use jiff::Timestamp;

/// Minutes since the beginning.
pub(crate) type Tick = u8;

/// That minute's beginning.
pub(crate) fn at(tick: Tick) -> Timestamp {
    Timestamp::from_second(i64::from(tick) * 60).unwrap()
}

/// The first minute that begins at `at` or later.
pub(crate) fn tick(at: Timestamp) -> Tick {
    let minutes =
        at.as_millisecond().div_euclid(60_000) + i64::from(at.as_millisecond().rem_euclid(60_000) > 0);
    Tick::try_from(minutes).unwrap_or(Tick::MAX)
}
