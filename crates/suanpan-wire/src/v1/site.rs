//! Sites, their clusters and the flavors they offer.

use super::closure::{Drain, Reservation};
use super::value::{Money, PerNode, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One cluster of the network, with the site it is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Name of the site; absent until its agent joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub site: Option<String>,
    /// Number of the cluster in this network.
    #[schema(example = 1)]
    pub id: u32,
    /// Where it stands on its way into the network.
    #[serde(default)]
    pub standing: Standing,
    /// Until when its owner may join it; only while it is invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<Time>,
    /// What its agent's log says too, to tell it from another's; once it joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "3f2a91bc")]
    pub code: Option<String>,
    /// Whether its agent is in contact.
    pub contact: Contact,
    /// When its agent was last heard of; absent if not since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact_at: Option<Time>,
    /// How it runs jobs: `local` or `noop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "local")]
    pub driver: Option<String>,
    /// IANA time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asia/Shanghai")]
    pub zone: Option<String>,
    /// Whether data on the submit host is at this site.
    pub home: bool,
    /// Path prefixes of the submit host that it can see.
    pub shared_paths: Vec<String>,
    /// How many nodes it has.
    #[schema(example = 4)]
    pub nodes: u32,
    /// All its nodes together.
    pub capacity: PerNode,
    /// What is free now, all its nodes together.
    pub free: PerNode,
    /// Jobs and tasks placed there now.
    #[schema(example = 3)]
    pub allocations: u32,
    /// Its partitions.
    pub partitions: Vec<Partition>,
    /// Names of the flavors it has.
    pub flavors: Vec<String>,
    /// Links to other sites.
    pub links: Vec<Link>,
    /// Limits on jobs that are really enforced there, and by what.
    pub enforced: Vec<EnforcedLimit>,
    /// Nodes on which nothing new runs.
    #[serde(default)]
    pub drains: Vec<Drain>,
    /// Nodes that are kept for some.
    #[serde(default)]
    pub reservations: Vec<Reservation>,
}

/// Where a cluster stands on its way into the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its owner may join it.
    Invited,
    /// Its agent joined and waits for approval.
    Joined,
    /// It takes part.
    #[default]
    Member,
    /// It does so no longer.
    Revoked,
}

/// Whether an agent is in contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It never joined.
    Expected,
    /// It was heard of within the contact period.
    Reachable,
    /// It was not.
    Silent,
}

/// Named set of a cluster's nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Partition {
    /// Name.
    #[schema(example = "gpu")]
    pub name: String,
    /// Whether jobs that name no partition may run here.
    pub default: bool,
    /// Longest time limit a job may ask, seconds; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 86_400)]
    pub time_max_s: Option<u64>,
    /// Time limit of a job that asks none, seconds; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 3600)]
    pub time_default_s: Option<u64>,
    /// Most nodes one job may ask.
    #[schema(example = 4)]
    pub nodes_max_per_job: u32,
    /// How many nodes it has.
    #[schema(example = 4)]
    pub nodes: u32,
    /// Names of its flavors.
    pub flavors: Vec<String>,
    /// What waits for it in the site's own queue; absent if nothing was seen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<PartitionQueue>,
}

/// What waits for a partition in the site's own queue, as its agent saw it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartitionQueue {
    /// Jobs that came to the site another way.
    #[schema(example = 12)]
    pub others: u32,
    /// When the site expects the last of the others to start; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start_at: Option<Time>,
}

/// One declared edge to another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The other site.
    #[schema(example = "guiyang")]
    pub to: String,
    /// One-way delay in microseconds.
    #[schema(example = 18_000)]
    pub delay_us: u32,
    /// Throughput in bits per second.
    #[schema(example = 10_000_000_000_u64)]
    pub throughput_bps: u64,
}

/// A limit and what holds jobs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnforcedLimit {
    /// `memory`, `cpu`, `pids` or `time`.
    #[schema(example = "memory")]
    pub limit: String,
    /// `cgroup v2`, `cgroup v1`, `supervisor`, or `none` with the reason.
    #[schema(example = "cgroup v2")]
    pub by: String,
}

