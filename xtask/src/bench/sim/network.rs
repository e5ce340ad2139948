//! Replays of a whole simulated network: 50 sites of 512 processors, EASY backfill, load 0.9, every
//! job through the engine, the scheduler and `reconcile`, in sizes that differ by tens.
//!
//! A full run leaves what it measured in `docs/figures/network-scale.csv` and draws it beside; a
//! smaller one only prints. `draw` draws the file again.

use super::used;
use crate::bench::network::machine;
use crate::repo;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::policy::Policy;
use suanpan_sim::replay::network::{Cycles, Network, Told};
use suanpan_sim::report::growth;
use suanpan_sim::workload::generate::steady::{Steady, SteadyJob, site};

const SITES: u32 = 50;
const CPUS: u32 = 512;
const JOBS: u64 = 10_000_000;
const FIGURES: &str = "docs/figures";
const NAME: &str = "network-scale";
const HEADER: &str = "jobs,cpu_s";

/// Runs the bench: `cargo xtask bench sim network [jobs | draw]`, with `--release` for figures that
/// count.
///
/// # Errors
/// If a site is not taken, `/proc` cannot be read or the figures cannot be written.
pub fn run(args: &[String]) -> Result<()> {
    let folder = repo::root().join(FIGURES);
    if args.first().is_some_and(|word| word == "draw") {
        return draw(&folder);
    }
    let most: u64 = args.first().map_or(Ok(JOBS), |text| text.parse())?;
    println!(
        "{}{}",
        machine(),
        if cfg!(debug_assertions) { ", debug build: use --release" } else { "" }
    );
    println!("{SITES} sites of {CPUS} processors, load 0.9, EASY, a cycle each simulated minute");
    println!(
        "      jobs   seconds   CPU s   jobs/CPU s   us/(job log2 n)   peak MiB   mean wait s"
    );
    let mut measured = format!("{HEADER}\n");
    for jobs in [1_000, 100, 10, 1].map(|part| most / part).into_iter().filter(|jobs| *jobs > 1) {
        measured.push_str(&format!("{jobs},{:.2}\n", replay(jobs)?));
    }
    println!("{}", machine());
    if most == JOBS && !cfg!(debug_assertions) {
        fs::create_dir_all(&folder)?;
        fs::write(csv(&folder), measured)?;
        draw(&folder)?;
    }
    Ok(())
}

fn csv(folder: &Path) -> PathBuf {
    folder.join(format!("{NAME}.csv"))
}

/// Draws what the file of a run has.
fn draw(folder: &Path) -> Result<()> {
    let drawing = folder.join(format!("{NAME}.svg"));
    fs::write(&drawing, drawn(folder)?)?;
    println!("wrote {}", drawing.display());
    Ok(())
}

fn drawn(folder: &Path) -> Result<String> {
    let path = csv(folder);
    let told = || path.display().to_string();
    let text = fs::read_to_string(&path).with_context(told)?;
    let mut points = Vec::new();
    for line in text.lines().filter(|line| *line != HEADER) {
        let (jobs, seconds) = line.split_once(',').with_context(told)?;
        points.push((jobs.parse().with_context(told)?, seconds.parse().with_context(told)?));
    }
    Ok(growth(&format!("CPU time to replay so many jobs over {SITES} sites"), &points))
}

/// Replays so many jobs; answers the CPU seconds it took.
fn replay(jobs: u64) -> Result<f64> {
    let sites = (0..SITES).map(|number| Arc::new(site(number, CPUS)));
    let policy = Policy { reservation_depth: 1, ..Policy::default() };
    let cycles = Cycles::Every(Seconds(60));
    let network = Network::new(Timestamp(0), sites, policy, cycles)
        .map_err(|rejection| anyhow::anyhow!("{rejection:?}"))?;
    let runs = (60, 36_000);
    let steady = Steady { jobs, cpus: SITES * CPUS, load: 0.9, size_power_max: 6, runs, seed: 1 };
    let (began, cpu_before) = (Instant::now(), used()?.cpu_seconds);
    let (mut ended, mut waited) = (0u64, 0u64);
    let counts = network.run(steady.jobs().map(SteadyJob::arrival), |told| {
        let Told::Ended { row, .. } = told else { return };
        ended += 1;
        waited += row.started.since(row.submitted).0;
    });
    anyhow::ensure!(ended == jobs, "{ended} of {jobs} jobs ended");
    anyhow::ensure!(counts.rejected == 0, "{} jobs were refused", counts.rejected);
    let now = used()?;
    let cpu = now.cpu_seconds - cpu_before;
    println!(
        "{jobs:>10} {:>9.1} {cpu:>7.1} {:>12.0} {:>17.3} {:>10.0} {:>13.1}",
        began.elapsed().as_secs_f64(),
        jobs as f64 / cpu,
        cpu * 1e6 / (jobs as f64 * (jobs as f64).log2()),
        now.peak_mib,
        waited as f64 / ended as f64,
    );
    Ok(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_what_was_measured() {
        let folder = repo::root().join(FIGURES);
        let path = folder.join(format!("{NAME}.svg"));
        let shown = fs::read_to_string(path).expect("a picture");
        let fresh = drawn(&folder).expect("figures");
        assert!(shown == fresh, "draw it again: cargo xtask bench sim network draw");
    }
}
