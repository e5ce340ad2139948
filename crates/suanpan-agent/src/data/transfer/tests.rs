use super::*;
use crate::data::chunker::chunk_of;
use crate::data::store::manifest_bytes;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use suanpan_model::dataset::{FileEntry, Mode};

fn bytes_of(number: u32) -> Vec<u8> {
    number.to_le_bytes().iter().cycle().take(10_000 + number as usize).copied().collect()
}

fn manifest(chunks: u32) -> (BlobHash, Manifest) {
    let chunks = (0..chunks).map(|number| chunk_of(&bytes_of(number))).collect();
    let manifest =
        Manifest { files: vec![FileEntry { path: "f".into(), mode: Mode::Plain, chunks }] };
    (manifest_bytes(&manifest).0, manifest)
}

/// How one site behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Good,
    /// Has every second chunk.
    Half,
    /// Flips a byte of each third chunk.
    Flips,
    /// Is there only once a byte was flipped elsewhere.
    Late,
    /// Its connections break after three chunks.
    Breaks,
    Unreachable,
}

struct Sites {
    manners: Vec<(&'static str, Manner)>,
    sent: Arc<Mutex<Vec<(String, BlobHash)>>>,
    flipped: Arc<AtomicBool>,
}

struct Site {
    name: String,
    manner: Manner,
    flipped: Arc<AtomicBool>,
    asked: VecDeque<BlobHash>,
    answered: u32,
    sent: Arc<Mutex<Vec<(String, BlobHash)>>>,
}

impl Fetch for Sites {
    fn connect(&self, source: &ChunkSource) -> Result<Box<dyn Stream>, String> {
        let site = name(source).unwrap_or("store").to_owned();
        let manner = self.manners.iter().find(|(name, _)| *name == site).expect("a known site").1;
        if manner == Manner::Unreachable {
            return Err(format!("{site}: connection refused"));
        }
        while manner == Manner::Late && !self.flipped.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let (sent, flipped) = (Arc::clone(&self.sent), Arc::clone(&self.flipped));
        Ok(Box::new(Site {
            name: site,
            manner,
            flipped,
            asked: VecDeque::new(),
            answered: 0,
            sent,
        }))
    }
}

impl Stream for Site {
    fn ask(&mut self, hashes: &[BlobHash]) -> Result<(), String> {
        self.asked.extend(hashes);
        Ok(())
    }

    fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String> {
        let hash = self.asked.pop_front().expect("something was asked for");
        self.answered += 1;
        let number = (0..400).find(|number| chunk_of(&bytes_of(*number)).hash == hash);
        let number = number.expect("a chunk of the manifest");
        match self.manner {
            Manner::Half if number % 2 == 0 => return Ok(false),
            Manner::Breaks if self.answered > 3 => return Err("the connection broke".to_owned()),
            _ => {}
        }
        *bytes = bytes_of(number);
        if self.manner == Manner::Flips && number % 3 == 0 {
            bytes[77] ^= 1;
            self.flipped.store(true, Ordering::SeqCst);
        } else {
            self.sent.lock().expect("no panic").push((self.name.clone(), hash));
        }
        Ok(true)
    }
}

fn sources(names: &[&str]) -> Vec<ChunkSource> {
    let peer = |name: &&str| ChunkSource::Peer { site: (*name).to_owned(), limit_bps: None };
    names.iter().map(peer).collect()
}

fn run(store: &Store, manners: &[(&'static str, Manner)], count: u32) -> (Done, usize) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let flipped = Arc::default();
    let sites = Sites { manners: manners.to_vec(), sent: Arc::clone(&sent), flipped };
    let (hash, manifest) = manifest(count);
    let progress = Arc::new(Progress::new(manifest.bytes()));
    let (paces, shutdown) = (Paces::default(), Shutdown::default());
    let transfer = Transfer { store, fetch: &sites, paces: &paces, shutdown: &shutdown, progress };
    let names: Vec<&str> = manners.iter().map(|(name, _)| *name).collect();
    let before = store.used();
    let done = transfer.run(hash, &manifest, &sources(&names));
    let sent = sent.lock().expect("no panic").clone();
    let once: BTreeSet<BlobHash> = sent.iter().map(|(_, hash)| *hash).collect();
    assert_eq!(once.len(), sent.len(), "no good chunk is sent twice");
    if done.failure.is_none() {
        assert_eq!(store.present_bytes(&manifest), manifest.bytes());
        let moved: u64 = done.reports.iter().map(|report| report.bytes).sum();
        assert_eq!(moved, store.used() - before);
    }
    (done, sent.len())
}

#[test]
fn several_sources_share_the_work() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let (done, sent) = run(&store, &[("a", Manner::Good), ("b", Manner::Half)], 200);
    assert_eq!((done.failure, sent), (None, 200));
    // Nothing is missing any more, so nothing is asked for.
    let (done, sent) = run(&store, &[("a", Manner::Good)], 200);
    assert_eq!((done.failure, sent, done.reports.len()), (None, 0, 0));
}

#[test]
fn a_flipped_byte_is_found_reported_and_asked_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let (done, sent) = run(&store, &[("bad", Manner::Flips), ("good", Manner::Late)], 120);
    assert_eq!((done.failure, sent), (None, 120));
    let told = |report: &&TransferReport| {
        let came = report.error.as_deref().is_some_and(|error| error.contains("came changed"));
        came && report.from.as_deref() == Some("bad")
    };
    assert!(done.reports.iter().any(|report| told(&report)), "{:?}", done.reports);
    // With nobody else to ask it is an error, and the others are there.
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let (done, sent) = run(&store, &[("bad", Manner::Flips)], 30);
    assert_eq!(
        (done.failure.as_deref(), sent),
        (Some("10 chunks are missing: no source has them"), 20)
    );
}

#[test]
fn sources_that_fail_are_left_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let manners =
        [("gone", Manner::Unreachable), ("breaks", Manner::Breaks), ("good", Manner::Good)];
    let (done, sent) = run(&store, &manners, 60);
    assert_eq!((done.failure, sent), (None, 60));
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), None).expect("a store");
    let (done, _) = run(&store, &[("gone", Manner::Unreachable)], 5);
    let failure = done.failure.expect("it fails");
    assert_eq!(failure, "5 chunks are missing: gone: connection refused");
    assert_eq!(
        run(&store, &[], 5).0.failure.expect("it fails"),
        "5 chunks are missing: there is no source"
    );
    // One whose connections break again and again still gets there: each brings some.
    let (done, sent) = run(&store, &[("breaks", Manner::Breaks)], 5);
    assert_eq!((done.failure, sent), (None, 5));
}

#[test]
fn a_full_store_ends_a_transfer_with_its_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), Some(100_000)).expect("a store");
    let (done, _) = run(&store, &[("a", Manner::Good)], 50);
    let failure = done.failure.expect("it fails");
    assert!(failure.contains("quota for data is full"), "{failure}");
    assert!(store.used() <= 100_000);
    // Tried again with more room, it goes on where it was.
    let before = store.used();
    store.set_quota(None);
    let (done, sent) = run(&store, &[("a", Manner::Good)], 50);
    assert_eq!(done.failure, None);
    assert!(before > 0 && sent < 50, "{before} bytes were there, {sent} chunks came");
}
