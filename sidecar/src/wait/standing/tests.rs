use std::time::Duration;

use dataservice_wire::GateService;
use tokio::time::Instant;

use super::*;
use crate::wait::fixture::{at, existing, mk_survey, needs, refused};
use crate::wait::gate::Server;
use crate::wait::probe::Cause;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A gate of ten minutes at a moment of its life, which goes on as the test says.
struct Test {
    now: Instant,
    standing: Standing,
}

impl Test {
    fn new(services: impl IntoIterator<Item = GateService>) -> Self {
        Self::within(10 * MINUTE, services)
    }

    fn within(deadline: Duration, services: impl IntoIterator<Item = GateService>) -> Self {
        let now = Instant::now();
        let terms = Terms { deadline, silence: 30 * SECOND };
        Self { now, standing: Standing::new(mk_survey(services), terms, now) }
    }

    fn later(&mut self, passed: Duration) -> &mut Self {
        self.now += passed;
        self
    }

    fn api(&mut self, progress: Progress) -> &mut Self {
        self.standing.hear(Heard::Progress(progress), self.now);
        self
    }

    fn misses(&mut self, failure: fn(String) -> Failure) -> &mut Self {
        self.standing.hear(Heard::Failure(failure("answered no".to_owned())), self.now);
        self
    }

    fn streams(&mut self) -> &mut Self {
        self.standing.hear(Heard::Stream, self.now);
        self
    }

    fn server(&mut self, server: Server, found: Result<(), Cause>) -> &mut Self {
        self.standing.note(Report { server, found }, self.now);
        self
    }

    fn all_answer(&mut self) -> &mut Self {
        let mut missing = None;
        while let Some(server) = self.standing.survey().missing(Scope::All, missing) {
            missing = Some(server);
            self.server(server, Ok(()));
        }
        self
    }

    #[track_caller]
    fn waits_for(&mut self, left: Duration) -> &mut Self {
        assert_eq!(self.standing.verdict(self.now), Verdict::Wait(self.now + left));
        self
    }

    #[track_caller]
    fn passes(&self, last: &str) {
        assert_eq!(self.standing.verdict(self.now), Verdict::Pass(last.to_owned()));
    }

    #[track_caller]
    fn fails(&self, cause: &str) {
        assert_eq!(self.standing.verdict(self.now), Verdict::Fail(cause.to_owned()));
    }
}

fn waiting(message: &str, remaining_seconds: u64) -> Progress {
    Progress::Waiting { message: message.to_owned(), remaining_seconds }
}

fn ready() -> Progress {
    Progress::Ready { message: "graph 2/2 ready".to_owned() }
}

fn graph() -> [GateService; 1] {
    [needs("graph", 2)]
}

#[test]
fn opens_when_all_is_ready_and_all_servers_answer() {
    let mut test = Test::new(graph());
    test.api(ready()).waits_for(10 * MINUTE).later(SECOND).all_answer();
    test.passes("all 2 servers of 1 service answer (after 1.0 s)");
}

#[test]
fn answers_do_not_open_it_while_the_api_says_waiting() {
    let mut test = Test::new(graph());
    test.misses(Failure::Passing).all_answer().api(waiting("graph 1/2 ready", 600)).all_answer();
    test.later(5 * MINUTE).waits_for(5 * MINUTE);
}

#[test]
fn answers_from_before_ready_do_not_count() {
    let mut test = Test::new(graph());
    test.misses(Failure::Passing).all_answer();
    test.api(ready()).waits_for(10 * MINUTE);
    test.all_answer().passes("all 2 servers of 1 service answer (after 0.0 s)");
}

#[test]
fn services_that_are_not_made_need_no_api() {
    let mut test = Test::new([existing("features", 2)]);
    assert_eq!(test.standing.scope(), Scope::All);
    test.waits_for(10 * MINUTE).all_answer();
    test.passes("all 2 servers of 1 service answer (after 0.0 s)");
}

