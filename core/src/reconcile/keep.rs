//! Somebody needs the service.

use jiff::Timestamp;

use super::{Action, Attachment, Claim, Creation, Kind, MOST_OWNERS, Object, Observed, Update, close};
use crate::consumer::Owner;
use crate::key::Scope;
use crate::record::Record;

/// Makes what is missing for `sharing`, and keeps the record true; what is half of another making is deleted first.
pub(super) fn keep(
    claims: &[Claim<'_>],
    sharing: &[&Claim<'_>],
    record: &Record,
    observed: &Observed,
    now: Timestamp,
) -> Vec<Action> {
    if observed.objects().any(|(_, object)| object.deleting || observed.is_left(object)) {
        // Its deletion is seen when it is done; the name is free then.
        return Vec::new();
    }
    let strangers = strangers(record, observed);
    if !strangers.is_empty() {
        return strangers;
    }
    let kinds = if is_too_late(sharing, observed) { Vec::new() } else { observed.missing(record) };
    let owners = owners(sharing);
    let wanted = Record { idle_since: None, closing: false, ..close::with_lifetimes(record, claims, now) };
    let update = observed.stateful_set.as_deref().and_then(|set| update(set, wanted, &owners));
    let create = (!kinds.is_empty()).then(|| create(sharing, record, owners, kinds)).flatten();
    create.into_iter().chain(attach(sharing, observed)).chain(update).collect()
}

/// Whether those who are left are all being deleted, and their servers are gone: perhaps with the controller that they
/// share, and then the collector would take new ones as soon as they are made, again and again until the pods end.
fn is_too_late(sharing: &[&Claim<'_>], observed: &Observed) -> bool {
    observed.stateful_set.is_none() && sharing.iter().all(|claim| claim.lost_at().is_some())
}

fn strangers(record: &Record, observed: &Observed) -> Vec<Action> {
    let strangers = observed.objects().filter(|(_, object)| object.record.instance != record.instance);
    strangers.filter_map(|(kind, object)| close::delete_loose(kind, object)).collect()
}

/// What the StatefulSet does not have yet.
fn attach(sharing: &[&Claim<'_>], observed: &Observed) -> Vec<Action> {
    let Some((set, first)) = observed.stateful_set.as_deref().zip(sharing.first()) else { return Vec::new() };
    let attach = |(kind, object): (Kind, &Object)| {
        Action::Attach(Box::new(Attachment {
            kind,
            uid: object.uid.clone(),
            resource_version: object.resource_version.clone(),
            set: Owner::stateful_set(first.service.object.as_str(), &set.uid),
        }))
    };
    observed.others().filter(|(_, object)| object.attached_to.is_none()).map(attach).collect()
}

fn create(sharing: &[&Claim<'_>], record: &Record, owners: Vec<Owner>, kinds: Vec<Kind>) -> Option<Action> {
    let first = sharing.first()?;
    let creation = Creation {
        spec: first.service.spec.open(),
        default_resources: first.service.default_resources.open(),
        service: first.service.clone(),
        namespace: first.consumer.pod.namespace.clone(),
        record: record.clone(),
        owners,
        consumers: sharing.iter().map(|claim| claim.consumer.pod.clone()).collect(),
    };
    Some(Action::Create { creation: Box::new(creation), kinds })
}

/// Each distinct controller of the consumers. What a namespace shares has no owner: keep-warm ends it. The controller of
/// a pod that is being deleted may be gone: the collector would take it off as often as it is put on.
fn owners(sharing: &[&Claim<'_>]) -> Vec<Owner> {
    let is_owned = |claim: &&&Claim<'_>| claim.service.scope != Scope::Namespace && claim.lost_at().is_none();
    let owned = sharing.iter().filter(is_owned);
    let mut owners: Vec<_> = owned.map(|claim| claim.consumer.owner.clone()).collect();
    owners.sort();
    owners.dedup();
    owners.truncate(MOST_OWNERS);
    owners
}

/// The change that makes `set` say `record` and be owned by all of `owners`, if it does not yet.
pub(super) fn update(set: &Object, record: Record, owners: &[Owner]) -> Option<Action> {
    let room = MOST_OWNERS.saturating_sub(set.owners.len());
    let new = owners.iter().filter(|owner| !set.is_owned_by(&owner.uid));
    let owners: Vec<_> = new.take(room).cloned().collect();
    (record != *set.record || !owners.is_empty()).then(|| {
        Action::Update(Box::new(Update {
            uid: set.uid.clone(),
            resource_version: set.resource_version.clone(),
            record,
            has_owners: !set.owners.is_empty(),
            owners,
        }))
    })
}
