//! The demo, shortened: it works where the home directory does not exist, and leaves nothing
//! behind, however it ends.

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use support::{Answer, bare_command, wait_for};

#[test]
fn the_quick_demo_verifies_its_lab_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = bare_command(&["demo", "--quick"]);
    command.env("TMPDIR", dir.path());
    let answer = Answer::from(command.output().expect("the binary starts"));
    assert_eq!(answer.code, 0, "{}\n{}", answer.out, answer.err);
    for wanted in ["METRIC education test_accuracy=", "✓ verified", "4 of 4 jobs completed"] {
        assert!(answer.out.contains(wanted), "{wanted} is missing:\n{}", answer.out);
    }
    assert!(!answer.out.contains('\x1b'), "no escape sequences off a terminal");
    assert_eq!(left_in(dir.path()), (0, 0));
}

#[test]
fn ctrl_c_ends_the_demo_and_everything_it_started() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = bare_command(&["demo", "--quick"]);
    command.env("TMPDIR", dir.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary starts");
    let demo = Pid::from_raw(i32::try_from(child.id()).expect("process ids are small"));
    // Server and agents are there; most likely the first job is too.
    assert!(wait_for(|| left_in(dir.path()).1 >= 4), "the agents did not start");
    kill(demo, Signal::SIGINT).expect("it is running");
    let answer = Answer::from(child.wait_with_output().expect("it ends"));
    assert_eq!(answer.code, 130, "{}", answer.err);
    assert_eq!(left_in(dir.path()), (0, 0));
}

/// How many directories of a demo there are, and how many processes speak of them.
fn left_in(dir: &Path) -> (usize, usize) {
    let directories = fs::read_dir(dir).expect("the directory is there").count();
    let inside = dir.display().to_string();
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten().filter(|process| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&inside)
    });
    (directories, processes.count())
}
