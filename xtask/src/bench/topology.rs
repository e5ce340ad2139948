//! Mapping of ranks beside Scotch, METIS and Mt-KaHyPar, a part for each bar:
//! `cargo xtask bench topology [part] [evaluations] [seeds] [filter]`.
//!
//! Values are exact and the same on every machine; seconds are CPU seconds of one thread. Without
//! evaluations (or with 0) a search is as long as [`Effort::fast`] makes it.

mod cases;
mod peers;
mod ports;
mod racks;

use crate::bench::network::machine;
use anyhow::{Result, bail, ensure};
use cases::Case;
use peers::Peers;
use suanpan_topology::map::{Effort, Mapping, Objective, Routes, map, map_tasks};

/// Parts, in the order in which they run.
const PARTS: [&str; 9] =
    ["qaplib", "comm", "maplib", "wafer", "large", "links", "tasks", "racks", "ports"];

/// What is asked on the command line.
struct Asked {
    evaluations: Option<u64>,
    seeds: u64,
    filter: String,
}

impl Asked {
    fn effort(&self, fast: Effort, seed: u64) -> Effort {
        let evaluations = self.evaluations.unwrap_or(fast.evaluations);
        Effort { evaluations, lanes: 1, seed }
    }
}

/// Runs one part, or all of them.
///
/// # Errors
/// No part has this name, the public data is not there, or a peer fails.
pub fn run(args: &[String]) -> Result<()> {
    let number = |at: usize| args.get(at).map(|text| text.parse::<f64>()).transpose();
    let asked = Asked {
        evaluations: number(1)?.map(|count| count as u64).filter(|count| *count > 0),
        seeds: number(2)?.map_or(3, |count| count as u64).max(1),
        filter: args.get(3).cloned().unwrap_or_default(),
    };
    let debug = if cfg!(debug_assertions) { ", debug build: use --release" } else { "" };
    println!("{}{debug}", machine());
    let peers = Peers::find()?;
    match args.first().map(String::as_str) {
        None => PARTS.iter().try_for_each(|name| part(name, &asked, &peers))?,
        Some(name) => part(name, &asked, &peers)?,
    }
    println!("{}", machine());
    Ok(())
}

fn part(name: &str, asked: &Asked, peers: &Peers) -> Result<()> {
    match name {
        "qaplib" => bar("QAPLIB on meshes", cases::qaplib()?, asked, peers),
        "comm" => {
            let cases = cases::comm()?.into_iter().map(|(case, _)| case).collect();
            bar("one rank on a slot", cases, asked, peers)
        }
        "maplib" => bar("MapLib, mean distance", cases::maplib()?, asked, peers),
        "wafer" => bar("a wafer with defects, mean distance", cases::wafer()?, asked, peers),
        "large" => bar("4,096 ranks", cases::large()?, asked, peers),
        "links" => links(asked),
        "tasks" => tasks(asked, peers),
        "racks" => racks::run(asked),
        "ports" => ports::run(asked),
        other => bail!("no part `{other}`: there are {}", PARTS.join(", ")),
    }
}

/// Ratios to one of those we compare with.
struct Ratios {
    name: &'static str,
    all: Vec<f64>,
}

impl Ratios {
    fn new(name: &'static str) -> Ratios {
        Ratios { name, all: Vec::new() }
    }

    fn say(&self) {
        if self.all.is_empty() {
            return;
        }
        let mean = self.all.iter().map(|r| r.ln()).sum::<f64>() / self.all.len() as f64;
        let worst = self.all.iter().copied().fold(0.0, f64::max);
        let count = self.all.len();
        println!(
            "  over {}: {count} cases, geometric mean {:.4}, worst {worst:.4}",
            self.name,
            mean.exp()
        );
    }
}

