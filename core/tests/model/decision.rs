//! What the real `reconcile` says, in the terms of the model.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use dataservice_core::consumer::Owner;
use dataservice_core::reconcile::{
    Action, Claim, Job, Kind, Knowledge, Object as Known, Observed, reconcile,
};

use crate::api_server::{KINDS, Object, Owners, Pair};
use crate::clock::{Tick, at, tick};
use crate::note::Note;
use crate::scenario::{Precaution, Scenario};
use crate::sight::Sight;

/// What is known of a service when it is decided.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Question {
    pub(crate) service: usize,
    pub(crate) pods: Vec<Sight>,
    pub(crate) objects: Pair,
    pub(crate) certainty: Certainty,
    pub(crate) now: Tick,
}

/// [`Knowledge`], as it can be hashed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Certainty {
    Watched,
    Over,
    Unfinished,
    Unreadable,
}

/// What has to be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    /// Look at the API server first, and ask again.
    pub(crate) confirm: bool,
    pub(crate) revisit: Option<Tick>,
    pub(crate) calls: Vec<Call>,
}

/// A request to the API server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Call {
    Attach {
        kind: Kind,
        uid: u8,
        version: u8,
        set: u8,
    },
    /// The Service first, then the StatefulSet; what is left of it.
    Create {
        note: Note,
        owners: Owners,
        names: bool,
        set: bool,
    },
    Delete {
        kind: Kind,
        uid: u8,
        version: Option<u8>,
    },
    Release(usize),
    Update {
        uid: u8,
        version: u8,
        note: Note,
        owners: Owners,
    },
}

// === impl Call ===

impl Call {
    /// What is left of it where a precaution is not taken.
    pub(crate) fn without(self, scenario: &Scenario) -> Option<Self> {
        match self {
            Self::Delete { kind, uid, version: Some(_) } if scenario.lacks(Precaution::Version) => {
                Some(Self::Delete { kind, uid, version: None })
            }
            Self::Update { note, .. } if scenario.lacks(Precaution::Unmark) && is_of_use(note) => None,
            _ if scenario.lacks(Precaution::Mark) => Some(self.marks().map_or(self, |(uid, version)| {
                Self::Delete { kind: Kind::StatefulSet, uid, version: Some(version) }
            })),
            _ => Some(self),
        }
    }

    /// The uid and the version of what it marks, if it does.
    fn marks(self) -> Option<(u8, u8)> {
        match self {
            Self::Update { uid, version, note, .. } if note.record().closing => Some((uid, version)),
            _ => None,
        }
    }
}

// === impl Certainty ===

impl From<Job> for Certainty {
    fn from(job: Job) -> Self {
        match job {
            Job::Over => Self::Over,
            Job::Unfinished => Self::Unfinished,
            Job::Unreadable => Self::Unreadable,
        }
    }
}

impl From<Certainty> for Knowledge {
    fn from(certainty: Certainty) -> Self {
        match certainty {
            Certainty::Watched => Self::Watched,
            Certainty::Over => Self::Confirmed(Job::Over),
            Certainty::Unfinished => Self::Confirmed(Job::Unfinished),
            Certainty::Unreadable => Self::Confirmed(Job::Unreadable),
        }
    }
}

/// What has to be done; the same questions come again and again.
pub(crate) fn decide(question: Question, scenario: &Scenario) -> Rc<Decision> {
    thread_local! {
        static ANSWERS: RefCell<HashMap<(u32, Question), Rc<Decision>>> = RefCell::default();
    }
    ANSWERS.with_borrow_mut(|answers| {
        if answers.len() > MOST_ANSWERS {
            answers.clear();
        }
        let answer = |(_, question): &(u32, Question)| Rc::new(ask(question, scenario));
        Rc::clone(answers.entry((scenario.id, question)).or_insert_with_key(answer))
    })
}

