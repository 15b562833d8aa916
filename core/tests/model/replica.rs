//! A controller: what its watches have shown it, and what it is at.

use std::collections::VecDeque;

use dataservice_core::reconcile::Kind;

use crate::api_server::{Object, Pair};
use crate::clock::Tick;
use crate::scenario::Scenario;
use crate::sight::Sight;
use crate::work::Work;

/// A controller. Nothing but the protocol keeps two of them apart.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Replica {
    /// As many pieces of work as it may still begin, if it is not the leader.
    pub(crate) works: Option<u8>,
    pub(crate) view: View,
    /// The watches that show nothing for a while, where they follow the world at once otherwise.
    pub(crate) stuck: [bool; 3],
    /// What each watch has shown last; nothing before it has listed all.
    shown: [Option<Shown>; 3],
    /// What each watch has on its way, the oldest first.
    backlog: [VecDeque<Shown>; 3],
    pub(crate) desks: Vec<Desk>,
}

/// What a controller knows. Each watch is behind by itself.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct View {
    pub(crate) pods: Vec<Sight>,
    pub(crate) objects: Vec<Pair>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Watch {
    Pods,
    Names,
    Sets,
}

/// All that a watch shows, at one moment. (What changed in between was seen, or a watch that starts over lost it.)
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Shown {
    Pods(Vec<Sight>),
    Objects(Vec<Option<Object>>),
}

/// A service's place in a controller's queue.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Desk {
    /// It is to be looked at.
    pub(crate) is_touched: bool,
    /// When it is to be looked at, though nothing changes.
    pub(crate) revisit: Option<Tick>,
    pub(crate) work: Option<Work>,
}

// === impl Replica ===

impl Replica {
    /// One that has just started and knows nothing.
    pub(crate) fn new(works: Option<u8>, scenario: &Scenario) -> Self {
        let services = scenario.services.len();
        let view = View {
            pods: vec![Sight::Absent; scenario.roles.len()],
            objects: vec![Pair::default(); services],
        };
        let (shown, backlog) = (<[_; 3]>::default(), <[_; 3]>::default());
        Self { works, view, stuck: [false; 3], shown, backlog, desks: vec![Desk::default(); services] }
    }

    /// It may work when all watches have listed all.
    pub(crate) fn is_synced(&self) -> bool {
        self.shown.iter().all(Option::is_some)
    }

    /// Whether it has something to do for this service.
    pub(crate) fn is_due(&self, service: usize, now: Tick) -> bool {
        let Desk { is_touched, revisit, work } = &self.desks[service];
        work.is_none() && self.is_synced() && (*is_touched || revisit.is_some_and(|at| at <= now))
    }

    /// Whether a watch would bring something that is not known yet, or on its way.
    pub(crate) fn is_behind(&self, watch: Watch, there: &Shown) -> bool {
        let newest = self.backlog[watch as usize].back().or(self.shown[watch as usize].as_ref());
        newest != Some(there)
    }

    pub(crate) fn has_backlog(&self, watch: Watch) -> bool {
        !self.backlog[watch as usize].is_empty()
    }

    /// The watch takes down what is there now.
    pub(crate) fn send(&mut self, watch: Watch, there: Shown) {
        self.backlog[watch as usize].push_back(there);
    }

    /// The controller is shown what the watch took down first.
    pub(crate) fn receive(&mut self, watch: Watch, scenario: &Scenario) {
        let Some(shown) = self.backlog[watch as usize].pop_front() else { return };
        let before = self.shown[watch as usize].replace(shown.clone());
        let touched = self.view.show(watch, before, shown, scenario);
        for service in touched {
            self.desks[service].is_touched = scenario.limits.watching.is_free();
        }
    }

    /// The controller is shown once more what a watch has shown last, as a list that is made anew does.
    pub(crate) fn repeat(&mut self, watch: Watch, scenario: &Scenario) {
        let Some(shown) = self.shown[watch as usize].clone() else { return };
        self.view.show(watch, None, shown, scenario);
        self.desks.iter_mut().for_each(|desk| desk.is_touched = true);
    }

