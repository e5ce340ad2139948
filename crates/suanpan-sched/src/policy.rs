//! The settings of a scheduling cycle, and the classical policies of a batch site.
//!
//! A cycle of the network's own scheduler is [`crate::plan`]. The modules here are the policies of
//! the literature for one machine of identical processors: what a site's workload manager does.

pub mod accasim_easy;
pub mod conservative_backfill;
pub mod easy_backfill;
pub mod fcfs;
pub mod learnt_backfill;

use serde::{Deserialize, Serialize};
use suanpan_model::time::Seconds;

/// How a cycle decides. Every field has a default that suits a network of some fifty sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// How many waiting jobs, in order, are promised a start (a shadow start) that no job after
    /// them may delay. Jobs after these are started only where they break no promise. Each ready
    /// task of an array counts.
    pub reservation_depth: u32,
    /// Most starts in one cycle, so that a cycle and its commit stay short on an empty network;
    /// the next cycle goes on.
    pub starts_max: u32,
    /// An allocation past its limit is expected to end this much after now.
    pub overdue: Seconds,
    /// What a job does once every site that fits it has refused it.
    pub all_refused: AllRefused,
    /// Most jobs for which something is stopped in one cycle; 0 turns preemption off.
    pub preemptions_max: u32,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            reservation_depth: 1_000,
            starts_max: 5_000,
            overdue: Seconds(60),
            all_refused: AllRefused::Wait,
            preemptions_max: 100,
        }
    }
}

/// What a job does once every site that fits it has refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllRefused {
    /// It waits with reason `SiteRefused` until the list of refusals is cleared: a cycle never
    /// turns into a loop of refusals.
    Wait,
    /// The refusals are forgotten for this cycle.
    TryAgain,
}
