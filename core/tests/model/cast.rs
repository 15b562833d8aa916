//! The consumers that scenarios are made of.

use serde_json::{Value, json};

use crate::role::Script;

/// One that has a service of its own.
pub(crate) fn own(uid: &str) -> Script {
    Script::new(uid, json!({"image": "x"}))
}

/// One whose service stays for a while when it fails.
pub(crate) fn retaining(uid: &str) -> Script {
    Script::new(uid, json!({"image": "x", "on-failure": "retain=1m"}))
}

/// One of an execution, which shares a service.
pub(crate) fn sharer(uid: &str) -> Script {
    of_the_execution(uid, json!({"image": "x", "scope": "execution", "keep-warm": "1m"}))
}

/// One of the same execution that asks for something else.
pub(crate) fn dissenter(uid: &str) -> Script {
    of_the_execution(uid, json!({"image": "y", "scope": "execution", "keep-warm": "1m"}))
}

/// One of the same execution that has a service of its own besides.
pub(crate) fn with_both(uid: &str) -> Script {
    let services = json!([
        {"name": "own", "image": "x"},
        {"name": "dataservice", "image": "x", "scope": "execution", "keep-warm": "1m"},
    ]);
    of_the_execution(uid, json!({"services": services.to_string()}))
}

fn of_the_execution(uid: &str, annotations: Value) -> Script {
    Script::new(uid, annotations).labelled(json!({"execution-id": "e"}))
}

/// One that shares with the whole namespace.
pub(crate) fn everybody(uid: &str) -> Script {
    named(uid, "cache")
}

/// One that shares, with the whole namespace, a service of this name.
pub(crate) fn named(uid: &str, name: &str) -> Script {
    Script::new(uid, json!({"image": "x", "scope": "namespace", "name": name, "keep-warm": "1m"}))
}

/// A pod of a batch Job.
pub(crate) fn of_job(uid: &str) -> Script {
    own(uid).controlled_by("batch/v1", "Job", "j")
}

/// A pod of an MPI job, in this role.
pub(crate) fn of_mpi_job(uid: &str, role: &str) -> Script {
    let labels = json!({"training.kubeflow.org/job-name": "m", "training.kubeflow.org/replica-type": role});
    own(uid).labelled(labels).controlled_by("kubeflow.org/v1", "MPIJob", "m")
}

/// A sharer that is controlled by this Flyte 2 action.
pub(crate) fn of_action(uid: &str, action: &str) -> Script {
    sharer(uid).controlled_by("flyte.org/v1", "TaskAction", action)
}
