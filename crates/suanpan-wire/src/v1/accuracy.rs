//! How well what was foretold at placement came true.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How well it came true, cluster by cluster, over the latest 10,000 attempts of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccuracyList {
    /// The clusters at which something ran, by name.
    pub sites: Vec<SiteAccuracy>,
    /// Journal position.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// How well what was foretold of jobs at one cluster came true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteAccuracy {
    /// Site.
    #[schema(example = "shanghai")]
    pub site: String,
    /// Cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Attempts that ran.
    #[schema(example = 120)]
    pub jobs: u64,
    /// Share of them that came to their nodes between the expected and the latest start, give or
    /// take a second; thousandths.
    #[schema(example = 870)]
    pub interval_hits_milli: u32,
    /// When they came to their nodes, against the expected start.
    pub start: ErrorSpread,
    /// How long staging of inputs took, of those that had any.
    pub staging: ErrorSpread,
    /// How long they ran, of those that completed.
    pub run: ErrorSpread,
    /// When they ended, of those that completed.
    pub finish: ErrorSpread,
}

/// Distances between what was foretold and what happened, in either direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorSpread {
    /// How many were compared.
    #[schema(example = 118)]
    pub jobs: u64,
    /// Median, milliseconds; 0 if none was compared.
    #[schema(example = 400)]
    pub median_ms: u64,
    /// 90th percentile, milliseconds; 0 if none was compared.
    #[schema(example = 2300)]
    pub p90_ms: u64,
}

impl ErrorSpread {
    /// The median and the 90th percentile (nearest rank) of microseconds in rising order.
    #[must_use]
    pub fn of(micros: &[u64]) -> ErrorSpread {
        let at = |percent: usize| match micros.len() {
            0 => 0,
            count => micros[(count * percent).div_ceil(100) - 1] / 1_000,
        };
        ErrorSpread { jobs: micros.len() as u64, median_ms: at(50), p90_ms: at(90) }
    }
}
