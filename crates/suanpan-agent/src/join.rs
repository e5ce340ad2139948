//! Joining: an agent comes to its own token by a join token that works once.
//!
//! 1. *Trust.* The join token carries the hash of the authority's certificate. That certificate is
//!    fetched over a connection that trusts nobody and is told nothing, and compared; from then on
//!    only it is trusted. (The same steps as `k3s agent` with its secure token, and `kubeadm join`
//!    with `--discovery-token-ca-cert-hash`.) Without a hash the system's authorities are trusted.
//! 2. *Token.* The agent makes its token itself and keeps it on disk; only its hash is sent.
//! 3. *Join.* The server binds the join token to that hash. Asked again by the same agent it says
//!    yes again, so a crash anywhere is mended by joining again with the same join token.
//! 4. *Membership.* One file, replaced whole, makes all of it count.

use crate::client::{self, Client, ClientError};
use crate::failpoint;
use crate::local::files::Dir;
use crate::{agent, sitefile};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use suanpan_model::id::BlobHash;
use suanpan_model::site::DriverKind;
use suanpan_wire::agent::{Join, JoinToken, code_of};
use suanpan_wire::v1::Problem;

/// File of the state directory that says where its agent joined.
const MEMBERSHIP: &str = "membership.json";

/// File of the state directory that says with which token an agent is about to join.
const JOINING: &str = "joining.json";

/// Where an agent joined: what it needs to start again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Address of the control plane.
    pub server: String,
    /// The cluster it speaks for.
    pub cluster: String,
    /// The site file.
    pub site_file: PathBuf,
    /// The driver, if the site file does not name it.
    pub driver: Option<DriverKind>,
    /// File of the state directory with the only authority that is trusted; the system's if
    /// absent.
    pub ca_file: Option<String>,
    /// Its own token.
    #[serde(flatten)]
    pub own: OwnToken,
}

/// An agent's token and the join token it goes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnToken {
    /// Hash of the join token.
    invitation: BlobHash,
    /// File of the state directory with the agent's token.
    pub token_file: String,
    /// Tells it from another agent's; the operator sees it too.
    pub code: String,
}

/// What is needed to join.
#[derive(Clone)]
pub struct Invitation<'a> {
    /// Address of the control plane.
    pub server: &'a str,
    /// The join token.
    pub token: &'a JoinToken,
    /// The site file.
    pub site_file: &'a Path,
    /// The driver, if the site file does not name it.
    pub driver: Option<DriverKind>,
    /// Directory for everything that must survive the agent.
    pub state_dir: &'a Path,
    /// PEM file with the authorities to trust if the join token names none.
    pub ca_file: Option<&'a Path>,
}

/// Why an agent did not join. Nothing was changed, or joining again mends it.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A file or an argument is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The server is not the one that made the join token.
    #[error("{0}")]
    Untrusted(String),
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The server refuses.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// Anything else.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for JoinError {
    fn from(error: anyhow::Error) -> JoinError {
        JoinError::Failed(error)
    }
}

impl From<ClientError> for JoinError {
    fn from(error: ClientError) -> JoinError {
        match error {
            ClientError::Unreachable(why) => JoinError::Unreachable(why),
            ClientError::Untrusted(why) => JoinError::Untrusted(format!(
                "the server's certificate is not good for this address: {why}"
            )),
            ClientError::Status { problem: Some(problem), .. } => JoinError::Refused(problem),
            other => JoinError::Failed(anyhow::Error::new(other)),
        }
    }
}

/// Where the agent of this state directory joined; nothing if it did not.
///
/// # Errors
/// If what is there is not understood.
pub fn membership(state_dir: &Path) -> anyhow::Result<Option<Membership>> {
    let path = state_dir.join(MEMBERSHIP);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let read = serde_json::from_slice(&text);
    read.map(Some).with_context(|| format!("{} is not understood", path.display()))
}

