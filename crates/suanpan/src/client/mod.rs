//! Speaks to the server: one function per kind of request, patient where that is safe.

pub mod api;
pub mod settings;
pub mod sse;

use crate::failure::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use settings::Settings;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};
use suanpan_wire::v1::Problem;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Longest wait for a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Longest wait for an answer, beyond what the request itself asks the server to wait.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Bytes of each of a connection's buffers: one record of TLS. They are filled with zeros first, so
/// that those of the library, 128 KiB each, took a tenth of the time of a submission.
const BUFFER_BYTES: usize = 16 << 10;

/// How long a verb that ends at once goes on trying.
pub const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// How long a verb that follows a job goes on trying: a server's restart.
pub const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// Media type of the API's documents.
const JSON: &str = "application/json";

/// A connection to one server.
pub struct Client {
    agent: Agent,
    server: String,
    token: String,
    patience: Duration,
    /// Largest journal position seen, so that a read shows what this process just did.
    seen: Cell<u64>,
}

/// A request that may be sent again.
struct Request<'a> {
    method: &'static str,
    path: &'a str,
    query: &'a [(&'a str, String)],
    body: Option<Vec<u8>>,
    /// Media type of the body.
    kind: &'static str,
    key: Option<&'a str>,
    wait: Duration,
    /// `Some` asks for a stream of events, after the one with this id.
    events: Option<Option<&'a str>>,
}

impl Client {
    /// Prepares a connection; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Client, Failure> {
        let roots = match &settings.ca_file {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("suanpan/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIME))
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .build();
        Ok(Client {
            agent: Agent::new_with_config(config),
            server: settings.server,
            token: settings.token,
            patience: SHORT_PATIENCE,
            seen: Cell::new(0),
        })
    }

    /// The same, trying again for so long when the server cannot be reached.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Client {
        self.patience = patience;
        self
    }

    /// Reads a document.
    pub fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Failure> {
        self.get_waiting(path, query, Duration::ZERO)
    }

