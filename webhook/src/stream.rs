//! What one pod is sent while its services come up.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::core::consumer::PodRef;
use crate::place::Place;
use crate::progress::State;

/// A pod that follows its services. Dropped, it follows them no more.
pub(crate) struct Follower {
    pod: PodRef,
    states: BoxStream<'static, State>,
    latest: Option<State>,
    heartbeat: Duration,
    ends_at: Instant,
    stop: watch::Receiver<bool>,
    end: Option<End>,
    place: Place,
}

/// What bounds a stream.
pub(crate) struct Bounds {
    /// Without news the last line is repeated after this.
    pub(crate) heartbeat: Duration,
    /// It ends after this.
    pub(crate) ends_after: Duration,
    /// It ends when this says so.
    pub(crate) stop: watch::Receiver<bool>,
    /// Its place among all.
    pub(crate) place: Place,
}

/// Why we ended a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// We are going away.
    Draining,
    /// That was the last line.
    Failed,
    /// That was the last line.
    Ready,
    /// The pod has a newer one.
    Replaced,
    /// It went on for too long.
    TooLong,
    /// Nothing is known of the pod, or nothing more.
    Unknown,
}

// === impl Follower ===

impl Follower {
    /// `pod`, following `states`.
    pub(crate) fn new(pod: PodRef, states: BoxStream<'static, State>, bounds: Bounds) -> Self {
        tracing::info!(namespace = pod.namespace, pod = pod.name, uid = pod.uid, "Follows its services");
        Self {
            pod,
            states,
            latest: None,
            heartbeat: bounds.heartbeat,
            ends_at: Instant::now() + bounds.ends_after,
            stop: bounds.stop,
            end: None,
            place: bounds.place,
        }
    }

    /// The lines that it is sent, each when it is due.
    pub(crate) fn lines(self) -> BoxStream<'static, Bytes> {
        let next = |mut follower: Self| async move { Some((follower.next_line().await?, follower)) };
        stream::unfold(self, next).boxed()
    }

    /// The next line, or none after the last.
    async fn next_line(&mut self) -> Option<Bytes> {
        if self.end.is_some() {
            return None;
        }
        let (line, end) = match self.next_state().await {
            Ok(state) => (Some(state.line(Instant::now())), End::after(state)),
            Err(end) => (None, Some(end)),
        };
        self.end = end;
        line
    }

    /// What to tell next: what is new, or the latest once more.
    async fn next_state(&mut self) -> Result<&State, End> {
        tokio::select! {
            biased;
            // A sender that is gone stops everything as well.
            _ = self.stop.wait_for(|stop| *stop) => return Err(End::Draining),
            () = self.place.lost() => return Err(End::Replaced),
            () = sleep_until(self.ends_at) => return Err(End::TooLong),
            state = self.states.next() => self.latest = Some(state.ok_or(End::Unknown)?),
            () = sleep(self.heartbeat) => {}
        }
        // With nothing to repeat it would be silence, and the pod would take us for gone.
        self.latest.as_ref().ok_or(End::Unknown)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let PodRef { namespace, name, uid } = &self.pod;
        let reason = self.end.map_or("client-gone", End::reason);
        tracing::info!(namespace, pod = name, uid, reason, "No longer follows its services");
    }
}

// === impl End ===

impl End {
    /// What follows after a line with `state`, if the stream ends with it.
    const fn after(state: &State) -> Option<Self> {
        match state {
            State::Failed { .. } => Some(Self::Failed),
            State::Ready { .. } => Some(Self::Ready),
            State::Waiting { .. } => None,
        }
    }

