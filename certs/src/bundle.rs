//! What the API server is told to trust when it calls the webhook.

mod publish;

use jiff::Timestamp;

use crate::certificate::Certificate;

pub use self::publish::{Error, Published, publish, publish_until_seen};

/// The bundle that holds `ours` next to what must stay of `existing`: the other authorities of our subject
/// that have not expired, since another replica, or a leaf signed before a rotation, still needs them.
///
/// Certificates of other subjects, duplicates and whatever cannot be parsed are dropped. What stays keeps
/// its order, and merging again changes nothing, so that replicas which disagree come to rest.
pub fn merge(existing: &[u8], ours: &Certificate, now: Timestamp) -> String {
    let mut bundle: Vec<Certificate> = Vec::new();
    let kept = Certificate::all_in(existing).filter(|found| found == ours || stays(found, ours, now));
    for certificate in kept.chain([ours.clone()]) {
        if !bundle.contains(&certificate) {
            bundle.push(certificate);
        }
    }
    bundle.iter().map(Certificate::to_pem).collect()
}

fn stays(found: &Certificate, ours: &Certificate, now: Timestamp) -> bool {
    found.is_authority() && found.has_subject_of(ours) && !found.validity().is_over(now)
}

#[cfg(test)]
mod tests;
