//! Why something asked did not happen: a normal, typed answer with a hint.

use suanpan_model::dataset::DatasetName;
use suanpan_model::id::{AllocationId, ClusterId, DatasetId, JobId};
use suanpan_model::job::{JobState, TaskRef};
use suanpan_sched::quota::policy::QuotaFault;
use suanpan_sched::reason::{Predicate, Unfit};

mod words;

/// Why something asked did not happen. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No job was ever given this id.
    UnknownJob(JobId),
    /// The job is over.
    JobEnded(TaskRef, JobState),
    /// The job has no task of this index.
    NoSuchTask(TaskRef),
    /// The caller is not the job's owner.
    NotOwner {
        /// The job.
        job: JobId,
        /// Who owns it.
        owner: String,
    },
    /// A submission without jobs.
    NothingSubmitted,
    /// No site of the network could ever run it.
    Impossible {
        /// Which job of the submission, from 0.
        position: usize,
        /// First condition each cluster does not meet.
        unfit: Vec<Unfit>,
    },
    /// It depends on a job that was never submitted.
    UnknownDependency {
        /// Which job of the submission, from 0.
        position: usize,
        /// The job named.
        target: TaskRef,
    },
    /// The idempotency key was used before with another request.
    KeyReused,
    /// Holds are for whole jobs.
    HoldOfTask(TaskRef),
    /// The job has no pending task to hold.
    NothingPending(JobId),
    /// The job is not held.
    NotHeld(JobId),
    /// The task does not run, so it cannot be requeued.
    NotRunning(TaskRef),
    /// A cluster of this name was added before.
    ClusterExists(String),
    /// The agent speaks for another cluster, or for none.
    WrongAgent,
    /// The inventory cannot be used.
    InvalidInventory {
        /// Field of the inventory.
        field: String,
        /// Its value.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// The tree of quotas cannot be kept.
    InvalidQuotas(QuotaFault),
    /// Users cannot ask to go before others.
    NegativeNice {
        /// Which job of the submission, from 0.
        position: usize,
        /// What it asked.
        nice: i32,
    },
    /// There is no such QOS.
    UnknownQos {
        /// Which job of the submission, from 0.
        position: usize,
        /// What it named.
        qos: String,
    },
    /// The QOS is for others.
    QosNotAllowed {
        /// Which job of the submission, from 0.
        position: usize,
        /// What it named.
        qos: String,
        /// Who submits.
        user: String,
        /// Who pays.
        project: String,
    },
    /// There is no such cluster, or nothing is known of it yet.
    UnknownCluster(ClusterId),
    /// The cluster has no such node.
    UnknownNode(String),
    /// The cluster has no such partition.
    UnknownPartition(String),
    /// No node was named.
    NoNodes,
    /// None of the nodes is drained.
    NotDrained,
    /// A time that would be over before it begins.
    EndsBeforeItBegins,
    /// The cluster has a reservation of this name.
    ReservationExists(String),
    /// The cluster has no reservation of this name.
    UnknownReservation(String),
    /// The cluster takes part already.
    AlreadyMember(String),
    /// The cluster has not joined, so that there is nothing to approve.
    NotJoined(String),
    /// No invitation has this token.
    UnknownInvitation,
    /// The invitation is for another cluster.
    InvitedAsAnother {
        /// The cluster it is for.
        invited: String,
        /// The one that was named.
        named: String,
    },
    /// Another agent joined by this invitation.
    InvitationUsed(String),
    /// The invitation can no longer be used.
    InvitationExpired(String),
    /// There is no such dataset.
    UnknownDataset(DatasetId),
    /// An input is a dataset that does not exist.
    UnknownInput {
        /// Which job of the submission, from 0.
        position: usize,
        /// What it named.
        dataset: DatasetId,
    },
    /// The name belongs to another user.
    NotDatasetOwner {
        /// The name.
        name: DatasetName,
        /// Whose it is.
        owner: String,
    },
    /// A job that is not over reads it.
    DatasetInUse {
        /// The dataset, as `name@version`.
        dataset: String,
        /// The job.
        job: JobId,
    },
    /// No cluster is at a site of this name.
    UnknownSite(String),
    /// The site was not told to keep it.
    NotPinned {
        /// The dataset, as `name@version`.
        dataset: String,
        /// The site.
        site: String,
    },
    /// No such attempt runs at the agent's cluster.
    UnknownAllocation(AllocationId),
    /// Only the control plane itself may ask this.
    SystemOnly,
}

