//! Durable means durable: whatever a power cut takes away of what was not synced, every record that
//! `append` had acknowledged is there afterwards, and the chain is clean.
//!
//! A child process appends and tells each acknowledged record; it is killed at some moment; then
//! `power_cut/replay.rs` takes away a random part of the unsynced writes. The child recovers from
//! that damage itself in the next round, while this test looks at a copy.
//!
//! `POWER_CUT_SEEDS=n` runs more seeds than the few of a normal test run.

#[path = "power_cut/replay.rs"]
mod replay;

use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use replay::Damage;
use suanpan_journal::{Append, Blob, Journal, verify};

const ROUNDS: u64 = 4;

/// SplitMix64: what a seed or a sequence number stands for.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The body of record `seq` is known without being remembered. Some are longer than a page.
fn body(seq: u64) -> Vec<u8> {
    let length = match mix(seq) % 8 {
        0 => mix(seq ^ 1) % 12_000,
        _ => mix(seq ^ 1) % 300,
    };
    (0..length).map(|at| mix(seq.wrapping_mul(31).wrapping_add(at)) as u8).collect()
}

/// Every third record has a blob that goes with it.
fn blob(seq: u64) -> Option<Blob> {
    seq.is_multiple_of(3).then(|| Blob::new(body(seq ^ 0x5EED_0000)))
}

/// Not a test by itself: the process that is killed. Runs for ever.
#[test]
fn child_that_appends() {
    let Ok(dir) = std::env::var("POWER_CUT_CHILD") else { return };
    let dir = PathBuf::from(dir);
    let mut salt =
        std::env::var("POWER_CUT_SALT").expect("set by the parent").parse().expect("u64");
    let _failpoints = fail::FailScenario::setup();
    loop {
        let mut journal = Journal::open(&dir).expect("the journal opens after a power cut");
        // Close and open now and then: the last connection to close removes the WAL.
        for _ in 0..40 {
            salt = mix(salt);
            append_some(&mut journal, 1 + salt % 12);
            if salt.is_multiple_of(16) {
                let seq = journal.last_seq();
                match journal.put_checkpoint(seq, 1, &body(seq)) {
                    Ok(()) => say(&format!("checkpoint {seq}")),
                    Err(error) => assert!(error.is_disk_full(), "no checkpoint: {error}"),
                }
            }
        }
    }
}

