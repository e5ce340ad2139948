//! Replays of a whole simulated network: 50 sites of 512 processors, EASY backfill, load 0.9, every
//! job through the engine, the scheduler and `reconcile`, in sizes that differ by tens.

use super::used;
use crate::bench::network::machine;
use anyhow::Result;
use std::sync::Arc;
use std::time::Instant;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::policy::Policy;
use suanpan_sim::replay::network::{Cycles, Network};
use suanpan_sim::workload::generate::steady::{Steady, SteadyJob, site};

const SITES: u32 = 50;
const CPUS: u32 = 512;
const JOBS: u64 = 10_000_000;

/// Runs the bench: `cargo xtask bench sim network [jobs]`, with `--release` for figures that count.
///
/// # Errors
/// If a site is not taken or `/proc` cannot be read.
pub fn run(args: &[String]) -> Result<()> {
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
    for jobs in [1_000, 100, 10, 1].map(|part| most / part).into_iter().filter(|jobs| *jobs > 1) {
        replay(jobs)?;
    }
    println!("{}", machine());
    Ok(())
}

fn replay(jobs: u64) -> Result<()> {
    let sites = (0..SITES).map(|number| Arc::new(site(number, CPUS)));
    let policy = Policy { reservation_depth: 1, ..Policy::default() };
    let cycles = Cycles::Every(Seconds(60));
    let network = Network::new(Timestamp(0), sites, policy, cycles)
        .map_err(|rejection| anyhow::anyhow!("{rejection:?}"))?;
    let runs = (60, 36_000);
    let steady = Steady { jobs, cpus: SITES * CPUS, load: 0.9, size_power_max: 6, runs, seed: 1 };
    let (began, cpu_before) = (Instant::now(), used()?.cpu_seconds);
    let (mut ended, mut waited) = (0u64, 0u64);
    let counts = network.run(steady.jobs().map(SteadyJob::arrival), |row| {
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
    Ok(())
}