/// Maps each case by hop-bytes, the median of the seeds, beside the peers.
fn bar(title: &str, cases: Vec<Case>, asked: &Asked, peers: &Peers) -> Result<()> {
    println!("\n{title}");
    let mut known = Ratios::new("the best known");
    let mut theirs = [Ratios::new("Scotch"), Ratios::new("METIS"), Ratios::new("Mt-KaHyPar")];
    for case in cases.iter().filter(|case| case.title.contains(&asked.filter)) {
        let (mapping, cpu) = ours(case, asked)?;
        let value = mapping.value.hop_bytes as f64 / case.scale;
        let mut line = format!("{:28} {value:14.4} in {cpu:7.3} s", case.title);
        if let Some(best) = case.best {
            known.all.push(value / best);
            line.push_str(&format!("  {:.4} of the best known", value / best));
        }
        let answers = [peers.scotch(case, 1)?, peers.metis(case, 1)?, peers.mtkahypar(case, 1)?];
        for (ratios, answer) in theirs.iter_mut().zip(answers) {
            let Some(answer) = answer else { continue };
            let theirs = case.hop_bytes(&answer.slot_of) as f64 / case.scale;
            ratios.all.push(value / theirs);
            let (name, cpu) = (ratios.name, answer.cpu_seconds);
            line.push_str(&format!("  {:.4} of {name} ({cpu:.3} s)", value / theirs));
        }
        println!("{line}");
    }
    known.say();
    theirs.iter().for_each(Ratios::say);
    Ok(())
}

/// The mapping of the median of the seeds, and the CPU seconds of the slowest.
fn ours(case: &Case, asked: &Asked) -> Result<(Mapping, f64)> {
    let mut runs = Vec::new();
    let mut slowest = 0.0_f64;
    for seed in 1..=asked.seeds {
        let effort = asked.effort(Effort::fast(&case.traffic), seed);
        let before = cpu_seconds();
        let given = case.given.as_deref();
        let mapping = map(&case.traffic, &case.distances, given, Objective::HopBytes, effort)?;
        slowest = slowest.max(cpu_seconds() - before);
        ensure!(mapping.value <= mapping.given, "{}: worse than the order given", case.title);
        runs.push(mapping);
    }
    runs.sort_by_key(|mapping| mapping.value);
    Ok((runs.swap_remove(runs.len() / 2), slowest))
}

/// The busiest link where half of the bytes both ways go each way, over the least known.
fn links(asked: &Asked) -> Result<()> {
    println!("\nthe busiest link");
    let mut known = Ratios::new("the least known");
    for (case, least) in cases::comm()? {
        if !case.title.contains(&asked.filter) {
            continue;
        }
        let routes = Routes::shortest(&case.fabric, &case.slots)?;
        let objective = Objective::BottleneckTime(&routes);
        let effort = asked.effort(Effort::fast(&case.traffic), 1);
        let before = cpu_seconds();
        let mapping =
            map(&case.traffic, &case.distances, case.given.as_deref(), objective, effort)?;
        let cpu = cpu_seconds() - before;
        // 400 Gbit/s need 20 ps for a byte.
        let bytes = mapping.value.bottleneck_time as f64 / 20.0;
        known.all.push(bytes / least);
        println!("{:28} {bytes:12.1} bytes in {cpu:7.3} s  {:.4}", case.title, bytes / least);
    }
    known.say();
    Ok(())
}

/// More tasks than slots, at most 3 % above the mean on each.
fn tasks(asked: &Asked, peers: &Peers) -> Result<()> {
    println!("\nmore tasks than slots");
    let mut theirs = [Ratios::new("Scotch"), Ratios::new("METIS"), Ratios::new("Mt-KaHyPar")];
    for (case, most) in cases::tasks()? {
        if !case.title.contains(&asked.filter) {
            continue;
        }
        let fast = Effort { evaluations: 20_000_000, lanes: 1, seed: 1 };
        let effort = asked.effort(fast, 1);
        let before = cpu_seconds();
        let mapping = map_tasks(&case.traffic, &case.distances, most, Objective::HopBytes, effort)?;
        let cpu = cpu_seconds() - before;
        let value = mapping.value.hop_bytes as f64;
        let mut line = format!("{:28} {value:14} in {cpu:7.3} s", case.title);
        let answers =
            [peers.scotch(&case, most)?, peers.metis(&case, most)?, peers.mtkahypar(&case, most)?];
        for (ratios, answer) in theirs.iter_mut().zip(answers) {
            let Some(answer) = answer else { continue };
            let theirs = case.hop_bytes(&answer.slot_of) as f64;
            ratios.all.push(value / theirs);
            let (name, cpu) = (ratios.name, answer.cpu_seconds);
            line.push_str(&format!("  {:.4} of {name} ({cpu:.3} s)", value / theirs));
        }
        println!("{line}");
    }
    theirs.iter().for_each(Ratios::say);
    Ok(())
}

/// CPU seconds of this thread so far; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}
