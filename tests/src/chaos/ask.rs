//! What a group asks for.

use serde_json::{Value, json};

use super::dice::Dice;
use super::role::Kind;
use crate::flyte::{self, IMAGE};

/// One data service, as a pod's user asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// By which name.
    pub name: String,
    /// Who shares it.
    pub scope: Scope,
    /// How many servers it has.
    pub replicas: u32,
    /// On which port.
    pub port: u16,
    /// How many seconds it outlives its last consumer.
    pub keep_warm: Option<u64>,
    /// How many seconds it stays after a consumer failed.
    pub retain: Option<u64>,
    /// Whether there is an image for it.
    pub has_image: bool,
}

/// Who shares a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The pod, or its job.
    Task,
    /// All pods of an execution.
    Execution,
    /// All pods of the namespace.
    Namespace,
}

/// What is wrong with what a pod asks for, so that it must be refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mistake {
    /// An annotation makes no sense.
    Annotation,
    /// The servers' image is not there, and the pod does not wait for long.
    Image,
    /// Somebody else may ask for something else by the same name; one of the two is refused.
    Rivalry,
}

// === impl Ask ===

impl Ask {
    /// What a group of this kind and number asks for, in an execution.
    ///
    /// Who shares a service must ask for the same: that is a function of whose it is.
    pub(super) fn draw(dice: &mut Dice, kind: Kind, number: u32, execution: u32) -> Vec<Self> {
        if kind == Kind::Rivals {
            return vec![Self {
                keep_warm: Some(5),
                ..Self::new(format!("rivals-{number}"), Scope::Execution)
            }];
        }
        let retain = dice.is_one_in(10).then(|| 5 + dice.below(10));
        let replicas = if dice.is_one_in(2) { 2 } else { 1 };
        let own = Self { replicas, retain, ..Self::new("graph".to_owned(), Scope::Task) };
        let executions = Self {
            replicas: 1 + execution % 2,
            keep_warm: Some(5 + dice.below(10)),
            ..Self::new("cache".to_owned(), Scope::Execution)
        };
        let shared = Self {
            keep_warm: Some(5 + dice.below(10)),
            ..Self::new(format!("shared-{}", dice.below(2)), Scope::Namespace)
        };
        match dice.below(10) {
            0..=5 => vec![own],
            6 | 7 => vec![executions],
            8 => vec![shared],
            _ => vec![own, Self { port: 40_001, ..shared }.renamed("more")],
        }
    }

    fn new(name: String, scope: Scope) -> Self {
        Self { name, scope, replicas: 1, port: 40_000, keep_warm: None, retain: None, has_image: true }
    }

    /// Another port is another service to all who share it, so it has another name.
    fn renamed(self, suffix: &str) -> Self {
        Self { name: format!("{}-{suffix}", self.name), ..self }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let scope = match self.scope {
            Scope::Task => "task",
            Scope::Execution => "execution",
            Scope::Namespace => "namespace",
        };
        let image = if self.has_image { IMAGE } else { "localhost/no-such-image:1" };
        let mut fields = vec![
            ("name", json!(self.name)),
            ("scope", json!(scope)),
            ("image", json!(image)),
            ("replicas", json!(self.replicas)),
            ("port", json!(self.port)),
            ("command", json!(["sh", "-c", SERVER])),
            ("requests", json!({"cpu": "10m", "mem": "16Mi"})),
        ];
        fields.extend(self.keep_warm.map(|seconds| ("keep-warm", json!(format!("{seconds}s")))));
        fields.extend(self.retain.map(|seconds| ("on-failure", json!(format!("retain={seconds}s")))));
        fields
    }
}

/// Writes onto a pod what it asks for, as its user would.
pub fn write(pod: &mut Value, asks: &[Ask]) {
    flyte::strip(pod);
    if let [ask] = asks {
        for (key, value) in ask.fields() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            flyte::annotate(pod, &[(key, &text)]);
        }
    } else {
        let services: Vec<Value> = asks.iter().map(|ask| ask.fields().into_iter().collect()).collect();
        flyte::annotate(pod, &[("services", &json!(services).to_string())]);
    }
}

/// Answers each request with its own name, and ends when it is told to.
const SERVER: &str = "mkdir /tmp/www && hostname > /tmp/www/index.html && trap 'exit 0' TERM; \
    httpd -f -p $SERVER_PORT -h /tmp/www & wait";

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> impl Iterator<Item = (u32, Vec<Ask>)> {
        let mut dice = Dice::new(1, "x");
        (0..500).map(move |number| (number % 5, Ask::draw(&mut dice, Kind::Plain, number, number % 5)))
    }

    #[test]
    fn all_who_share_a_service_ask_for_the_same() {
        let mut known = std::collections::BTreeMap::new();
        for (execution, asks) in drawn() {
            for ask in asks.into_iter().filter(|ask| ask.scope != Scope::Task) {
                let whose = (ask.name.clone(), (ask.scope == Scope::Execution).then_some(execution));
                let same = (ask.replicas, ask.port);
                assert_eq!(*known.entry(whose).or_insert(same), same, "{ask:?}");
            }
        }
        assert_eq!(known.len(), 5 + 4, "{known:?}");
    }

    #[test]
    fn every_scope_is_asked_for_and_several_at_once() {
        for scope in [Scope::Task, Scope::Execution, Scope::Namespace] {
            assert!(drawn().any(|(_, asks)| asks.iter().any(|ask| ask.scope == scope)), "{scope:?}");
        }
        assert!(drawn().any(|(_, asks)| asks.len() == 2));
    }
}
