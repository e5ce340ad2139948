//! Replaying a log at a batch site, beside AccaSim: the same log, EASY by the same convention,
//! every wait equal.

use super::Used;
use crate::bench::network::{machine, percentile};
use crate::gate::public_data;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use suanpan_sim::experiment::run::outcome;
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::batch::{arrival, replay};
use suanpan_sim::workload::swf;
use suanpan_site::model::batch::{BatchPolicy, BatchSettings, Convention, RunTimes};

/// The log, in the collection of public inputs.
const LOG: &str = "swf/KTH-SP2-1996-2-filtered-28481.swf.zst";
const PROCESSORS: u32 = 100;
const PEER: &str = "accasim==1.1.3";

/// Runs the part: `cargo xtask bench sim batch [runs]`, with `--release` for figures that count.
///
/// # Errors
/// The log is not there, AccaSim cannot be had from PyPI, or a wait differs.
pub fn run(args: &[String]) -> Result<()> {
    let runs: usize = args.first().map_or(Ok(3), |text| text.parse())?;
    let debug = if cfg!(debug_assertions) { ", debug build: use --release" } else { "" };
    println!("{}{debug}", machine());
    let folder = tempfile::Builder::new().prefix("suanpan-bench-").tempdir()?;
    let folder = folder.path();
    let log = folder.join("log.swf");
    fs::write(&log, suanpan_sim::input::read(&public_data(LOG)?)?)?;
    let python = peer()?;
    let mut ours = Vec::new();
    // AccaSim keeps a list of nodes: one large node is its fastest case, a hundred the machine's.
    let mut theirs = [(1, 100, Vec::new()), (100, 1, Vec::new())];
    let mut jobs = 0;
    for run in 0..runs {
        let waits = folder.join("ours");
        ours.push(ours_once(&log, &waits)?);
        let waits = waits_of(&waits)?;
        jobs = waits.len();
        for (nodes, processors, used) in &mut theirs {
            let results = folder.join(format!("peer-{run}-{nodes}"));
            used.push(peer_once(&python, &log, &results, *nodes, *processors)?);
            let differ = differing(&waits, &waits_of(&results.join("sched-log.swf"))?);
            ensure!(differ == 0, "{differ} waits differ from AccaSim's on {nodes} nodes");
        }
    }
    println!("{jobs} jobs, EASY by AccaSim's convention, all waits equal, median of {runs} runs");
    let ours = told("suanpan", jobs, &ours);
    for (nodes, processors, used) in &theirs {
        let name = format!("AccaSim, {nodes} nodes of {processors}");
        println!("  {:.0} times as fast as that", told(&name, jobs, used) / ours);
    }
    println!("{}", machine());
    Ok(())
}

/// One run of ours in this process: reads a log, replays it, writes the waits.
///
/// # Errors
/// A file cannot be read or written.
pub fn run_once(args: &[String]) -> Result<()> {
    let [log, waits] = args else { bail!("a log and a file for the waits") };
    let options = swf::Options { processors: Some(PROCESSORS), ..swf::Options::default() };
    let read = swf::parse(log, &fs::read(log)?, &options, Strictness::Strict)?;
    let arrivals: Vec<_> = read.jobs.items.iter().filter_map(arrival).collect();
    let policy = BatchPolicy::EASY;
    let convention = Convention::AccaSim;
    let settings = BatchSettings { processors: PROCESSORS, policy, convention };
    let replayed = replay(&arrivals, settings, RunTimes::Requested);
    let mut text = Vec::new();
    for row in &replayed.rows {
        outcome::number(&mut text, u64::try_from(row.number)?);
        text.push(b' ');
        outcome::number(&mut text, u64::try_from(row.wait())?);
        text.push(b'\n');
    }
    fs::write(waits, text)?;
    let used = super::used()?;
    println!("{} {}", used.cpu_seconds, used.peak_mib);
    Ok(())
}

fn ours_once(log: &Path, waits: &Path) -> Result<Used> {
    let mut command = Command::new(std::env::current_exe()?);
    told_by(command.args(["bench", "sim", "batch-once"]).args([log, waits]))
}

fn peer_once(
    python: &Path,
    log: &Path,
    results: &Path,
    nodes: u32,
    processors: u32,
) -> Result<Used> {
    fs::create_dir(results)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/sim/peer.py");
    let mut command = Command::new(python);
    command.arg(script).args([log, results]);
    told_by(command.args([nodes.to_string(), processors.to_string()]))
}

/// Runs a command whose last line says what it used.
fn told_by(command: &mut Command) -> Result<Used> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} fails: {complaint}");
    let numbers = text.lines().last().and_then(|line| line.split_once(' '));
    let (cpu, peak) = numbers.with_context(|| format!("{command:?} says {text}"))?;
    Ok(Used { cpu_seconds: cpu.parse()?, peak_mib: peak.parse()? })
}

/// Prints the medians; gives that of the CPU seconds.
fn told(name: &str, jobs: usize, used: &[Used]) -> f64 {
    let mut seconds: Vec<f64> = used.iter().map(|used| used.cpu_seconds).collect();
    let mut peaks: Vec<f64> = used.iter().map(|used| used.peak_mib).collect();
    let (cpu, peak) = (percentile(&mut seconds, 0.5), percentile(&mut peaks, 0.5));
    let (least, most) = (seconds[0], seconds[seconds.len() - 1]);
    println!(
        "{name:>24}: {cpu:.3} CPU s ({least:.3} to {most:.3}), {:.0} jobs/CPU s, {peak:.0} MiB",
        jobs as f64 / cpu
    );
    cpu
}

/// Job numbers and waits, sorted.
fn waits_of(file: &Path) -> Result<Vec<(i64, i64)>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let pair = |line: &str| -> Result<(i64, i64)> {
        let (job, wait) = line.split_once(' ').context("a job and its wait")?;
        Ok((job.parse()?, wait.parse()?))
    };
    let mut waits = text.lines().map(pair).collect::<Result<Vec<_>>>()?;
    waits.sort_unstable();
    Ok(waits)
}

fn differing(ours: &[(i64, i64)], theirs: &[(i64, i64)]) -> usize {
    let pairs = ours.iter().zip(theirs).filter(|(ours, theirs)| ours != theirs).count();
    pairs + ours.len().abs_diff(theirs.len())
}

/// The Python of a virtual environment with AccaSim, made on first use under `target`.
fn peer() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-sim/venv");
    let python = folder.join("bin/python");
    let has_peer = || Command::new(&python).args(["-m", "pip", "show", "-q", "accasim"]).status();
    if has_peer().is_ok_and(|status| status.success()) {
        return Ok(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
    ensure!(made.is_ok_and(|status| status.success()), "python3 cannot make {folder:?}");
    let installed = Command::new(&python)
        .args(["-m", "pip", "install", "-q", PEER, "setuptools<81"])
        .status()?;
    ensure!(installed.success(), "{PEER} cannot be installed from PyPI: nothing to compare with");
    Ok(python)
}