#[test]
fn ready_alone_does_not_open_it_for_services_that_are_not_made() {
    let mut test = Test::new([needs("graph", 1), existing("features", 1)]);
    test.api(ready()).server(at(0, 0), Ok(())).waits_for(10 * MINUTE);
    test.server(at(1, 0), Ok(())).passes("all 2 servers of 2 services answer (after 0.0 s)");
}

#[test]
fn made_services_are_asked_when_the_api_is_ready_or_cannot_be_asked() {
    let mut test = Test::new([needs("graph", 1), existing("features", 1)]);
    assert_eq!(test.standing.scope(), Scope::Existing, "it has not had the time to answer");
    assert_eq!(test.misses(Failure::Passing).standing.scope(), Scope::All);
    assert_eq!(test.api(waiting("graph 0/1 ready", 9)).standing.scope(), Scope::Existing);
    assert_eq!(test.misses(Failure::Passing).standing.scope(), Scope::Existing);
    assert_eq!(test.api(ready()).standing.scope(), Scope::All);
}

#[test]
fn an_api_that_is_not_reached_for_half_a_minute_is_not_waited_for() {
    let mut test = Test::new(graph());
    test.misses(Failure::Passing).all_answer().waits_for(30 * SECOND);
    test.later(29 * SECOND).misses(Failure::Passing).waits_for(SECOND);
    test.later(SECOND).passes(
        "all 2 servers of 1 service answer (after 30.0 s); the lifecycle API could not be asked: answered no",
    );
}

#[test]
fn an_api_that_is_not_reached_is_not_waited_for_beyond_the_deadline() {
    let mut test = Test::within(10 * SECOND, graph());
    test.misses(Failure::Passing).all_answer().waits_for(10 * SECOND).later(10 * SECOND);
    test.passes(
        "all 2 servers of 1 service answer (after 10.0 s); the lifecycle API could not be asked: answered no",
    );
}

#[test]
fn an_api_that_is_reached_late_counts() {
    let mut test = Test::new(graph());
    test.misses(Failure::Passing).server(at(0, 0), Ok(())).later(MINUTE).api(waiting("graph 1/2 ready", 60));
    test.all_answer().waits_for(MINUTE);
}

#[test]
fn an_api_that_has_been_reached_is_waited_for_to_the_end() {
    let told = [waiting("graph 1/2 ready", 600), Progress::Unknown].map(Heard::Progress);
    for heard in told.into_iter().chain([Heard::Stream]) {
        let mut test = Test::new(graph());
        test.standing.hear(heard, test.now);
        test.misses(Failure::Passing).all_answer().later(9 * MINUTE).misses(Failure::Absent);
        test.waits_for(MINUTE);
    }
}

#[test]
fn an_api_that_says_nothing_is_told_of() {
    let mut test = Test::new(graph());
    test.streams().later(10 * MINUTE).fails("not ready within 10m: the lifecycle API says nothing yet");
    test.misses(Failure::Passing).fails("not ready within 10m: answered no");
}

#[test]
fn a_stream_that_is_taken_up_again_is_lost_no_more() {
    let mut test = Test::new(graph());
    test.api(waiting("graph 1/2 ready", 600)).misses(Failure::Passing).streams().later(10 * MINUTE);
    test.fails("not ready within 10m: graph 1/2 ready");
}

#[test]
fn an_api_of_another_version_is_not_waited_for() {
    let mut test = Test::new(graph());
    test.misses(Failure::Absent).waits_for(10 * MINUTE).all_answer();
    test.passes(
        "all 2 servers of 1 service answer (after 0.0 s); the lifecycle API could not be asked: answered no",
    );
}

#[test]
fn an_api_of_another_version_may_be_replaced_by_ours() {
    let mut test = Test::new(graph());
    test.misses(Failure::Absent).server(at(0, 0), Ok(())).api(waiting("graph 1/2 ready", 60)).all_answer();
    test.waits_for(MINUTE).api(ready()).waits_for(10 * MINUTE);
}

