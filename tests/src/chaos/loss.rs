//! Whether a task lost its service: from what it told, and from when its service was gone.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::ledger;
use super::record::{Kind, ObjectRecord, PodRecord};
use super::stage::{Deed, Deletion, deleted};
use super::testimony::Testimony;
use super::view;

/// A service that was taken from a task that worked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Loss {
    /// The task's pod.
    pub pod: String,
    /// What was taken.
    pub object: String,
    /// When it was seen to be gone.
    pub gone_at: Timestamp,
    /// Until when the task worked on.
    pub worked_until: Timestamp,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod, object, gone_at, worked_until } = self;
        write!(f, "{pod} lost {object}, seen gone at {gone_at}, and worked on until {worked_until}")
    }
}

/// Who told anything after what it was promised was gone, worked then.
#[must_use]
pub fn losses(
    testimonies: &[Testimony],
    pods: &[PodRecord],
    objects: &[ObjectRecord],
    deeds: &[Deed],
) -> Vec<Loss> {
    let of_task = |testimony: &Testimony| {
        let record = pods.iter().find(|record| record.name() == testimony.pod && is_of(testimony, record));
        let lost = promised(testimony, objects).into_iter().filter_map(|object| {
            let gone_at = object.gone_at.filter(|gone_at| *gone_at + SLACK < testimony.last_beat)?;
            let had_no_right =
                record.is_some_and(|record| record.had_no_right(gone_at) || is_disowned(record, deeds));
            (!had_no_right).then(|| Loss {
                pod: testimony.pod.clone(),
                object: format!("{:?} {} ({})", object.kind, object.name, object.uid),
                gone_at,
                worked_until: testimony.last_beat,
            })
        });
        lost.collect::<Vec<_>>()
    };
    testimonies.iter().flat_map(of_task).collect()
}

/// Whether its owner was deleted: the collector takes the services then, while the pods have their grace.
fn is_disowned(record: &PodRecord, deeds: &[Deed]) -> bool {
    deleted(deeds).contains(&(record.uid(), Deletion::Owner))
}

/// Of several pods of one name, the one that was there.
pub(super) fn is_of(testimony: &Testimony, record: &PodRecord) -> bool {
    let created = view::timestamp(&record.pod, "/metadata/creationTimestamp");
    created.is_some_and(|created| created <= testimony.started_at)
        && record.gone_at.is_none_or(|gone_at| gone_at >= testimony.started_at)
}

/// The objects that a task started on: of those of each name, the last that was there when it did.
fn promised<'a>(testimony: &Testimony, objects: &'a [ObjectRecord]) -> Vec<&'a ObjectRecord> {
    // <object>-<ordinal>.<object>:<port>
    let names = testimony.endpoints.iter().filter_map(|endpoint| endpoint.split(['.', ':']).nth(1));
    let mut names: Vec<_> = names.collect();
    names.dedup();
    let kinds = [Kind::Service, Kind::StatefulSet];
    let both = names
        .into_iter()
        .flat_map(|name| kinds.map(|kind| ledger::at(objects, kind, name, testimony.started_at)));
    both.flatten().collect()
}

/// A line that was on its way.
const SLACK: SignedDuration = SignedDuration::from_millis(300);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn testimony(last_beat: i64) -> Testimony {
        let mut testimony = Testimony::of_hello("1000.000000 hello p a-0.a:1 a-1.a:1").unwrap();
        testimony.last_beat = at(last_beat);
        testimony
    }

    fn object(created: i64, gone: Option<i64>) -> ObjectRecord {
        ObjectRecord {
            kind: Kind::StatefulSet,
            name: "a".to_owned(),
            uid: format!("a{created}"),
            created_at: at(created),
            generation: 1,
            gone_at: gone.map(at),
        }
    }

    fn pod(gone: Option<i64>) -> PodRecord {
        let pod = json!({"metadata": {"name": "p", "uid": "u", "creationTimestamp": "1970-01-01T00:16:30Z"}});
        PodRecord { gone_at: gone.map(at), ..PodRecord::new(pod) }
    }

    #[test]
    fn who_works_on_after_its_service_is_gone_has_lost_it() {
        let count = |beat, gone| losses(&[testimony(beat)], &[pod(None)], &[object(990, gone)], &[]).len();
        assert_eq!((count(1_020, Some(1_010)), count(1_020, None), count(1_009, Some(1_010))), (1, 0, 0));
    }

    #[test]
    fn who_is_gone_itself_has_lost_nothing() {
        let count =
            |gone| losses(&[testimony(1_020)], &[pod(Some(gone))], &[object(990, Some(1_010))], &[]).len();
        assert_eq!((count(1_009), count(1_019)), (0, 1));
    }

    #[test]
    fn whose_owner_is_deleted_has_lost_nothing() {
        let deed = Deed::Deleted { uid: "u".to_owned(), how: Deletion::Owner };
        assert_eq!(losses(&[testimony(1_020)], &[pod(None)], &[object(990, Some(1_010))], &[deed]), []);
    }

    #[test]
    fn a_predecessor_of_the_same_name_was_not_promised() {
        let objects = [object(900, Some(1_005)), object(995, None)];
        assert_eq!(losses(&[testimony(1_020)], &[pod(None)], &objects, &[]), []);
    }
}