    /// Reads a document that the server may hold back for so long.
    pub fn get_waiting<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        wait: Duration,
    ) -> Result<T, Failure> {
        let (body, key, events) = (None, None, None);
        let kind = JSON;
        let request = Request { method: "GET", path, query, body, kind, key, wait, events };
        self.read(self.send(&request)?)
    }

    /// Sends a document. `key` makes the request one that may be repeated.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&str>,
    ) -> Result<T, Failure> {
        let body = body.map(|body| serde_json::to_vec(body).expect("wire types are JSON"));
        let (wait, events) = (Duration::ZERO, None);
        let kind = JSON;
        let request = Request { method: "POST", path, query: &[], body, kind, key, wait, events };
        self.read(self.send(&request)?)
    }

    /// Sends bytes; true once done, so they may be sent again.
    pub fn put_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let (body, key, wait, events) = (Some(bytes), None, Duration::ZERO, None);
        let kind = "application/octet-stream";
        let request = Request { method: "PUT", path, query: &[], body, kind, key, wait, events };
        let response = self.send(&request)?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(failure_of(response)),
        }
    }

    /// Reads bytes.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let (body, key, wait, events) = (None, None, Duration::ZERO, None);
        let kind = JSON;
        let request = Request { method: "GET", path, query: &[], body, kind, key, wait, events };
        let response = self.send(&request)?;
        if !response.status().is_success() {
            return Err(failure_of(response));
        }
        let mut body = response.into_body();
        body.with_config().limit(1 << 30).read_to_vec().map_err(|error| {
            Failure::unreachable(format!("the answer of {} broke off: {error}", self.server))
        })
    }

    /// Opens a stream of server-sent events, after the event with this id.
    pub fn stream(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<sse::Events<ureq::BodyReader<'static>>, Failure> {
        let request = Request {
            method: "GET",
            path,
            query: &[],
            body: None,
            kind: JSON,
            key: None,
            wait: Duration::ZERO,
            events: Some(last_id),
        };
        let response = self.send(&request)?;
        if response.status().is_success() {
            return Ok(sse::Events::new(response.into_body().into_reader()));
        }
        Err(failure_of(response))
    }

    /// Sends a request until it is answered or the patience is at its end. Everything sent here
    /// may be repeated: reads, actions that are true once done, submissions with a key.
    fn send(&self, request: &Request<'_>) -> Result<Response<Body>, Failure> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(100);
        let mut told = false;
        loop {
            let failure = match self.once(request) {
                Ok(response) if !is_passing(response.status()) => return Ok(response),
                Ok(response) => {
                    if let Some(asked) = retry_after(&response) {
                        pause = pause.max(asked);
                    }
                    failure_of(response)
                }
                Err(error) => self.unreachable(&error)?,
            };
            if began.elapsed() + pause > self.patience {
                return Err(failure);
            }
            if !told && began.elapsed() > Duration::from_secs(1) {
                told = true;
                crate::output::note(format!("{}; trying again", failure.message));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    fn once(&self, request: &Request<'_>) -> Result<Response<Body>, ureq::Error> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(self.address(request))
            .header("authorization", format!("Bearer {}", self.token));
        if request.method == "GET" && self.seen.get() > 0 && reads_views(request.path) {
            builder = builder.header("suanpan-seq", self.seen.get().to_string());
        }
        if let Some(key) = request.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(last_id) = request.events {
            builder = builder.header("accept", "text/event-stream");
            if let Some(id) = last_id {
                builder = builder.header("last-event-id", id);
            }
        }
        let time = Some(ANSWER_TIME + request.wait);
        // The server sends a line every ten seconds, so that silence is a broken connection.
        let silence = request.events.map(|_| Duration::from_secs(30));
        match &request.body {
            Some(body) => {
                let sent = builder.header("content-type", request.kind).body(&body[..])?;
                let configured = self.agent.configure_request(sent);
                self.agent
                    .run(configured.timeout_recv_response(time).timeout_per_read(silence).build())
            }
            None => {
                let sent = builder.body(())?;
                let configured = self.agent.configure_request(sent);
                self.agent
                    .run(configured.timeout_recv_response(time).timeout_per_read(silence).build())
            }
        }
    }

    fn address(&self, request: &Request<'_>) -> String {
        let mut address = format!("{}{}", self.server, request.path);
        for (index, (name, value)) in request.query.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            address.push_str(&percent(value));
        }
        address
    }

    /// The failure to report if it lasts; an error that trying again cannot mend is returned.
    fn unreachable(&self, error: &ureq::Error) -> Result<Failure, Failure> {
        let server = &self.server;
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                Err(Failure::usage(format!("the address {server} cannot be used: {error}")))
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Err(self.insecure(error)),
            ureq::Error::Io(io) if io.to_string().contains("certificate") => {
                Err(self.insecure(error))
            }
            // Also what an answer looks like that a crash cut short, so that it is tried again.
            ureq::Error::Protocol(_) => {
                Ok(Failure::unreachable(format!("{server} does not answer in HTTP: {error}"))
                    .hint("if it serves TLS, write https:// before its name"))
            }
            _ => Ok(Failure::unreachable(format!("cannot reach the server {server}: {error}"))
                .hint(
                    "is it running? `--server` or SUANPAN_SERVER names another; it is safe to \
                     try again",
                )),
        }
    }

    fn insecure(&self, error: &ureq::Error) -> Failure {
        Failure::unreachable(format!("no secure connection to {}: {error}", self.server))
            .hint("name the server's certificate, or its authority's, with --ca-file")
    }

    fn read<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T, Failure> {
        if !response.status().is_success() {
            return Err(failure_of(response));
        }
        let seq = response.headers().get("suanpan-seq").and_then(|seq| seq.to_str().ok());
        if let Some(seq) = seq.and_then(|seq| seq.parse().ok()) {
            self.seen.set(self.seen.get().max(seq));
        }
        let mut body = response.into_body();
        let bytes = body.with_config().limit(1 << 30).read_to_vec().map_err(|error| {
            Failure::unreachable(format!("the answer of {} broke off: {error}", self.server))
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::other(format!("the answer of {} is not understood: {error}", self.server))
                .hint("is it a Suanpan server, and of this version? see `suanpan --version`")
        })
    }
}

/// Reads that are answered from the views, and may wait until these show what was just done.
fn reads_views(path: &str) -> bool {
    !path.ends_with("/logs")
        && !path.ends_with("/why")
        && path != "/v1/version"
        && !path.starts_with("/v1/chunks/")
}

/// The server takes no work now, but will.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 502 | 503 | 504)
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn failure_of(response: Response<Body>) -> Failure {
    let status = response.status().as_u16();
    let text = response.into_body().with_config().limit(1 << 20).read_to_string();
    match serde_json::from_str::<Problem>(&text.unwrap_or_default()) {
        Ok(problem) => Failure::from_problem(problem),
        Err(_) => Failure::from_problem(Problem::new(
            status,
            "unexpected-answer",
            format!("the server answered with status {status} and no explanation"),
        )),
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let wrong = |what: String| Failure::usage(format!("--ca-file {}: {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    if found.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

/// Percent code for a query's value.
fn percent(value: &str) -> String {
    let mut coded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                coded.push(byte as char);
            }
            _ => coded.push_str(&format!("%{byte:02X}")),
        }
    }
    coded
}

/// A fresh random key for one submission.
pub fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::other(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn query_values_are_coded() {
        assert_eq!(percent("a b&c=ü"), "a%20b%26c%3D%C3%BC");
        assert_eq!(percent("R,PD"), "R,PD");
    }
}