#[test]
fn an_api_that_refuses_is_reached() {
    let mut test = Test::new(graph());
    test.misses(Failure::Refusal).all_answer().later(9 * MINUTE).misses(Failure::Refusal).waits_for(MINUTE);
    test.later(MINUTE).fails("not ready within 10m: answered no");
}

#[test]
fn a_refused_pod_may_be_known_later() {
    let mut test = Test::new(graph());
    test.misses(Failure::Refusal).api(waiting("graph 1/2 ready", 9)).waits_for(9 * SECOND);
    test.api(ready()).all_answer().passes("all 2 servers of 1 service answer (after 0.0 s)");
}

#[test]
fn failed_is_the_end_with_the_apis_own_words() {
    let mut test = Test::new(graph());
    let message = "graph: pods \"graph-0\" is forbidden: exceeded quota".to_owned();
    test.api(Progress::Failed { message: message.clone() }).all_answer().fails(&message);
}

#[test]
fn the_deadline_is_as_last_told() {
    let mut test = Test::new(graph());
    test.api(waiting("graph 0/2 ready", 300)).waits_for(5 * MINUTE);
    test.later(4 * MINUTE).api(waiting("graph 1/2 ready", 600)).waits_for(10 * MINUTE);
    test.later(9 * MINUTE).api(waiting("graph 1/2 ready", 60)).later(MINUTE);
    test.fails("not ready within 10m of the last progress (after 14m): graph 1/2 ready");
}

#[test]
fn a_deadline_beyond_all_clocks_is_a_year() {
    Test::new(graph()).api(waiting("graph 0/2 ready", u64::MAX)).waits_for(span::LONGEST);
}

#[test]
fn ready_is_progress_and_so_is_every_servers_first_answer() {
    let mut test = Test::new(graph());
    test.api(waiting("graph 1/2 ready", 60)).later(59 * SECOND).api(ready()).waits_for(10 * MINUTE);
    test.later(9 * MINUTE).server(at(0, 0), Ok(())).waits_for(10 * MINUTE);
    test.later(9 * MINUTE).server(at(0, 0), Ok(())).waits_for(MINUTE);
}

#[test]
fn answers_do_not_move_a_deadline_that_the_api_has_told() {
    let mut test = Test::new([needs("graph", 1), existing("features", 2)]);
    test.api(waiting("graph 0/1 ready", 60)).later(SECOND).server(at(1, 0), Ok(())).waits_for(59 * SECOND);
}

#[test]
fn at_the_deadline_the_last_that_is_known_is_the_cause() {
    let mut test = Test::new(graph());
    test.api(waiting("graph 1/2 ready; graph-1: ErrImagePull: no such tag", 600)).later(10 * MINUTE);
    test.fails("not ready within 10m: graph 1/2 ready; graph-1: ErrImagePull: no such tag");
}

#[test]
fn a_cause_names_the_servers_that_do_not_answer() {
    let mut test = Test::new(graph());
    test.api(ready()).server(at(0, 0), Ok(())).server(at(0, 1), refused()).later(10 * MINUTE);
    test.fails(
        "not ready within 10m: graph 1/2 answer; graph-x-1.graph-x.ns.svc.cluster.local: \
         connection refused at 10.0.0.1:40000",
    );
}

#[test]
fn a_cause_names_what_was_told_and_who_is_missing_beside() {
    let mut test = Test::new([needs("graph", 2), existing("features", 1)]);
    test.api(waiting("graph 1/2 ready", 600)).misses(Failure::Passing).later(10 * MINUTE);
    test.fails(
        "not ready within 10m: graph 1/2 ready; the lifecycle API cannot be asked any more: answered no; \
         features 0/1 answer",
    );
}

#[test]
fn a_cause_says_that_the_api_could_not_be_asked() {
    let mut test = Test::new(graph());
    test.misses(Failure::Passing).later(10 * MINUTE);
    test.fails("not ready within 10m: graph 0/2 answer; the lifecycle API could not be asked: answered no");
    let mut test = Test::new(graph());
    test.later(10 * MINUTE)
        .fails("not ready within 10m: graph 0/2 answer; the lifecycle API has not answered");
}

