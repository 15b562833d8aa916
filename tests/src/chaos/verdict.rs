//! What came of a run, for a person.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::facts::{Consumer, Facts};
use super::fault::Fault;
use super::outcome::{self, Ended, Outcome};
use super::probe::{Absence, Answer};
use super::record::Kind;
use super::stage::Deed;
use super::violation::violations;
use crate::spread::Spread;

/// What came of a run.
pub struct Verdict {
    /// What was counted, and how much of it.
    rows: Vec<(String, String)>,
    /// What must not have happened.
    pub violations: Vec<String>,
}

// === impl Verdict ===

impl Verdict {
    /// Judges.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let consumers = facts.consumers();
        let mut rows = pods(facts, &consumers);
        rows.extend(faults(facts));
        rows.extend(tasks(facts, &consumers));
        rows.extend(services(facts, &consumers));
        rows.extend(admission(facts));
        Self { rows, violations: violations(facts, &consumers) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, value) in &self.rows {
            writeln!(f, "{}", format!("{what:<52}{value}").trim_end())?;
        }
        let mut told = String::new();
        for violation in &self.violations {
            let _ = writeln!(told, "VIOLATION: {violation}");
        }
        if told.is_empty() {
            writeln!(f, "\nnothing was lost, and nothing is left")
        } else {
            write!(f, "\n{told}")
        }
    }
}

type Row = (String, String);

fn row(what: impl Into<String>, value: impl fmt::Display) -> Row {
    (what.into(), value.to_string())
}

fn pods(facts: &Facts, consumers: &[Consumer<'_>]) -> Vec<Row> {
    let refused_at_once = facts.deeds.iter().filter_map(|deed| match deed {
        Deed::Refused { status, message, .. } => Some(format!("{status} {message}")),
        _ => None,
    });
    let refused_later = consumers.iter().filter_map(|consumer| match &consumer.outcome {
        Outcome::Refused(message) => Some(message.clone()),
        _ => None,
    });
    let count = |is_one: &dyn Fn(&Outcome) -> bool| consumers.iter().filter(|c| is_one(&c.outcome)).count();
    let ended = |ended| count(&move |outcome: &Outcome| *outcome == Outcome::Served(ended));
    let mut rows = vec![
        row("tasks", counted(facts.played().map(|group| format!("{:?}", group.kind)))),
        row("pods that were created", consumers.len()),
        row("  and asked for services of scope", counted(scopes(facts, consumers))),
        row("  got their endpoints", count(&|outcome| matches!(outcome, Outcome::Served(_)))),
        row("    and succeeded", ended(Ended::Succeeded)),
        row("    and failed", ended(Ended::Failed)),
        row("    and were deleted at work", ended(Ended::Deleted)),
        row("    and had not ended", ended(Ended::NotYet)),
        row("  were deleted before they had them", count(&|outcome| *outcome == Outcome::Interrupted)),
        row("  got neither endpoints nor a reason", count(&|outcome| matches!(outcome, Outcome::Unknown(_)))),
    ];
    rows.extend(messages("  were told why not, at their gate", refused_later));
    rows.extend(messages("pods that were refused at admission", refused_at_once));
    rows
}

fn scopes<'a>(facts: &'a Facts, consumers: &'a [Consumer<'a>]) -> impl Iterator<Item = String> + 'a {
    let groups = consumers.iter().filter_map(|consumer| facts.group(consumer.record.member()?.0));
    groups.flat_map(|group| &group.asks).map(|ask| format!("{:?}", ask.scope))
}

/// How many in all, and of each.
fn counted(all: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    all.for_each(|one| *counts.entry(one.to_lowercase()).or_default() += 1);
    let each: Vec<_> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    format!("{} ({})", counts.values().sum::<usize>(), each.join(", "))
}

