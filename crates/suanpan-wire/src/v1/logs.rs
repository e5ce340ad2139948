//! Output of jobs, read from the site where they run or ran.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStreamName {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error (the same file if the job merges them).
    Stderr,
}

/// Part of an output file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogChunk {
    /// The job.
    #[schema(example = 36)]
    pub job: u64,
    /// The task, of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The attempt's allocation.
    #[schema(example = 51)]
    pub allocation: u64,
    /// Which output.
    pub stream: LogStreamName,
    /// Offset of the first byte in the file.
    #[schema(example = 0)]
    pub offset: u64,
    /// Where to read on.
    #[schema(example = 12)]
    pub next_offset: u64,
    /// Size of the file when it was read.
    #[schema(example = 12)]
    pub size: u64,
    /// The bytes as UTF-8; bytes that are not are replaced.
    #[schema(example = "hello, world")]
    pub text: String,
    /// Whether the attempt is over and this reaches its file's end: nothing more will come.
    pub complete: bool,
}
