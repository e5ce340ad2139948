//! HTTP to the control plane.

use crate::config::{AgentConfig, read_token};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use suanpan_model::dataset::CHUNK_BYTES_MAX;
use suanpan_model::id::{AllocationId, BlobHash};
use suanpan_wire::agent::{
    Inventory, Join, Joined, LogChunk, OrdersAnswer, PROTOCOL, Reports, Welcome, Withdrawn,
};
use suanpan_wire::agent_data::{DataAnswer, DataReports, MissingChunks, NewDataset, Registered};
use suanpan_wire::v1::{Authority, Problem};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

mod probe;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server could not be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The server is not the one that is trusted.
    #[error("the server is not to be trusted: {0}")]
    Untrusted(String),
    /// The server answered, but not with success.
    #[error("the server answered {status}: {text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// What it said, or the beginning of the body.
        text: String,
        /// The same for programs, if it is a problem.
        problem: Option<Box<Problem>>,
    },
    /// The answer is not what the protocol says.
    #[error("the server's answer is not understood: {0}")]
    Answer(String),
}

/// HTTP to the control plane, with the agent's token.
pub struct Client {
    agent: ureq::Agent,
    server: String,
    authorization: Option<String>,
}

const TIMEOUT: Duration = Duration::from_secs(30);

/// Connections kept for what is asked next: all streams of all transfers that run, because a new
/// one must find out anew how fast its link is, at the cost of the others.
const CONNECTIONS_KEPT: usize = 20;

/// A chunk or a manifest may come over a link that is slow and shared: this is 8 MiB at 16 KiB/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(9 * 60);

/// A first answer may hold every order of a large cluster.
const ANSWER_BYTES_MAX: u64 = 2 << 30;

impl Client {
    /// Prepares requests; nothing is sent yet.
    ///
    /// # Errors
    /// In words, if the token, the address or the certificates cannot be used.
    pub fn new(config: &AgentConfig) -> io::Result<Client> {
        let token = read_token(&config.token_file)?;
        let pem = config.ca_file.as_deref().map(|path| std::fs::read(path).map_err(naming(path)));
        Client::open(&config.server, &token, pem.transpose()?.as_deref())
    }

    /// Prepares requests with a token, trusting the authorities in `pem`, or the system's.
    ///
    /// # Errors
    /// In words, if the address or the certificates cannot be used.
    pub fn open(server: &str, token: &str, pem: Option<&[u8]>) -> io::Result<Client> {
        let server = checked(server)?;
        let tls = if server.starts_with("https:") { Some(tls(pem)?) } else { None };
        let authorization = Some(format!("Bearer {token}"));
        Ok(Client { agent: http(tls), server, authorization })
    }

    /// Prepares requests to a server of which nothing is trusted yet, and which is told nothing.
    ///
    /// # Errors
    /// In words, if the address cannot be used.
    pub fn stranger(server: &str) -> io::Result<Client> {
        let server = checked(server)?;
        let tls = TlsConfig::builder()
            .disable_verification(true)
            .unversioned_rustls_crypto_provider(provider())
            .build();
        Ok(Client { agent: http(Some(tls)), server, authorization: None })
    }

