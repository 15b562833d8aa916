//! What must not have happened.

use jiff::{SignedDuration, Timestamp};

use super::ask::Mistake;
use super::facts::{Consumer, Facts};
use super::fault::Fault;
use super::group::Ending;
use super::loss::losses;
use super::outcome::{self, Outcome};
use super::probe::Answer;
use super::record::Kind;
use super::stage::Deed;

/// All that must not have happened, each in words.
#[must_use]
pub(super) fn violations(facts: &Facts, consumers: &[Consumer<'_>]) -> Vec<String> {
    let mut all = facts.failures.clone();
    let losses = losses(&facts.testimonies, &facts.pods, &facts.objects, &facts.deeds);
    all.extend(losses.iter().map(ToString::to_string));
    all.extend(consumers.iter().flat_map(|consumer| of_consumer(facts, consumer)));
    all.extend(of_members(facts, consumers));
    all.extend(facts.deeds.iter().filter_map(|deed| of_deed(facts, deed)));
    let changed =
        facts.objects.iter().filter(|object| object.kind == Kind::StatefulSet && object.generation > 1);
    all.extend(changed.map(|object| format!("StatefulSet {} was changed", object.name)));
    all.extend(facts.left.iter().map(|what| format!("left over: {what}")));
    let refused = facts.admissions.iter().filter(|(_, answer)| matches!(answer, Answer::Refused(_)));
    all.extend(refused.map(|(at, answer)| format!("the probe was refused at {at}: {answer:?}")));
    all
}

fn of_consumer(facts: &Facts, consumer: &Consumer<'_>) -> Vec<String> {
    let (record, told) = (consumer.record, &consumer.told);
    let mut wrongs = outcome::wrongs(record, told, consumer.is_deleted);
    let group = record.member().and_then(|(number, _)| facts.group(number));
    match (&consumer.outcome, group.and_then(|group| group.mistake)) {
        (Outcome::Unknown(state), _) => {
            wrongs.push(format!("{} got neither its endpoints nor a reason: {state}", record.name()));
        }
        (Outcome::Refused(message), None) => {
            wrongs.push(format!("{} asked for nothing wrong and was refused: {message}", record.name()));
        }
        (Outcome::Served(_), Some(Mistake::Image)) => {
            wrongs.push(format!("{} began without servers", record.name()));
        }
        _ => {}
    }
    wrongs.extend(told.iter().flat_map(|testimony| {
        let gone_silent = testimony.gaps().into_iter().filter(|gap| gap.is_open && gap.lasts > SILENCE);
        let gone_silent = gone_silent.filter(|_| !record.had_no_right(testimony.last_beat));
        let unexplained =
            gone_silent.filter(|gap| !kubelet_stood_still(facts, gap.from, testimony.last_beat));
        unexplained
            .map(|gap| format!("{} lost {} for its last {:.0?}", record.name(), gap.endpoint, gap.lasts))
    }));
    wrongs
}

/// Nobody starts a server again that died meanwhile.
fn kubelet_stood_still(facts: &Facts, from: Timestamp, to: Timestamp) -> bool {
    let mut pauses = facts.struck().filter(|(fault, ..)| *fault == Fault::Kubelet);
    pauses.any(|(_, began, ended)| began < to && from < ended)
}

/// Each member had its pod, or was refused.
fn of_members(facts: &Facts, consumers: &[Consumer<'_>]) -> Vec<String> {
    let is_refused = |number: u32| {
        facts.deeds.iter().any(|deed| matches!(deed, Deed::Refused { group, .. } if *group == number))
    };
    let has_pod = |number: u32, member: usize| {
        consumers.iter().any(|consumer| consumer.record.member() == Some((number, member)))
    };
    let missing = facts.played().filter(|group| !is_refused(group.number)).flat_map(|group| {
        let members = group.members.iter().enumerate();
        // A Job that is deleted in time makes none.
        let missing = members.filter(|(number, member)| {
            !has_pod(group.number, *number) && !matches!(member.ending, Ending::Deleted { .. })
        });
        missing.map(move |(_, member)| format!("{} of {group} never came", member.role.fixture))
    });
    missing.collect()
}

fn of_deed(facts: &Facts, deed: &Deed) -> Option<String> {
    match deed {
        Deed::Created { uid, is_bare: true } => {
            Some(format!("the pod {uid} was let in without its services"))
        }
        Deed::Refused { group: number, status, message } => {
            let mistake = facts.group(*number).and_then(|group| group.mistake);
            let is_right = matches!(mistake, Some(Mistake::Annotation | Mistake::Rivalry)) && *status == 422;
            (!is_right).then(|| format!("a pod of group {number} was refused with {status}: {message}"))
        }
        Deed::Played { group, is_over: false } => Some(format!("did not come to its end: {group}")),
        _ => None,
    }
}

/// A server that is started again answers sooner.
const SILENCE: SignedDuration = SignedDuration::from_secs(30);
