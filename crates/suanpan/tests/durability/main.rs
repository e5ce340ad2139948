//! Durable means durable, for the real server over HTTP: an answer 201 leaves only after a sync
//! that covers its record, and a power cut loses no acknowledged job.
//!
//! `DURABILITY_SUBMISSIONS=n` traces more submissions than a normal test run does, and
//! `POWER_CUT_SEEDS=n` plays more power cuts.

#[path = "../../../suanpan-journal/tests/power_cut/replay.rs"]
mod replay;
mod server;
mod trace;

use server::{Scene, Submitted};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Submits by several clients until `count` jobs were acknowledged or the server is gone.
fn submit(scene: &Scene, round: usize, count: usize) -> Vec<Submitted> {
    const CLIENTS: usize = 4;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            let mut acknowledged = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return acknowledged;
                }
                let name = format!("durable-{round}-{number}-");
                let Some(submitted) = scene.submit(&name) else { return acknowledged };
                acknowledged.push(submitted);
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        let each = clients.into_iter().map(|client| client.join().expect("clients do not panic"));
        each.flatten().collect()
    })
}

#[test]
fn every_success_reply_follows_a_sync_that_covers_its_record() {
    let strace = Command::new("strace").args(["-f", "true"]).stderr(Stdio::null()).status();
    if !strace.is_ok_and(|status| status.success()) {
        println!("skipped: strace is not there or may not trace");
        return;
    }
    let count = number("DURABILITY_SUBMISSIONS", 150);
    let mut scene = Scene::new();
    let log = scene.place().join("trace");
    let mut strace = Command::new("strace");
    // Strings are long enough for a page of the journal, so that records can be found in it.
    strace.args(["-f", "-y", "-s", "4200", "-o"]).arg(&log);
    strace.args(["-e", "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg", "-e"]);
    strace.args(["signal=none", "--"]);
    scene.start_under(strace, &[]);
    let acknowledged = submit(&scene, 0, count);
    assert_eq!(acknowledged.len(), count, "every submission is acknowledged");
    scene.terminate();
    let text = String::from_utf8_lossy(&std::fs::read(&log).expect("the trace")).into_owned();
    let read = trace::read(&text, &acknowledged);
    println!("{count} submissions, {} syncs of the journal: {read:?}", read.syncs);
    assert_eq!(read.early, Vec::<String>::new(), "answers before their sync");
    assert_eq!(read.covered, count, "every answer was seen and compared");
}

fn library(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.join("../suanpan-journal/tests/power_cut/power_cut.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server_{name}.so"));
    replay::compile(&source, &library).expect("a C compiler is there");
    library
}

/// Power cuts, one after each round of submissions. What is wrong after one of them, if anything.
fn cut_power(library: &Path, seed: u64, rounds: usize, failpoints: &str) -> Result<String, String> {
    let mut scene = Scene::new();
    let mut all: Vec<Submitted> = Vec::new();
    let mut told = String::new();
    for round in 0..rounds {
        let mut watched = Command::new("env");
        replay::watch(&mut watched, library, &scene.data(), &scene.log());
        let started = scene.try_start_under(watched, &[("FAILPOINTS", failpoints)]);
        assert!(round > 0 || started.is_ok(), "nothing is lost yet, and {started:?}");
        started?;
        scene.all_there(&all).map_err(|what| format!("round {round}: {what}"))?;
        let enough = 40 + (seed as usize * 37 + round * 53) % 90;
        all.extend(std::thread::scope(|scope| {
            let killed = scope.spawn(|| scene.kill_after(enough));
            let acknowledged = submit(&scene, round, usize::MAX);
            killed.join().expect("the killer does not panic");
            acknowledged
        }));
        scene.reap();
        let salt = seed * 100 + round as u64;
        let damage = replay::replay(&scene.log(), salt).map_err(|error| error.to_string())?;
        told = format!("{} jobs acknowledged; last cut: {damage}", all.len());
    }
    scene.try_start_under(Command::new("env"), &[])?;
    scene.all_there(&all)?;
    scene.terminate();
    scene.verify()?;
    Ok(told)
}

#[test]
fn a_power_cut_loses_no_acknowledged_job() {
    let library = library("green");
    for seed in 0..number("POWER_CUT_SEEDS", 3) as u64 {
        let told = cut_power(&library, seed, 3, "journal-wal-eager=return");
        println!("seed {seed}: {told:?}");
        assert!(told.is_ok(), "seed {seed}: {told:?}");
    }
}

#[test]
#[cfg_attr(not(feature = "failpoints"), ignore = "needs the feature `failpoints`")]
fn without_syncs_a_power_cut_loses_acknowledged_jobs() {
    let library = library("red");
    let lost = (0..6).find_map(|seed| {
        let told = cut_power(&library, seed, 1, "journal-synchronous-off=return");
        println!("seed {seed}: {told:?}");
        told.err()
    });
    assert!(lost.is_some(), "with synchronous=OFF some acknowledged job must be lost");
}
