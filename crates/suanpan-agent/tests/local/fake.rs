//! A control plane as small as the agent protocol allows, in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use suanpan_model::dataset::Manifest;
use suanpan_model::id::{AllocationId, BlobHash, Generation};
use suanpan_site::order::{Desired, Order, RunOrder, StopReason};
use suanpan_site::report::{Fact, Outcome, Report};
use suanpan_wire::agent::{
    Digest, Inventory, LogChunk, LogRequest, OrdersAnswer, Reports, digest_of,
};
use suanpan_wire::agent_data::{
    DataAnswer, DataReports, MissingChunks, NewDataset, Registered, TransferReport,
};

/// The fake's token.
pub const TOKEN: &str = "test-token";

#[derive(Default)]
pub struct State {
    pub version: u64,
    pub orders: BTreeMap<AllocationId, (u64, Order)>,
    pub removed: Vec<(u64, AllocationId)>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub reports: Vec<Report>,
    pub ended: BTreeMap<AllocationId, Outcome>,
    pub inventories: Vec<Inventory>,
    pub log_requests: Vec<LogRequest>,
    pub chunks: BTreeMap<u64, LogChunk>,
    pub polls: u64,
    /// Reports that are answered with an error, to see them again.
    pub refuse_reports: u32,
    /// What the site should hold.
    pub data: DataAnswer,
    pub data_reports: Vec<DataReports>,
    /// Outputs that were registered.
    pub datasets: Vec<NewDataset>,
    /// The store of chunks.
    pub store: BTreeMap<String, Vec<u8>>,
    /// Chunks that were put into it, those that were there already counted again.
    pub puts: u32,
    /// Chunks of the store that are answered with a flipped byte.
    pub flip: u32,
    /// While false, every request is answered 503.
    pub down: bool,
}