    pub(crate) fn backlogs(&self, watch: Watch) -> usize {
        self.backlog[watch as usize].len()
    }

    /// All objects that it remembers.
    pub(crate) fn objects_mut(&mut self) -> impl Iterator<Item = (usize, Kind, &mut Object)> {
        let ([_, names, sets], [_, shown_names, shown_sets]) = (&mut self.backlog, &mut self.shown);
        let watched = [(Kind::Service, names, shown_names), (Kind::StatefulSet, sets, shown_sets)];
        let watched = watched.into_iter().flat_map(|(kind, backlog, shown)| {
            let objects = backlog.iter_mut().chain(shown.as_mut()).filter_map(|shown| match shown {
                Shown::Objects(objects) => Some(objects.iter_mut().enumerate()),
                Shown::Pods(_) => None,
            });
            objects.flatten().filter_map(move |(service, object)| Some((service, kind, object.as_mut()?)))
        });
        let looked_at =
            self.desks.iter_mut().enumerate().filter_map(|(service, desk)| match &mut desk.work {
                Some(
                    Work::Listing { objects, .. }
                    | Work::Reading { objects, .. }
                    | Work::Doing { updated: objects, .. },
                ) => Some((service, objects)),
                None => None,
            });
        let pairs = self.view.objects.iter_mut().enumerate().chain(looked_at);
        pairs
            .flat_map(|(service, pair)| {
                let Pair { set, names } = pair;
                let names = names.as_mut().map(|names| (service, Kind::Service, names));
                names.into_iter().chain(set.as_mut().map(|set| (service, Kind::StatefulSet, set)))
            })
            .chain(watched)
    }
}

// === impl View ===

impl View {
    /// Takes in what a watch shows; the services that it touches.
    fn show(&mut self, watch: Watch, before: Option<Shown>, shown: Shown, scenario: &Scenario) -> Vec<usize> {
        let before = match before {
            Some(Shown::Objects(objects)) => objects,
            Some(Shown::Pods(_)) | None => vec![None; self.objects.len()],
        };
        match shown {
            Shown::Pods(pods) => {
                let changed = (0..pods.len()).filter(|pod| self.pods[*pod] != pods[*pod]);
                let touched = changed.flat_map(|pod| scenario.services_of(pod)).collect();
                self.pods = pods;
                touched
            }
            Shown::Objects(objects) => {
                // An event tells of what has changed, and of nothing else.
                let shown = objects.into_iter().enumerate();
                let shown = shown.filter(|(service, object)| before[*service] != *object);
                let news =
                    shown.filter(|(service, object)| self.show_object((*service, watch.kind()), *object));
                news.map(|(service, _)| service).collect()
            }
        }
    }

    /// Whether it is news. An older version than the known one says nothing; a newer one that says the same is none.
    pub(crate) fn show_object(&mut self, (service, kind): (usize, Kind), shown: Option<Object>) -> bool {
        // One that is not ours is not watched.
        let shown = shown.filter(|object| object.note.is_some());
        let known = self.objects[service].slot(kind);
        let is_older = known
            .zip(shown)
            .is_some_and(|(known, shown)| known.uid == shown.uid && shown.version < known.version);
        if is_older {
            return false;
        }
        let versionless = |object: &Option<Object>| object.map(|object| Object { version: 0, ..object });
        let is_news = versionless(known) != versionless(&shown);
        *known = shown;
        is_news
    }

    /// The API server has taken this object's deletion.
    pub(crate) fn mark_deleting(&mut self, (service, kind): (usize, Kind), uid: u8) {
        if let Some(object) = self.objects[service].slot(kind).as_mut().filter(|object| object.uid == uid) {
            object.deleting = true;
        }
    }
}

// === impl Watch ===

impl Watch {
    pub(crate) const ALL: [Self; 3] = [Self::Pods, Self::Names, Self::Sets];

    pub(crate) fn of(kind: Kind) -> Self {
        if kind == Kind::StatefulSet { Self::Sets } else { Self::Names }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Names => Kind::Service,
            Self::Sets => Kind::StatefulSet,
            Self::Pods => unreachable!("pods are not made by us"),
        }
    }
}
