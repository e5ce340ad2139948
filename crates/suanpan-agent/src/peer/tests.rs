use super::*;
use crate::config::Shutdown;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use suanpan_model::id::BlobHash;
use suanpan_model::site::PeerPoint;
use suanpan_wire::agent_data::Peer;

/// Chunks in memory.
struct Chunks(BTreeMap<BlobHash, Vec<u8>>);

impl ChunkSource for Chunks {
    fn chunk(&self, _site: &str, hash: BlobHash) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(&hash).cloned())
    }
}

/// An agent `a` that listens and an agent `b` that connects, each known to the other.
struct Pair {
    address: SocketAddr,
    known_to_a: Directory,
    dialer: Dialer,
    a: BlobHash,
    shutdown: Shutdown,
}

impl Pair {
    fn new(chunks: Vec<Vec<u8>>) -> Pair {
        let identity = || {
            let dir = tempfile::tempdir().expect("a temporary directory");
            Arc::new(Identity::open(dir.path()).expect("an identity is made"))
        };
        let (a, b) = (identity(), identity());
        let known_to_a = Directory::default();
        known_to_a.replace(vec![peer("b", None, b.fingerprint())]);
        let hashed = chunks.into_iter().map(|chunk| (hash(&chunk), chunk)).collect();
        let any = "127.0.0.1:0".parse().expect("an address");
        let chunks = Arc::new(Chunks(hashed));
        let listener =
            Listener::bind(any, &a, known_to_a.clone(), chunks).expect("a free port is taken");
        let address = listener.address().expect("the address is known");
        let shutdown = Shutdown::default();
        let end = shutdown.clone();
        std::thread::spawn(move || listener.run(&end));
        let known_to_b = Directory::default();
        known_to_b.replace(vec![peer("a", Some(address), a.fingerprint())]);
        let (a, dialer) = (a.fingerprint(), Dialer::new(b, known_to_b));
        Pair { address, known_to_a, dialer, a, shutdown }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

fn peer(site: &str, address: Option<SocketAddr>, certificate: BlobHash) -> Peer {
    let address = address.map(|address| address.to_string());
    Peer { site: site.into(), point: PeerPoint { address, certificate } }
}

fn hash(bytes: &[u8]) -> BlobHash {
    BlobHash(*blake3::hash(bytes).as_bytes())
}

#[test]
fn an_identity_is_made_once_and_only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let first = Identity::open(dir.path()).expect("it is made");
    let again = Identity::open(dir.path()).expect("it is read");
    assert_eq!(first.fingerprint(), again.fingerprint());
    let mode = std::fs::metadata(dir.path().join("peer.json")).expect("the file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    std::fs::write(dir.path().join("peer.json"), "no").expect("the file is written");
    let error = Identity::open(dir.path()).expect_err("it is broken").to_string();
    assert!(error.contains("peer.json") && error.contains("remove it"), "{error}");
}

#[test]
fn agents_that_know_each_other_exchange_pings_probes_and_chunks() {
    let chunks = vec![vec![1; 3 << 20], vec![], vec![2; 77]];
    let pair = Pair::new(chunks.clone());
    let mut link = pair.dialer.connect("a").expect("it is connected");
    assert!(link.ping(Duration::from_secs(5)).expect("a pong") < Duration::from_secs(5));
    let mut last = 0;
    link.probe(1 << 20, |bytes, _| {
        last = bytes;
        Flow::More
    })
    .expect("a probe");
    assert_eq!(last, 1 << 20);
    let absent = hash(b"nobody has it");
    let asked = [hash(&chunks[0]), absent, hash(&chunks[1]), hash(&chunks[2])];
    link.ask_chunks(&asked).expect("asked");
    link.ask_chunks(&asked[..1]).expect("asked again before the answer");
    let mut got = Vec::new();
    let mut bytes = Vec::new();
    while let Some((name, held)) = link.next_chunk(&mut bytes).expect("an answer") {
        assert!(held == Held::NotHere || hash(&bytes) == name);
        got.push((name, held));
    }
    let here: Vec<_> = got.iter().map(|(_, held)| *held == Held::Here).collect();
    assert_eq!(here, [true, false, true, true, true]);
    assert_eq!(got[1].0, absent);
}

#[test]
fn certificates_that_are_not_known_are_refused_at_both_ends() {
    let pair = Pair::new(vec![]);
    // The listener has another certificate than the control plane says.
    let other = Directory::default();
    other.replace(vec![peer("a", Some(pair.address), hash(b"another"))]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let stranger = Arc::new(Identity::open(dir.path()).expect("an identity"));
    let error = Dialer::new(stranger.clone(), other.clone()).connect("a").err();
    assert!(matches!(error, Some(PeerError::Distrusted(_))), "{error:?}");
    // The listener does not know the one that connects.
    other.replace(vec![peer("a", Some(pair.address), pair.a)]);
    let link = Dialer::new(stranger, other).connect("a");
    let error = link.and_then(|mut link| link.ping(Duration::from_secs(5))).err();
    assert!(matches!(error, Some(PeerError::Distrusted(_) | PeerError::Broken(_))), "{error:?}");
    let unknown = pair.dialer.connect("c").err();
    assert!(matches!(unknown, Some(PeerError::Unknown(_))), "{unknown:?}");
}

#[test]
fn a_site_that_is_revoked_is_refused_on_its_open_connection() {
    let pair = Pair::new(vec![]);
    let mut link = pair.dialer.connect("a").expect("it is connected");
    link.ping(Duration::from_secs(5)).expect("a pong");
    pair.known_to_a.replace(vec![]);
    let error = link.ping(Duration::from_secs(5)).expect_err("it is revoked").to_string();
    assert!(error.contains("no longer accepted"), "{error}");
}

#[test]
fn a_peer_that_says_nothing_is_given_up_in_time() {
    // It accepts the connection and never answers the handshake.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let pair = Pair::new(vec![]);
    let address = silent.local_addr().expect("its address");
    pair.dialer.directory().replace(vec![peer("a", Some(address), pair.a)]);
    let began = Instant::now();
    let error = pair.dialer.connect("a").err();
    assert!(matches!(error, Some(PeerError::Late)), "{error:?}");
    assert!(began.elapsed() < PATIENCE + Duration::from_secs(5));
}

#[test]
fn a_connection_that_is_cut_ends_in_an_error_and_not_in_a_wait() {
    let pair = Pair::new(vec![vec![7; 8 << 20]]);
    let relay = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let through = relay.local_addr().expect("its address");
    let target = pair.address;
    // Passes the handshake and up to 1 MiB, then ends.
    std::thread::spawn(move || {
        let (near, _) = relay.accept().expect("a connection");
        let far = TcpStream::connect(target).expect("the agent is there");
        let (mut up, mut into) = (near.try_clone().expect("a handle"), far.try_clone().expect("a"));
        std::thread::spawn(move || io::copy(&mut up, &mut into));
        let (mut far, mut near) = (far, near);
        let mut bytes = [0; 4096];
        for _ in 0..256 {
            let read = far.read(&mut bytes).expect("bytes");
            near.write_all(&bytes[..read]).expect("they are passed on");
        }
        near.shutdown(std::net::Shutdown::Both).expect("it was open");
    });
    pair.dialer.directory().replace(vec![peer("a", Some(through), pair.a)]);
    let mut link = pair.dialer.connect("a").expect("it is connected");
    link.ask_chunks(&[hash(&vec![7; 8 << 20])]).expect("asked");
    let error = link.next_chunk(&mut Vec::new()).expect_err("it is cut");
    assert!(matches!(error, PeerError::Broken(_)), "{error:?}");
}

#[test]
fn bytes_that_are_no_protocol_end_the_connection_and_not_the_agent() {
    let pair = Pair::new(vec![]);
    let mut socket = TcpStream::connect(pair.address).expect("it is connected");
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let mut link = pair.dialer.connect("a").expect("it still answers");
    link.ping(Duration::from_secs(5)).expect("a pong");
}

/// Prints what the channel moves on this machine: `cargo test --release -p suanpan-agent
/// loopback_throughput -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn loopback_throughput() {
    let pair = Pair::new(vec![vec![9; 8 << 20]]);
    let mut link = pair.dialer.connect("a").expect("it is connected");
    let name = hash(&vec![9; 8 << 20]);
    let began = Instant::now();
    let count = 64;
    link.ask_chunks(&vec![name; count]).expect("asked");
    let mut bytes = Vec::new();
    while link.next_chunk(&mut bytes).expect("a chunk").is_some() {}
    let rate = (count * (8 << 23)) as f64 / began.elapsed().as_secs_f64() / 1e9;
    println!("{rate:.2} Gbit/s on loopback");
}
