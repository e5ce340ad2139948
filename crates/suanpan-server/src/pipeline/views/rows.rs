//! Rows of the views.

use serde::{Deserialize, Serialize};
use suanpan_ledger::AccountId;
use suanpan_model::array::ArraySpec;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{End, Hold, JobState, PayloadReach, Prediction, Usage};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// How many tasks of a job are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts([u64; JobState::ALL.len()]);

impl StateCounts {
    /// Tasks in one state.
    #[must_use]
    pub fn get(&self, state: JobState) -> u64 {
        self.0[state as usize]
    }

    /// States with at least one task, in the order of [`JobState::ALL`], and how many.
    pub fn iter(&self) -> impl Iterator<Item = (JobState, u64)> + '_ {
        JobState::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Tasks in states where something may still happen.
    #[must_use]
    pub fn live(&self) -> u64 {
        self.iter().filter(|(state, _)| !state.is_terminal()).map(|(_, count)| count).sum()
    }

    /// One state for the whole: the liveliest of any task; once all are over, the worst.
    #[must_use]
    pub fn summary(&self) -> JobState {
        const ORDER: [JobState; 12] = [
            JobState::Running,
            JobState::Completing,
            JobState::Configuring,
            JobState::Pending,
            JobState::Failed,
            JobState::OutOfMemory,
            JobState::Timeout,
            JobState::NodeFail,
            JobState::Deadline,
            JobState::Preempted,
            JobState::Cancelled,
            JobState::Completed,
        ];
        let first = ORDER.into_iter().find(|state| self.get(*state) > 0);
        first.unwrap_or(JobState::Pending)
    }

    pub(crate) fn all_in(state: JobState, count: u64) -> StateCounts {
        let mut counts = StateCounts::default();
        counts.0[state as usize] = count;
        counts
    }

    pub(crate) fn shift(&mut self, from: JobState, to: JobState, count: u64) {
        let source = &mut self.0[from as usize];
        *source = source.checked_sub(count).expect("tasks leave only states they are in");
        self.0[to as usize] += count;
    }

    pub(crate) fn from_columns(columns: [u64; JobState::ALL.len()]) -> StateCounts {
        StateCounts(columns)
    }

    pub(crate) fn columns(&self) -> &[u64; JobState::ALL.len()] {
        &self.0
    }
}

/// A job as the views have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its id; of an array the base.
    pub id: JobId,
    /// How many tasks, and job ids, it has.
    pub tasks: u64,
    /// Indexes of an array.
    pub array: Option<ArraySpec>,
    /// Name.
    pub name: String,
    /// Submitter.
    pub user: String,
    /// Who pays.
    pub project: String,
    /// Tasks by state.
    pub counts: StateCounts,
    /// Whether its user holds it.
    pub hold: Hold,
    /// Record that submitted it.
    pub submitted_seq: u64,
    /// Its place among the jobs of that record.
    pub submitted_place: u32,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// Not to start before.
    pub begin: Option<Timestamp>,
    /// To be finished by.
    pub deadline: Option<Timestamp>,
    /// First start of any task.
    pub started_at: Option<Timestamp>,
    /// When the last task was over.
    pub ended_at: Option<Timestamp>,
    /// Nodes of one task.
    pub nodes: u32,
    /// Amount on each node, as asked.
    pub per_node: Tres,
    /// Time limit as asked, seconds.
    pub time_limit_s: Option<u32>,
    /// Partitions as asked.
    pub partitions: Vec<String>,
    /// Dependency as asked.
    pub dependency: Option<String>,
    /// How many attempts there were.
    pub attempts: u64,
    /// The newest attempt.
    pub last_allocation: Option<AllocationId>,
    /// Charged so far.
    pub charged: MicroCredits,
    /// Used so far: sums of times, the largest memory.
    pub usage: Usage,
    /// Highest exit code of its tasks.
    pub exit_code: Option<u8>,
    /// Highest signal that ended one of its tasks.
    pub signal: Option<u8>,
    /// The job for which an attempt of it was last stopped.
    pub preempted_by: Option<JobId>,
}

