//! The mark of a pod that needs its services no more, though its status does not say so yet.

use serde_json::Value;

use crate::annotation;
use crate::pod;

/// Who has said it, and of the pod with which uid: names come again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Released<'a> {
    /// The pod, by its sidecar.
    ByItself(&'a str),
    /// The controller, since the leader of the pod's job has ended.
    ByItsLeader(&'a str),
}

// === impl Released ===

impl<'a> Released<'a> {
    /// The mark on a pod, as the annotation [`RELEASED`](annotation::RELEASED) has it.
    #[must_use]
    pub fn read(pod: &'a Value) -> Option<Self> {
        let text = pod::annotation(pod, annotation::RELEASED)?;
        Some(text.strip_suffix(LEADER).map_or(Self::ByItself(text), Self::ByItsLeader))
    }

    /// The mark as the annotation has it.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::ByItself(uid) => uid.to_owned(),
            Self::ByItsLeader(uid) => format!("{uid}{LEADER}"),
        }
    }
}

const LEADER: &str = "/leader";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_reads_back() {
        for mark in [Released::ByItself("u"), Released::ByItsLeader("u")] {
            let pod = json!({"metadata": {"annotations": {annotation::RELEASED: mark.to_text()}}});
            assert_eq!(Released::read(&pod), Some(mark));
        }
        assert_eq!(Released::read(&json!({})), None);
    }
}
