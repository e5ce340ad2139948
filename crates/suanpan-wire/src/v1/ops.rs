//! Health and versions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Liveness {
    /// Always `live`.
    #[schema(example = "live")]
    pub status: String,
}

/// Whether the server takes work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ready`, `starting`, `read_only`, `disk_full` or `stopping`.
    #[schema(example = "ready")]
    pub status: String,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Last durable journal position.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// What this server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Version of the program.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Versions of this API it speaks.
    #[schema(example = json!(["v1"]))]
    pub api: Vec<String>,
    /// Version of the agent protocol.
    #[schema(example = 1)]
    pub agent_protocol: u32,
}
