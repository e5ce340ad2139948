//! What happened. Events are facts: they carry every amount and id that was decided, and
//! [`crate::state::State::apply`] folds them without judging.
//!
//! The encoding is JSON with named fields (self-describing): fields may be added with a default,
//! never renamed or given another meaning. The fixture under `tests/fixtures/` must fold for ever.

use crate::command::{Caller, IdempotencyKey, LinkChange, Present, TokenHash};
use crate::state::{Dataset, Pin, Size};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use suanpan_ledger::TransferId;
use suanpan_model::id::{AllocationId, BlobHash, ClusterId, DatasetId, Generation, JobId};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::{JobSpec, JobState, Prediction, Sharing};
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_sched::order::priority::{PriorityPolicy, UserShare};
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::reason::Explanation;
use suanpan_sched::snapshot::{Closure, ClosureId, Contact};
use suanpan_site::order::StopReason;
use suanpan_site::report::Outcome;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Jobs entered the network under one idempotency key; ids are consecutive from `first`.
    JobsSubmitted {
        /// Key and body hash.
        key: IdempotencyKey,
        /// Jobs with their ids.
        jobs: Vec<SubmittedJob>,
    },
    /// A job is kept from starting.
    JobHeld {
        /// The job.
        job: JobId,
    },
    /// A hold was undone.
    JobReleased {
        /// The job.
        job: JobId,
    },
    /// Starts were committed.
    PlanCommitted {
        /// Explanations the allocations refer to.
        explanations: Vec<Arc<Explanation>>,
        /// New allocations.
        allocations: Vec<PlacedAllocation>,
    },
    /// An allocation is to be stopped.
    AllocationStopping {
        /// The allocation.
        allocation: AllocationId,
        /// Generation of the stop order.
        generation: Generation,
        /// Why.
        reason: StopReason,
        /// The job it is stopped for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<JobId>,
    },
    /// An allocation will be stopped for another job once its grace is over.
    AllocationPreempted {
        /// The allocation.
        allocation: AllocationId,
        /// The job it is stopped for.
        by: JobId,
        /// When it is stopped, if it has not ended by then.
        stop_at: Timestamp,
    },
    /// The site is copying inputs.
    AllocationStaging {
        /// The allocation.
        allocation: AllocationId,
        /// By the agent's clock.
        at: Timestamp,
    },
    /// The payload was started.
    AllocationStarted {
        /// The allocation.
        allocation: AllocationId,
        /// By the agent's clock.
        at: Timestamp,
    },
    /// An allocation ended; its resources are free, its charge is posted.
    AllocationEnded {
        /// The allocation.
        allocation: AllocationId,
        /// By the agent's clock.
        at: Timestamp,
        /// How.
        outcome: Outcome,
        /// Charge posted against the pending transfer; the rest is voided.
        charge: MicroCredits,
        /// What becomes of the task.
        then: Then,
    },
    /// The site refused an allocation; the task is pending again and may go elsewhere.
    AllocationRefused {
        /// The allocation.
        allocation: AllocationId,
        /// The site's words.
        reason: String,
    },
    /// The arrays whose tasks all went to this cluster may go elsewhere.
    ArraysUnbound {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A job may be offered again to the clusters that refused it.
    RefusalsForgotten {
        /// The job.
        job: JobId,
    },
    /// Tasks ended without an attempt (cancelled while pending, deadline passed).
    TasksEnded {
        /// The job.
        job: JobId,
        /// Tasks of an array by position; empty for a single job.
        #[serde(default, skip_serializing_if = "IndexSet::is_empty")]
        positions: IndexSet,
        /// Terminal state.
        state: JobState,
    },
    /// A cluster may join with this token.
    SiteAdded {
        /// Its id.
        cluster: ClusterId,
        /// Its name.
        name: String,
        /// Hash of the agent's token.
        token: TokenHash,
    },
    /// A cluster's owner may join it by this invitation. A new cluster, or one that does not take
    /// part: what it had of invitations and tokens is void.
    SiteInvited {
        /// Its id.
        cluster: ClusterId,
        /// Its name.
        name: String,
        /// Hash of the join token.
        invitation: TokenHash,
        /// The first moment at which it can no longer be used.
        expires: Timestamp,
    },
    /// An agent joined by the invitation and waits for approval.
    SiteJoined {
        /// The cluster.
        cluster: ClusterId,
        /// Hash of the agent's token.
        token: TokenHash,
    },
    /// A cluster that joined takes part.
    SiteApproved {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A cluster takes part no longer; what was placed there ended by earlier events.
    SiteRevoked {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A user has this token.
    UserAdded {
        /// Name.
        user: String,
        /// Hash of the token.
        token: TokenHash,
    },
    /// A cluster's inventory is now this.
    InventoryRecorded {
        /// The cluster.
        cluster: ClusterId,
        /// What it has.
        inventory: Arc<Inventory>,
    },
    /// Contact with an agent was lost or found.
    ContactChanged {
        /// The cluster.
        cluster: ClusterId,
        /// What it is now.
        contact: Contact,
    },
    /// Nodes were drained or reserved.
    NodesClosed {
        /// The cluster.
        cluster: ClusterId,
        /// Which nodes, when and why.
        closure: Closure,
        /// Who asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Caller>,
        /// Users who may run there all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<String>,
        /// Projects whose jobs may run there all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        projects: Vec<String>,
    },
    /// Nodes are no longer drained or reserved by a closure; with none left it is gone.
    NodesOpened {
        /// The cluster.
        cluster: ClusterId,
        /// The closure.
        closure: ClosureId,
        /// Which of its nodes.
        nodes: Vec<String>,
    },
    /// Jobs are ordered by another policy, or by submission.
    PrioritiesSet {
        /// The policy.
        policy: Option<Box<PriorityPolicy>>,
    },
    /// The priorities of all jobs that wait were worked out anew, with these fair shares.
    JobsPrioritized {
        /// Of each user in each project.
        shares: Vec<UserShare>,
    },
    /// Quotas were set or, with nothing, lifted.
    QuotasSet {
        /// The tree of quotas.
        policy: Option<Arc<QuotaPolicy>>,
    },
    /// What is believed of some links between sites changed.
    EstimatesRecorded {
        /// Each changed link, with what is believed of it now.
        links: Vec<LinkChange>,
    },
    /// Data got a name and a version.
    DatasetRegistered {
        /// What it is.
        dataset: Box<Dataset>,
        /// How large it is.
        size: Size,
    },
    /// A version of a dataset is gone.
    DatasetRemoved {
        /// Which.
        dataset: DatasetId,
    },
    /// A site keeps a dataset, or no longer.
    DatasetPinned {
        /// Which.
        dataset: DatasetId,
        /// The site.
        site: String,
        /// Which of both.
        pin: Pin,
    },
    /// What a site holds of some contents changed.
    ReplicasRecorded {
        /// The site.
        site: String,
        /// How much there is now.
        present: Vec<Present>,
        /// Bytes of all chunks in its store, if it said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stored: Option<u64>,
    },
    /// A site is to let contents go; what it holds of them no longer counts.
    ReplicasEvicted {
        /// The site.
        site: String,
        /// Their manifests.
        manifests: Vec<BlobHash>,
    },
    /// Idempotency keys made before this time are forgotten.
    KeysForgotten {
        /// The time.
        before: Timestamp,
    },
}

/// One job as it entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmittedJob {
    /// Its id; of an array the base, tasks taking the ids after it.
    pub id: JobId,
    /// What is meant.
    pub spec: JobSpec,
}

/// One new allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedAllocation {
    /// Its id.
    pub id: AllocationId,
    /// The job.
    pub job: JobId,
    /// Task index of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Where.
    pub cluster: ClusterId,
    /// Partition's name.
    pub partition: String,
    /// Indexes of nodes in the inventory, in rank order.
    pub nodes: Vec<u32>,
    /// Their names, so that a later inventory changes nothing here.
    pub node_names: Vec<String>,
    /// Flavor's name.
    pub flavor: String,
    /// Time limit.
    pub time_limit: Walltime,
    /// Amount taken and charged on each node (the whole node for an exclusive job).
    pub per_node: Tres,
    /// Whether others may share its nodes.
    #[serde(default)]
    pub sharing: Sharing,
    /// Price at placement; the final charge uses it whatever the tariff is then.
    pub price: Price,
    /// Pending transfer for the most it may cost.
    pub transfer: TransferId,
    /// What is foretold; its `cost` is the amount of the pending transfer.
    pub prediction: Prediction,
    /// Index into the event's explanations.
    pub explanation: u32,
}

/// What becomes of a task whose attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is over, in this state.
    Over(JobState),
    /// It is pending again.
    Requeued,
}
