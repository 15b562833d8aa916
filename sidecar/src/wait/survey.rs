//! Which servers have answered, and why others have not.

use std::fmt::{self, Write as _};
use std::iter;
use std::sync::Arc;

use dataservice_wire::GateService;

use super::gate::{Gate, MOST_NAMED, Server};
use super::probe::Cause;

/// A byte for each server, and one cause for each service: it stays small however many there are.
#[derive(Debug)]
pub(crate) struct Survey {
    edition: u32,
    gate: Arc<Gate>,
    tallies: Vec<Tally>,
}

/// Whose answers count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// Those of all servers.
    All,
    /// Those of services that are not made for their consumers: the lifecycle API speaks for the others.
    Existing,
}

/// One service's servers.
#[derive(Debug)]
struct Tally {
    answered: Vec<bool>,
    count: u32,
    /// The first server that fails, and why.
    failing: Option<(u32, Cause)>,
}

// === impl Scope ===

impl Scope {
    fn covers(self, service: &GateService) -> bool {
        self == Self::All || !service.made
    }
}

// === impl Survey ===

impl Survey {
    /// Nobody has answered yet.
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        let tallies = gate.services.iter().map(Tally::new).collect();
        Self { edition: 0, gate, tallies }
    }

    /// What it is about.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Notes what a server did, if it is in scope. Whether it is the server's first answer.
    pub(crate) fn note(&mut self, scope: Scope, server: Server, found: Result<(), Cause>) -> bool {
        let Some(service) = self.gate.services.get(server.service) else { return false };
        let Some(tally) = self.tallies.get_mut(server.service) else { return false };
        match found {
            _ if !scope.covers(service) => false,
            Ok(()) => tally.answered(server.ordinal),
            Err(cause) => {
                tally.failed(server.ordinal, cause);
                false
            }
        }
    }

    /// How often it was begun anew: a report from before is of no use after.
    pub(crate) fn edition(&self) -> u32 {
        self.edition
    }

    /// Begins anew with the servers of made services.
    pub(crate) fn forget_made(&mut self) {
        self.edition += 1;
        for (service, tally) in self.gate.services.iter().zip(&mut self.tallies) {
            if service.made {
                *tally = Tally::new(service);
            }
        }
    }

    /// The first server in scope, or the first behind another, that has not answered.
    pub(crate) fn missing(&self, scope: Scope, behind: Option<Server>) -> Option<Server> {
        let (first, next) = behind.map_or((0, 0), |server| (server.service, server.ordinal + 1));
        self.tallies(scope).skip_while(|(index, ..)| *index < first).find_map(|(service, _, tally)| {
            let from = if service == first { next } else { 0 };
            tally.missing(from).map(|ordinal| Server { service, ordinal })
        })
    }

    /// How many servers in scope have not answered.
    pub(crate) fn count_missing(&self, scope: Scope) -> u32 {
        self.tallies(scope).map(|(_, service, tally)| service.replicas - tally.count).sum()
    }

    /// Who is missing, for people: `graph 3/4 answer; graph-2.graph.…: connection refused`.
    pub(crate) fn summary(&self, scope: Scope) -> String {
        let mut text = String::new();
        let mut unnamed = 0;
        let missing = self.tallies(scope).filter(|(_, service, tally)| tally.count < service.replicas);
        for (count, (index, service, tally)) in missing.enumerate() {
            if count < MOST_NAMED {
                let separator = if count > 0 { "; " } else { "" };
                let _ =
                    write!(text, "{separator}{} {}/{} answer", service.name, tally.count, service.replicas);
                text.extend(self.failing(index, tally));
            } else {
                unnamed += 1;
            }
        }
        if unnamed > 0 {
            let _ = write!(text, "; {unnamed} more services do not answer");
        }
        text
    }

    fn failing(&self, service: usize, tally: &Tally) -> Option<String> {
        let (ordinal, cause) = tally.failing.as_ref()?;
        let (name, _) = self.gate.address(Server { service, ordinal: *ordinal });
        Some(format!("; {name}: {cause}"))
    }

    fn tallies(&self, scope: Scope) -> impl Iterator<Item = (usize, &GateService, &Tally)> {
        let tallies = self.gate.services.iter().zip(&self.tallies).enumerate();
        tallies
            .filter(move |(_, (service, _))| scope.covers(service))
            .map(|(index, (service, tally))| (index, service, tally))
    }
}

/// Who has answered, for people: `all 5 servers of 2 services answer`.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let servers = self.gate.servers();
        let services = self.gate.services.len() as u64;
        write!(f, "all {servers} server{} of {services} service{} answer", plural(servers), plural(services))
    }
}

// === impl Tally ===

