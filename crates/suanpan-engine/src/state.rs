//! Everything the control plane knows, as the fold of its events.
//!
//! Finished jobs leave: of them only the terminal state stays, in [`Outcomes`], where runs of
//! equal outcomes take one entry. Fields marked *derived* are recomputed after a checkpoint is
//! read and by [`State::check`].

mod apply;
mod check;
mod checkpoint;
mod closures;
mod cluster;
mod datasets;
mod gate;
mod job;
mod keys;
mod links;
mod orders;
mod outcomes;
mod priorities;
mod programs;
mod publish;
mod quotas;

pub use checkpoint::CheckpointError;
pub use closures::Closed;
pub use cluster::{Cluster, Invitation, Standing};
pub use datasets::{Content, Dataset, Datasets, Lineage, Pin, Replica, SiteData, Size, Stay};
pub use gate::Gate;
pub use job::{ArrayTasks, Job, SingleTask, Tasks};
pub(crate) use keys::KEPT as KEYS_KEPT;
pub use outcomes::Outcomes;
pub use priorities::Priorities;

use crate::command::{Caller, Command, Target, TokenHash};
use crate::commands;
use crate::event::{Event, PlacedAllocation};
use crate::rejection::Rejection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_ledger::Ledger;
use suanpan_model::id::{AllocationId, ClusterId, DatasetId, Generation, JobId};
use suanpan_model::job::{Shape, TaskRef};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::fit::catalog::Catalog;
use suanpan_sched::flavor_speed::Programs;
use suanpan_sched::quota::book::Book;
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::snapshot::Change;
use suanpan_sched::waits::Waits;
use suanpan_site::order::StopReason;

/// How long a cluster that refused a job is not asked again.
const REFUSAL_KEPT: Seconds = Seconds(60);

/// Everything the control plane knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Time of the newest event.
    pub(crate) at: Timestamp,
    pub(crate) next: NextIds,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) outcomes: Outcomes,
    pub(crate) allocations: BTreeMap<AllocationId, Allocation>,
    pub(crate) clusters: BTreeMap<ClusterId, Cluster>,
    pub(crate) keys: keys::Keys,
    pub(crate) users: Vec<(TokenHash, String)>,
    pub(crate) ledger: Ledger,
    #[serde(default, skip_serializing_if = "Priorities::is_unused")]
    pub(crate) priorities: Priorities,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quotas: Option<Arc<QuotaPolicy>>,
    #[serde(default, skip_serializing_if = "Programs::is_empty")]
    pub(crate) programs: Programs,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) links: links::Links,
    #[serde(default, skip_serializing_if = "Datasets::is_unused")]
    pub(crate) datasets: Datasets,
    /// The latest waits at each cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) waits: BTreeMap<ClusterId, Waits>,
    #[serde(skip)]
    pub(crate) derived: Derived,
}

/// The next id of each kind that will be given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextIds {
    pub(crate) job: u64,
    pub(crate) allocation: u64,
    pub(crate) transfer: u64,
    pub(crate) cluster: u32,
    #[serde(default = "first")]
    pub(crate) closure: u64,
}

fn first() -> u64 {
    1
}

impl Default for NextIds {
    fn default() -> Self {
        NextIds { job: 1, allocation: 1, transfer: 1, cluster: 1, closure: 1 }
    }
}

/// What can be recomputed from the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Derived {
    /// Shapes of live jobs and how many jobs have each.
    pub(crate) shapes: BTreeMap<Arc<Shape>, u32>,
    /// Live jobs that wait for a job, by the job's base id.
    pub(crate) dependents: BTreeMap<JobId, BTreeSet<JobId>>,
    /// Live jobs by owner and name, for `singleton`.
    pub(crate) by_name: BTreeMap<(String, String), BTreeSet<JobId>>,
    /// Live jobs by deadline.
    pub(crate) deadlines: BTreeSet<(Timestamp, JobId)>,
    /// Jobs whose dependency can never be satisfied and that asked to be cancelled then.
    pub(crate) doomed: BTreeSet<JobId>,
    /// What the clusters have, ready to judge shapes.
    pub(crate) catalog: Catalog,
    /// Nodes and CPUs of all clusters.
    pub(crate) machine: priorities::Machine,
    /// Allocations whose grace runs, by its end.
    pub(crate) graces: BTreeSet<(Timestamp, AllocationId)>,
    /// The quotas with what live allocations hold of them.
    pub(crate) book: Option<Box<Book>>,
    /// Jobs that some cluster refused lately.
    pub(crate) refused: BTreeSet<JobId>,
    /// Live jobs by the datasets they read.
    pub(crate) readers: BTreeMap<DatasetId, BTreeSet<JobId>>,
    /// Whether scheduler changes and touched orders are collected.
    pub(crate) emit: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) touched: Vec<(ClusterId, AllocationId)>,
}

