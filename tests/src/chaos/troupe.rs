//! One group on the stage: made, watched to its end, and cleared away, as Flyte and its operators do.

use std::time::Duration;

use anyhow::Result;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::ask::Scope;
use super::cast;
use super::creation::{api, create, create_pod};
use super::group::{Ending, Group, Member};
use super::persist::persist;
use super::record::PodRecord;
use super::role::{Kind, Maker, Tie};
use super::stage::{Deed, Deletion, Stage};

/// One group on the stage.
pub struct Troupe {
    stage: Stage,
    group: Group,
    /// The pods as they are written, by member.
    scripts: Vec<Value>,
}

// === impl Troupe ===

impl Troupe {
    /// A group that has not begun.
    pub fn new(stage: &Stage, group: Group) -> Result<Self> {
        let script = |number| cast::pod(&group, number, &stage.sandbox.namespace, stage.stand);
        let scripts = (0..group.members.len()).map(script).collect::<Result<_>>()?;
        Ok(Self { stage: stage.clone(), group, scripts })
    }

    /// Plays it to its end, and leaves nothing.
    pub async fn play(self) -> Result<()> {
        self.stage.journal.note(format_args!("begins: {}", self.group));
        let members = self.group.members.iter().zip(&self.scripts);
        futures::future::try_join_all(members.map(|(member, script)| self.begin(member, script))).await?;
        let is_over = self.comes_to_its_end().await?;
        if self.group.kind.is_job() {
            self.conclude().await?;
        }
        self.clear().await?;
        self.stage.did(Deed::Played { group: self.group.to_string(), is_over });
        Ok(())
    }

    async fn begin(&self, member: &Member, script: &Value) -> Result<()> {
        sleep(member.delay).await;
        for map in cast::config_maps(script) {
            create(&self.stage, &map).await?;
        }
        match member.role.maker {
            Maker::Hand => create_pod(&self.stage, self.group.number, script).await?,
            Maker::Job => create(&self.stage, &cast::job(script)?).await?,
            Maker::ReplicaSet => create(&self.stage, &cast::replica_set(script)?).await?,
        }
        let (after, grace) = match member.ending {
            Ending::Deleted { after, grace } => (after, grace),
            Ending::Forced { after } => (after, 0),
            Ending::Fails | Ending::Restarts | Ending::Succeeds => return Ok(()),
        };
        sleep(after).await;
        match member.role.maker {
            Maker::Job => self.delete_maker(&cast::job(script)?).await,
            Maker::Hand | Maker::ReplicaSet => self.delete_pods(script, grace).await,
        }
    }

    /// The pods that there are of a member.
    fn pods(&self, script: &Value) -> Vec<PodRecord> {
        let label = &script["metadata"]["labels"][super::record::MEMBER];
        self.stage.ledger.pods(|record| record.pod["metadata"]["labels"][super::record::MEMBER] == *label)
    }

    async fn delete_pods(&self, script: &Value, grace: u32) -> Result<()> {
        for record in self.pods(script).iter().filter(|record| record.gone_at.is_none()) {
            delete_pod(&self.stage, record, grace).await?;
        }
        Ok(())
    }

    async fn delete_maker(&self, maker: &Value) -> Result<()> {
        for record in self.pods(&maker["spec"]["template"]).iter().filter(|record| !record.is_over()) {
            self.stage.did(Deed::Deleted { uid: record.uid().to_owned(), how: Deletion::Owner });
        }
        let (api, name) = (api(&self.stage, maker)?, maker["metadata"]["name"].as_str().unwrap_or_default());
        let params = DeleteParams::background();
        forgiving(persist("delete what makes pods", || api.delete(name, &params)).await?)
    }

    /// Waits until its leader has ended, or all of it where nobody leads.
    async fn comes_to_its_end(&self) -> Result<bool> {
        let deadline = Instant::now() + self.group.lasts() + LIMIT;
        let has_leader = self.group.members.iter().any(|member| member.role.tie == Tie::Leads);
        let tie = if has_leader { Tie::Leads } else { Tie::Free };
        let members =
            || self.group.members.iter().zip(&self.scripts).filter(|(member, _)| member.role.tie == tie);
        while Instant::now() < deadline {
            let mut are_over = true;
            for (member, script) in members() {
                are_over = are_over && self.is_over(member, script).await?;
            }
            if are_over {
                return Ok(true);
            }
            sleep(PAUSE).await;
        }
        Ok(false)
    }

