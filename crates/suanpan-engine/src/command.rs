//! What is asked of the engine. Every command enters by [`crate::sequencer::Sequencer`], with its
//! time and caller; the engine never asks the world.

use crate::state::{Pin, Size};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use suanpan_model::dataset::DatasetName;
use suanpan_model::id::{AllocationId, BlobHash, ClusterId, DatasetId, JobId};
use suanpan_model::job::JobSpec;
use suanpan_model::network::LinkEstimate;
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::priority::PriorityPolicy;
use suanpan_sched::plan::{Placement, Preemption};
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::reason::Explanation;
use suanpan_sched::snapshot::Contact;
use suanpan_site::report::Report;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A person or program with a user token.
    User(String),
    /// The agent of a cluster.
    Agent(ClusterId),
    /// The control plane itself: scheduler, clock, set-up.
    System,
    /// Whoever holds the join token that the command names.
    Invited,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Submit jobs, all or none.
    SubmitJobs(SubmitJobs),
    /// End jobs or tasks.
    CancelJob(Target),
    /// Keep pending jobs from starting.
    HoldJob(Target),
    /// Undo a hold.
    ReleaseJob(Target),
    /// Stop and start again from the beginning.
    RequeueJob(Target),
    /// Let a site join: its name and the hash of its agent's token.
    AddSite(AddSite),
    /// Let a cluster's owner join it with a token that works once.
    InviteSite(InviteSite),
    /// An owner's agent joins by an invitation, with a token of its own.
    JoinSite(JoinSite),
    /// A cluster that joined may take part.
    ApproveSite(ClusterId),
    /// A cluster takes part no longer: its agent's token and its invitation are void.
    RevokeSite(ClusterId),
    /// Give a user a token (by its hash).
    AddUser(AddUser),
    /// An agent says what its cluster has.
    RecordInventory(Arc<Inventory>),
    /// An agent says what it saw.
    RecordReports(Vec<Report>),
    /// The server noticed that contact with an agent was lost or found.
    RecordContact(ClusterId, Contact),
    /// The server noticed that an agent was silent for so long: what did not begin at its cluster
    /// is placed elsewhere.
    WithdrawQueued(ClusterId, Seconds),
    /// What is believed of some links between sites changed.
    RecordEstimates(Vec<LinkChange>),
    /// Nothing new runs on some nodes.
    DrainNodes(DrainNodes),
    /// Undo drains.
    UndrainNodes(UndrainNodes),
    /// Keep nodes for some users and projects, from a time to a time.
    ReserveNodes(ReserveNodes),
    /// Let go of a reservation.
    EndReservation(EndReservation),
    /// How jobs are ordered; nothing means by submission.
    SetPriorities(Option<Box<PriorityPolicy>>),
    /// What projects may use at the most, and what they lend each other; nothing lifts all quotas.
    SetQuotas(Option<Arc<QuotaPolicy>>),
    /// Data gets a name and a version.
    RegisterDataset(RegisterDataset),
    /// One version of a dataset goes.
    RemoveDataset(DatasetId),
    /// A site is to keep a dataset, or no longer.
    PinDataset(PinDataset),
    /// What a site holds of datasets.
    RecordReplicas(RecordReplicas),
    /// The scheduler proposes starts.
    CommitPlan(CommitPlan),
    /// Time passed: deadlines fall due and old idempotency keys are forgotten.
    PassTime,
}

/// What is believed of one directed link between sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkChange {
    /// Site at which it begins.
    pub from: String,
    /// Site at which it ends.
    pub to: String,
    /// What is believed now; nothing if nothing is any more.
    pub estimate: Option<LinkEstimate>,
}

/// Submit jobs, all or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitJobs {
    /// Made by the client: the same key with the same jobs is answered with the same ids.
    pub key: IdempotencyKey,
    /// The jobs.
    pub jobs: Vec<JobSpec>,
}

