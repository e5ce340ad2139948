//! How fast pods are packed: the openb default list to 130 % demand on 1,213 nodes with 6,212 GPUs,
//! node choice, fragmentation measured after each pod. Read, drawn and packed; only the packing
//! is timed, in CPU seconds. Without the public lists, pods and nodes like them.

use super::used;
use crate::bench::network::{machine, percentile};
use crate::gate::{openb_study, public_data};
use anyhow::Result;
use std::fmt::Write;
use suanpan_sched::packing::PolicyName;
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::packing::Study;
use suanpan_sim::workload::openb;

/// Runs the bench: `cargo xtask bench sim packing [runs]`, with `--release` for figures that count.
///
/// # Errors
/// If the lists cannot be read.
pub fn run(args: &[String]) -> Result<()> {
    let runs: u32 = args.first().map_or(Ok(11), |text| text.parse())?;
    let debug = if cfg!(debug_assertions) { ", debug build: use --release" } else { "" };
    println!("{}{debug}", machine());
    let study = match public_data("openb") {
        Ok(folder) => openb_study(&folder, "default")?,
        Err(missing) => {
            println!("{missing}: pods and nodes made up in its likeness");
            likeness()?
        }
    };
    for name in PolicyName::ALL {
        let mut speeds = Vec::new();
        for seed in 0..runs {
            let drawn = study.draw(seed, Study::DEMAND.into());
            let began = used()?.cpu_seconds;
            let outcome = study.pack(name, seed, &drawn);
            speeds.push(outcome.placements.len() as f64 / (used()?.cpu_seconds - began).max(1e-9));
        }
        println!(
            "{:<14} median {:>9.0} pods per CPU second of {runs} runs ({:.0} to {:.0})",
            name.word(),
            percentile(&mut speeds, 0.5),
            percentile(&mut speeds, 0.0),
            percentile(&mut speeds, 1.0),
        );
    }
    println!("most memory of the process {:.0} MiB; {}", used()?.peak_mib, machine());
    Ok(())
}

/// As many nodes and pods as the public lists have, of as many kinds.
fn likeness() -> Result<Study> {
    let mut nodes = String::from("sn,cpu_milli,memory_mib,gpu,model\n");
    for node in 0..1_213 {
        let (cpu, gpus, model) =
            [(96_000, 8, "G2"), (104_000, 2, "T4"), (96_000, 8, "G2"), (64_000, 2, "P100")]
                [node % 4];
        writeln!(nodes, "node-{node:04},{cpu},393216,{gpus},{model}")?;
    }
    let mut pods = String::from("name,cpu_milli,memory_mib,num_gpu,gpu_milli\n");
    for pod in 0..8_152 {
        let (gpus, milli) = match pod % 100 {
            0..13 => (0, 0),
            13..51 => (1, 10 * (1 + pod % 97)),
            51..99 => (1, 1_000),
            _ => (8, 1_000),
        };
        writeln!(pods, "pod-{pod:04},{},16384,{gpus},{milli}", 1_000 * (1 + pod % 17))?;
    }
    let nodes = openb::parse_nodes("likeness", &nodes, Strictness::Strict)?;
    let pods = openb::parse_pods("likeness", &pods, Strictness::Strict)?;
    Ok(Study::new(&nodes.items, &pods.items))
}