/// Resources committed to one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// What was placed.
    pub placed: PlacedAllocation,
    /// When.
    pub placed_at: Timestamp,
    /// Version of its order.
    pub generation: Generation,
    /// How often the task was started before.
    pub restarts: u32,
    /// When inputs began to be copied.
    pub staging_at: Option<Timestamp>,
    /// When the payload was started.
    pub started_at: Option<Timestamp>,
    /// Why it is being stopped.
    pub stopping: Option<StopReason>,
    /// For which job it will be stopped, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preempted: Option<(JobId, Timestamp)>,
}

impl State {
    /// Judges a command. Reads state, changes nothing.
    ///
    /// # Errors
    /// A [`Rejection`] that says why nothing happens.
    pub fn decide(
        &self,
        at: Timestamp,
        caller: &Caller,
        command: &Command,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::SubmitJobs(submit) => commands::submit_jobs::decide(self, caller, submit),
            Command::CancelJob(target) => commands::cancel_job::decide(self, caller, *target),
            Command::HoldJob(target) => commands::hold_job::decide(self, caller, *target),
            Command::ReleaseJob(target) => commands::release_job::decide(self, caller, *target),
            Command::RequeueJob(target) => commands::requeue_job::decide(self, caller, *target),
            Command::AddSite(site) => commands::add_site::decide(self, site),
            Command::InviteSite(invite) => commands::invite_site::decide(self, at, invite),
            Command::JoinSite(join) => commands::join_site::decide(self, at, join),
            Command::ApproveSite(id) => commands::approve_site::decide(self, *id),
            Command::RevokeSite(id) => commands::revoke_site::decide(self, at, *id),
            Command::AddUser(user) => commands::add_user::decide(caller, user),
            Command::RecordInventory(inventory) => {
                commands::record_inventory::decide(self, caller, inventory)
            }
            Command::RecordReports(reports) => {
                commands::record_reports::decide(self, at, caller, reports)
            }
            Command::RecordContact(cluster, contact) => {
                commands::record_contact::decide(self, caller, *cluster, *contact)
            }
            Command::WithdrawQueued(cluster, silent) => {
                commands::withdraw_queued::decide(self, at, caller, *cluster, *silent)
            }
            Command::RecordEstimates(links) => {
                commands::record_estimates::decide(self, caller, links)
            }
            Command::DrainNodes(drain) => commands::drain_nodes::decide(self, at, caller, drain),
            Command::UndrainNodes(nodes) => commands::undrain_nodes::decide(self, caller, nodes),
            Command::ReserveNodes(reserve) => {
                commands::reserve_nodes::decide(self, at, caller, reserve)
            }
            Command::EndReservation(end) => commands::end_reservation::decide(self, caller, end),
            Command::SetPriorities(policy) => {
                commands::set_priorities::decide(self, at, caller, policy.as_deref())
            }
            Command::SetQuotas(policy) => {
                commands::set_quotas::decide(self, caller, policy.as_ref())
            }
            Command::RegisterDataset(register) => {
                commands::register_dataset::decide(self, at, caller, register)
            }
            Command::RemoveDataset(id) => commands::remove_dataset::decide(self, caller, *id),
            Command::PinDataset(asked) => commands::pin_dataset::decide(self, caller, asked),
            Command::RecordReplicas(record) => {
                commands::record_replicas::decide(self, caller, record)
            }
            Command::CommitPlan(plan) => commands::commit_plan::decide(self, at, caller, plan),
            Command::PassTime => commands::pass_time::decide(self, at, caller),
        }
    }

    /// The user a token belongs to.
    #[must_use]
    pub fn user_of(&self, token: &TokenHash) -> Option<&str> {
        self.users.iter().find(|(hash, _)| hash == token).map(|(_, user)| user.as_str())
    }

    /// The cluster an agent's token speaks for, whether or not it takes part yet.
    #[must_use]
    pub fn cluster_of(&self, token: &TokenHash) -> Option<(ClusterId, &Cluster)> {
        self.clusters().find(|(_, cluster)| cluster.token == Some(*token))
    }

    /// Whether any user has a token.
    #[must_use]
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Users, and clusters that take part, with the hashes of their tokens.
    pub fn tokens(&self) -> impl Iterator<Item = (TokenHash, Caller)> {
        let users = self.users.iter().map(|(hash, user)| (*hash, Caller::User(user.clone())));
        let members = self.clusters().filter(|(_, cluster)| cluster.is_member());
        users.chain(members.filter_map(|(id, one)| Some((one.token?, Caller::Agent(id)))))
    }

    /// All clusters.
    pub fn clusters(&self) -> impl Iterator<Item = (ClusterId, &Cluster)> {
        self.clusters.iter().map(|(id, cluster)| (*id, cluster))
    }

    /// One cluster.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&Cluster> {
        self.clusters.get(&id)
    }

    /// A live job, by its own id or that of one of its array tasks.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        let (_, job) = self.jobs.range(..=id).next_back()?;
        (id.0 < job.id.0 + job.tasks.id_count()).then_some(job)
    }

    /// A live allocation.
    #[must_use]
    pub fn allocation(&self, id: AllocationId) -> Option<&Allocation> {
        self.allocations.get(&id)
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Terminal states of finished jobs.
    #[must_use]
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Number of live jobs (an array counts once) and of live allocations.
    #[must_use]
    pub fn live(&self) -> (usize, usize) {
        (self.jobs.len(), self.allocations.len())
    }

    /// Whether `PassTime` would do something at `at`.
    #[must_use]
    pub fn is_due(&self, at: Timestamp) -> bool {
        !self.derived.doomed.is_empty()
            || self.refusals_due(at).next().is_some()
            || self.closures_due(at).next().is_some()
            || self.priorities_due(at).is_some()
            || self.graces_due(at).next().is_some()
            || self.derived.deadlines.first().is_some_and(|(deadline, _)| *deadline <= at)
            || self.keys.are_due(at)
            || self.eviction_due().is_some()
    }

    /// Jobs whose last refusal is so long ago that the clusters may be asked again.
    pub(crate) fn refusals_due(&self, at: Timestamp) -> impl Iterator<Item = JobId> + '_ {
        let is_old = move |id: &&JobId| {
            let refused_at = self.jobs[*id].refused_at;
            refused_at.is_some_and(|refused| at.since(refused) > REFUSAL_KEPT)
        };
        self.derived.refused.iter().filter(is_old).copied()
    }

    /// Finds the live job a target means and checks that the caller may change it.
    pub(crate) fn target(
        &self,
        caller: &Caller,
        target: Target,
    ) -> Result<(&Job, Option<u32>), Rejection> {
        let task = TaskRef { job: target.job, index: target.index };
        let Some(job) = self.job(target.job) else {
            return Err(match self.outcomes.state_of(target.job) {
                Some(state) => Rejection::JobEnded(task, state),
                None => Rejection::UnknownJob(target.job),
            });
        };
        if let Caller::User(user) = caller
            && *user != job.spec.user
        {
            return Err(Rejection::NotOwner { job: job.id, owner: job.spec.user.clone() });
        }
        let position = match target.index {
            // `36_4` names a task by its array's own id only.
            Some(_) if target.job != job.id => return Err(Rejection::NoSuchTask(task)),
            Some(index) => Some(job.position_of(index).ok_or(Rejection::NoSuchTask(task))?),
            None if target.job != job.id => Some((target.job.0 - job.id.0) as u32),
            None => None,
        };
        if let Some(position) = position
            && let Some(state) = job.tasks.ended_state(position)
        {
            return Err(Rejection::JobEnded(job.task_ref(Some(position)), state));
        }
        Ok((job, position))
    }
}
