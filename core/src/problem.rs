//! What is wrong with a user's annotations, said so that the user can mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong, and where.
///
/// It prints as `<where>: <what was found> <what is wrong with it>`, on one line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// The annotation, or the field in it: `dataservice.flyte.org/services[1].port`.
    pub place: String,
    /// What is wrong and what is allowed instead.
    pub reason: String,
}

/// Collects problems, so that a user sees all of them at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

// === impl Problem ===

impl Problem {
    /// A problem at `place`; `reason` says what is wrong and what is allowed.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

// === impl Problems ===

impl Problems {
    /// Notes one problem.
    pub fn push(&mut self, place: impl Into<String>, reason: impl Into<String>) {
        self.0.push(Problem::new(place, reason));
    }

    /// Takes a result apart: the value, or `None` and the problem noted.
    pub fn note<T, E: fmt::Display>(&mut self, place: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|reason| self.push(place, reason.to_string())).ok()
    }

    /// `value` if nothing was wrong, else everything that was.
    pub fn or_else<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    /// Whether nothing was noted so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

/// What was found, in quotes and cut to a length that leaves the message readable.
pub(crate) fn quote(found: &str) -> String {
    let mut shown: String = found.chars().take(QUOTED_CHARS).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// The member of `known` that was probably meant by `unknown`: at most a third of it differs.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| {
            (distance(&unknown.to_ascii_lowercase(), &candidate.to_ascii_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, of at most `QUOTED_CHARS` characters of each: keys are short, hostile ones need not be.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(QUOTED_CHARS).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(QUOTED_CHARS).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((to, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(from != *to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// As much of a value as a message repeats.
const QUOTED_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_finds_the_key_that_was_meant() {
        let known = ["replicas", "requests", "image", "port"];
        assert_eq!(nearest("replica", known), Some("replicas"));
        assert_eq!(nearest("Replicas", known), Some("replicas"));
        assert_eq!(nearest("imgae", known), Some("image"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_long_value_is_quoted_in_part() {
        assert_eq!(quote("ab\n"), r#""ab\n""#);
        assert_eq!(quote(&"x".repeat(500)).chars().count(), QUOTED_CHARS + 3);
    }
}