/// What sort of answer a rejection is, for status and exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked is malformed.
    Invalid,
    /// What it is about does not exist.
    NotFound,
    /// It does not go with the present state.
    Conflict,
    /// The caller may not.
    Forbidden,
    /// It is well formed, and can never be done here or is against a rule.
    Impossible,
}

impl Rejection {
    /// Stable name, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::UnknownJob(_) => "unknown-job",
            Rejection::JobEnded(..) => "job-ended",
            Rejection::NoSuchTask(_) => "no-such-task",
            Rejection::NotOwner { .. } => "not-owner",
            Rejection::NothingSubmitted => "nothing-submitted",
            Rejection::Impossible { .. } => "no-site-fits",
            Rejection::UnknownDependency { .. } => "unknown-dependency",
            Rejection::KeyReused => "idempotency-key-reused",
            Rejection::HoldOfTask(_) => "hold-of-task",
            Rejection::NothingPending(_) => "nothing-pending",
            Rejection::NotHeld(_) => "not-held",
            Rejection::NotRunning(_) => "not-running",
            Rejection::ClusterExists(_) => "cluster-exists",
            Rejection::WrongAgent => "wrong-agent",
            Rejection::InvalidInventory { .. } => "invalid-inventory",
            Rejection::InvalidQuotas(_) => "invalid-quotas",
            Rejection::NegativeNice { .. } => "negative-nice",
            Rejection::UnknownQos { .. } => "unknown-qos",
            Rejection::QosNotAllowed { .. } => "qos-not-allowed",
            Rejection::UnknownCluster(_) => "unknown-cluster",
            Rejection::UnknownNode(_) => "unknown-node",
            Rejection::UnknownPartition(_) => "unknown-partition",
            Rejection::NoNodes => "no-nodes",
            Rejection::NotDrained => "not-drained",
            Rejection::EndsBeforeItBegins => "ends-before-it-begins",
            Rejection::ReservationExists(_) => "reservation-exists",
            Rejection::UnknownReservation(_) => "unknown-reservation",
            Rejection::AlreadyMember(_) => "already-member",
            Rejection::NotJoined(_) => "not-joined",
            Rejection::UnknownInvitation => "unknown-join-token",
            Rejection::InvitedAsAnother { .. } => "invited-as-another",
            Rejection::InvitationUsed(_) => "join-token-used",
            Rejection::InvitationExpired(_) => "join-token-expired",
            Rejection::UnknownDataset(_) => "unknown-dataset",
            Rejection::UnknownInput { .. } => "unknown-input",
            Rejection::NotDatasetOwner { .. } => "not-dataset-owner",
            Rejection::DatasetInUse { .. } => "dataset-in-use",
            Rejection::UnknownSite(_) => "unknown-site",
            Rejection::NotPinned { .. } => "not-pinned",
            Rejection::UnknownAllocation(_) => "unknown-allocation",
            Rejection::SystemOnly => "system-only",
        }
    }

    /// What sort of answer it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Rejection::UnknownJob(_)
            | Rejection::NoSuchTask(_)
            | Rejection::UnknownCluster(_)
            | Rejection::UnknownNode(_)
            | Rejection::UnknownPartition(_)
            | Rejection::UnknownDataset(_)
            | Rejection::UnknownSite(_)
            | Rejection::UnknownAllocation(_)
            | Rejection::UnknownReservation(_) => Kind::NotFound,
            Rejection::JobEnded(..)
            | Rejection::KeyReused
            | Rejection::NothingPending(_)
            | Rejection::NotHeld(_)
            | Rejection::NotRunning(_)
            | Rejection::NotDrained
            | Rejection::ReservationExists(_)
            | Rejection::AlreadyMember(_)
            | Rejection::NotJoined(_)
            | Rejection::DatasetInUse { .. }
            | Rejection::NotPinned { .. }
            | Rejection::ClusterExists(_) => Kind::Conflict,
            Rejection::NotOwner { .. }
            | Rejection::NegativeNice { .. }
            | Rejection::NotDatasetOwner { .. }
            | Rejection::WrongAgent
            | Rejection::UnknownInvitation
            | Rejection::InvitationUsed(_)
            | Rejection::InvitationExpired(_)
            | Rejection::SystemOnly => Kind::Forbidden,
            Rejection::NothingSubmitted
            | Rejection::UnknownDependency { .. }
            | Rejection::UnknownInput { .. }
            | Rejection::HoldOfTask(_)
            | Rejection::NoNodes
            | Rejection::EndsBeforeItBegins
            | Rejection::InvalidQuotas(_)
            | Rejection::InvitedAsAnother { .. }
            | Rejection::InvalidInventory { .. } => Kind::Invalid,
            Rejection::Impossible { .. }
            | Rejection::UnknownQos { .. }
            | Rejection::QosNotAllowed { .. } => Kind::Impossible,
        }
    }

    /// Field of the request it is about, with the value found there.
    #[must_use]
    pub fn field(&self) -> Option<(String, String)> {
        match self {
            Rejection::UnknownJob(id) => Some(("job".into(), id.to_string())),
            Rejection::NoSuchTask(task) | Rejection::HoldOfTask(task) => {
                Some(("task".into(), task.to_string()))
            }
            Rejection::NothingSubmitted => Some(("jobs".into(), "[]".into())),
            Rejection::UnknownDependency { target, .. } => {
                Some(("dependency".into(), target.to_string()))
            }
            Rejection::Impossible { unfit, .. } => {
                unfit.first().map(|first| (field_of(first.predicate).into(), first.asked.clone()))
            }
            Rejection::ClusterExists(name)
            | Rejection::AlreadyMember(name)
            | Rejection::NotJoined(name)
            | Rejection::InvitationUsed(name)
            | Rejection::InvitationExpired(name)
            | Rejection::InvitedAsAnother { named: name, .. } => {
                Some(("cluster".into(), name.clone()))
            }
            Rejection::NegativeNice { nice, .. } => Some(("nice".into(), nice.to_string())),
            Rejection::UnknownQos { qos, .. } | Rejection::QosNotAllowed { qos, .. } => {
                Some(("qos".into(), qos.clone()))
            }
            Rejection::UnknownCluster(id) => Some(("cluster".into(), id.to_string())),
            Rejection::UnknownNode(name) => Some(("nodes".into(), name.clone())),
            Rejection::UnknownPartition(name) => Some(("partition".into(), name.clone())),
            Rejection::UnknownDataset(id) => Some(("dataset".into(), id.to_string())),
            Rejection::UnknownInput { dataset, .. } => Some(("inputs".into(), dataset.to_string())),
            Rejection::NotDatasetOwner { name, .. } => Some(("name".into(), name.to_string())),
            Rejection::DatasetInUse { dataset, .. } => Some(("dataset".into(), dataset.clone())),
            Rejection::UnknownSite(site) | Rejection::NotPinned { site, .. } => {
                Some(("site".into(), site.clone()))
            }
            Rejection::UnknownAllocation(id) => Some(("made_by".into(), id.to_string())),
            Rejection::ReservationExists(name) | Rejection::UnknownReservation(name) => {
                Some(("name".into(), name.clone()))
            }
            Rejection::InvalidInventory { field, value, .. }
            | Rejection::InvalidQuotas(QuotaFault { field, value, .. }) => {
                Some((field.clone(), value.clone()))
            }
            _ => None,
        }
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Rejection::UnknownJob(_) => "`suanpan ps --all` lists the jobs there are",
            Rejection::JobEnded(..) => "submit it again to run it again",
            Rejection::NoSuchTask(_) => "`suanpan show JOB` lists the tasks of an array",
            Rejection::NothingSubmitted => "send at least one job",
            Rejection::Impossible { .. } => {
                "ask for less, or for what a site has: `suanpan sites` lists it"
            }
            Rejection::UnknownDependency { .. } => "name a job that was submitted before",
            Rejection::KeyReused => "make a new key for a new request",
            Rejection::HoldOfTask(_) => "hold the whole array job",
            Rejection::NothingPending(_) => "cancel or requeue what runs",
            Rejection::ClusterExists(_) => "choose another name, or use the token it was given",
            Rejection::AlreadyMember(_) => {
                "`suanpan sites revoke CLUSTER` first, if another agent is to speak for it"
            }
            Rejection::NotJoined(_) => "its owner joins with `suanpan agent join`",
            Rejection::UnknownInvitation
            | Rejection::InvitationUsed(_)
            | Rejection::InvitationExpired(_) => {
                "ask the operator for another: `suanpan sites invite CLUSTER` makes one"
            }
            Rejection::InvitedAsAnother { invited, .. } => {
                return Some(format!("write `cluster = \"{invited}\"` in the site file"));
            }
            Rejection::WrongAgent => "use the token made for this cluster",
            Rejection::NegativeNice { .. } => "ask for 0 or more",
            Rejection::UnknownQos { .. } | Rejection::QosNotAllowed { .. } => {
                "leave it out, or choose one that `suanpan priorities show` lists for you"
            }
            Rejection::UnknownCluster(_) => "`suanpan sites` lists the clusters there are",
            Rejection::UnknownNode(_) | Rejection::UnknownPartition(_) => {
                "`suanpan sites` lists what the cluster has"
            }
            Rejection::UnknownDataset(_) | Rejection::UnknownInput { .. } => {
                "`suanpan data ls` lists the datasets there are"
            }
            Rejection::NotDatasetOwner { .. } => "choose a name of your own",
            Rejection::DatasetInUse { .. } => "cancel the job, or wait until it is over",
            Rejection::UnknownSite(_) => "`suanpan sites` lists the sites there are",
            Rejection::NotPinned { .. } => "`suanpan data show NAME` lists where it is pinned",
            Rejection::NoNodes => "name at least one node",
            Rejection::EndsBeforeItBegins => "give an end that is later than now and its begin",
            Rejection::ReservationExists(_) => "choose another name, or end that one first",
            Rejection::InvalidInventory { expected, .. }
            | Rejection::InvalidQuotas(QuotaFault { expected, .. }) => {
                return Some(expected.clone());
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Field of a submission that a predicate is about.
fn field_of(predicate: Predicate) -> &'static str {
    match predicate {
        Predicate::Site | Predicate::Reachable => "sites",
        Predicate::Partition => "partition",
        Predicate::Path => "workdir",
        Predicate::Flavor => "flavors",
        Predicate::Feature => "constraint",
        Predicate::NodeList => "nodelist",
        Predicate::Cpus => "cpus_per_task",
        Predicate::Memory => "mem",
        Predicate::Gpus => "gpus",
        Predicate::Nodes | Predicate::NodeLimit => "nodes",
        Predicate::TimeLimit => "time",
        Predicate::Budget => "budget",
        Predicate::Replica | Predicate::Network => "inputs",
        Predicate::Deadline => "deadline",
        Predicate::Quota => "project",
        Predicate::Refused | Predicate::Resources | Predicate::Available | Predicate::Priority => {
            "resources"
        }
    }
}

impl std::error::Error for Rejection {}