impl Tally {
    fn new(service: &GateService) -> Self {
        let answered = iter::repeat_n(false, service.replicas.try_into().unwrap_or(usize::MAX)).collect();
        Self { answered, count: 0, failing: None }
    }

    fn answered(&mut self, ordinal: u32) -> bool {
        let answered = usize::try_from(ordinal).ok().and_then(|index| self.answered.get_mut(index));
        let first = answered.is_some_and(|answered| !std::mem::replace(answered, true));
        self.count += u32::from(first);
        self.failing.take_if(|(failing, _)| *failing == ordinal);
        first
    }

    fn failed(&mut self, ordinal: u32, cause: Cause) {
        if self.failing.as_ref().is_none_or(|(failing, _)| ordinal <= *failing) {
            self.failing = Some((ordinal, cause));
        }
    }

    fn missing(&self, from: u32) -> Option<u32> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let behind = self.answered.get(from..)?.iter().position(|answered| !answered)?;
        u32::try_from(from + behind).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::fixture::{at, existing, mk_survey, needs, refused};

    #[test]
    fn servers_are_missing_until_they_have_answered() {
        let mut survey = mk_survey([needs("graph", 2), existing("features", 2)]);
        assert!(survey.note(Scope::All, at(0, 0), Ok(())));
        assert!(!survey.note(Scope::All, at(0, 0), Ok(())), "it has answered before");
        assert_eq!(survey.count_missing(Scope::All), 3);
        assert_eq!(survey.missing(Scope::All, None), Some(at(0, 1)));
        assert_eq!(survey.missing(Scope::All, Some(at(0, 1))), Some(at(1, 0)));
        assert_eq!(survey.missing(Scope::All, Some(at(1, 1))), None);
    }

    #[test]
    fn who_is_out_of_scope_is_not_missing() {
        let mut survey = mk_survey([needs("graph", 2), existing("features", 1), needs("cache", 1)]);
        assert_eq!(survey.missing(Scope::Existing, None), Some(at(1, 0)));
        assert_eq!(survey.missing(Scope::Existing, Some(at(1, 0))), None);
        assert!(!survey.note(Scope::Existing, at(0, 0), Ok(())));
        survey.note(Scope::Existing, at(1, 0), Ok(()));
        assert_eq!(survey.count_missing(Scope::Existing), 0);
        assert_eq!(survey.count_missing(Scope::All), 3);
        assert_eq!(survey.missing(Scope::All, Some(at(0, 1))), Some(at(2, 0)));
    }

    #[test]
    fn only_answers_of_made_services_are_forgotten() {
        let mut survey = mk_survey([needs("graph", 1), existing("features", 1)]);
        survey.note(Scope::All, at(0, 0), Ok(()));
        survey.note(Scope::All, at(1, 0), Ok(()));
        survey.forget_made();
        assert_eq!(survey.missing(Scope::All, None), Some(at(0, 0)));
        assert_eq!(survey.count_missing(Scope::All), 1);
    }

    #[test]
    fn a_summary_names_each_services_first_failing_server() {
        let mut survey = mk_survey([needs("graph", 4), needs("done", 1), existing("features", 2)]);
        survey.note(Scope::All, at(1, 0), Ok(()));
        assert_eq!(survey.summary(Scope::All), "graph 0/4 answer; features 0/2 answer");
        survey.note(Scope::All, at(0, 3), refused());
        survey.note(Scope::All, at(0, 2), refused());
        survey.note(Scope::All, at(0, 0), Ok(()));
        assert_eq!(
            survey.summary(Scope::All),
            "graph 1/4 answer; graph-x-2.graph-x.ns.svc.cluster.local: connection refused at 10.0.0.1:40000; \
             features 0/2 answer"
        );
        assert_eq!(survey.summary(Scope::Existing), "features 0/2 answer");
        survey.note(Scope::All, at(0, 2), Ok(()));
        assert_eq!(survey.summary(Scope::All), "graph 2/4 answer; features 0/2 answer");
    }

    #[test]
    fn a_summary_of_many_services_names_the_first() {
        let survey = mk_survey((0..11).map(|index| needs(&format!("s{index}"), 1)));
        let summary = survey.summary(Scope::All);
        assert!(summary.ends_with("s7 0/1 answer; 3 more services do not answer"), "{summary}");
    }

    #[test]
    fn one_is_one_and_more_are_many() {
        let display = |services: &[GateService]| mk_survey(services.iter().cloned()).to_string();
        assert_eq!(display(&[needs("graph", 1)]), "all 1 server of 1 service answer");
        assert_eq!(
            display(&[needs("graph", 4), existing("features", 2)]),
            "all 6 servers of 2 services answer"
        );
    }
}