/// A client-made key (hashed with its user's name) and a hash of what was asked under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// First 128 bits of the BLAKE3 hash of user and key; hexadecimal in JSON.
    #[serde(with = "hex")]
    pub key: u128,
    /// First 64 bits of the BLAKE3 hash of the request body; hexadecimal in JSON.
    #[serde(with = "hex")]
    pub body: u64,
}

/// Large integers as hexadecimal text: JSON readers in other languages keep only 53 bits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub(super) fn serialize<T: std::fmt::LowerHex, S: Serializer>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:x}"))
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<u128>,
        D: Deserializer<'de>,
    {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        T::try_from(number).map_err(|_| D::Error::custom("the number has too many digits"))
    }
}

/// Which job or tasks a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The job, by its own id or the id of an array task.
    pub job: JobId,
    /// One task of an array; `None` means all of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// Let a site join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddSite {
    /// Name of the cluster its agent will speak for (one agent per cluster).
    pub cluster: String,
    /// Hash of the agent's token.
    pub token: TokenHash,
}

/// Let a cluster's owner join it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteSite {
    /// Name of the cluster.
    pub cluster: String,
    /// Hash of the join token.
    pub token: TokenHash,
    /// How long the token can be used.
    pub valid: Seconds,
}

/// Join by an invitation. The same agent may ask again, whether or not it heard the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinSite {
    /// Hash of the join token.
    pub invitation: TokenHash,
    /// Name of the cluster, as its owner's site file has it.
    pub cluster: String,
    /// Hash of the agent's own token, which never left it.
    pub token: TokenHash,
}

/// Give a user a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddUser {
    /// User name.
    pub user: String,
    /// Hash of the token.
    pub token: TokenHash,
}

/// BLAKE3 hash of a 256-bit random token. A fast hash is enough for a random secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub BlobHash);

/// Some nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeChoice {
    /// All of them.
    All,
    /// Those of a partition.
    Partition(String),
    /// These.
    Named(Vec<String>),
}

/// Nothing new runs on these nodes; what runs goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainNodes {
    /// The cluster.
    pub cluster: ClusterId,
    /// Which nodes.
    pub nodes: NodeChoice,
    /// From when; `None` means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when; `None` means until undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, for those who ask.
    pub reason: String,
}

/// Undo the drains of these nodes, whoever made them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndrainNodes {
    /// The cluster.
    pub cluster: ClusterId,
    /// Which nodes.
    pub nodes: NodeChoice,
}

/// Keep nodes for some. Whoever is named may use them, without asking for the reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveNodes {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Which nodes.
    pub nodes: NodeChoice,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Users it is for.
    #[serde(default)]
    pub users: Vec<String>,
    /// Projects it is for.
    #[serde(default)]
    pub projects: Vec<String>,
}

/// Let go of a reservation before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndReservation {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: String,
}

/// Data gets a name and a version: the one it has under this name already, if it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterDataset {
    /// Its name; it belongs to who registered its other versions.
    pub name: DatasetName,
    /// Hash of its manifest.
    pub manifest: BlobHash,
    /// How large it is.
    pub size: Size,
    /// The project it belongs to; that of the job, for what a job made.
    pub project: String,
    /// The attempt that made it; agents say it, and only they.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<AllocationId>,
}

/// A site is to keep a dataset, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinDataset {
    /// The dataset.
    pub dataset: DatasetId,
    /// Name of the site.
    pub site: String,
    /// Which of both.
    pub pin: Pin,
}

/// What a site holds of datasets. What is not named stays as it was known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordReplicas {
    /// The site, if the control plane speaks for its own place; agents speak for theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// How much there is.
    pub present: Vec<Present>,
    /// Bytes of all chunks in the site's store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
}

/// How much of a content a site holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Its manifest.
    pub manifest: BlobHash,
    /// Verified bytes.
    pub bytes: u64,
}

/// Starts proposed by the scheduler. Stale ones are dropped, the rest kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitPlan {
    /// Explanations the placements refer to.
    pub explanations: Vec<Arc<Explanation>>,
    /// Starts in the order they were decided.
    pub placements: Vec<Placement>,
    /// What is to be stopped for jobs that start later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preemptions: Vec<Preemption>,
}
