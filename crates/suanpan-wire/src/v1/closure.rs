//! Drains and reservations: nodes taken off for a time, for everybody or for all but some.

use super::value::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks that nothing new runs on some nodes; what runs there goes on. All nodes of the cluster are
/// meant unless `nodes` or `partition` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainNodes {
    /// Names of the nodes; not together with `partition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["sh01", "sh02"]), min_items = 1)]
    pub nodes: Option<Vec<String>>,
    /// The nodes of this partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "gpu")]
    pub partition: Option<String>,
    /// From when; absent means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_at: Option<Time>,
    /// Until when; absent means until undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_at: Option<Time>,
    /// Why, for those who ask.
    #[schema(example = "new power supply", min_length = 1, max_length = 4096)]
    pub reason: String,
}

/// Undoes the drains of some nodes, whoever made them. All drained nodes are meant unless `nodes`
/// or `partition` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndrainNodes {
    /// Names of the nodes; not together with `partition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["sh01"]), min_items = 1)]
    pub nodes: Option<Vec<String>>,
    /// The nodes of this partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
}

/// Nodes on which nothing new runs for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drain {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Names of the nodes.
    #[schema(example = json!(["sh01", "sh02"]))]
    pub nodes: Vec<String>,
    /// How far it is.
    pub state: DrainState,
    /// From when.
    pub from_at: Time,
    /// Until when; absent if until it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_at: Option<Time>,
    /// Who asked for it: a user, or `agent of CLUSTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ada")]
    pub by: Option<String>,
    /// Why, in their words.
    #[schema(example = "new power supply")]
    pub reason: String,
}

/// How far a drain is, in Slurm's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
    /// It has not begun; nothing is started that would run into it.
    Planned,
    /// It has begun, and jobs still run on some of its nodes.
    Draining,
    /// Nothing runs on its nodes.
    Drained,
}

impl DrainState {
    /// The word that is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DrainState::Planned => "planned",
            DrainState::Draining => "draining",
            DrainState::Drained => "drained",
        }
    }
}

/// The drain that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainAnswer {
    /// The drain.
    pub drain: Drain,
    /// Journal position; send it back as `Suanpan-Seq` to read at least this.
    #[schema(example = 1043)]
    pub seq: u64,
}

/// The nodes that are back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndrainAnswer {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Names of the nodes, each once.
    #[schema(example = json!(["sh01"]))]
    pub nodes: Vec<String>,
    /// Journal position; send it back as `Suanpan-Seq` to read at least this.
    #[schema(example = 1044)]
    pub seq: u64,
}

/// Asks that nodes be kept for some users and projects. They use them without asking for the
/// reservation. All nodes of the cluster are meant unless `nodes` or `partition` says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateReservation {
    /// Its name, unique in the cluster.
    #[schema(example = "course", min_length = 1, max_length = 128)]
    pub name: String,
    /// Name of the cluster, or of a site that has one.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Names of the nodes; not together with `partition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["sh01", "sh02"]), min_items = 1)]
    pub nodes: Option<Vec<String>>,
    /// The nodes of this partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// From when; absent means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Time>,
    /// Until when.
    pub end_at: Time,
    /// Users it is for; with no project, at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["bob"]))]
    pub users: Vec<String>,
    /// Projects it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["physics"]))]
    pub projects: Vec<String>,
}

/// Asks that a reservation end now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndReservation {
    /// Name of the cluster, or of a site that has one.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Its name.
    #[schema(example = "course")]
    pub name: String,
}

/// Nodes kept for some users and projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// Its name, unique in the cluster.
    #[schema(example = "course")]
    pub name: String,
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Names of the nodes.
    #[schema(example = json!(["sh01", "sh02"]))]
    pub nodes: Vec<String>,
    /// Whether it has begun.
    pub state: ReservationState,
    /// From when.
    pub start_at: Time,
    /// Until when.
    pub end_at: Time,
    /// Who asked for it: a user, or `agent of CLUSTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ada")]
    pub by: Option<String>,
    /// Users it is for.
    #[schema(example = json!(["bob"]))]
    pub users: Vec<String>,
    /// Projects it is for.
    #[schema(example = json!(["physics"]))]
    pub projects: Vec<String>,
}

/// Whether a reservation has begun, in Slurm's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// Its start has not come; nothing is started that would run into it.
    Inactive,
    /// Its nodes are kept.
    Active,
}

impl ReservationState {
    /// The word that is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReservationState::Inactive => "inactive",
            ReservationState::Active => "active",
        }
    }
}

/// The reservation that was made, or has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationAnswer {
    /// The reservation.
    pub reservation: Reservation,
    /// Journal position; send it back as `Suanpan-Seq` to read at least this.
    #[schema(example = 1043)]
    pub seq: u64,
}

/// All reservations, by cluster and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationList {
    /// The reservations.
    pub reservations: Vec<Reservation>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}
