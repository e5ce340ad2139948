//! Why a job waits, and why a site was or was not chosen.

use crate::flavor_speed::Basis;
use crate::quota::preemption::Why;
use crate::waits::WaitBasis;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use suanpan_model::id::ClusterId;
use suanpan_model::money::MicroCredits;
use suanpan_model::network::Origin;
use suanpan_model::time::{Seconds, Timestamp};

/// A condition a site must meet, in the order they are checked and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// The job's list of sites or clusters includes it.
    Site,
    /// It has a partition the job may use.
    Partition,
    /// The working directory and inputs can be seen there.
    Path,
    /// It has one of the flavors.
    Flavor,
    /// Nodes have the features asked.
    Feature,
    /// Named nodes exist, and enough nodes remain after the excluded ones.
    NodeList,
    /// One node is large enough: CPUs.
    Cpus,
    /// One node is large enough: memory.
    Memory,
    /// One node is large enough: GPUs.
    Gpus,
    /// There are enough such nodes for the gang.
    Nodes,
    /// The partition's node limit allows it.
    NodeLimit,
    /// The partition's time limit allows it.
    TimeLimit,
    /// The most it may cost there is within the budget.
    Budget,
    /// Some site has all of each dataset it needs.
    Replica,
    /// A link to where its inputs are is declared or measured.
    Network,
    /// It can be finished there by its deadline.
    Deadline,
    /// The agent is in contact.
    Reachable,
    /// It has not refused this job.
    Refused,
    /// The quota of the job's project permits it, on that flavor.
    Quota,
    /// Enough is free now.
    Resources,
    /// What is free now is not drained or reserved for others while the job would run.
    Available,
    /// What is free now is promised to jobs ahead of it.
    Priority,
}

/// Why one cluster cannot take a job: what was asked, and what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its site, for reading.
    pub site: String,
    /// First condition it does not meet.
    pub predicate: Predicate,
    /// Amount or name asked.
    pub asked: String,
    /// Amount or names there.
    pub there: String,
}

/// One way to run a job: a pool of one flavor in one partition of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its site, for reading.
    pub site: String,
    /// Partition.
    pub partition: String,
    /// Flavor.
    pub flavor: String,
    /// Expected start of the payload's allocation.
    pub start: Timestamp,
    /// Latest start: if every job ahead uses all its time, and nine of ten learnt waits.
    pub start_latest: Timestamp,
    /// Where both are from.
    #[serde(default)]
    pub wait_from: WaitBasis,
    /// Staging of inputs before the payload runs.
    pub stage: Seconds,
    /// Where `stage` is from; `None` if nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_from: Option<Origin>,
    /// Run time on this flavor: as learnt, else the time limit divided by the flavor's speed.
    pub run: Seconds,
    /// Where `run` is from.
    #[serde(default, skip_serializing_if = "Basis::is_declared")]
    pub basis: Basis,
    /// Staging of outputs, back home.
    #[serde(default)]
    pub out: Seconds,
    /// Where `out` is from; `None` if nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_from: Option<Origin>,
    /// Expected finish, when the outputs are home.
    pub finish: Timestamp,
    /// Most it may cost.
    pub cost: MicroCredits,
    /// Score by the job's goal; smaller is better. Its parts are the fields above.
    pub score: i64,
}

/// The choice made for one shape: what was compared and what was ruled out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The best candidates, best first, at most five.
    pub candidates: Vec<Candidate>,
    /// One entry for each cluster that cannot take it; shared between cycles.
    pub unfit: Arc<[Unfit]>,
}

/// Why a job that could run somewhere does not run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// `Resources`: the job is next but what it needs is not free. `Priority`: jobs ahead of it
    /// are promised what is free. `NoSiteFits` and so on: see [`WaitingFor`].
    pub reason: WaitingFor,
    /// Candidates and the unfit clusters.
    pub explanation: Explanation,
}

/// Why an allocation is stopped for another job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreemptedFor {
    /// The other job's QOS may stop its QOS and has a higher priority.
    Qos,
    /// The quota that it holds is taken back.
    Quota(Why),
}

impl PreemptedFor {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            PreemptedFor::Qos => "a job of a QOS that goes before its own needs its nodes",
            PreemptedFor::Quota(why) => why.words(),
        }
    }
}

/// Pending reasons, in Slurm's words where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WaitingFor {
    /// Next in line, but not enough is free.
    Resources,
    /// Jobs ahead of it are promised what is free.
    Priority,
    /// Its dependency is not satisfied yet.
    Dependency,
    /// Its dependency can no longer be satisfied.
    DependencyNeverSatisfied,
    /// Its begin time has not come.
    BeginTime,
    /// Its user holds it.
    JobHeldUser,
    /// No site holds a whole replica of one of its inputs.
    InputMissing,
    /// As many tasks of its array run as `%limit` allows.
    JobArrayTaskLimit,
    /// No site in the network could run it now or later.
    NoSiteFits,
    /// Every site is above its budget.
    Budget,
    /// Its project's quota does not permit it now, on any flavor that fits.
    Quota,
    /// The sites that fit are out of contact.
    SiteUnreachable,
    /// The sites that fit refused it lately.
    SiteRefused,
    /// No site could finish it by its deadline any more.
    Deadline,
    /// The nodes it needs are drained, or reserved for others, or will be before it could end.
    ReqNodeNotAvail,
}
