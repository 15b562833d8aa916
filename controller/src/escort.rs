//! Carries out what [`usher`](dataservice_core::usher) decides for one waiting pod.

use dataservice_core::consumer::Consumer;
use dataservice_core::standing::Standing;
use dataservice_core::usher::Step;
use dataservice_core::waiting::Waiting;
use jiff::Timestamp;

use crate::apply::Context;
use crate::error::Error;
use crate::event::{self, Event, Reason};
use crate::mark;

/// Whether a pod waits for its services.
pub(crate) fn is_waiting(consumer: &Consumer) -> bool {
    consumer.wait != Waiting::Over && !matches!(consumer.standing, Standing::Ended(_))
}

pub(crate) async fn carry_out(context: &Context, consumer: &Consumer, step: Step) -> Result<(), Error> {
    let pod = &consumer.pod;
    match step {
        Step::Lift => {
            mark::lift(&context.client, pod).await?;
            tracing::info!(namespace = pod.namespace, pod = pod.name, "Lifted the scheduling gate");
        }
        Step::End { cause } => {
            let waited = consumer.plan.wait.map_or_else(String::new, |wait| format!(" for {wait}"));
            let note = format!("this pod waited{waited} in vain and is ended: {cause}");
            tracing::info!(namespace = pod.namespace, pod = pod.name, note, "Ended a pod");
            let event = Event { pod: pod.clone(), service: None, reason: Reason::Failed, note };
            event::publish(&context.client, &context.reporter, &event, Timestamp::now()).await;
            mark::end(&context.client, pod).await?;
        }
        Step::Revisit(_) => {}
    }
    Ok(())
}
