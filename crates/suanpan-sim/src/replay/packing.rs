//! Packing runs: pods come one after the other to a site whose GPUs are shared, and stay; what
//! does not fit is turned away. What was measured is told against the demand that has come, in
//! percent of the GPU capacity (as figures 7 and 9 of Weng et al., ATC'23).

use suanpan_model::time::Timestamp;
use suanpan_sched::packing::{FragmentTable, Node, Placement, PodRequest, Policy, WHOLE_GPU};
use suanpan_site::model::gpu_sharing::{GpuSharingSite, Pod, PodId, Unplaced};

#[cfg(test)]
mod tests;

/// The mean of what was seen while the demand that had come, rounded, was so many percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Demand that has come, in percent of the GPU capacity.
    pub demand: u32,
    /// GPU in use, in percent of the capacity.
    pub allocated: f64,
    /// Idle GPU that is fragmented, in percent of the capacity.
    pub fragmented: f64,
    /// The same in percent of what is idle.
    pub fragmented_of_idle: f64,
}

impl Point {
    /// GPU that is idle, in percent of the capacity.
    #[must_use]
    pub fn unallocated(&self) -> f64 {
        100.0 - self.allocated
    }
}

/// What became of the pods of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Where each pod went, in the order they came; `None` if it was turned away.
    pub placements: Vec<Option<Placement>>,
    /// Measured against demand; percentages that no pod fell on are left out.
    pub curve: Vec<Point>,
}

impl Outcome {
    /// The point at a demand, or the nearest below it.
    #[must_use]
    pub fn at(&self, demand: u32) -> Option<&Point> {
        self.curve.iter().rev().find(|point| point.demand <= demand)
    }
}

/// Sums of one point.
#[derive(Clone, Copy, Default)]
struct Sums {
    pods: u32,
    used: u64,
    fragmented: f64,
    of_idle: f64,
}

/// Lets `pods` come to empty `nodes` one after the other. Fragmentation is measured with `table`,
/// whatever the policy.
///
/// A pod costs one placement and one look at the node it went to.
pub fn run(
    nodes: Vec<Node>,
    policy: Policy,
    table: &FragmentTable,
    pods: &[PodRequest],
    random: &mut dyn FnMut() -> u64,
) -> Outcome {
    let mut fragments: Vec<u64> = nodes.iter().map(|node| table.fragment(node)).collect();
    let mut fragmented: u64 = fragments.iter().sum();
    let capacity: u64 =
        nodes.iter().map(|node| node.gpus().len() as u64 * u64::from(WHOLE_GPU)).sum();
    let unit = table.total().max(1) as f64;
    let mut site = GpuSharingSite::new(nodes, policy, Unplaced::TurnedAway);
    let mut placements = Vec::with_capacity(pods.len());
    let mut sums: Vec<Sums> = Vec::new();
    let (mut came, mut used) = (0, 0);
    for (id, request) in (0..).zip(pods) {
        let pod = Pod { id: PodId(id), request: *request, duration: None };
        let placement = site.submit(Timestamp(0), pod, random);
        came += u64::from(request.gpus.milli());
        if let Some(Placement { node, .. }) = placement {
            let fragment = &mut fragments[node as usize];
            fragmented -= *fragment;
            *fragment = table.fragment(&site.nodes()[node as usize]);
            fragmented += *fragment;
            used += u64::from(request.gpus.milli());
        }
        placements.push(placement);
        let demand = ((came * 100 + capacity / 2) / capacity.max(1)) as usize;
        if sums.len() <= demand {
            sums.resize(demand + 1, Sums::default());
        }
        let sum = &mut sums[demand];
        let (idle, fragmented) = ((capacity - used) as f64, fragmented as f64 / unit);
        sum.pods += 1;
        sum.used += used;
        sum.fragmented += fragmented;
        sum.of_idle += if idle > 0.0 { fragmented / idle } else { 0.0 };
    }
    let percent = 100.0 / capacity.max(1) as f64;
    let points = (0..).zip(&sums).filter(|(_, sum)| sum.pods > 0).map(|(demand, sum)| {
        let pods = f64::from(sum.pods);
        Point {
            demand,
            allocated: sum.used as f64 / pods * percent,
            fragmented: sum.fragmented / pods * percent,
            fragmented_of_idle: sum.of_idle / pods * 100.0,
        }
    });
    let curve = points.collect();
    Outcome { placements, curve }
}
