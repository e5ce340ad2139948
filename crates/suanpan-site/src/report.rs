//! What an agent saw.

use serde::{Deserialize, Serialize};
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, PayloadReach, Usage};
use suanpan_model::time::Timestamp;

/// One fact about one allocation. Repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The allocation.
    pub allocation: AllocationId,
    /// Generation of the order the agent acted on.
    pub generation: Generation,
    /// When it happened, by the agent's clock.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// What happened to an allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// Inputs are being copied.
    Staging,
    /// The payload was started.
    Started,
    /// The attempt is over and its resources are free.
    Ended(Outcome),
    /// The site will not run it; nothing was started.
    Refused {
        /// Why, in the site's words.
        reason: String,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// Whether the payload was reached.
    pub payload: PayloadReach,
    /// What it used.
    pub usage: Usage,
    /// One line for people where `end` alone does not say it: which file was missing, say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