/// How many, and which: numbers and names apart.
fn messages(what: &str, all: impl Iterator<Item = String>) -> Vec<Row> {
    let mut kinds: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for message in all {
        // After what all of ours begin with.
        let own = message.rsplit_once("flyte-dataservice: ").map_or(message.as_str(), |(_, own)| own);
        let kind = own.chars().filter(|c| !c.is_ascii_digit()).take(KIND_CHARS).collect();
        kinds.entry(kind).or_insert((0, message)).0 += 1;
    }
    let total: usize = kinds.values().map(|(count, _)| count).sum();
    let told = kinds.into_values().map(|(count, message)| {
        let message: String = message.chars().take(MESSAGE_CHARS).collect();
        row(format!("    {count} x {message}"), "")
    });
    [row(what, total)].into_iter().chain(told).collect()
}

fn faults(facts: &Facts) -> Vec<Row> {
    let mut done: BTreeMap<Fault, (usize, usize)> = BTreeMap::new();
    facts.struck().for_each(|(fault, ..)| done.entry(fault).or_default().0 += 1);
    for deed in &facts.deeds {
        if let Deed::Missed { fault } = deed {
            done.entry(*fault).or_default().1 += 1;
        }
    }
    let total: usize = done.values().map(|(hit, _)| hit).sum();
    let each = done.into_iter().map(|(fault, (hit, missed))| {
        let missed = if missed > 0 { format!(" ({missed} more hit nobody)") } else { String::new() };
        row(format!("  {fault}"), format!("{hit}{missed}"))
    });
    [row("faults", total)].into_iter().chain(each).collect()
}

fn tasks(facts: &Facts, consumers: &[Consumer<'_>]) -> Vec<Row> {
    let gaps: Vec<f64> = facts
        .testimonies
        .iter()
        .flat_map(|testimony| testimony.gaps().into_iter().map(|gap| gap.lasts.as_secs_f64()))
        .collect();
    let started = consumers.iter().filter_map(|c| outcome::started_after(c.record, &c.told)).collect();
    vec![
        row("pod created → its task began", seconds(Spread::of(started))),
        row("servers that did not answer a task for a while", seconds(Spread::of(gaps))),
    ]
}

fn services(facts: &Facts, consumers: &[Consumer<'_>]) -> Vec<Row> {
    let sets = facts.objects.iter().filter(|object| object.kind == Kind::StatefulSet);
    let gone = consumers.iter().filter_map(|consumer| gone_after(facts, consumer)).collect();
    let quiet = facts.ended_at.duration_since(facts.quiet_at).as_secs_f64();
    vec![
        row("services that were made", sets.count()),
        row("  were left over", facts.left.len()),
        row("task's end → its own service gone", seconds(Spread::of(gone))),
        row("last task's end → everything gone", format!("{quiet:.1} s")),
    ]
}

/// From the end of the only task that a service was for, where that ended by itself and nothing kept it.
fn gone_after(facts: &Facts, consumer: &Consumer<'_>) -> Option<f64> {
    let [told] = consumer.told.as_slice() else { return None };
    told.code?;
    let plan = crate::sandbox::plan(&consumer.record.pod).ok()?;
    let own = |service: &&dataservice_core::plan::PlannedService| {
        service.key.is_one_pods() && service.lifetime == dataservice_core::ask::Lifetime::default()
    };
    let service = plan.services.iter().find(own)?;
    let mut sets = facts.objects.iter().filter(|object| object.kind == Kind::StatefulSet);
    let gone_at = sets.find(|set| set.name == service.object.as_str())?.gone_at?;
    Some(gone_at.duration_since(told.ended_at?).as_secs_f64())
}

fn admission(facts: &Facts) -> Vec<Row> {
    let absence = |answer| Absence::of(&facts.admissions, &answer, facts.ended_at);
    let told = |Absence { times, total, longest }: Absence| {
        format!(
            "{times} times, {:.0} s in all, {:.0} s the longest",
            total.as_secs_f64(),
            longest.as_secs_f64()
        )
    };
    vec![
        row("admission: the API server was away", told(absence(Answer::NoApiServer))),
        row("admission: the webhook was away", told(absence(Answer::NoWebhook))),
    ]
}

fn seconds(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |Spread { median, worst, of, .. }| format!("median {median:.1} s, worst {worst:.1} s, of {of}"),
    )
}

/// Messages that begin alike are of one kind.
const KIND_CHARS: usize = 60;
const MESSAGE_CHARS: usize = 300;
