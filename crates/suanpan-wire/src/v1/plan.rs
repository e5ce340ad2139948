//! Where a job could run, where it will, and why not elsewhere.

use super::closure::{Drain, Reservation};
use super::value::{JobState, Money, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer to "where would this job run?". Nothing was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanAnswer {
    /// Whether and when it could start.
    pub feasible: Feasibility,
    /// How many tasks it has; the rows below are for one of them.
    #[schema(example = 1)]
    pub tasks: u32,
    /// How many of them could start now.
    #[schema(example = 1)]
    pub tasks_now: u32,
    /// Expected start of the last task, if every task has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start_at: Option<Time>,
    /// Most that all tasks together may cost, if every task has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The best places, best first; the first is where it would go.
    pub candidates: Vec<Candidate>,
    /// One entry for each cluster that cannot take it.
    pub unfit: Vec<Unfit>,
    /// Condition by condition, how many clusters still match.
    pub steps: Vec<Step>,
    /// If it could never run: the smallest change that would let it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_change: Option<Change>,
    /// The answer as a sentence.
    #[schema(example = "would start now on shanghai for at most 0.12 credits")]
    pub text: String,
    /// Journal position it was computed at.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// Whether and when a job could start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feasibility {
    /// It would start now.
    Now,
    /// It would wait first.
    Later,
    /// No site could ever run it.
    Never,
    /// Every site that fits is above its budget.
    OverBudget,
    /// The quota of its project does not permit it now, on any flavor that fits.
    OverQuota,
}

/// One way to run a job: a pool of one flavor in one partition of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Site.
    #[schema(example = "shanghai")]
    pub site: String,
    /// Cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Partition.
    #[schema(example = "gpu")]
    pub partition: String,
    /// Flavor.
    #[schema(example = "nvidia-h20-96g")]
    pub flavor: String,
    /// Whether it is the one taken (the tick).
    pub chosen: bool,
    /// Expected start.
    pub start_at: Time,
    /// Latest start if every job ahead uses all its time.
    pub start_latest_at: Time,
    /// Expected wait until the start, seconds from when the table was made.
    #[schema(example = 0)]
    pub wait_s: u64,
    /// Where the wait is from.
    #[serde(default)]
    pub wait_from: PartFrom,
    /// Staging of inputs before the payload runs, seconds.
    #[schema(example = 4)]
    pub stage_s: u64,
    /// Where the staging time is from; absent if nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_from: Option<PartFrom>,
    /// Expected run time on this flavor, seconds. It decides where a job goes, never how long it
    /// may run.
    #[schema(example = 1800)]
    pub run_s: u64,
    /// Where the run time is from.
    #[serde(default)]
    pub run_from: RunFrom,
    /// How many finished jobs it is learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 12)]
    pub learnt_from: Option<u32>,
    /// Staging of outputs back home, seconds.
    #[serde(default)]
    #[schema(example = 0)]
    pub out_s: u64,
    /// Where the time for outputs is from; absent if nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_from: Option<PartFrom>,
    /// Expected finish, when the outputs are home.
    pub finish_at: Time,
    /// Most it may cost, by the price that the site declares.
    pub cost: Money,
    /// Score by the job's goal; smaller is better.
    pub score: i64,
}

/// Where a part of what is foretold is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartFrom {
    /// What somebody states: an operator of a link, users the time limits of the jobs ahead.
    #[default]
    Declared,
    /// What is seen: a link was measured, nodes are free.
    Measured,
    /// Worked out from measurements of other links.
    Derived,
    /// Nothing is known of the link yet: it is taken to be slow.
    Assumed,
    /// What earlier jobs took there.
    Learnt,
}

/// Where a run time is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunFrom {
    /// The stated time (or what was learnt on another flavor), by the speed that the site declares
    /// for the flavor.
    #[default]
    Declared,
    /// Published measurements of the program, by its name.
    Table,
    /// Finished jobs of the same user, name, size and stated time on the flavor.
    Learnt,
}

/// Why one cluster cannot take a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unfit {
    /// Site.
    #[schema(example = "guiyang")]
    pub site: String,
    /// Cluster.
    #[schema(example = "guiyang")]
    pub cluster: String,
    /// First condition it does not meet: `site`, `partition`, `path`, `flavor`, `feature`,
    /// `node_list`, `cpus`, `memory`, `gpus`, `nodes`, `node_limit`, `time_limit`, `budget`,
    /// `replica`, `network`, `deadline`, `reachable`, `refused`, `resources`, `available` or `priority`.
    #[schema(example = "gpus")]
    pub condition: String,
    /// Amount or name asked.
    #[schema(example = "8")]
    pub asked: String,
    /// Amount or names there.
    #[schema(example = "4")]
    pub there: String,
    /// The same as a sentence.
    #[schema(example = "asks 8 GPUs per node; the largest node has 4")]
    pub text: String,
}