    /// The certificate of the authority that agents are to trust, as the server says.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn authority(&self) -> Result<Authority, ClientError> {
        read(self.get("/v1/authority", TIMEOUT)?)
    }

    /// Joins by the join token that this client has.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn join(&self, join: &Join) -> Result<Joined, ClientError> {
        read(self.post("/v1/agent/join", join)?)
    }

    /// Sends the inventory.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn inventory(&self, inventory: &Inventory) -> Result<Welcome, ClientError> {
        read(self.post("/v1/agent/inventory", inventory)?)
    }

    /// Waits up to `wait_s` seconds for orders newer than version `since`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn orders(&self, since: u64, wait_s: u32) -> Result<OrdersAnswer, ClientError> {
        let path = format!("/v1/agent/orders?since={since}&wait={wait_s}");
        read(self.get(&path, TIMEOUT + Duration::from_secs(wait_s.into()))?)
    }

    /// Sends reports; they are durable when this returns. Answers whose start must not go on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn reports(&self, reports: &Reports) -> Result<Vec<AllocationId>, ClientError> {
        let answer = self.post("/v1/agent/reports", reports)?;
        if answer.status() == 204 {
            return Ok(Vec::new());
        }
        read::<Withdrawn>(answer).map(|answer| answer.withdrawn)
    }

    /// Fetches a blob and checks that it is the one that was asked for.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn blob(&self, hash: BlobHash) -> Result<Vec<u8>, ClientError> {
        let mut response =
            self.get_within(&format!("/v1/agent/blobs/{hash}"), TIMEOUT, BODY_TIMEOUT)?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes =
            body.read_to_vec().map_err(|error| ClientError::Unreachable(error.to_string()))?;
        if *blake3::hash(&bytes).as_bytes() == hash.0 {
            return Ok(bytes);
        }
        Err(ClientError::Answer(format!(
            "the {} bytes of blob {hash} have another hash",
            bytes.len()
        )))
    }

    /// Waits up to `wait_s` seconds for news, since version `since`, of what the site should hold.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn data(&self, since: u64, wait_s: u32) -> Result<DataAnswer, ClientError> {
        let path = format!("/v1/agent/data?since={since}&wait={wait_s}");
        read(self.get(&path, TIMEOUT + Duration::from_secs(wait_s.into()))?)
    }

    /// Sends what was seen of data and links.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn data_reports(&self, reports: &DataReports) -> Result<(), ClientError> {
        self.post("/v1/agent/data-reports", reports).map(|_| ())
    }

    /// Fetches a chunk from the control plane's store; nothing of it is verified.
    ///
    /// # Errors
    /// See [`ClientError`]; status 404 if it is not there.
    pub fn chunk(&self, hash: BlobHash) -> Result<Vec<u8>, ClientError> {
        let mut response =
            self.get_within(&format!("/v1/agent/chunks/{hash}"), TIMEOUT, BODY_TIMEOUT)?;
        let body = response.body_mut().with_config().limit(CHUNK_BYTES_MAX.into());
        body.read_to_vec().map_err(|error| ClientError::Unreachable(error.to_string()))
    }

    /// Puts a chunk into the control plane's store.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn put_chunk(&self, hash: BlobHash, bytes: &[u8]) -> Result<(), ClientError> {
        let mut request = self.agent.put(format!("{}/v1/agent/chunks/{hash}", self.server));
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/octet-stream");
        let timeout = Some(BODY_TIMEOUT);
        check(request.config().timeout_global(timeout).build().send(bytes)).map(|_| ())
    }

    /// Asks which chunks of a manifest the control plane's store has not.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn missing_chunks(&self, manifest: BlobHash) -> Result<MissingChunks, ClientError> {
        read(self.get(&format!("/v1/agent/missing/{manifest}"), TIMEOUT)?)
    }

    /// Has a job's output registered as a dataset; repeated, the answer is the same.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn new_dataset(&self, dataset: &NewDataset) -> Result<Registered, ClientError> {
        read(self.post("/v1/agent/datasets", dataset)?)
    }

    /// Answers a request for a part of an output file.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn log_chunk(&self, chunk: &LogChunk) -> Result<(), ClientError> {
        self.post("/v1/agent/log-chunks", chunk).map(|_| ())
    }

    fn get(&self, path: &str, timeout: Duration) -> Result<Response, ClientError> {
        self.get_within(path, timeout, timeout)
    }

    /// Asks; the answer begins within one time, and is over within the other.
    fn get_within(
        &self,
        path: &str,
        begin: Duration,
        timeout: Duration,
    ) -> Result<Response, ClientError> {
        let mut request = self.agent.get(format!("{}{path}", self.server));
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        let config = request.config().timeout_global(Some(timeout));
        check(config.timeout_recv_response(Some(begin)).build().call())
    }

    fn post<T: serde::Serialize>(&self, path: &str, body: &T) -> Result<Response, ClientError> {
        let mut request = self.agent.post(format!("{}{path}", self.server));
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        check(request.config().timeout_global(Some(TIMEOUT)).build().send_json(body))
    }

    fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let authorization = self.authorization.clone().map(|value| ("authorization", value));
        authorization.into_iter().chain([("suanpan-agent-protocol", PROTOCOL.to_string())])
    }
}

