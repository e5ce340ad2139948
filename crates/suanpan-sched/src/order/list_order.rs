//! The classical list orders: one number for each job, known when it is submitted.

use crate::predict::JobFeatures;
use serde::{Deserialize, Serialize};
use suanpan_model::time::Seconds;

/// An order of waiting jobs; ties are broken by submission.
///
/// The names are those of the list scheduling literature (for instance Graham 1966 and Coffman
/// et al. 1978; for queues of parallel jobs Lelong, Reis and Trystram, "Tuning EASY-Backfilling
/// Queues", JSSPP 2017). "Length" is the expected run time, "area" that times the processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// First come, first served.
    #[default]
    Fcfs,
    /// Last come, first served.
    Lcfs,
    /// Shortest job first (SJF; shortest processing time, SPT). As the order in which a backfill
    /// scans, it is SJBF (Tsafrir, Etsion and Feitelson 2007).
    ShortestFirst,
    /// Longest job first (longest processing time, LPT).
    LongestFirst,
    /// Fewest processors first (smallest resource requirement, SQF).
    NarrowestFirst,
    /// Most processors first (LQF).
    WidestFirst,
    /// Smallest estimated area first (SAF).
    SmallestAreaFirst,
    /// Largest estimated area first (LAF).
    LargestAreaFirst,
    /// Smallest ratio of length to processors first.
    SmallestRatioFirst,
    /// Largest ratio of length to processors first.
    LargestRatioFirst,
}

impl ListOrder {
    /// The rank of a job that is expected to run for `length`: smaller goes first.
    #[must_use]
    pub fn rank(self, job: &JobFeatures, length: Seconds) -> i64 {
        /// Ratios are compared to this fraction of a second for each processor.
        const FRACTION: u64 = 1_000;
        let (length, processors) = (length.0, u64::from(job.processors));
        let submitted = job.submitted.0;
        let ratio = length.saturating_mul(FRACTION) / processors.max(1);
        match self {
            ListOrder::Fcfs => submitted,
            ListOrder::Lcfs => submitted.saturating_neg(),
            ListOrder::ShortestFirst => rising(length),
            ListOrder::LongestFirst => -rising(length),
            ListOrder::NarrowestFirst => rising(processors),
            ListOrder::WidestFirst => -rising(processors),
            ListOrder::SmallestAreaFirst => rising(length.saturating_mul(processors)),
            ListOrder::LargestAreaFirst => -rising(length.saturating_mul(processors)),
            ListOrder::SmallestRatioFirst => rising(ratio),
            ListOrder::LargestRatioFirst => -rising(ratio),
        }
    }
}

fn rising(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
