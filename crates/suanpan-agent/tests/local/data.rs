//! Data between two agents: real processes that are killed, disks that are full, bytes that flip.

use crate::fake::{Fake, State};
use crate::rig::Rig;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use suanpan_agent::data::chunker::manifest_of;
use suanpan_model::dataset::Manifest;
use suanpan_model::id::BlobHash;
use suanpan_model::job::{DatasetMount, End, PublishOutput};
use suanpan_wire::agent_data::{ChunkSource, Hold, Peer};

/// Bytes that do not compress and are the same each time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut out);
    out
}

/// A rig whose agent is known to others as `site`.
fn networked(site: &str) -> Rig {
    let rig = Rig::new();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let path = &rig.config.site_file;
    let text = fs::read_to_string(path).expect("the site file");
    let text = text.replace("site = \"here\"", &format!("site = \"{site}\""));
    fs::write(path, format!("{text}\n[peer]\nlisten = \"{address}\"\n")).expect("the site file");
    rig
}

fn peer_of(rig: &Rig, site: &str) -> Peer {
    let point = rig.fake.until("an inventory", |state| {
        state.inventories.last().and_then(|inventory| inventory.peer.clone())
    });
    Peer { site: site.to_owned(), point }
}

fn kill(child: &mut Child) {
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
}