    async fn is_over(&self, member: &Member, script: &Value) -> Result<bool> {
        if member.role.maker == Maker::Job {
            let maker = cast::job(script)?;
            let (api, name) =
                (api(&self.stage, &maker)?, maker["metadata"]["name"].as_str().unwrap_or_default());
            let job = persist("read a Job", || api.get_opt(name)).await??;
            return Ok(job.is_none_or(|job| job.data.pointer("/status/conditions").is_some_and(is_final)));
        }
        let refused =
            |deed: &Deed| matches!(deed, Deed::Refused { group, .. } if *group == self.group.number);
        let pods = self.pods(script);
        let was_refused = pods.is_empty() && self.stage.deeds().iter().any(refused);
        Ok(was_refused || (!pods.is_empty() && pods.iter().all(PodRecord::is_over)))
    }

    /// What an operator does when its job is over: the services are gone by then, where the leader said so; the other
    /// pods are deleted.
    async fn conclude(&self) -> Result<()> {
        self.until_services_are_gone(CONCLUSION).await;
        for (member, script) in self.group.members.iter().zip(&self.scripts) {
            match member.role.maker {
                Maker::Hand => self.delete_pods(script, 1).await?,
                Maker::Job => {}
                Maker::ReplicaSet => self.delete_maker(&cast::replica_set(script)?).await?,
            }
        }
        let owner = self.scripts.first().map(|script| &script["metadata"]["ownerReferences"][0]);
        if let (Kind::Mpi | Kind::PyTorch, Some(owner)) = (self.group.kind, owner) {
            self.finish(owner).await?;
        }
        Ok(())
    }

    /// Says that a job is over, or deletes it: both happen.
    async fn finish(&self, owner: &Value) -> Result<()> {
        let (api, name) = (api(&self.stage, owner)?, owner["name"].as_str().unwrap_or_default());
        if self.group.number.is_multiple_of(2) {
            for record in
                self.scripts.iter().flat_map(|script| self.pods(script)).filter(|record| !record.is_over())
            {
                self.stage.did(Deed::Deleted { uid: record.uid().to_owned(), how: Deletion::Owner });
            }
            let params = DeleteParams::background();
            return forgiving(persist("delete a job", || api.delete(name, &params)).await?);
        }
        let over = json!({"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}});
        let (params, over) = (PatchParams::default(), Patch::Merge(over));
        forgiving(persist("finish a job", || api.patch(name, &params, &over)).await?)
    }

    /// Once nothing of its own is left, or should be, its pods go: not before, or their being gone would end what their
    /// status should have ended.
    async fn clear(&self) -> Result<()> {
        self.until_services_are_gone(CLEARING).await;
        for (member, script) in self.group.members.iter().zip(&self.scripts) {
            if member.role.maker == Maker::Job {
                self.delete_maker(&cast::job(script)?).await?;
            }
            self.delete_pods(script, 1).await?;
        }
        Ok(())
    }

    async fn until_services_are_gone(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let pods: Vec<_> = self.scripts.iter().flat_map(|script| self.pods(script)).collect();
        let own = |name: &str| self.group.asks.iter().any(|ask| ask.scope == Scope::Task && ask.name == name);
        let plans = pods.iter().filter_map(|record| crate::sandbox::plan(&record.pod).ok());
        let services = plans.flat_map(|plan| plan.services).filter(|service| own(service.name.as_str()));
        let objects: Vec<_> = services.map(|service| service.object.to_string()).collect();
        let are_there = || {
            let there = self.stage.ledger.objects().into_iter().filter(|object| object.gone_at.is_none());
            there.into_iter().any(|object| objects.contains(&object.name))
        };
        while are_there() && Instant::now() < deadline {
            sleep(PAUSE).await;
        }
    }
}

/// Deletes a pod with so many seconds of grace; without any, its object is gone at once.
pub(super) async fn delete_pod(stage: &Stage, record: &PodRecord, grace: u32) -> Result<()> {
    let uid = record.uid().to_owned();
    if !record.is_over() {
        let how = if grace == 0 { Deletion::Force } else { Deletion::Grace };
        stage.did(Deed::Deleted { uid, how });
    }
    let params = DeleteParams::default().grace_period(grace);
    let pods = stage.sandbox.pods();
    forgiving(persist("delete a pod", || pods.delete(record.name(), &params)).await?)
}

/// What is gone already need not be deleted.
fn forgiving<T>(answer: kube::Result<T>) -> Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        answer => Ok(answer.map(drop)?),
    }
}

fn is_final(conditions: &Value) -> bool {
    let is_final = |condition: &Value| {
        matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True"
    };
    conditions.as_array().is_some_and(|conditions| conditions.iter().any(is_final))
}

const PAUSE: Duration = Duration::from_millis(300);
/// How much longer than its tasks work a group may take: the kubelet may stand still twice, and pods have deadlines.
const LIMIT: Duration = Duration::from_mins(4);
/// How long an operator waits before it deletes the other pods of a job that is over.
const CONCLUSION: Duration = Duration::from_secs(10);
/// How long pods that are over are kept at most.
const CLEARING: Duration = Duration::from_mins(1);
