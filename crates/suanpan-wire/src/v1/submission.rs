//! Bulk submissions, and answers to submissions. What is submitted is [`SubmitJob`].

use super::submit::SubmitJob;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Many jobs, submitted all or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkSubmit {
    /// The jobs: 1 to 10,000 unless the server is set otherwise.
    #[schema(min_items = 1, max_items = 10_000)]
    pub jobs: Vec<SubmitJob>,
}

/// The jobs were accepted and are durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitAnswer {
    /// One entry for each job, in the order they were sent.
    pub jobs: Vec<SubmittedJob>,
    /// What the submitter should know although the jobs were accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Journal position; send it back as `Suanpan-Seq` to read at least this. Of a repeated
    /// idempotency key: a position not before the first answer's.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// One accepted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmittedJob {
    /// Its id. The tasks of an array have the ids `id`, `id + 1` and so on.
    #[schema(example = 36)]
    pub id: u64,
    /// How many tasks it has: 1 unless it is an array.
    #[schema(example = 1)]
    pub tasks: u32,
}