    /// For the log.
    const fn reason(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Failed => "failed",
            Self::Ready => "ready",
            Self::Replaced => "replaced",
            Self::TooLong => "too-long",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::mpsc;

    use super::*;
    use crate::place::Places;

    const HEARTBEAT: Duration = Duration::from_secs(10);
    const HOUR: Duration = Duration::from_hours(1);

    /// A pod that follows what it is told here.
    struct Told {
        states: mpsc::UnboundedSender<State>,
        stop: watch::Sender<bool>,
        places: Places,
        lines: BoxStream<'static, Bytes>,
    }

    fn told() -> Told {
        let (states, mut told) = mpsc::unbounded_channel();
        let (stop, places) = (watch::Sender::new(false), Places::at_most(1));
        let bounds = Bounds {
            heartbeat: HEARTBEAT,
            ends_after: HOUR,
            stop: stop.subscribe(),
            place: places.take("u-1").unwrap(),
        };
        let pod = PodRef { namespace: "ns".to_owned(), name: "task".to_owned(), uid: "u-1".to_owned() };
        let states_told = stream::poll_fn(move |cx| told.poll_recv(cx)).boxed();
        Told { states, stop, places, lines: Follower::new(pod, states_told, bounds).lines() }
    }

    fn waiting(message: &str, until: Instant) -> State {
        State::Waiting { message: message.to_owned(), until }
    }

    fn ready() -> State {
        State::Ready { message: "graph 4/4 ready".to_owned() }
    }

    impl Told {
        fn tell(&self, state: State) {
            self.states.send(state).unwrap();
        }

        async fn line(&mut self) -> Option<String> {
            let line = self.lines.next().await?;
            Some(String::from_utf8(line.to_vec()).unwrap())
        }

        /// Whether it ended, and gave its place back.
        async fn has_ended(&mut self) -> bool {
            self.line().await.is_none() && !self.places.are_taken()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_is_told_at_once_and_in_order() {
        let (mut told, until) = (told(), Instant::now() + HOUR);
        for message in ["3/4", "2/4", "4/4"] {
            told.tell(waiting(message, until));
        }
        for message in ["3/4", "2/4", "4/4"] {
            let line = told.line().now_or_never().unwrap().unwrap();
            assert!(line.contains(message), "{line}");
        }
        assert!(told.line().now_or_never().is_none(), "there was no news");
    }

    #[tokio::test(start_paused = true)]
    async fn without_news_the_last_line_is_repeated_with_what_remains_then() {
        let (mut told, started) = (told(), Instant::now());
        told.tell(waiting("3/4", started + Duration::from_mins(10)));
        let mut lines = Vec::new();
        for _ in 0..3 {
            lines.push((told.line().await.unwrap(), started.elapsed().as_secs()));
        }
        let line = |remaining: u64| {
            format!("{{\"state\":\"waiting\",\"message\":\"3/4\",\"remainingSeconds\":{remaining}}}\n")
        };
        assert_eq!(lines, [(line(600), 0), (line(590), 10), (line(580), 20)]);
    }

    #[tokio::test(start_paused = true)]
    async fn news_put_the_heartbeat_off() {
        let (mut told, started) = (told(), Instant::now());
        told.tell(waiting("3/4", started + HOUR));
        told.line().await.unwrap();
        tokio::time::advance(Duration::from_secs(9)).await;
        told.tell(waiting("4/4", started + HOUR));
        told.line().await.unwrap();
        told.line().await.unwrap();
        assert_eq!(started.elapsed().as_secs(), 19);
    }

    #[tokio::test(start_paused = true)]
    async fn a_last_line_ends_it() {
        for last in [ready(), State::Failed { message: "forbidden".to_owned() }] {
            let mut told = told();
            told.tell(last);
            told.tell(ready());
            assert!(told.line().await.is_some());
            assert!(told.has_ended().await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_told_to_stop_it_ends_at_once() {
        let (mut told, started) = (told(), Instant::now());
        told.tell(waiting("3/4", started + HOUR));
        told.line().await.unwrap();
        told.stop.send_replace(true);
        told.tell(ready());
        assert!(told.has_ended().await);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_stream_of_the_same_pod_ends_it() {
        let mut told = told();
        told.tell(waiting("3/4", Instant::now() + HOUR));
        told.line().await.unwrap();
        let _newer = told.places.take("u-1").unwrap();
        assert_eq!(told.line().await, None);
        assert!(told.places.are_taken(), "by the newer");
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_an_hour_whatever_comes() {
        let (mut told, started) = (told(), Instant::now());
        told.tell(waiting("3/4", started + HOUR + HOUR));
        while told.line().await.is_some() {
            told.tell(waiting("2/4", started + HOUR + HOUR));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(started.elapsed(), HOUR);
        assert!(!told.places.are_taken());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_of_which_nothing_is_said_is_not_left_in_silence() {
        let (mut told, started) = (told(), Instant::now());
        assert!(told.has_ended().await);
        assert_eq!(started.elapsed(), HEARTBEAT);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_its_states() {
        let mut told = told();
        told.states = mpsc::unbounded_channel().0;
        assert!(told.has_ended().await);
    }
}