/// One row of the step table: after this condition, how many clusters still match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The condition, as in [`Unfit::condition`].
    #[schema(example = "gpus")]
    pub condition: String,
    /// What is asked, for people: `8 GPUs per node`.
    #[schema(example = "8 GPUs per node")]
    pub asked: String,
    /// Clusters that still match after it.
    #[schema(example = 1)]
    pub matching: u32,
    /// Names of the clusters that this condition ruled out.
    pub ruled_out: Vec<String>,
}

/// The smallest change that would let a job run, found by trying it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Site where it could run then.
    #[schema(example = "guiyang")]
    pub site: String,
    /// Cluster where it could run then.
    #[schema(example = "guiyang")]
    pub cluster: String,
    /// What to change, all of it, as advice.
    #[schema(example = json!(["ask at most 4 GPUs per node"]))]
    pub changes: Vec<String>,
    /// What that achieves.
    pub effect: ChangeEffect,
    /// The same as a sentence.
    #[schema(example = "ask at most 4 GPUs per node, and it can run on guiyang")]
    pub text: String,
}

/// What a change achieves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeEffect {
    /// It starts now.
    StartsNow,
    /// It can run there at all.
    CanRun,
}

/// Why a job waits, or why it was placed where it is. Of an array without a task named, the
/// lowest task that waits is meant, else the task placed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The job.
    #[schema(example = 36)]
    pub job: u64,
    /// The task, of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Its state.
    pub state: JobState,
    /// The answer as a sentence.
    pub text: String,
    /// The job that its latest attempt was stopped for, or will be once its grace is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 41)]
    pub preempted_by: Option<u64>,
    /// Why it waits; only of waiting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<WhyPending>,
    /// Why it is where it is; of every job that was ever placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<WhyPlaced>,
    /// Journal position it was computed at.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// Why a job waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyPending {
    /// The reason, in Slurm's words where it has one: `Resources`, `Priority`, `Dependency`,
    /// `DependencyNeverSatisfied`, `BeginTime`, `JobHeldUser`, `InputMissing`,
    /// `JobArrayTaskLimit`, `NoSiteFits`, `Budget`, `Quota`, `SiteUnreachable`, `SiteRefused`,
    /// `Deadline` or `ReqNodeNotAvail`.
    #[schema(example = "Resources")]
    pub reason: String,
    /// The reason as a sentence, with what it depends on.
    pub text: String,
    /// Since when it waits.
    pub since: Time,
    /// Expected start, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_start_at: Option<Time>,
    /// Condition by condition, how many clusters still match.
    pub steps: Vec<Step>,
    /// The smallest change that would let it run (or run now).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_change: Option<Change>,
    /// Drains of nodes that it could use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drains: Vec<Drain>,
    /// Reservations, made for others, of nodes that it could use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<Reservation>,
    /// Where it could run later, best first.
    pub candidates: Vec<Candidate>,
    /// One entry for each cluster that cannot take it.
    pub unfit: Vec<Unfit>,
}

/// A reason for which a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingReason {
    /// As in [`WhyPending::reason`]; in Slurm's words where it has one.
    pub word: &'static str,
    /// The same as a sentence.
    pub text: &'static str,
}

/// Every reason for which a job waits.
pub const WAITING_REASONS: &[WaitingReason] = &[
    reason("Resources", "it is next in line, and what it needs is not free yet"),
    reason("Priority", "jobs ahead of it are promised what is free"),
    reason("Dependency", "its dependency is not satisfied yet"),
    reason("DependencyNeverSatisfied", "its dependency can no longer be satisfied"),
    reason("BeginTime", "its begin time has not come"),
    reason("JobHeldUser", "its user holds it until it is released"),
    reason("InputMissing", "no site holds a whole replica of a dataset it reads"),
    reason("JobArrayTaskLimit", "as many of its tasks run as its own limit allows"),
    reason("NoSiteFits", "no site of the network could ever run it"),
    reason("Budget", "every site that fits is above its budget"),
    reason("Quota", "the quota of its project does not permit it now"),
    reason("SiteUnreachable", "the sites that fit are out of contact"),
    reason("SiteRefused", "the sites that fit refused it lately"),
    reason("Deadline", "no site could finish it by its deadline"),
    reason("ReqNodeNotAvail", "nodes it needs are drained, or reserved for others"),
];

const fn reason(word: &'static str, text: &'static str) -> WaitingReason {
    WaitingReason { word, text }
}

/// Why a job was placed where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyPlaced {
    /// The attempt's allocation.
    #[schema(example = 51)]
    pub allocation: u64,
    /// When it was decided.
    pub at: Time,
    /// What it was judged by: `fastest`, `cheapest` or `balanced`.
    #[schema(example = "balanced")]
    pub goal: String,
    /// The winner.
    pub chosen: Candidate,
    /// The other candidates, best first, and why each lost.
    pub losers: Vec<Loser>,
    /// One entry for each cluster that could not take it.
    pub unfit: Vec<Unfit>,
}

/// A candidate that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Loser {
    /// The candidate.
    pub candidate: Candidate,
    /// Why not, against the winner: `would start 12 min later`, `costs 0.3 credits more`.
    #[schema(example = "would finish 720 s later")]
    pub why_not: String,
}