#[derive(Clone)]
pub struct Fake {
    pub url: String,
    pub state: Arc<(Mutex<State>, Condvar)>,
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fake = Fake { url, state: Arc::default() };
        let server = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        fake
    }

    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let result = f(&mut self.state.0.lock().expect("no holder panics"));
        self.state.1.notify_all();
        result
    }

    pub fn blob(&self, bytes: Vec<u8>) -> BlobHash {
        let hash = BlobHash(*blake3::hash(&bytes).as_bytes());
        self.with(|state| state.blobs.insert(hash.to_string(), bytes));
        hash
    }

    pub fn order(&self, id: u64, generation: u32, desired: Desired) -> AllocationId {
        let allocation = AllocationId(id);
        let order = Order { allocation, generation: Generation(generation), desired };
        self.with(|state| {
            state.version += 1;
            let version = state.version;
            state.orders.insert(allocation, (version, order));
        });
        allocation
    }

    pub fn run(&self, id: u64, run: RunOrder) -> AllocationId {
        self.order(id, 1, Desired::Run(Box::new(run)))
    }

    pub fn stop(&self, id: AllocationId) {
        self.order(id.0, 2, Desired::Stop(StopReason::Cancelled));
    }

    /// Waits until something is true.
    pub fn until<T>(&self, what: &str, mut f: impl FnMut(&mut State) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut state = self.state.0.lock().expect("no holder panics");
        loop {
            if let Some(value) = f(&mut state) {
                return value;
            }
            assert!(Instant::now() < deadline, "waited too long: {what}: {:?}", state.reports);
            let wait = Duration::from_millis(100);
            state = self.state.1.wait_timeout(state, wait).expect("no holder panics").0;
        }
    }

    pub fn end_of(&self, id: AllocationId) -> Outcome {
        self.until(&format!("end of {id}"), |state| state.ended.get(&id).cloned())
    }

    pub fn started(&self, id: AllocationId) {
        self.until(&format!("start of {id}"), |state| {
            let ours = |report: &&Report| report.allocation == id && report.fact == Fact::Started;
            state.reports.iter().find(ours).map(|_| ())
        });
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        let mut writer = stream;
        while let Some((method, path, headers, body)) = read_request(&mut reader) {
            let (status, answer) = self.answer(&method, &path, &headers, &body);
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", answer.len());
            if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&answer)).is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let lower = headers.to_ascii_lowercase();
        assert!(lower.contains(&format!("authorization: bearer {TOKEN}")), "{headers}");
        assert!(lower.contains("suanpan-agent-protocol: 1"), "{headers}");
        if self.with(|state| state.down) {
            return (503, b"down".to_vec());
        }
        match (method, path.split('?').next().unwrap_or(path)) {
            ("POST", "/v1/agent/inventory") => {
                let inventory = serde_json::from_slice(body).expect("an inventory");
                self.with(|state| state.inventories.push(inventory));
                (200, br#"{"cluster":1,"contact_period_s":60}"#.to_vec())
            }
            ("GET", "/v1/agent/orders") => (200, self.poll(path)),
            ("POST", "/v1/agent/reports") => (self.take_reports(body), Vec::new()),
            ("POST", "/v1/agent/log-chunks") => {
                let chunk: LogChunk = serde_json::from_slice(body).expect("a chunk");
                self.with(|state| state.chunks.insert(chunk.request, chunk));
                (204, Vec::new())
            }
            ("GET", "/v1/agent/data") => (200, self.poll_data(path)),
            ("POST", "/v1/agent/data-reports") => {
                let reports = serde_json::from_slice(body).expect("reports about data");
                self.with(|state| state.data_reports.push(reports));
                (204, Vec::new())
            }
            ("POST", "/v1/agent/datasets") => {
                let new: NewDataset = serde_json::from_slice(body).expect("a dataset");
                let bytes = serde_json::to_vec(&new.manifest).expect("a manifest");
                self.with(|state| state.datasets.push(new));
                let manifest = self.blob(bytes);
                let registered = Registered { version: 1, manifest };
                (200, serde_json::to_vec(&registered).expect("an answer"))
            }
            ("GET", path) if path.starts_with("/v1/agent/missing/") => {
                (200, self.missing(path.rsplit('/').next().unwrap_or_default()))
            }
            ("PUT", path) if path.starts_with("/v1/agent/chunks/") => {
                let hash = path.rsplit('/').next().unwrap_or_default().to_owned();
                self.with(|state| {
                    state.puts += 1;
                    state.store.insert(hash, body.to_vec())
                });
                (204, Vec::new())
            }
            ("GET", path) if path.starts_with("/v1/agent/chunks/") => self.with(|state| {
                let hash = path.rsplit('/').next().unwrap_or_default();
                let Some(mut bytes) = state.store.get(hash).cloned() else {
                    return (404, b"no such chunk".to_vec());
                };
                if state.flip > 0 {
                    state.flip -= 1;
                    bytes[0] ^= 1;
                }
                (200, bytes)
            }),
            ("GET", path) => {
                let hash = path.rsplit('/').next().unwrap_or_default();
                match self.with(|state| state.blobs.get(hash).cloned()) {
                    Some(bytes) => (200, bytes),
                    None => (404, b"no such blob".to_vec()),
                }
            }
            _ => (404, Vec::new()),
        }
    }

    fn missing(&self, manifest: &str) -> Vec<u8> {
        self.with(|state| {
            let manifest = &state.blobs[manifest];
            let manifest: Manifest = serde_json::from_slice(manifest).expect("a manifest");
            let chunks = manifest.chunks().map(|chunk| chunk.hash);
            let chunks = chunks.filter(|hash| !state.store.contains_key(&hash.to_string()));
            serde_json::to_vec(&MissingChunks { chunks: chunks.collect() }).expect("an answer")
        })
    }

    fn take_reports(&self, body: &[u8]) -> u16 {
        let reports: Reports = serde_json::from_slice(body).expect("reports");
        self.with(|state| {
            if state.refuse_reports > 0 {
                state.refuse_reports -= 1;
                return 500;
            }
            for report in reports.reports {
                if let Fact::Ended(outcome) = &report.fact {
                    state.ended.entry(report.allocation).or_insert_with(|| outcome.clone());
                    if state.orders.remove(&report.allocation).is_some() {
                        state.version += 1;
                        state.removed.push((state.version, report.allocation));
                    }
                }
                state.reports.push(report);
            }
            204
        })
    }

    /// States what the site should hold.
    pub fn should_hold(&self, f: impl FnOnce(&mut DataAnswer)) {
        self.with(|state| {
            f(&mut state.data);
            state.data.version += 1;
        });
    }

    /// Every transfer that was told.
    pub fn transfers(&self) -> Vec<TransferReport> {
        let all = |state: &mut State| {
            state.data_reports.iter().flat_map(|reports| reports.transfers.clone()).collect()
        };
        self.with(all)
    }

    fn poll_data(&self, path: &str) -> Vec<u8> {
        let since = path.split("since=").nth(1).and_then(|rest| rest.split('&').next());
        let since: u64 = since.and_then(|text| text.parse().ok()).expect("since is a number");
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut state = self.state.0.lock().expect("no holder panics");
        while state.data.version == since && Instant::now() < deadline {
            let wait = Duration::from_millis(100);
            state = self.state.1.wait_timeout(state, wait).expect("no holder panics").0;
        }
        serde_json::to_vec(&state.data).expect("an answer")
    }

    fn poll(&self, path: &str) -> Vec<u8> {
        let field = |name: &str| -> u64 {
            let query = path.split('?').nth(1).unwrap_or_default();
            let value = query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).expect("since and wait are numbers")
        };
        let (since, wait) = (field("since"), field("wait"));
        let deadline = Instant::now() + Duration::from_secs(wait);
        let mut state = self.state.0.lock().expect("no holder panics");
        state.polls += 1;
        // A real server starts from version 1, so that 0 always means everything.
        state.version = state.version.max(1);
        while since > 0
            && state.version <= since
            && state.log_requests.is_empty()
            && Instant::now() < deadline
        {
            let wait = Duration::from_millis(100);
            state = self.state.1.wait_timeout(state, wait).expect("no holder panics").0;
        }
        let whole = since == 0 || since > state.version;
        let orders = || state.orders.values();
        let mut answer = OrdersAnswer {
            version: state.version,
            whole: whole.then(|| orders().map(|(_, order)| order.clone()).collect()),
            changed: Vec::new(),
            removed: Vec::new(),
            digest: Digest {
                count: state.orders.len() as u64,
                sum: orders().fold(0, |sum, (_, order)| sum ^ digest_of(order)),
            },
            log_requests: Vec::new(),
        };
        if !whole {
            let newer = orders().filter(|(version, _)| *version > since);
            answer.changed = newer.map(|(_, order)| order.clone()).collect();
            let gone = state.removed.iter().filter(|(version, _)| *version > since);
            let gone: BTreeSet<AllocationId> = gone.map(|(_, id)| *id).collect();
            answer.removed = gone.into_iter().collect();
        }
        answer.log_requests = std::mem::take(&mut state.log_requests);
        serde_json::to_vec(&answer).expect("an answer")
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = String::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|&length| length > 0)?;
        if header == "\r\n" {
            break;
        }
        headers.push_str(&header);
    }
    let length = headers.to_ascii_lowercase().lines().find_map(|header| {
        header.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, headers, body))
}
