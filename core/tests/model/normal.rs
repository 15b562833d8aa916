//! One form for worlds that differ only in names: replicas in order, uids and versions counted from one.

use dataservice_core::reconcile::Kind;

use crate::api_server::{KINDS, Object, Place};
use crate::decision::Call;
use crate::work::Work;
use crate::world::World;

impl World {
    /// Brings it into the one form: versions are compared for being equal or older, and for nothing else.
    pub(crate) fn normalize(&mut self) {
        let mut versions: Vec<(Place, u8, u8)> = Vec::with_capacity(32);
        let mut uids: Vec<(Place, u8)> = Vec::with_capacity(32);
        self.each_name(|place, uid, version| {
            uids.push((place, *uid));
            versions.extend(version.map(|version| (place, *uid, *version)));
        });
        uids.sort_unstable();
        uids.dedup();
        versions.sort_unstable();
        versions.dedup();
        self.each_name(|place, uid, version| {
            if let Some(version) = version {
                *version = count(
                    versions.iter().filter(|(at, of, it)| (*at, *of) == (place, *uid) && *it <= *version),
                );
            }
            *uid = count(uids.iter().filter(|(at, it)| *at == place && *it <= *uid));
        });
    }

    /// A uid that nobody knows of.
    pub(crate) fn fresh_uid(&mut self, place: Place) -> u8 {
        let mut last = 0;
        self.each_name(|there, uid, _| last = if there == place { last.max(*uid) } else { last });
        last + 1
    }

    /// Visits every uid, with the version where there is one.
    fn each_name(&mut self, mut visit: impl FnMut(Place, &mut u8, Option<&mut u8>)) {
        for (service, pair) in self.api.services.iter_mut().enumerate() {
            for kind in KINDS {
                if let Some(object) = pair.slot(kind) {
                    visit_object((service, kind), object, &mut visit);
                }
            }
        }
        for pod in &mut self.cluster.pods {
            for (service, uid) in pod.passed.iter_mut().enumerate().filter(|(_, uid)| **uid != 0) {
                visit((service, Kind::StatefulSet), uid, None);
            }
        }
        for replica in &mut self.replicas {
            for (service, kind, object) in replica.objects_mut() {
                visit_object((service, kind), object, &mut visit);
            }
            for (service, desk) in replica.desks.iter_mut().enumerate() {
                let Some(Work::Doing { calls, .. }) = &mut desk.work else { continue };
                for call in calls {
                    visit_call(service, call, &mut visit);
                }
            }
        }
    }
}

fn visit_object(place: Place, object: &mut Object, visit: &mut impl FnMut(Place, &mut u8, Option<&mut u8>)) {
    visit(place, &mut object.uid, Some(&mut object.version));
    if object.attached_to != 0 {
        visit((place.0, Kind::StatefulSet), &mut object.attached_to, None);
    }
}

fn visit_call(service: usize, call: &mut Call, visit: &mut impl FnMut(Place, &mut u8, Option<&mut u8>)) {
    match call {
        Call::Attach { kind, uid, version, set } => {
            visit((service, *kind), uid, Some(version));
            visit((service, Kind::StatefulSet), set, None);
        }
        Call::Create { .. } | Call::Release(_) => {}
        Call::Delete { kind, uid, version } => visit((service, *kind), uid, version.as_mut()),
        Call::Update { uid, version, .. } => visit((service, Kind::StatefulSet), uid, Some(version)),
    }
}

fn count<T>(names: impl Iterator<Item = T>) -> u8 {
    u8::try_from(names.count()).unwrap()
}
