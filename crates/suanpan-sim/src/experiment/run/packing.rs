//! A site whose GPUs are shared: pods come until they ask so much of it, and none goes.

use super::{Finished, Rows};
use crate::experiment::digest::{Better, Curve, Digest, Metric, metric};
use crate::replay::packing::Study;
use std::io::{self, Write};
use suanpan_sched::packing::{Placement, PodRequest, PolicyName};

/// The metrics of a packing run; all are of its end.
pub const METRICS: [Metric; 4] = [
    metric("unallocated_percent", "GPU left idle at the end", "%", 2, Better::Lower),
    metric("allocated_percent", "GPU in use at the end", "%", 2, Better::Higher),
    metric("placed_percent", "Pods that found a place", "%", 2, Better::Higher),
    metric("pods", "Pods that came", "", 0, Better::Neutral),
];

/// The names of the policies in experiment files.
pub const WORDS: [(&str, PolicyName); 7] = [
    ("random", PolicyName::Random),
    ("dot-prod", PolicyName::DotProd),
    ("gpu-clustering", PolicyName::GpuClustering),
    ("gpu-packing", PolicyName::GpuPacking),
    ("best-fit", PolicyName::BestFit),
    ("fgd", PolicyName::Fgd),
    ("least-waste", PolicyName::LeastWaste),
];

/// What became of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// Thousandths of a GPU that it asks, all its GPUs together.
    pub gpu_milli: u32,
    /// The node it is on, by its place in the order of the run; `None` if it was turned away.
    pub node: Option<u32>,
}

/// Does a run. The workload is drawn as the authors of the trace draw it from the seed.
pub(super) fn run(study: &Study, demand_percent: u64, policy: PolicyName, seed: u64) -> Finished {
    let seed = u32::try_from(seed).expect("seeds of experiments are small enough");
    let drawn = study.draw(seed, demand_percent);
    let outcome = study.pack(policy, seed, &drawn);
    let row = |(pod, placement): (&PodRequest, &Option<Placement>)| PodRow {
        gpu_milli: pod.gpus.milli(),
        node: placement.map(|placement| placement.node),
    };
    let rows: Vec<PodRow> = drawn.pods.iter().zip(&outcome.placements).map(row).collect();
    let digest = digest(&rows, study.capacity_milli());
    Finished { rows: Rows::Packing(rows), digest, left_out: 0 }
}

/// What a run comes to. The curve's value at a percentage is the mean over the pods after which
/// the demand that had come, rounded, was that percentage.
fn digest(rows: &[PodRow], capacity: u64) -> Digest {
    let capacity = capacity.max(1);
    let (mut came, mut used, mut placed) = (0u64, 0u64, 0u64);
    let mut sums: Vec<(u64, u64)> = Vec::new();
    for row in rows {
        came += u64::from(row.gpu_milli);
        if row.node.is_some() {
            used += u64::from(row.gpu_milli);
            placed += 1;
        }
        let demand = ((came * 100 + capacity / 2) / capacity) as usize;
        if sums.len() <= demand {
            sums.resize(demand + 1, (0, 0));
        }
        sums[demand].0 += used;
        sums[demand].1 += 1;
    }
    let percent = |used: f64| 100.0 * used / capacity as f64;
    let value = |(used, pods): &(u64, u64)| {
        (*pods > 0).then(|| 100.0 - percent(*used as f64 / *pods as f64))
    };
    let values: Vec<Option<f64>> = sums.iter().map(value).collect();
    let allocated = percent(used as f64);
    let count = rows.len() as f64;
    let share = if rows.is_empty() { 0.0 } else { 100.0 * placed as f64 / count };
    // As the authors report it: at the last percentage of demand, not after the last pod.
    let at_end = values.iter().rev().find_map(|value| *value).unwrap_or(100.0 - allocated);
    Digest {
        metrics: vec![at_end, 100.0 - at_end, share, count],
        curves: vec![Curve { name: "unallocated_percent".to_owned(), values }],
        ..Digest::default()
    }
}

/// Writes one line a pod.
///
/// # Errors
/// As the writer's.
pub fn write_csv(rows: &[PodRow], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "pod,gpu_milli,node")?;
    for (index, row) in rows.iter().enumerate() {
        match row.node {
            Some(node) => writeln!(out, "{},{},{node}", index + 1, row.gpu_milli)?,
            None => writeln!(out, "{},{},", index + 1, row.gpu_milli)?,
        }
    }
    Ok(())
}