/// All clusters, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteList {
    /// The clusters.
    pub sites: Vec<Site>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// A kind of resource that price and speed attach to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Flavor {
    /// Name.
    #[schema(example = "nvidia-h20-96g")]
    pub name: String,
    /// Who offers it.
    pub offers: Vec<FlavorOffer>,
}

/// A flavor at one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlavorOffer {
    /// Site.
    #[schema(example = "shanghai")]
    pub site: String,
    /// Cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Whether its agent is in contact.
    pub contact: Contact,
    /// Speed against par in thousandths; 2000 halves the stated run time.
    #[schema(example = 1000)]
    pub speed_milli: u32,
    /// Price of one CPU for one hour.
    pub cpu_hour: Money,
    /// Price of one GPU (or other accelerator) for one hour.
    pub gpu_hour: Money,
    /// Price of one GiB of memory for one hour.
    pub gib_hour: Money,
    /// How many nodes have it.
    #[schema(example = 4)]
    pub nodes: u32,
    /// The largest of these nodes.
    pub largest_node: PerNode,
    /// All these nodes together.
    pub capacity: PerNode,
    /// What is free now, all these nodes together.
    pub free: PerNode,
}

/// All flavors, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlavorList {
    /// The flavors.
    pub flavors: Vec<Flavor>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// Asks that a cluster may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddSite {
    /// Name of the cluster: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    #[schema(
        example = "shanghai",
        min_length = 1,
        max_length = 63,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
    )]
    pub cluster: String,
}

/// The cluster may join. The token is shown this once; only its hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteToken {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Its number in this network.
    #[schema(example = 1)]
    pub id: u32,
    /// The token of its agent.
    #[schema(example = "spn_a_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    pub token: String,
    /// Journal position.
    #[schema(example = 2)]
    pub seq: u64,
}

impl std::fmt::Debug for SiteToken {
    /// Leaves the token out, so that no log can carry it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SiteToken { cluster, id, token: _, seq } = self;
        write!(f, "SiteToken {{ cluster: {cluster:?}, id: {id}, token: …, seq: {seq} }}")
    }
}

/// Asks that a cluster's owner may join it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteSite {
    /// Name of the cluster: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
    #[schema(
        example = "shanghai",
        min_length = 1,
        max_length = 63,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
    )]
    pub cluster: String,
    /// How long the join token can be used, seconds.
    #[schema(example = 86_400, minimum = 1, maximum = 2_592_000)]
    pub valid_s: u64,
}

/// A cluster's owner may join it. The join token is shown this once; only its hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteInvitation {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Its number in this network.
    #[schema(example = 1)]
    pub id: u32,
    /// The join token: `spn_j_` and 64 hexadecimal digits; where agents are to trust an authority
    /// of this network's own, a dot and the SHA-256 hash of its certificate.
    #[schema(example = "spn_j_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    pub token: String,
    /// The first moment at which it can no longer be used.
    pub expires_at: Time,
    /// Address of this server for its agents, where the server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://hub.example.org:7726")]
    pub server: Option<String>,
    /// Journal position.
    #[schema(example = 2)]
    pub seq: u64,
}

impl std::fmt::Debug for SiteInvitation {
    /// Leaves the token out, so that no log can carry it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SiteInvitation { cluster, id, token: _, expires_at, server, seq } = self;
        f.debug_struct("SiteInvitation")
            .field("cluster", cluster)
            .field("id", id)
            .field("expires_at", expires_at)
            .field("server", server)
            .field("seq", seq)
            .finish_non_exhaustive()
    }
}

/// Where a cluster stands after it was approved or revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteStanding {
    /// Name of the cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Where it stands now.
    pub standing: Standing,
    /// Jobs and tasks that were placed there and are lost.
    #[schema(example = 0)]
    pub lost: u32,
    /// Journal position.
    #[schema(example = 3)]
    pub seq: u64,
}

/// The authority that agents of this network are to trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Authority {
    /// Its certificate, PEM; absent where the system's authorities are to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}