fn ask(question: &Question, scenario: &Scenario) -> Decision {
    let claims = claims(question, scenario);
    if claims.is_empty() && scenario.lacks(Precaution::Orphans) {
        return Decision::default();
    }
    let observed = observed(&question.objects, scenario);
    let actions = reconcile(&claims, &observed, question.certainty.into(), at(question.now));
    let mut decision = Decision::default();
    for action in &actions {
        match action {
            Action::Confirm => decision.confirm = true,
            Action::Revisit(at) => {
                decision.revisit = decision.revisit.into_iter().chain([tick(*at)]).min();
            }
            action => decision.calls.extend(call(action, scenario)),
        }
    }
    // Without a mark it is still looked at the pods first.
    decision.confirm |= scenario.lacks(Precaution::Mark)
        && question.certainty == Certainty::Watched
        && decision.calls.iter().any(|call| call.marks().is_some());
    let calls = decision.calls.into_iter();
    decision.calls = calls.filter_map(|call| call.without(scenario)).collect();
    decision.calls.sort();
    decision
}

fn claims<'a>(question: &Question, scenario: &'a Scenario) -> Vec<Claim<'a>> {
    let claim = |pod: usize| {
        let sight = match question.pods[pod] {
            Sight::Failed(_) if scenario.lacks(Precaution::Failure) => Sight::Completed,
            sight => sight,
        };
        let service = scenario.promised(pod, question.service)?;
        Some(Claim { consumer: scenario.roles[pod].consumer(sight)?, service })
    };
    let counted = if scenario.lacks(Precaution::Census) { 1 } else { scenario.roles.len() };
    (0..scenario.roles.len()).filter_map(claim).take(counted).collect()
}

fn call(action: &Action, scenario: &Scenario) -> Option<Call> {
    let uid_of = |uid: &str| uid.parse().unwrap();
    Some(match action {
        Action::Confirm | Action::Refuse { .. } | Action::Revisit(_) => return None,
        Action::Attach(attachment) => Call::Attach {
            kind: attachment.kind,
            uid: uid_of(&attachment.uid),
            version: uid_of(&attachment.resource_version),
            set: uid_of(&attachment.set.uid),
        },
        Action::Create { creation, kinds } => Call::Create {
            note: Note::of(&creation.record),
            owners: owners(&creation.owners, scenario),
            names: kinds.contains(&Kind::Service),
            set: kinds.contains(&Kind::StatefulSet),
        },
        Action::Delete { kind, uid, resource_version } => Call::Delete {
            kind: *kind,
            uid: uid_of(uid),
            version: resource_version.as_ref().map(|version| version.parse().unwrap()),
        },
        Action::Release(pod) => {
            Call::Release(scenario.roles.iter().position(|role| role.live().pod == *pod)?)
        }
        Action::Update(update) => Call::Update {
            uid: uid_of(&update.uid),
            version: update.resource_version.parse().unwrap(),
            note: Note::of(&update.record),
            owners: owners(&update.owners, scenario),
        },
    })
}

fn owners(owners: &[Owner], scenario: &Scenario) -> Owners {
    let number = |owner| scenario.owners.iter().position(|there| there == owner).unwrap();
    owners.iter().map(number).fold(Owners::default(), Owners::with)
}

/// What the controller knows of the objects.
fn observed(objects: &Pair, scenario: &Scenario) -> Observed {
    let mut observed = Observed::default();
    for kind in KINDS {
        *observed.slot(kind) = objects.get(kind).and_then(|object| known(object, scenario)).map(Box::new);
    }
    observed
}

/// An object as the controller reads it; one that is not ours is not seen.
fn known(object: Object, scenario: &Scenario) -> Option<Known> {
    let owners = scenario.owners.iter().enumerate().filter(|(number, _)| object.owners.has(*number));
    Some(Known {
        uid: object.uid.to_string(),
        resource_version: object.version.to_string(),
        created_at: at(0),
        record: object.note?.record().clone(),
        attached_to: (object.attached_to != 0).then(|| object.attached_to.to_string()),
        owners: owners.map(|(_, owner)| owner.clone()).collect(),
        deleting: object.deleting,
    })
}

fn is_of_use(note: Note) -> bool {
    !note.record().closing && note.record().idle_since.is_none()
}

/// As many answers as are kept.
const MOST_ANSWERS: usize = 1 << 20;