impl JobRow {
    /// One state for the whole job.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.counts.summary()
    }

    /// Index of the array task with this job id.
    #[must_use]
    pub fn index_of(&self, id: JobId) -> Option<u32> {
        self.array.as_ref()?.nth(id.0.checked_sub(self.id.0)?)
    }

    /// Own job id of an array task.
    #[must_use]
    pub fn id_of(&self, index: u32) -> Option<JobId> {
        Some(JobId(self.id.0 + self.array.as_ref()?.position(index)?))
    }
}

/// A job found by an id, and which of its tasks the id means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The job.
    pub job: JobRow,
    /// The array task whose own id was asked for; `None` for a base id, which means all tasks.
    pub index: Option<u32>,
}

/// State of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// As of a task.
    Job(JobState),
    /// The site refused it; nothing was started.
    Refused,
}

impl AttemptState {
    /// Its word in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AttemptState::Job(state) => state.name(),
            AttemptState::Refused => "Refused",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<AttemptState> {
        if name == "Refused" {
            return Some(AttemptState::Refused);
        }
        state_from_name(name).map(AttemptState::Job)
    }
}

pub(crate) fn state_from_name(name: &str) -> Option<JobState> {
    JobState::ALL.into_iter().find(|state| state.name() == name)
}

/// A moment of an attempt: when, and the record that told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The record.
    pub seq: u64,
    /// When, by the agent's clock (the placement by the control plane's).
    pub at: Timestamp,
}

/// One attempt to run one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its allocation.
    pub allocation: AllocationId,
    /// The job.
    pub job: JobId,
    /// Which task of an array.
    pub index: Option<u32>,
    /// How it is, or how it ended.
    pub state: AttemptState,
    /// Where.
    pub cluster: ClusterId,
    /// Name of the cluster.
    pub cluster_name: String,
    /// Name of its site.
    pub site: String,
    /// Partition.
    pub partition: String,
    /// Flavor.
    pub flavor: String,
    /// Node names in rank order.
    pub nodes: Vec<String>,
    /// Amount taken and charged on each node.
    pub per_node: Tres,
    /// Time limit, seconds.
    pub time_limit_s: u32,
    /// What was foretold.
    pub prediction: Prediction,
    /// Placement.
    pub placed: Moment,
    /// Begin of staging.
    pub staging: Option<Moment>,
    /// Start of the payload.
    pub started: Option<Moment>,
    /// End.
    pub ended: Option<Moment>,
    /// Why it was asked to stop.
    pub stopping: Option<String>,
    /// Charged.
    pub charged: MicroCredits,
    /// How it ended; `None` too for one that was refused.
    pub end: Option<End>,
    /// Whether the payload was reached.
    pub payload: Option<PayloadReach>,
    /// Whether the task went back to pending.
    pub requeued: Requeued,
    /// What it used.
    pub usage: Usage,
    /// One line for people.
    pub message: String,
    /// Its transfer.
    pub transfer: u64,
    /// Place in the explanations of the record that placed it.
    pub explanation: u32,
    /// The job for which it was stopped.
    pub preempted_by: Option<JobId>,
}

/// Whether a task went back to pending after an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requeued {
    /// It did not.
    #[default]
    No,
    /// It did.
    Yes,
}

/// One thing that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEvent {
    /// The record that told of it.
    pub seq: u64,
    /// The job.
    pub job: JobId,
    /// Which task of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// `submitted`, `held`, `released`, `placed`, `staging`, `started`, `stopping`, `ended`,
    /// `requeued`, `refused` or `tasks_ended`.
    pub kind: String,
    /// What else is known, by kind.
    pub detail: serde_json::Value,
}

/// A ledger account with its sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Whose.
    pub id: AccountId,
    /// Its sums.
    pub sums: suanpan_ledger::Account,
}
