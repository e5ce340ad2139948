//! The agent protocol, version 1: JSON over HTTP, outbound from the agent only.
//!
//! | request | body → answer | |
//! | --- | --- | --- |
//! | `GET /v1/authority` | → [`crate::v1::Authority`] | before joining, without a token |
//! | `POST /v1/agent/join` | [`Join`] → [`Joined`] | once, with the join token |
//! | `POST /v1/agent/inventory` | [`Inventory`] → [`Welcome`] | at start and when it changes |
//! | `GET /v1/agent/orders?since=V&wait=S` | → [`OrdersAnswer`] | long-poll, up to `wait` seconds |
//! | `POST /v1/agent/reports` | [`Reports`] → `204` or [`Withdrawn`] | durable when answered |
//! | `GET /v1/agent/blobs/{hash}` | → bytes | launch documents |
//! | `POST /v1/agent/log-chunks` | [`LogChunk`] → `204` | answers a [`LogRequest`] |
//!
//! What a site holds of datasets, and how it gets there, is in [`crate::agent_data`].
//!
//! Every message may be lost or repeated: the agent compares orders with what it observes and
//! sends facts again until the order disappears. An answer to a poll is computed after the poll
//! arrived, so it reflects every report acknowledged before.

use serde::{Deserialize, Serialize};
use suanpan_model::id::{AllocationId, BlobHash, ClusterId};
use suanpan_site::order::Order;
use suanpan_site::report::Report;

pub use suanpan_model::site::Inventory;

/// Version of this protocol, sent as the header `suanpan-agent-protocol`.
pub const PROTOCOL: u32 = 1;

/// Asks to join by the join token in the request's header. It may be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Name of the cluster, as the site file has it.
    pub cluster: String,
    /// BLAKE3 hash of the token that the agent made for itself.
    pub token: BlobHash,
}

/// Answer to a [`Join`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The cluster's id in this network.
    pub cluster: ClusterId,
}

/// A join token as it is handed over: the secret, and which authority to trust.
///
/// The form is that of Kubernetes' and k3s's joining (a token beside the hash of the cluster's CA
/// certificate), in one word: `spn_j_` and 64 hexadecimal digits, then, unless the system's
/// authorities are to be trusted, a dot and the SHA-256 hash of the authority's certificate (DER),
/// which `openssl x509 -fingerprint -sha256` prints too.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// What the server is shown.
    pub secret: String,
    /// Hash of the certificate of the only authority to trust.
    pub authority: Option<[u8; 32]>,
}

/// Code of the problem that an agent gets while it waits for approval.
pub const NOT_APPROVED: &str = "not-approved";

/// What a join token's secret begins with.
pub const JOIN_PREFIX: &str = "spn_j_";

impl JoinToken {
    /// Reads a token's text; nothing if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<JoinToken> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let (secret, authority) = match text.split_once('.') {
            Some((secret, hash)) => (secret, Some(BlobHash::from_hex(hash)?.0)),
            None => (text, None),
        };
        BlobHash::from_hex(secret.strip_prefix(JOIN_PREFIX)?)?;
        Some(JoinToken { secret: secret.to_owned(), authority })
    }
}

impl std::fmt::Display for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.secret)?;
        match self.authority {
            Some(hash) => write!(f, ".{}", BlobHash(hash)),
            None => Ok(()),
        }
    }
}

/// What tells one agent's token from another's without being a secret: shown by the agent and to
/// the operator who approves it.
#[must_use]
pub fn code_of(token: BlobHash) -> String {
    token.to_string()[..8].to_owned()
}

/// Answer to an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The cluster's id in this network.
    pub cluster: ClusterId,
    /// The agent is taken for silent after this many seconds without a request.
    pub contact_period_s: u32,
}

/// Answer to a poll for orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersAnswer {
    /// Version to ask from next time. Meaningless after the server restarted: `whole` is then
    /// sent.
    pub version: u64,
    /// `Some` replaces everything the agent knows (first poll, restart, periodic digest mismatch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Vec<Order>>,
    /// Orders that are new or have a new generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Order>,
    /// Allocations that are over for the control plane: their outcome is durable, the agent may
    /// forget them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<AllocationId>,
    /// Number of orders after this delta and a hash over them (see [`digest`]); if the agent's
    /// differ it polls with `since=0`.
    pub digest: Digest,
    /// Parts of output files that somebody wants to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_requests: Vec<LogRequest>,
}

/// Summary of a set of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// How many.
    pub count: u64,
    /// Exclusive-or over [`digest_of`] each.
    pub sum: u64,
}

/// Contribution of one order to a [`Digest`]: a fixed mix of allocation and generation
/// (SplitMix64's finalizer), the same in every version.
#[must_use]
pub fn digest_of(order: &Order) -> u64 {
    let mut z = order
        .allocation
        .0
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(u64::from(order.generation.0));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Reports of one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// Facts, oldest first.
    pub reports: Vec<Report>,
    /// Why the site does not start what waits there, where that changed. Not facts: they are
    /// shown, never journaled, and told again to a server that started anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<SiteWait>,
}

/// Why the site does not start a job that waits there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteWait {
    /// The allocation.
    pub allocation: AllocationId,
    /// In the site's words: `Priority`, `Resources`, `QOSMaxJobsPerUserLimit`.
    pub reason: String,
}

/// Answer to reports some of which say that a start is under way which must not go on: its order
/// was withdrawn while the site was out of contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// The allocations.
    pub withdrawn: Vec<AllocationId>,
}

/// A part of an output file that somebody wants to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRequest {
    /// Names the answer.
    pub request: u64,
    /// Which attempt. Its files stay readable after the attempt is over.
    pub allocation: AllocationId,
    /// Which file.
    pub stream: LogStream,
    /// First byte; negative counts from the end.
    pub offset: i64,
    /// Most bytes to send.
    pub length: u32,
}

/// Which output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error (the same file if the job merges them).
    Stderr,
}

/// Part of an output file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The request answered.
    pub request: u64,
    /// Offset of the first byte.
    pub offset: u64,
    /// Size of the file when it was read.
    pub size: u64,
    /// Bytes, lossily as UTF-8; cut at a character boundary.
    pub text: String,
    /// Why nothing could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