/// Joins and keeps what came of it in the state directory. It may be repeated.
///
/// # Errors
/// See [`JoinError`].
pub fn join(asked: &Invitation<'_>) -> Result<Membership, JoinError> {
    failpoint::set_up();
    let wrong = |error: &dyn std::fmt::Display| JoinError::Wrong(error.to_string());
    let site = sitefile::read(asked.site_file, asked.driver).map_err(|error| wrong(&error))?;
    let site_file = std::fs::canonicalize(asked.site_file).map_err(|error| wrong(&error))?;
    let cluster = site.inventory.cluster;
    let server = asked.server.trim_end_matches('/').to_owned();
    let dir =
        agent::open_state_dir(asked.state_dir).map_err(|error| wrong(&format!("{error:#}")))?;
    let _lock = agent::lock(&dir).map_err(|error| wrong(&error))?;
    let joined = membership(&dir)?;
    if let Some(other) =
        joined.as_ref().filter(|old| (&old.server, &old.cluster) != (&server, &cluster))
    {
        return Err(JoinError::Wrong(format!(
            "the state directory {} is that of the agent of `{}` at {}: name another with \
             --state-dir",
            dir.display(),
            other.cluster,
            other.server
        )));
    }
    let pem = trusted(asked, &server)?;
    let client = Client::open(&server, &asked.token.secret, pem.as_deref());
    let client = client.map_err(|error| wrong(&error))?;
    let dir = Dir(dir);
    let (own, token) = own_token(&dir, asked.token, joined.as_ref().map(|joined| &joined.own))?;
    client.join(&Join { cluster: cluster.clone(), token }).inspect_err(|error| {
        // A token that was refused, or never sent, is of no use; one that the server may have
        // taken is kept.
        let is_void = matches!(
            error,
            ClientError::Status { status: 400..500, .. } | ClientError::Untrusted(_)
        );
        if is_void && joined.is_none() {
            let _ = std::fs::remove_file(dir.file(JOINING));
            let _ = std::fs::remove_file(dir.file(&own.token_file));
        }
    })?;
    failpoint::reached("join-after-exchange");
    let mut ca_file = None;
    if let Some(pem) = &pem {
        let name = format!("ca-{}.pem", own.code);
        dir.write_bytes(&name, pem).map_err(anyhow::Error::new)?;
        ca_file = Some(name);
    }
    let driver = asked.driver;
    let membership = Membership { server, cluster, site_file, driver, ca_file, own };
    dir.write(MEMBERSHIP, &membership).map_err(anyhow::Error::new)?;
    // What is left of it changes nothing.
    let _ = std::fs::remove_file(dir.file(JOINING));
    Ok(membership)
}

/// The authorities to trust, PEM; nothing for the system's.
fn trusted(asked: &Invitation<'_>, server: &str) -> Result<Option<Vec<u8>>, JoinError> {
    let Some(wanted) = asked.token.authority else {
        let read = |path: &Path| {
            let named =
                |error| JoinError::Wrong(format!("authorities {}: {error}", path.display()));
            std::fs::read(path).map_err(named)
        };
        return asked.ca_file.map(read).transpose();
    };
    if !server.starts_with("https://") {
        return Err(JoinError::Wrong(format!(
            "server address `{server}`: the join token is for a server that speaks https"
        )));
    }
    let stranger = Client::stranger(server).map_err(|error| JoinError::Wrong(error.to_string()))?;
    let shown = stranger.authority()?.certificate.unwrap_or_default();
    let certificates = client::certificates(shown.as_bytes());
    let sha256 = |der: &[u8]| ring::digest::digest(&ring::digest::SHA256, der);
    match certificates.as_slice() {
        [one] if sha256(one.der()).as_ref() == wanted => Ok(Some(shown.into_bytes())),
        _ => Err(JoinError::Untrusted(format!(
            "{server} is not the server that made this join token: the authority it shows is \
             another one"
        ))),
    }
}

/// The token that goes with this join token: the one that an earlier try made, or a new one. It is
/// on disk before anybody hears of it.
fn own_token(
    dir: &Dir,
    invitation: &JoinToken,
    joined: Option<&OwnToken>,
) -> anyhow::Result<(OwnToken, BlobHash)> {
    let hash = |text: &str| BlobHash(*blake3::hash(text.as_bytes()).as_bytes());
    let invitation = hash(&invitation.secret);
    let known = [dir.read::<OwnToken>(JOINING), joined.cloned()];
    let known = known.into_iter().flatten().find(|own| own.invitation == invitation);
    if let Some(own) = known {
        let token = crate::config::read_token(&dir.file(&own.token_file))?;
        return Ok((own, hash(&token)));
    }
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).context("the system has no random numbers")?;
    let token = format!("spn_a_{}", BlobHash(bytes));
    let code = code_of(hash(&token));
    let own = OwnToken { invitation, token_file: format!("agent-{code}.token"), code };
    dir.write_bytes(&own.token_file, format!("{token}\n").as_bytes())?;
    dir.write(JOINING, &own)?;
    Ok((own, hash(&token)))
}
