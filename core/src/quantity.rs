//! Kubernetes quantities: `2`, `500m`, `10Gi`, `1e3`.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`; what it would round (finer than a billionth) is
//! refused here.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::quote;

/// An amount, kept as it was written; two are equal when they amount to the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    text: String,
    /// In billionths of one.
    nanos: i128,
}

/// Not a [`Quantity`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} is not a quantity; allowed: a positive number such as 2, 500m, 1.5 or 10Gi", quote(.0))]
pub struct InvalidQuantity(String);

// === impl Quantity ===

impl Quantity {
    /// The quantity as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The amount in billionths of one: the same for `1`, `1000m` and `1.0`.
    #[must_use]
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Whether it is a whole number, as extended resources (GPUs) need.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.nanos % NANO == 0
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let nanos = nanos(text).ok_or_else(|| InvalidQuantity(text.to_owned()))?;
        Ok(Self { text: text.to_owned(), nanos })
    }
}

impl TryFrom<String> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// The amount in billionths, or nothing if `text` is no quantity, is negative, or cannot be held exactly.
fn nanos(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > MOST_DIGITS {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(unit(suffix)?)?;
    (scaled % divisor == 0).then_some(scaled / divisor)
}

/// What one of `suffix` is in billionths.
fn unit(suffix: &str) -> Option<i128> {
    let unit = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => NANO * 1_000,
        "M" => NANO * 1_000_000,
        "G" => NANO * 1_000_000_000,
        "T" => NANO * 1_000_000_000_000,
        "P" => NANO * 1_000_000_000_000_000,
        "E" => NANO * 1_000_000_000_000_000_000,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        _ => return exponent(suffix),
    };
    Some(unit)
}

/// `e3`, `E-2`: a power of ten.
fn exponent(suffix: &str) -> Option<i128> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    10_i128.checked_pow(u32::try_from(power.checked_add(9)?).ok()?)
}

const NANO: i128 = 1_000_000_000;
/// As many digits as never overflow in between.
const MOST_DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn what_amounts_to_the_same_is_equal() {
        for (a, b) in
            [("1", "1000m"), ("1.5Gi", "1536Mi"), ("1e3", "1k"), ("0.5", "500m"), (".5", "0.5"), ("2.", "2")]
        {
            assert_eq!(quantity(a), quantity(b));
        }
        assert!(quantity("10G") < quantity("10Gi"));
        assert!(quantity("999m") < quantity("1"));
    }

    #[test]
    fn what_the_api_server_would_refuse_or_round_is_refused() {
        for bad in ["", ".", "-1", "+1", "1gb", "1 Gi", "1.2.3", "m", "0.1n", "1e", "1e99", "ten", "1e-10"] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
        assert_eq!(
            "10GB".parse::<Quantity>().unwrap_err().to_string(),
            r#""10GB" is not a quantity; allowed: a positive number such as 2, 500m, 1.5 or 10Gi"#
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn a_quantity_reads_back_as_it_was_written(number in 0_u64..1_000_000_000, suffix in "(n|u|m||k|M|G|T|Ki|Mi|Gi|Ti|e3)") {
            let written = quantity(&format!("{number}{suffix}"));
            let json = serde_json::to_string(&written).unwrap();
            prop_assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), written);
        }
    }
}