#[test]
fn who_is_told_to_stop_says_what_for() {
    let mut test = Test::new([needs("graph", 2), existing("features", 1)]);
    assert_eq!(
        test.api(waiting("graph 1/2 ready", 600)).server(at(1, 0), Ok(())).standing.stopped(),
        "told to stop while waiting for graph, features: graph 1/2 ready"
    );
}

mod always {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Event {
        Answered(Server),
        Failed(Server),
        Later(Duration),
        Misses(fn(String) -> Failure),
        Says(Progress),
        Streams,
    }

    fn event() -> impl Strategy<Value = Event> {
        let server = (0..2_usize, 0..2_u32).prop_map(|(service, ordinal)| at(service, ordinal));
        prop_oneof![
            3 => server.clone().prop_map(Event::Answered),
            1 => server.prop_map(Event::Failed),
            2 => (0..60_u32).prop_map(|seconds| Event::Later(SECOND * seconds)),
            1 => Just(Event::Misses(Failure::Absent)),
            1 => Just(Event::Misses(Failure::Passing)),
            1 => Just(Event::Misses(Failure::Refusal)),
            1 => (0..700_u64).prop_map(|left| Event::Says(waiting("w", left))),
            1 => Just(Event::Says(Progress::Unknown)),
            1 => Just(Event::Says(ready())),
            1 => Just(Event::Streams),
        ]
    }

    impl Test {
        fn happens(&mut self, event: Event) {
            match event {
                Event::Answered(server) => self.server(server, Ok(())),
                Event::Failed(server) => self.server(server, refused()),
                Event::Later(passed) => self.later(passed),
                Event::Misses(failure) => self.misses(failure),
                Event::Says(progress) => self.api(progress),
                Event::Streams => self.streams(),
            };
        }
    }

    /// What the rules are about.
    #[derive(Default)]
    struct Model {
        answered: BTreeSet<Server>,
        reached: bool,
        ready: bool,
    }

    impl Model {
        fn happens(&mut self, event: &Event) {
            let reached = match event {
                Event::Answered(server) if self.counts(*server) => {
                    self.answered.insert(*server);
                    false
                }
                Event::Answered(_) | Event::Failed(_) | Event::Later(_) => false,
                Event::Misses(failure) => matches!(failure(String::new()), Failure::Refusal(_)),
                Event::Says(progress) => {
                    self.ready |= matches!(progress, Progress::Ready { .. });
                    true
                }
                Event::Streams => true,
            };
            if reached && !self.reached {
                self.reached = true;
                self.answered.retain(|server| server.service == EXISTING);
            }
        }

        fn counts(&self, server: Server) -> bool {
            self.ready || !self.reached || server.service == EXISTING
        }

        fn may_open(&self) -> bool {
            self.answered.len() == 4 && (self.ready || !self.reached)
        }
    }

    const EXISTING: usize = 1;

    proptest! {
        /// Whatever happens in whatever order: it opens only when all servers have answered since they count, and
        /// where the lifecycle API has been reached only after its `ready`; it never waits for an instant that is over;
        /// and it does not wait for ever.
        #[test]
        fn it_opens_only_by_the_rules_and_ends(events in prop::collection::vec(event(), 0..60)) {
            let mut test = Test::new([needs("graph", 2), existing("features", 2)]);
            let mut model = Model::default();
            for event in events {
                // A stream that has said its last word says no more.
                if model.ready && !matches!(event, Event::Answered(_) | Event::Failed(_) | Event::Later(_)) {
                    continue;
                }
                model.happens(&event);
                test.happens(event);
                match test.standing.verdict(test.now) {
                    Verdict::Fail(_) => return Ok(()),
                    Verdict::Pass(_) => {
                        prop_assert!(model.may_open());
                        return Ok(());
                    }
                    Verdict::Wait(until) => prop_assert!(until > test.now),
                }
            }
            test.later(10 * MINUTE + 700 * SECOND);
            prop_assert!(!matches!(test.standing.verdict(test.now), Verdict::Wait(_)));
        }
    }
}
