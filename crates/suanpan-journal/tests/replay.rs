//! The power cut itself: `power_cut.c` and `replay.rs` take away what was not synced, sometimes all
//! and sometimes part of it, and never anything else.

#[path = "power_cut/replay.rs"]
mod replay;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Not a test by itself: writes files in all the ways there are, and is killed.
#[test]
fn child_that_writes_files() {
    let Ok(dir) = std::env::var("POWER_CUT_CHILD") else { return };
    let dir = PathBuf::from(dir);
    let write = |name: &str, bytes: &[u8]| {
        let mut file = File::create(dir.join(name)).expect("created");
        file.write_all(bytes).expect("written");
        file
    };
    let sync_dir = || File::open(&dir).and_then(|handle| handle.sync_all()).expect("synced");
    for (name, length) in [("synced", 2000), ("appended", 1000), ("rewritten", 1500)] {
        write(name, &vec![b'a'; length]).sync_all().expect("synced");
    }
    write("unlinked", &[b'a'; 600]).sync_all().expect("synced");
    sync_dir();

    let mut appended = OpenOptions::new().append(true).open(dir.join("appended")).expect("opened");
    appended.write_all(&[b'b'; 1500]).expect("written");
    // Another descriptor of the same file, as a library may make one.
    appended.try_clone().expect("cloned").write_all(&[b'b'; 1500]).expect("written");
    write("rewritten", &[b'b'; 700]);
    // The well-known mistake: renamed into place before its bytes were synced.
    write("renamed.tmp", &[b'a'; 1024]);
    fs::rename(dir.join("renamed.tmp"), dir.join("renamed")).expect("renamed");
    write("new", &[b'a'; 100]).sync_all().expect("synced");
    fs::remove_file(dir.join("unlinked")).expect("removed");
    suanpan_journal::crash_here("the end of the child");
}

/// The bytes that are in a file, each once, or `None` where there is no such file.
fn bytes_in(path: &Path) -> Option<BTreeSet<u8>> {
    fs::read(path).ok().map(|bytes| bytes.into_iter().collect())
}

#[test]
fn only_what_was_not_synced_is_taken_away() {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_cut/power_cut.c");
    let library = tmp.join("power_cut_replay.so");
    replay::compile(&source, &library).expect("a C compiler is there");
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let place = tempfile::tempdir_in(tmp).expect("a directory");
        let (data, log) = (place.path().join("data"), place.path().join("log"));
        fs::create_dir(&data).and_then(|()| fs::create_dir(&log)).expect("directories in it");
        let mut command = Command::new(std::env::current_exe().expect("this test's own path"));
        command.args(["--exact", "child_that_writes_files", "--nocapture"]);
        command.env("POWER_CUT_CHILD", &data).stdout(Stdio::null());
        replay::watch(&mut command, &library, &data, &log);
        let status = command.status().expect("the child starts");
        assert_eq!(status.signal(), Some(9), "the child ended with {status}");
        replay::replay(&log, seed).expect("the power cut is played");
        assert_eq!(fs::read_dir(&log).expect("a directory").count(), 0, "the logs are gone");

        assert_eq!(fs::read(data.join("synced")).expect("synced"), [b'a'; 2000]);

        let appended = fs::read(data.join("appended")).expect("its name was synced");
        assert!((1000..=4000).contains(&appended.len()) && appended[..1000] == [b'a'; 1000]);
        assert!(appended[1000..].iter().all(|byte| [0, b'b'].contains(byte)));
        seen.insert(match (appended.len(), appended.contains(&0)) {
            (1000, _) => "appended: nothing",
            (4000, false) => "appended: everything",
            _ => "appended: part",
        });

        let rewritten = fs::read(data.join("rewritten")).expect("its name was synced");
        seen.insert(match (rewritten.len(), rewritten.contains(&b'a')) {
            (0, _) => "rewritten: truncated only",
            (1500, true) if !rewritten.contains(&b'b') => "rewritten: not",
            (700, false) if !rewritten.contains(&0) => "rewritten: altogether",
            _ => "rewritten: partly",
        });

        let renamed = fs::read(data.join("renamed")).expect("a rename counts at once");
        seen.insert(match renamed == [b'a'; 1024] {
            true => "renamed: whole",
            false => "renamed: not whole",
        });

        seen.insert(match bytes_in(&data.join("new")) {
            Some(bytes) if bytes == BTreeSet::from([b'a']) => "new: there",
            Some(bytes) => panic!("its bytes were synced, and now they are {bytes:?}"),
            None => "new: gone",
        });
        seen.insert(match fs::read(data.join("unlinked")) {
            Ok(bytes) if bytes == [b'a'; 600] => "unlinked: back",
            Ok(bytes) => panic!("{} bytes came back of 600", bytes.len()),
            Err(_) => "unlinked: gone",
        });
    }
    let all = [
        "appended: everything",
        "appended: nothing",
        "appended: part",
        "new: gone",
        "new: there",
        "renamed: not whole",
        "renamed: whole",
        "rewritten: altogether",
        "rewritten: not",
        "rewritten: partly",
        "rewritten: truncated only",
        "unlinked: back",
        "unlinked: gone",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}
