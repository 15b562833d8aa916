//! Figures, told to a person or to a machine.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::figure::{Figure, Row, Unit, Value};
use crate::machine::Machine;

/// Figures, and what they were taken on.
pub struct Report {
    /// What gives the same again.
    pub command: String,
    /// When they were asked for.
    pub began: Timestamp,
    /// Kubernetes' version.
    pub kubernetes: String,
    /// The machine before and after.
    pub machine: (Machine, Machine),
    /// Each figure that was asked for, and its rows.
    pub figures: Vec<(&'static Figure, Vec<Row>)>,
}

// === impl Report ===

impl Report {
    /// A table for a person, and how each row was measured.
    #[must_use]
    pub fn table(&self) -> String {
        let (before, after) = &self.machine;
        let mut table = format!("{}\n", self.command);
        let _ = writeln!(
            table,
            "{:.0}, Kubernetes {}, Linux {}, {} CPUs, load {:.1} before and {:.1} after\n",
            self.began, self.kubernetes, before.kernel, before.cpus, before.load, after.load
        );
        line(&mut table, ["", "median", "p99", "worst", "of"]);
        for row in self.rows() {
            line(
                &mut table,
                [&row.what, &row.middle(), &row.p99(), &row.worst(), &row.of()].map(String::as_str),
            );
        }
        for row in self.rows() {
            let _ = write!(table, "\n{}:\n{}", row.what, wrapped(row.how));
        }
        table
    }

    /// The same for a machine: seconds and bytes.
    #[must_use]
    pub fn json(&self) -> Json {
        let (before, after) = &self.machine;
        let figures = self.figures.iter().map(|(figure, rows)| {
            json!({"name": figure.name, "rows": rows.iter().map(Row::json).collect::<Vec<_>>()})
        });
        json!({
            "command": self.command,
            "began": self.began.to_string(),
            "kubernetes": self.kubernetes,
            "machine": {
                "kernel": before.kernel, "cpus": before.cpus, "load_before": before.load, "load_after": after.load,
            },
            "figures": figures.collect::<Vec<_>>(),
        })
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.figures.iter().flat_map(|(_, rows)| rows)
    }
}

// === impl Row ===

impl Row {
    fn middle(&self) -> String {
        match &self.value {
            Value::AtMost(bound) => format!("≤ {}", self.unit.of(*bound)),
            Value::Exactly(value) => self.unit.of(*value),
            Value::Skipped(why) => format!("– ({why})"),
            Value::Spread(spread) => self.unit.of(spread.median),
        }
    }

    fn p99(&self) -> String {
        match &self.value {
            Value::Spread(spread) => self.unit.of(spread.p99),
            _ => String::new(),
        }
    }

    fn worst(&self) -> String {
        match &self.value {
            Value::Spread(spread) => self.unit.of(spread.worst),
            _ => String::new(),
        }
    }

    fn of(&self) -> String {
        match &self.value {
            Value::Spread(spread) => spread.of.to_string(),
            _ => String::new(),
        }
    }

    fn json(&self) -> Json {
        let mut json = json!({"what": self.what, "how": self.how, "unit": self.unit.name()});
        match &self.value {
            // JSON has no infinity: null.
            Value::AtMost(bound) => json["at_most"] = json!(bound),
            Value::Exactly(value) => json["value"] = json!(value),
            Value::Skipped(why) => json["skipped"] = json!(why),
            Value::Spread(spread) => {
                json["median"] = json!(spread.median);
                json["p99"] = json!(spread.p99);
                json["worst"] = json!(spread.worst);
                json["of"] = json!(spread.of);
            }
        }
        json
    }
}

// === impl Unit ===

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Seconds => "seconds",
        }
    }

    /// A value, with as many digits as mean something.
    fn of(self, value: f64) -> String {
        match self {
            Self::Bytes if value.abs() < 1e5 => format!("{:.2} kB", value / 1e3),
            Self::Bytes => format!("{:.2} MB", value / 1e6),
            Self::Count => format!("{value:.1}").trim_end_matches(".0").to_owned(),
            Self::Seconds if value.is_infinite() => "∞".to_owned(),
            Self::Seconds if value.abs() >= 1.0 => format!("{value:.2} s"),
            Self::Seconds => format!("{:.1} ms", value * 1e3),
        }
    }
}

/// Adds one line of the table.
fn line(table: &mut String, [what, middle, p99, worst, of]: [&str; 5]) {
    let text = format!("{what:<58}{middle:>12}{p99:>12}{worst:>12}{of:>6}");
    table.push_str(text.trim_end());
    table.push('\n');
}

/// Indented lines that fit a terminal.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(lines, "  {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(lines, "  {line}");
    lines
}

const WIDTH: usize = 98;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::ALL;
    use crate::spread::Spread;

    fn row(unit: Unit, value: Value) -> Row {
        Row { what: "a thing".to_owned(), how: "from here to there", unit, value }
    }

    fn report(rows: Vec<Row>) -> Report {
        let machine = || Machine { cpus: 2, kernel: "6.18".to_owned(), load: 1.25 };
        Report {
            command: "make figures".to_owned(),
            began: "2026-11-25T03:22:28.049655Z".parse().unwrap(),
            kubernetes: "v1.36.3".to_owned(),
            machine: (machine(), machine()),
            figures: vec![(ALL.first().unwrap(), rows)],
        }
    }

    #[test]
    fn the_table_says_what_and_how() {
        let spread = Spread { median: 0.0184, p99: 0.25, worst: 1.5, of: 50 };
        let table = report(vec![row(Unit::Seconds, Value::Spread(spread))]).table();
        let expected = "\
make figures
2026-11-25T03:22:28Z, Kubernetes v1.36.3, Linux 6.18, 2 CPUs, load 1.2 before and 1.2 after

                                                                median         p99       worst    of
a thing                                                        18.4 ms    250.0 ms      1.50 s    50

a thing:
  from here to there
";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_row_that_was_skipped_says_why() {
        let table = report(vec![row(Unit::Bytes, Value::Skipped("the node is elsewhere"))]).table();
        assert!(table.contains("– (the node is elsewhere)\n"), "{table}");
    }

    #[test]
    fn a_bound_is_no_value() {
        for (bound, told) in [(0.005, "≤ 5.0 ms"), (2.5, "≤ 2.50 s"), (f64::INFINITY, "≤ ∞")] {
            assert_eq!(row(Unit::Seconds, Value::AtMost(bound)).middle(), told);
        }
    }

    #[test]
    fn a_value_has_as_many_digits_as_mean_something() {
        let told = [(Unit::Bytes, 2048.0), (Unit::Bytes, 1.2e7), (Unit::Count, 0.0), (Unit::Count, 11.25)];
        let told = told.map(|(unit, value)| unit.of(value));
        assert_eq!(told, ["2.05 kB", "12.00 MB", "0", "11.2"]);
    }

    #[test]
    fn a_machine_is_told_seconds_and_bytes() {
        let json =
            report(vec![row(Unit::Bytes, Value::Exactly(2.5e6)), row(Unit::Seconds, Value::AtMost(0.005))]);
        let json = json.json();
        assert_eq!(
            json["figures"],
            json!([{"name": "creation", "rows": [
                {"what": "a thing", "how": "from here to there", "unit": "bytes", "value": 2.5e6},
                {"what": "a thing", "how": "from here to there", "unit": "seconds", "at_most": 0.005},
            ]}])
        );
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = "word ".repeat(50);
        let lines = wrapped(&text);
        assert!(lines.lines().all(|line| line.chars().count() <= 100), "{lines}");
        assert_eq!(lines.split_whitespace().count(), 50);
    }
}
