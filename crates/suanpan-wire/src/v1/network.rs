//! The network between sites: what is believed of its links, and scores of its sites.

use super::value::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is believed of every link between sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkList {
    /// Name of the control plane's own place.
    #[schema(example = "hub")]
    pub hub: String,
    /// The links, by their ends.
    pub links: Vec<LinkState>,
    /// Journal position this reflects.
    pub seq: u64,
}

/// What is believed of a link. A link is directed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkState {
    /// Site at which it begins.
    #[schema(example = "guiyang")]
    pub from: String,
    /// Site at which it ends.
    #[schema(example = "shanghai")]
    pub to: String,
    /// Median of the round trip, microseconds.
    #[schema(example = 36_000)]
    pub round_trip_p50_us: u32,
    /// 99th percentile of the round trip, microseconds.
    #[schema(example = 41_000)]
    pub round_trip_p99_us: u32,
    /// Small messages that are not answered in time, parts per million.
    pub loss_ppm: u32,
    /// What one transfer moves, bits per second; 0 while nothing gets through.
    #[schema(example = 940_000_000_u64)]
    pub throughput_bps: u64,
    /// Where delay and loss are from.
    pub delay_from: LinkSource,
    /// Where the throughput is from.
    pub throughput_from: LinkSource,
    /// When this was last changed.
    pub changed_at: Time,
    /// When it was last measured; absent if not since the server started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<Time>,
}

/// Where a value is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkSource {
    /// The operator of a site declares it.
    Declared,
    /// It was measured.
    Measured,
    /// It was measured in the other direction.
    Derived,
    /// Nothing is known of it.
    Assumed,
}

/// Scores of all sites in the metric model of IETF CATS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteMetricList {
    /// Name and version of the formula of the scores; scores of different ones do not compare.
    #[schema(example = "suanpan-1")]
    pub formula: String,
    /// The place the network is looked at from.
    #[schema(example = "hub")]
    pub from: String,
    /// The clusters, by name.
    pub sites: Vec<SiteMetrics>,
    /// Journal position this reflects.
    pub seq: u64,
}

/// Scores of one cluster's site, and the values they are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteMetrics {
    /// The cluster.
    #[schema(example = "gy1")]
    pub cluster: String,
    /// Its site.
    #[schema(example = "guiyang")]
    pub site: String,
    /// Values in their own units.
    pub l0: MetricValues,
    /// A score for each category.
    pub l1: CategoryScores,
    /// One score, 0 to 10: up to 3 not recommended, up to 7 optional, from 8 on preferred.
    #[schema(maximum = 10)]
    pub l2: u8,
}

/// Level L0: values in their own units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricValues {
    /// The link to the site; absent where nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkState>,
    /// CPUs of its nodes.
    pub cpus: u64,
    /// Of these free.
    pub cpus_free: u64,
    /// GPUs of its nodes.
    pub gpus: u64,
    /// Of these free.
    pub gpus_free: u64,
    /// Nodes.
    pub nodes: u64,
    /// Of these open to jobs.
    pub nodes_open: u64,
    /// Whether its agent is in contact.
    pub reachable: bool,
    /// Speed of its fastest flavor, thousandths.
    pub speed_milli: u32,
}

/// Level L1: a score of 0 to 10 for each category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryScores {
    /// The network to the site.
    #[schema(maximum = 10)]
    pub communication: u8,
    /// What is free there.
    #[schema(maximum = 10)]
    pub compute: u8,
    /// Whether it can be used.
    #[schema(maximum = 10)]
    pub service: u8,
    /// Moving data there and computing on it.
    #[schema(maximum = 10)]
    pub composed: u8,
}