fn append_some(journal: &mut Journal, count: u64) {
    let first = journal.last_seq() + 1;
    let batch: Vec<Append> = (first..first + count)
        .map(|seq| Append { seq, at_us: seq as i64 * 10, body: body(seq) })
        .collect();
    let blobs: Vec<Blob> = (first..first + count).filter_map(blob).collect();
    while let Err(error) = journal.append(&batch, &blobs) {
        assert!(error.is_disk_full(), "the journal failed: {error}");
        say("full 0");
        std::thread::sleep(Duration::from_millis(5));
    }
    say(&format!("acknowledged {}", journal.last_seq()));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// A data directory, the log beside it, and what the child was told is durable.
struct Scene {
    place: tempfile::TempDir,
    library: PathBuf,
    acknowledged: u64,
    checkpoint: u64,
}

impl Scene {
    fn new(library: &Path) -> Scene {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        for name in ["data", "log"] {
            std::fs::create_dir(place.path().join(name)).expect("a directory in it");
        }
        Scene { place, library: library.to_owned(), acknowledged: 0, checkpoint: 0 }
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }

    fn start(&self, salt: u64, failpoints: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this test's own path"));
        command
            .args(["--exact", "child_that_appends", "--nocapture", "--test-threads=1"])
            .env("POWER_CUT_CHILD", self.data())
            .env("POWER_CUT_SALT", salt.to_string())
            .env("FAILPOINTS", failpoints)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        replay::watch(&mut command, &self.library, &self.data(), &self.log());
        command.spawn().expect("the child starts")
    }

    /// Listens to the child until `enough` lines came or it died, kills it and hears it out.
    fn listen(&mut self, mut child: Child, enough: u64, mut on_line: impl FnMut(&str)) {
        let out = BufReader::new(child.stdout.take().expect("piped above"));
        let mut heard = 0;
        for line in out.lines() {
            let line = line.expect("the child speaks UTF-8");
            let mut words = line.split(' ');
            let (word, number) = (words.next(), words.next().and_then(|text| text.parse().ok()));
            match (word, number) {
                (Some("acknowledged"), Some(seq)) => self.acknowledged = seq,
                (Some("checkpoint"), Some(seq)) => self.checkpoint = seq,
                (Some("full"), Some(0)) => {}
                _ => continue,
            }
            on_line(&line);
            heard += 1;
            if heard == enough {
                child.kill().expect("the child can be killed");
            }
        }
        let status = child.wait().expect("the child can be waited for");
        // By this test or by a failpoint; anything else is the child's own failure.
        assert_eq!(status.signal(), Some(9), "the child ended with {status}");
    }

    /// What is wrong with the data directory after the power cut, if anything is.
    fn fault(&self) -> Option<String> {
        let copy = tempfile::tempdir_in(self.place.path()).expect("a directory");
        copy_dir(&self.data(), copy.path());
        let journal = match Journal::open(copy.path()) {
            Ok(journal) => journal,
            Err(error) => return Some(error.to_string()),
        };
        if journal.last_seq() < self.acknowledged {
            let last = journal.last_seq();
            return Some(format!("{} was acknowledged, {last} is the last", self.acknowledged));
        }
        let mut wrong = None;
        let read = journal.read_from(0, |record| {
            let stored = blob(record.seq).is_none_or(|blob| {
                journal.blob(&blob.hash).is_ok_and(|stored| stored == Some(blob.body))
            });
            if record.body != body(record.seq) || !stored {
                wrong = Some(format!("record {} or its blob is another", record.seq));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let checkpoint = journal.latest_checkpoint().expect("the directory can be read");
        let standing = checkpoint.map_or(0, |checkpoint| checkpoint.seq);
        if standing < self.checkpoint {
            wrong = Some(format!("checkpoint {} is gone, {standing} is there", self.checkpoint));
        }
        drop(journal);
        let verified = verify(copy.path(), |_, _| {}).expect("it could be opened just now");
        wrong.or(read.err().map(|error| error.to_string())).or_else(|| {
            verified.problems.first().map(|problem| format!("verify: {}", problem.what))
        })
    }
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("a directory");
            copy_dir(&entry.path(), &target);
        // Shared memory does not survive a power cut.
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

fn library(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_cut/power_cut.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("power_cut_{name}.so"));
    replay::compile(&source, &library).expect("a C compiler is there");
    library
}

/// Some rounds end at a failpoint inside an append, the others at any moment.
fn failpoints(salt: u64) -> String {
    let point = match salt % 6 {
        0 => ";journal-before-write=2%return",
        1 => ";journal-before-sync=2%return",
        2 => ";journal-after-sync=2%return",
        _ => "",
    };
    format!("journal-wal-eager=return{point}")
}

#[test]
fn a_power_cut_loses_no_acknowledged_record() {
    let library = library("green");
    let seeds = std::env::var("POWER_CUT_SEEDS").map_or(10, |text| text.parse().expect("a count"));
    let mut all = Damage::default();
    for seed in 0..seeds {
        let mut scene = Scene::new(&library);
        for round in 0..ROUNDS {
            let salt = mix(seed * ROUNDS + round);
            let child = scene.start(salt, &failpoints(salt));
            scene.listen(child, 1 + mix(salt) % 120, |_| {});
            let damage = replay::replay(&scene.log(), salt).expect("the power cut is played");
            let fault = scene.fault();
            assert_eq!(fault, None, "seed {seed}, round {round}: {damage}");
            all.syncs += damage.syncs;
            all.unsynced += damage.unsynced;
            all.discarded += damage.discarded;
            all.torn += damage.torn;
            all.names += damage.names;
        }
    }
    println!("{seeds} seeds of {ROUNDS} rounds: {all}");
    assert!(all.discarded > 0 && all.torn > 0, "nothing was ever taken away: {all}");
}

#[test]
fn without_syncs_the_same_test_turns_red() {
    let library = library("red");
    let lost = (0..6)
        .filter(|seed| {
            let mut scene = Scene::new(&library);
            let child = scene.start(*seed, "journal-synchronous-off=return");
            scene.listen(child, 20, |_| {});
            replay::replay(&scene.log(), *seed).expect("the power cut is played");
            let fault = scene.fault();
            println!("seed {seed}: {fault:?}");
            fault.is_some()
        })
        .count();
    assert!(lost > 0, "with synchronous=OFF some acknowledged record must be lost");
}

#[test]
fn a_full_disk_refuses_the_batch_and_takes_it_when_there_is_room() {
    let mut scene = Scene::new(&library("full"));
    let full = scene.log().join("disk-full");
    let child = scene.start(1, "");
    let (mut refused, mut before, mut after) = (0, 0, 0);
    let began = Instant::now();
    scene.listen(child, 400, |line| {
        match (line.starts_with("full"), refused) {
            (true, _) => refused += 1,
            (false, 0) => before += 1,
            (false, _) => after += 1,
        }
        if before == 10 && refused == 0 {
            std::fs::write(&full, "").expect("the switch is set");
        }
        if refused == 5 {
            let _ = std::fs::remove_file(&full);
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the child goes on");
    });
    assert!(refused >= 5 && after > 10, "{before} before, {refused} refused, {after} after");
    replay::replay(&scene.log(), 1).expect("the power cut is played");
    assert_eq!(scene.fault(), None);
}
