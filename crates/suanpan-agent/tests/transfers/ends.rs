//! The two ends of a link: this test's own binary, started again inside the lab's places.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use suanpan_agent::Shutdown;
use suanpan_agent::data::chunker::manifest_of;
use suanpan_agent::data::fetch::{Fetch, Stream};
use suanpan_agent::data::pace::Paces;
use suanpan_agent::data::store::{Store, manifest_bytes};
use suanpan_agent::data::transfer::{Progress, Transfer};
use suanpan_agent::peer::{Dialer, Directory, Flow, Identity, Listener};
use suanpan_model::dataset::Manifest;
use suanpan_model::id::BlobHash;
use suanpan_model::site::PeerPoint;
use suanpan_wire::agent_data::{ChunkSource, Peer};

/// What is written before each line that the parent reads.
pub const SAYS: &str = "says ";

/// Reaches the one peer there is.
struct Link(Dialer);

impl Fetch for Link {
    fn connect(&self, _: &ChunkSource) -> Result<Box<dyn Stream>, String> {
        let link = self.0.connect("peer").map_err(|error| error.to_string())?;
        Ok(Box::new(link))
    }
}

fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn say(text: &str) {
    println!("{SAYS}{text}");
    std::io::stdout().flush().expect("the parent reads");
}

/// One end, if the environment says which; nothing otherwise.
#[test]
fn end() {
    let Some(role) = var("SUANPAN_TEST_END") else { return };
    let dir = PathBuf::from(var("SUANPAN_TEST_DIR").expect("a directory"));
    let address = var("SUANPAN_TEST_ADDRESS").expect("an address");
    let certificate = var("SUANPAN_TEST_PEER").and_then(|text| BlobHash::from_hex(&text));
    let certificate = certificate.expect("a certificate's hash");
    let identity = Identity::open(&dir).expect("an identity");
    let directory = Directory::default();
    let point = PeerPoint { address: Some(address.clone()), certificate };
    directory.replace(vec![Peer { site: "peer".into(), point }]);
    match role.as_str() {
        "serve" => serve(&dir, &address, &identity, directory),
        _ => fetch(&dir, &Dialer::new(Arc::new(identity), directory)),
    }
}

/// Makes one large dataset and answers for its chunks.
fn serve(dir: &Path, address: &str, identity: &Identity, directory: Directory) {
    let bytes: u64 = var("SUANPAN_TEST_BYTES").and_then(|n| n.parse().ok()).expect("a number");
    let file = dir.join("noise");
    let mut noise = blake3::Hasher::new().finalize_xof();
    let out = fs::File::create(&file).expect("a file");
    std::io::copy(&mut std::io::Read::take(&mut noise, bytes), &mut &out).expect("noise");
    let store = Store::open(&dir.join("data"), None).expect("a store");
    let manifest = manifest_of(std::slice::from_ref(&file), &mut |chunk, bytes| {
        store.put(chunk, bytes).map_err(std::io::Error::other)
    });
    fs::remove_file(file).expect("it is in the store");
    let (_, bytes) = manifest_bytes(&manifest.expect("a manifest"));
    fs::write(dir.join("manifest"), bytes).expect("the manifest");
    let address = address.parse().expect("an address");
    let listener = Listener::bind(address, identity, directory, Arc::new(store)).expect("bound");
    say("ready");
    listener.run(&Shutdown::default());
}

/// Does what each line on standard input asks: `probe BYTES` or `get BYTES`.
fn fetch(dir: &Path, dialer: &Dialer) {
    let manifest = fs::read(dir.join("manifest")).expect("the manifest");
    let manifest: Manifest = serde_json::from_slice(&manifest).expect("a manifest");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (verb, bytes) = line.split_once(' ').expect("a verb and a number");
        let bytes: u64 = bytes.parse().expect("a number");
        match verb {
            "probe" => probe(dialer, bytes),
            _ => get(dir, dialer, &manifest, bytes),
        }
    }
}

/// What an agent believes of a link that it measured once: the rate of the second half, and the
/// round trip.
fn probe(dialer: &Dialer, bytes: u64) {
    let mut link = dialer.connect("peer").expect("a link");
    let trip = (0..5).map(|_| link.ping(Duration::from_secs(5)).expect("an answer")).min();
    let mut arrivals = Vec::new();
    let arrived = |so_far, at| {
        arrivals.push((so_far, at));
        Flow::More
    };
    link.probe(bytes, arrived).expect("the probe's bytes");
    let middle = arrivals.partition_point(|(so_far, _): &(u64, Instant)| *so_far < bytes / 2);
    let (half, began) = arrivals[middle];
    let (_, ended) = arrivals[arrivals.len() - 1];
    let seconds = (ended - began).as_secs_f64();
    let rate = (bytes - half) as f64 * 8.0 / seconds;
    let trip = trip.expect("five pings").as_micros();
    say(&format!("{bytes} {trip} {rate:.0}"));
}

fn get(dir: &Path, dialer: &Dialer, manifest: &Manifest, bytes: u64) {
    let mut part = manifest.clone();
    let mut so_far = 0;
    part.files[0].chunks.retain(|chunk| {
        let wanted = so_far < bytes;
        so_far += if wanted { u64::from(chunk.bytes) } else { 0 };
        wanted
    });
    let data = dir.join("fetched");
    let _ = fs::remove_dir_all(&data);
    let store = Store::open(&data, None).expect("a store");
    let (hash, _) = manifest_bytes(&part);
    let missing = part.bytes();
    let fetch = Link(dialer.clone());
    let transfer = Transfer {
        store: &store,
        fetch: &fetch,
        paces: &Paces::default(),
        shutdown: &Shutdown::default(),
        progress: Arc::new(Progress::new(missing)),
    };
    let sources = [ChunkSource::Peer { site: "peer".into(), limit_bps: None }];
    let began = Instant::now();
    let done = transfer.run(hash, &part, &sources);
    let took = began.elapsed().as_micros();
    assert_eq!(done.failure, None);
    drop(store);
    fs::remove_dir_all(&data).expect("it goes");
    let rate = done.rates.first().map_or(0, |rate| rate.bits_per_s);
    say(&format!("{missing} {took} {rate}"));
}
