//! What happened to jobs.

use super::value::{JobState, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobEvent {
    /// Journal position; several events may share one.
    #[schema(example = 1042)]
    pub seq: u64,
    /// When it was recorded, by the server's clock.
    pub at: Time,
    /// What happened.
    pub kind: EventKind,
    /// The job.
    #[schema(example = 36)]
    pub job: u64,
    /// The task, if one of an array is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The attempt's allocation, if one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 51)]
    pub allocation: Option<u64>,
    /// Cluster, if one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub cluster: Option<String>,
    /// State the job or task is in after it, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<JobState>,
    /// The same for people, as a sentence.
    #[schema(example = "placed on shanghai, partition gpu, node sh-gpu1")]
    pub text: String,
}

/// What can happen to a job.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It entered the network.
    Submitted,
    /// It is kept from starting.
    Held,
    /// The hold was undone.
    Released,
    /// Resources were committed to it.
    Placed,
    /// Its attempt will be stopped for another job; its payload is told so.
    Preempted,
    /// Its attempt is to be stopped.
    Stopping,
    /// Its inputs are being copied.
    Staging,
    /// Its payload was started.
    Started,
    /// Its attempt ended.
    Ended,
    /// Its attempt ended and it is pending again.
    Requeued,
    /// The site refused it; it is pending again.
    Refused,
    /// It ended without an attempt.
    EndedPending,
}

/// A page of events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobEventList {
    /// The events.
    pub events: Vec<JobEvent>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Journal position the page reflects.
    pub seq: u64,
}

/// One thing that happened to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteEvent {
    /// Journal position.
    #[schema(example = 1042)]
    pub seq: u64,
    /// When it was recorded, by the server's clock.
    pub at: Time,
    /// What happened.
    pub kind: SiteEventKind,
    /// The cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// The same for people, as a sentence.
    #[schema(example = "shanghai was not heard of for 30 s")]
    pub text: String,
}

/// What can happen to a cluster.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SiteEventKind {
    /// It may join.
    Added,
    /// Its owner may join it by an invitation.
    Invited,
    /// Its agent joined and waits for approval.
    Joined,
    /// It takes part.
    Approved,
    /// It takes part no longer.
    Revoked,
    /// Its agent said what it has.
    Inventory,
    /// Its agent was heard of again.
    Reachable,
    /// Its agent was not heard of for the contact period.
    Silent,
    /// Nodes were drained.
    Drained,
    /// Nodes were reserved.
    Reserved,
    /// Nodes are no longer drained or reserved.
    Opened,
}
