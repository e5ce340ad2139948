//! The agent protocol's part about data and the network between sites; see [`crate::agent`].
//!
//! | request | body → answer | |
//! | --- | --- | --- |
//! | `GET /v1/agent/data?since=V&wait=S` | → [`DataAnswer`] | long-poll; always whole |
//! | `POST /v1/agent/data-reports` | [`DataReports`] → `204` | all but samples is durable then |
//! | `GET /v1/agent/chunks/{hash}` | → bytes | from the control plane's object store |
//! | `PUT /v1/agent/chunks/{hash}` | bytes → `204` | into it, where a site cannot be reached |
//! | `GET /v1/agent/missing/{hash}` | → [`MissingChunks`] | what of a manifest is not in it |
//! | `GET /v1/agent/probe?bytes=N` | → N bytes that do not compress | 0 for a round trip |
//! | `POST /v1/agent/probe` | bytes → [`ProbeSeen`] | how fast they came |
//! | `POST /v1/agent/datasets` | [`NewDataset`] → [`Registered`] | an output becomes a dataset |
//!
//! As with orders, every message may be lost or repeated: the agent compares what it should hold
//! with what it holds. Manifests are blobs (`GET /v1/agent/blobs/{hash}`).

use serde::{Deserialize, Serialize};
use suanpan_model::dataset::{DatasetName, Manifest};
use suanpan_model::id::{AllocationId, BlobHash};
use suanpan_model::network::Sample;
use suanpan_model::site::PeerPoint;

/// What a site should hold, and from where it can get it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataAnswer {
    /// Version to ask from next time.
    pub version: u64,
    /// Manifests whose replica the site should have, most urgent first.
    #[serde(default)]
    pub hold: Vec<Hold>,
    /// Manifests it may know of: it reports how much of each is there, and deletes what is in
    /// neither list once its quota needs the room.
    #[serde(default)]
    pub weigh: Vec<BlobHash>,
    /// Replicas that must go, before anything else is done: the control plane no longer counts on
    /// them, and goes on saying so until less is reported. One may be in `hold` too.
    #[serde(default)]
    pub evict: Vec<BlobHash>,
    /// Manifests whose chunks it should put into the object store, because another site cannot
    /// reach it.
    #[serde(default)]
    pub relay: Vec<BlobHash>,
    /// Most bits per second on the link to the object store now; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_limit_bps: Option<u64>,
    /// The agents of other sites.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Most bytes of active measurements in an hour, over all peers.
    #[serde(default)]
    pub probe_bytes_per_hour: u64,
    /// Name of the control plane's own place, for samples of the links to and from it.
    #[serde(default)]
    pub hub: String,
}

/// Chunks of a manifest that the control plane's object store has not, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingChunks {
    /// Their hashes.
    pub chunks: Vec<BlobHash>,
}

/// What the control plane saw of bytes that an agent sent to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSeen {
    /// Rate of the second half of them, bits per second; nothing if they were too few.
    pub throughput_bps: Option<u64>,
}

/// One replica a site should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The manifest.
    pub manifest: BlobHash,
    /// Where its chunks are, best first.
    pub sources: Vec<ChunkSource>,
    /// For which allocations it is staged; empty for a pinned one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub staged_for: Vec<AllocationId>,
}

/// Where chunks can be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkSource {
    /// Another site's agent.
    Peer {
        /// Name of the site, one of [`DataAnswer::peers`].
        site: String,
        /// Most bits per second on this link now; no limit if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_bps: Option<u64>,
    },
    /// The control plane's object store.
    Store {
        /// Most bits per second on this link now; no limit if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_bps: Option<u64>,
    },
}

/// The agent of another site. Agents trust each other by the certificates that the control plane
/// tells both of; there is no authority between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its site.
    pub site: String,
    /// How it is known and reached.
    pub point: PeerPoint,
}

/// What an agent saw of data and links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataReports {
    /// How much of each manifest is there; verified bytes only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaReport>,
    /// Bytes of all chunks that the site stores, told beside replicas; what contents share is
    /// counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Transfers that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<TransferReport>,
    /// Measurements of links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// How much of a dataset a site has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaReport {
    /// The manifest.
    pub manifest: BlobHash,
    /// Bytes of its chunks that are there and verified; all of them make a replica.
    pub present_bytes: u64,
}

/// One transfer that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferReport {
    /// The manifest.
    pub manifest: BlobHash,
    /// Site the bytes came from; nothing for the object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Bytes moved; chunks that were there are not counted.
    pub bytes: u64,
    /// How long it took, microseconds.
    pub took_us: u64,
    /// Why it ended before all was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Data at a site that becomes a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDataset {
    /// Its name; the version is given by the control plane.
    pub name: DatasetName,
    /// What it is.
    pub manifest: Manifest,
    /// The attempt that made it.
    pub made_by: AllocationId,
}

/// A dataset as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The version it was given; of data that was already registered by the attempt, the same.
    pub version: u32,
    /// Hash of its manifest.
    pub manifest: BlobHash,
}