type Response = ureq::http::Response<ureq::Body>;

fn http(tls: Option<TlsConfig>) -> ureq::Agent {
    let mut builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(10)))
        .max_idle_connections(CONNECTIONS_KEPT)
        .max_idle_connections_per_host(CONNECTIONS_KEPT)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("suanpan-agent/", env!("CARGO_PKG_VERSION")));
    if let Some(tls) = tls {
        builder = builder.https_only(true).tls_config(tls);
    }
    builder.build().new_agent()
}

fn check(answer: Result<Response, ureq::Error>) -> Result<Response, ClientError> {
    let mut response = answer.map_err(|error| match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => ClientError::Untrusted(error.to_string()),
        // A handshake fails while bytes are read and written.
        ureq::Error::Io(io) if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            ClientError::Untrusted(io.to_string())
        }
        error => ClientError::Unreachable(error.to_string()),
    })?;
    if response.status().is_success() {
        return Ok(response);
    }
    let text = response.body_mut().with_config().limit(64 << 10).lossy_utf8(true).read_to_string();
    let text = text.unwrap_or_default();
    let problem = serde_json::from_str::<Problem>(&text).ok().map(Box::new);
    let text = match problem.as_deref() {
        Some(Problem { detail, remedy: Some(remedy), .. }) => format!("{detail} ({remedy})"),
        Some(Problem { detail, .. }) => detail.clone(),
        None => text.chars().take(400).collect(),
    };
    Err(ClientError::Status { status: response.status().as_u16(), text, problem })
}

fn read<T: serde::de::DeserializeOwned>(mut response: Response) -> Result<T, ClientError> {
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    body.read_json().map_err(|error| match error {
        ureq::Error::Json(error) => ClientError::Answer(error.to_string()),
        other => ClientError::Unreachable(other.to_string()),
    })
}

/// The address without a slash at its end.
fn checked(server: &str) -> io::Result<String> {
    let server = server.trim_end_matches('/');
    check_address(server).map(|()| server.to_owned())
}

fn check_address(server: &str) -> io::Result<()> {
    let refuse = |expected: &str| {
        Err(io::Error::other(format!("server address `{server}`: expected {expected}")))
    };
    let Ok(uri) = server.parse::<ureq::http::Uri>() else {
        return refuse("https://host:port");
    };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        Some("http") => refuse("https, because the token travels with every request"),
        _ => refuse("https://host:port"),
    }
}

fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::other(format!("authorities {}: {error}", path.display()))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn tls(pem: Option<&[u8]>) -> io::Result<TlsConfig> {
    let system;
    let pem = match pem {
        Some(pem) => pem,
        None => {
            let path = system_authorities()?;
            system = std::fs::read(&path).map_err(naming(&path))?;
            &system
        }
    };
    let certificates = certificates(pem);
    if certificates.is_empty() {
        return Err(io::Error::other("authorities: expected at least one certificate, PEM"));
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(provider())
        .build())
}

/// The certificates of a PEM text.
pub(crate) fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let all = parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    all.collect()
}

/// Where distributions keep the authorities they trust; `SSL_CERT_FILE` comes first.
fn system_authorities() -> io::Result<PathBuf> {
    const KNOWN: [&str; 5] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut candidates = named.into_iter().chain(KNOWN.map(PathBuf::from));
    candidates.find(|path| path.exists()).ok_or_else(|| {
        io::Error::other("no file of trusted authorities was found; name one with the CA option")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_clear_over_a_network() {
        assert!(check_address("http://127.0.0.1:8080").is_ok());
        assert!(check_address("http://[::1]:8080").is_ok());
        assert!(check_address("https://suanpan.example.org").is_ok());
        let error = check_address("http://10.0.0.1:8080").expect_err("clear text").to_string();
        assert!(error.contains("https"), "{error}");
        assert!(check_address("suanpan.example.org").is_err());
    }
}
