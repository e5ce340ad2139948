//! Datasets: named, versioned data that never changes.

use super::value::Time;
use serde::{Deserialize, Serialize};
use suanpan_model::dataset::Manifest;
use utoipa::ToSchema;

/// Gives data a name and a version. The same data under the same name has the same version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterDataset {
    /// Name: small letters, digits and single `.`, `_`, `-` or `/` between them.
    #[schema(example = "imagenet/train")]
    pub name: String,
    /// Files with their chunks: `{"files": [{"path", "mode", "chunks": [{"hash", "bytes"}]}]}`,
    /// in the order of their paths.
    #[schema(value_type = Object)]
    pub manifest: Manifest,
}

/// A dataset as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredDataset {
    /// Its name.
    pub name: String,
    /// The version it has.
    pub version: u32,
    /// BLAKE3 hash of its manifest, hexadecimal.
    pub manifest: String,
    /// Size of all files together.
    pub bytes: u64,
    /// Hashes of the chunks that the control plane does not hold: send them with
    /// `PUT /v1/chunks/{hash}`.
    pub missing: Vec<String>,
    /// Journal position.
    pub seq: u64,
}

/// One version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    /// Name.
    pub name: String,
    /// Version; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A version of a dataset, and a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinDataset {
    /// Name.
    pub name: String,
    /// Version; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The site.
    pub site: String,
}

/// A version of a dataset, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// BLAKE3 hash of its manifest, hexadecimal.
    pub manifest: String,
    /// Size of all files together.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Number of different chunks.
    pub chunks: u64,
    /// Whose it is.
    pub owner: String,
    /// The project it belongs to.
    pub project: String,
    /// When it was registered.
    pub registered_at: Time,
    /// The job that made it; absent for what came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Sites that keep it until told otherwise.
    pub pins: Vec<String>,
    /// What each place holds of it.
    pub replicas: Vec<Replica>,
}

/// How a dataset came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lineage {
    /// The job.
    pub job: u64,
    /// BLAKE3 hash of what was run: the job's launch document.
    pub launch: String,
    /// What it read, as `name@version`.
    pub inputs: Vec<String>,
}

/// What a place holds of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replica {
    /// The site, or the control plane's own place.
    pub site: String,
    /// Verified bytes there.
    pub present_bytes: u64,
    /// Whether that is all of it.
    pub complete: bool,
}

/// Datasets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetList {
    /// By name, then version.
    pub datasets: Vec<Dataset>,
    /// Journal position.
    pub seq: u64,
}

/// A dataset with its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetDetail {
    /// What is known of it.
    pub dataset: Dataset,
    /// Files with their chunks.
    #[schema(value_type = Object)]
    pub manifest: Manifest,
}

/// How much of a dataset the control plane holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FetchAnswer {
    /// Its version.
    pub version: u32,
    /// Bytes it holds.
    pub present_bytes: u64,
    /// Size of all files together.
    pub bytes: u64,
    /// The site that was asked for the rest; absent if all is there, or no site has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What was done to a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetAnswer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Journal position.
    pub seq: u64,
}