/// Bytes of chunks that lie in an agent's store by themselves.
fn loose_bytes(rig: &Rig) -> u64 {
    let files = |dir: &Path| -> Vec<PathBuf> {
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let chunks = rig.config.state_dir.join("data/chunks");
    let all = files(&chunks).into_iter().flat_map(|fan| files(&fan));
    all.map(|path| fs::metadata(path).map_or(0, |found| found.len())).sum()
}

fn bytes_told(fake: &Fake) -> u64 {
    fake.transfers().iter().map(|transfer| transfer.bytes).sum()
}

fn whole(fake: &Fake, manifest: BlobHash, bytes: u64) {
    fake.until("a whole replica", |state| {
        let all = state.data_reports.iter().flat_map(|reports| &reports.replicas);
        let mut told = all.filter(|replica| replica.manifest == manifest);
        told.next_back().filter(|replica| replica.present_bytes == bytes).map(|_| ())
    });
}

#[test]
fn what_one_site_makes_another_reads_though_both_agents_are_killed() {
    let (maker, reader) = (networked("maker"), networked("reader"));
    let mut making = maker.spawn(&[]);
    let mut reading = reader.spawn(&[]);
    let (at_maker, at_reader) = (peer_of(&maker, "maker"), peer_of(&reader, "reader"));
    maker.fake.should_hold(|data| data.peers = vec![at_reader]);

    // A job's output becomes a dataset before the job is over.
    fs::write(maker.work().join("seed"), noise(30_000_000)).expect("the seed");
    let script = "cp seed $SUANPAN_OUTPUT_MODELS_NET/weights\n\
                  echo small > $SUANPAN_OUTPUTS/models--net/note";
    let mut launch = maker.launch(script);
    let name = "models/net".parse().expect("a name");
    launch.publish = vec![PublishOutput { name, path: "result".into() }];
    let outcome = maker.fake.end_of(maker.submit(1, &launch));
    assert_eq!((outcome.end, outcome.message.as_str()), (End::Exited { code: 0 }, ""));
    let new = maker.fake.with(|state| state.datasets.clone());
    assert_eq!((new.len(), new[0].name.as_str(), new[0].made_by.0), (1, "models/net", 1));
    let manifest: Manifest = new[0].manifest.clone();
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((paths, manifest.bytes()), (vec!["note", "weights"], 30_000_006));

    // Another site is to hold it for a job that waits for it.
    let hash = reader.fake.blob(serde_json::to_vec(&manifest).expect("a manifest"));
    let limit_bps = Some(24_000_000);
    let source = ChunkSource::Peer { site: "maker".into(), limit_bps };
    reader.fake.should_hold(|data| {
        data.peers = vec![at_maker];
        data.hold = vec![Hold { manifest: hash, sources: vec![source], staged_for: Vec::new() }];
    });
    let script = "cat $SUANPAN_INPUT_MODELS_NET/note in/net/note > seen\n\
                  ls $SUANPAN_INPUTS >> seen; sha256sum < in/net/weights > sum\n\
                  touch $SUANPAN_INPUT_MODELS_NET/new 2>> seen || true";
    let mut launch = reader.launch(script);
    let name = "models/net".parse().expect("a name");
    let path = Some("in/net".into());
    launch.datasets = vec![DatasetMount { name, version: 1, manifest: hash, path }];
    let job = reader.submit(7, &launch);

    // Each agent is killed while bytes flow.
    let until = |bytes: u64| {
        let began = Instant::now();
        while loose_bytes(&reader) < bytes {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", loose_bytes(&reader));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until(4_000_000);
    kill(&mut reading);
    let before = loose_bytes(&reader);
    assert_eq!(bytes_told(&reader.fake), 0, "it was killed before it told");
    reading = reader.spawn(&[]);
    until(before + 4_000_000);
    kill(&mut making);
    std::thread::sleep(Duration::from_secs(1));
    making = maker.spawn(&[]);

    let outcome = reader.fake.end_of(job);
    assert_eq!((outcome.end, outcome.message.as_str()), (End::Exited { code: 0 }, ""));
    let seen = reader.read("seen");
    assert!(seen.starts_with("small\nsmall\nmodels--net\n"), "{seen}");
    let seed = fs::File::open(maker.work().join("seed")).expect("the seed");
    let mut sum = Command::new("sha256sum");
    let sum = sum.stdin(seed).output().expect("sha256sum").stdout;
    assert_eq!(reader.read("sum").as_bytes(), sum);
    whole(&reader.fake, hash, 30_000_006);
    let after = bytes_told(&reader.fake);
    println!("{before} bytes were there at the kill, {after} came after it");
    assert_eq!(before + after, 30_000_006, "what was verified is not sent again");

    relays_what_is_missing(&maker, making, hash);
    kill(&mut reading);
}

/// A site that cannot be reached puts its chunks where others find them. Its agent is killed
/// meanwhile, and sends nothing again that was there.
fn relays_what_is_missing(maker: &Rig, mut making: Child, hash: BlobHash) {
    let stored = |state: &mut State| state.store.values().map(Vec::len).sum::<usize>();
    maker.fake.should_hold(|data| {
        data.relay = vec![hash];
        data.relay_limit_bps = Some(80_000_000);
    });
    maker.fake.until("some chunks in the store", |state| (stored(state) > 3_000_000).then_some(()));
    kill(&mut making);
    // What was on its way at the kill may still arrive.
    std::thread::sleep(Duration::from_millis(500));
    let there = maker.fake.with(|state| state.store.len());
    let mut making = maker.spawn(&[]);
    maker
        .fake
        .until("all chunks in the store", |state| (stored(state) == 30_000_006).then_some(()));
    let (puts, all) = maker.fake.with(|state| (state.puts as usize, state.store.len()));
    println!("{there} of {all} chunks were relayed before the kill");
    assert_eq!(puts, all, "each was sent once");
    kill(&mut making);
}

/// A dataset in a control plane's store.
fn stored(fake: &Fake, bytes: usize) -> (BlobHash, u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    fs::File::create(&path).and_then(|mut file| file.write_all(&noise(bytes))).expect("a file");
    let mut chunks = Vec::new();
    let manifest = manifest_of(&[path], &mut |chunk, bytes| {
        chunks.push((chunk.hash.to_string(), bytes.to_vec()));
        Ok(())
    });
    let manifest = manifest.expect("a manifest");
    fake.with(|state| state.store.extend(chunks));
    (fake.blob(serde_json::to_vec(&manifest).expect("a manifest")), manifest.bytes())
}

fn hold_from_store(fake: &Fake, manifest: BlobHash) {
    let sources = vec![ChunkSource::Store { limit_bps: None }];
    let hold = Hold { manifest, sources, staged_for: Vec::new() };
    fake.should_hold(|data| data.hold.push(hold));
}

fn error_told(fake: &Fake, words: &str) {
    fake.until(words, |state| {
        let all = state.data_reports.iter().flat_map(|reports| &reports.transfers);
        let mut errors = all.filter_map(|transfer| transfer.error.as_deref());
        errors.find(|error| error.contains(words)).map(|_| ())
    });
}

#[test]
fn a_flipped_byte_is_told_and_its_chunk_comes_again() {
    let mut rig = Rig::new();
    let (manifest, bytes) = stored(&rig.fake, 6_000_000);
    rig.fake.with(|state| state.flip = 1);
    rig.start();
    hold_from_store(&rig.fake, manifest);
    whole(&rig.fake, manifest, bytes);
    error_told(&rig.fake, "came changed");
    assert_eq!(bytes_told(&rig.fake), bytes, "{:?}", rig.fake.transfers());
}

#[test]
fn a_full_disk_is_told_and_the_transfer_goes_on_when_there_is_room() {
    let mut rig = Rig::new();
    let disk = rig.dir.path().join("disk");
    fs::create_dir(&disk).expect("a directory");
    let mount = |options: &str| {
        let words = ["-t", "tmpfs", "-o", options, "tmpfs"];
        Command::new("mount").args(words).arg(&disk).output().is_ok_and(|out| out.status.success())
    };
    if !mount("size=6m") {
        eprintln!("skipped: this account may not mount a small file system");
        return;
    }
    let path = &rig.config.site_file;
    let text = fs::read_to_string(path).expect("the site file");
    let data = disk.join("data");
    fs::write(path, format!("{text}\n[data]\ndir = \"{}\"\n", data.display())).expect("written");
    let (manifest, bytes) = stored(&rig.fake, 12_000_000);
    rig.start();
    hold_from_store(&rig.fake, manifest);
    error_told(&rig.fake, "no room left on the file system");
    assert!(!data.join("trees").join(manifest.to_string()).exists(), "nothing half is shown");
    assert!(mount("remount,size=40m"), "there is more room now");
    whole(&rig.fake, manifest, bytes);
    assert_eq!(bytes_told(&rig.fake), bytes, "{:?}", rig.fake.transfers());
    let _ = Command::new("umount").arg("-l").arg(&disk).output();
}

#[test]
fn outputs_that_cannot_be_published_are_said_so() {
    let rig = Rig::started();
    let mut launch = rig.launch("rmdir $SUANPAN_OUTPUT_NOTHING; true");
    let output = |name: &str, path: &str| PublishOutput {
        name: name.parse().expect("a name"),
        path: path.into(),
    };
    launch.publish = vec![output("nothing", "nothing"), output("empty", "empty")];
    let outcome = rig.fake.end_of(rig.submit(1, &launch));
    assert_eq!(outcome.end, End::Exited { code: 0 });
    let message = outcome.message;
    assert!(message.starts_with("outputs not published: `nothing`: "), "{message}");
    assert!(message.contains("`empty`: ") && message.contains("holds no file"), "{message}");
    // A payload that failed publishes nothing, and says nothing of it.
    let mut launch = rig.launch("echo x > $SUANPAN_OUTPUT_X/f; exit 3");
    launch.publish = vec![output("x", "x")];
    let outcome = rig.fake.end_of(rig.submit(2, &launch));
    assert_eq!((outcome.end, outcome.message.as_str()), (End::Exited { code: 3 }, ""));
    assert_eq!(rig.fake.with(|state| state.datasets.len()), 0);
}
