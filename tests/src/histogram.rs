//! Histograms as Prometheus' text format has them.

use anyhow::{Context, Result, bail};

/// What a histogram has counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds, ascending, each with how many values were at most that.
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

// === impl Histogram ===

impl Histogram {
    /// Reads the histogram `name` out of a page of metrics: the sum of all its series that carry `label`.
    ///
    /// It is empty where there is no such series: one that has counted nothing is not on the page.
    pub fn read(page: &str, name: &str, label: &str) -> Result<Self> {
        let mut histogram = Self::default();
        for line in page.lines().filter(|line| line.contains(label)) {
            if let Some(series) = line.strip_prefix(name) {
                histogram.add(series).with_context(|| format!("failed to read the metric {line:?}"))?;
            }
        }
        histogram.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(histogram)
    }

    /// Adds one series: a line of the page without the histogram's name.
    fn add(&mut self, series: &str) -> Result<()> {
        let (series, value) = series.rsplit_once(' ').context("there is no value")?;
        let value: f64 = value.parse()?;
        if series.starts_with("_sum{") {
            self.sum += value;
        } else if series.starts_with("_count{") {
            self.count += value;
        } else if series.starts_with("_bucket{") {
            let (_, bound) = series.split_once("le=\"").context("a bucket without a bound")?;
            let (bound, _) = bound.split_once('"').context("a bound without an end")?;
            self.add_to_bucket(bound.parse()?, value);
        } // else: a metric whose name goes on.
        Ok(())
    }

    fn add_to_bucket(&mut self, bound: f64, value: f64) {
        match self.buckets.iter_mut().find(|(there, _)| there.total_cmp(&bound).is_eq()) {
            Some((_, count)) => *count += value,
            None => self.buckets.push((bound, value)),
        }
    }

    /// What was counted since `earlier`, a reading of the same histogram; fails where it began anew in between.
    pub fn since(&self, earlier: &Self) -> Result<Self> {
        if self.count < earlier.count {
            bail!("the histogram began anew: it has counted {}, and had {}", self.count, earlier.count);
        }
        let at = |bound: f64| {
            let bucket = earlier.buckets.iter().find(|(there, _)| there.total_cmp(&bound).is_eq());
            bucket.map_or(0.0, |(_, count)| *count)
        };
        Ok(Self {
            buckets: self.buckets.iter().map(|(bound, count)| (*bound, count - at(*bound))).collect(),
            sum: self.sum - earlier.sum,
            count: self.count - earlier.count,
        })
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Their mean, which no bucket blurs; nothing, if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }

    /// The upper bound of the bucket that this share of the values (0.99 for p99) ends in; infinite for the last one.
    ///
    /// That is all that the buckets tell. (What Prometheus interpolates within one is a guess: it would call a p50
    /// in a first bucket of 5 ms 2.5 ms, whatever was counted.)
    #[must_use]
    pub fn quantile_at_most(&self, share: f64) -> Option<f64> {
        if self.count <= 0.0 {
            return None;
        }
        let ends_in = self.buckets.iter().find(|(_, count)| *count >= share * self.count);
        Some(ends_in.map_or(f64::INFINITY, |(bound, _)| *bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# HELP took_seconds [ALPHA] How long it took.
# TYPE took_seconds histogram
took_seconds_bucket{name="ours",rejected="false",le="0.005"} 90
took_seconds_bucket{name="ours",rejected="false",le="0.025"} 98
took_seconds_bucket{name="ours",rejected="false",le="+Inf"} 99
took_seconds_sum{name="ours",rejected="false"} 0.6
took_seconds_count{name="ours",rejected="false"} 99
took_seconds_bucket{name="ours",rejected="true",le="0.005"} 0
took_seconds_bucket{name="ours",rejected="true",le="0.025"} 1
took_seconds_bucket{name="ours",rejected="true",le="+Inf"} 1
took_seconds_sum{name="ours",rejected="true"} 0.4
took_seconds_count{name="ours",rejected="true"} 1
took_seconds_bucket{name="another",rejected="false",le="0.005"} 0
took_seconds_count{name="another",rejected="false"} 7
took_seconds_total{name="ours"} 3
"#;

    fn ours() -> Histogram {
        Histogram::read(PAGE, "took_seconds", "name=\"ours\"").unwrap()
    }

    #[test]
    fn the_series_of_a_label_are_added_up() {
        let buckets = vec![(0.005, 90.0), (0.025, 99.0), (f64::INFINITY, 100.0)];
        assert_eq!(ours(), Histogram { buckets, sum: 1.0, count: 100.0 });
        assert_eq!(ours().mean(), Some(0.01));
    }

    #[test]
    fn a_quantile_is_known_as_far_as_its_bucket() {
        for (share, at_most) in
            [(0.5, 0.005), (0.9, 0.005), (0.91, 0.025), (0.99, 0.025), (1.0, f64::INFINITY)]
        {
            assert_eq!(ours().quantile_at_most(share), Some(at_most), "{share}");
        }
    }

    #[test]
    fn a_difference_holds_only_what_came_later() {
        let later =
            PAGE.replace("le=\"0.025\"} 98", "le=\"0.025\"} 102").replace("+Inf\"} 99", "+Inf\"} 103");
        let later = later.replace("_count{name=\"ours\",rejected=\"false\"} 99", "_count{name=\"ours\"} 103");
        let later = Histogram::read(&later, "took_seconds", "name=\"ours\"").unwrap();
        let since = later.since(&ours()).unwrap();
        let buckets = vec![(0.005, 0.0), (0.025, 4.0), (f64::INFINITY, 4.0)];
        assert_eq!(since, Histogram { buckets, sum: 0.0, count: 4.0 });
        assert_eq!(since.quantile_at_most(0.5), Some(0.025));
        assert_eq!(later.since(&Histogram::default()).unwrap(), later);
    }

    #[test]
    fn one_that_began_anew_has_no_difference() {
        let error = Histogram::default().since(&ours()).unwrap_err().to_string();
        assert_eq!(error, "the histogram began anew: it has counted 0, and had 100");
    }

    #[test]
    fn one_that_is_not_there_is_empty() {
        let none = Histogram::read(PAGE, "took_seconds", "name=\"nobody\"").unwrap();
        assert_eq!(
            (none.clone(), none.mean(), none.quantile_at_most(0.5)),
            (Histogram::default(), None, None)
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let error = Histogram::read("took_seconds_sum{name=\"ours\"} x", "took_seconds", "ours").unwrap_err();
        assert_eq!(error.to_string(), "failed to read the metric \"took_seconds_sum{name=\\\"ours\\\"} x\"");
    }
}
