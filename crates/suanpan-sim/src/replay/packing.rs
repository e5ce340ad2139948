//! Packing runs: pods come one after the other to a site whose GPUs are shared, and stay; what
//! does not fit is turned away. What was measured is told against the demand that has come, in
//! percent of the GPU capacity (as figures 7 and 9 of Weng et al., ATC'23).

use crate::streams::{Stream, stream};
use crate::workload::openb::{self, Draw, GoRandom, Models, OpenbNode, OpenbPod};
use rand::Rng;
use std::collections::BTreeSet;
use suanpan_model::time::Timestamp;
use suanpan_sched::packing::{
    FragmentTable, Node, Placement, PodRequest, Policy, PolicyName, TypicalPods, WHOLE_GPU,
};
use suanpan_site::model::gpu_sharing::{GpuSharingSite, Pod, PodId, Running, Unplaced};

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

/// A node list and a pod list of openb, ready for runs as the authors made them.
#[derive(Clone, Debug)]
pub struct Study {
    nodes: Vec<Node>,
    pods: Vec<PodRequest>,
    typical: TypicalPods,
    table: FragmentTable,
}

impl Study {
    /// Demand that comes in a run of the authors, in percent of the GPU capacity.
    pub const DEMAND: u32 = 130;

    /// The study of a node list and a pod list.
    #[must_use]
    pub fn new(nodes: &[OpenbNode], pods: &[OpenbPod]) -> Study {
        let models = Models::of(nodes);
        let mut by_name: Vec<&OpenbPod> = pods.iter().collect();
        by_name.sort_by(|one, other| one.name.cmp(&other.name));
        let pods: Vec<PodRequest> = by_name.iter().map(|pod| models.request(pod)).collect();
        let typical = TypicalPods::of(&pods, TypicalPods::PUBLISHED_PERCENT);
        Study {
            nodes: nodes.iter().map(|node| models.node(node)).collect(),
            pods,
            table: FragmentTable::new(&typical),
            typical,
        }
    }

    /// Thousandths of a GPU that there are.
    #[must_use]
    pub fn capacity_milli(&self) -> u64 {
        capacity_milli(&self.nodes)
    }

    /// The workload of a seed, up to a demand in percent of the GPU capacity: the same for every
    /// policy.
    #[must_use]
    pub fn draw(&self, seed: u32, demand: u64) -> Draw {
        openb::draw(&self.nodes, &self.pods, demand, &mut GoRandom::new(seed))
    }

    /// Packs a workload; the seed is for a policy that draws.
    #[must_use]
    pub fn pack(&self, policy: PolicyName, seed: u32, drawn: &Draw) -> Outcome {
        let mut choices = stream(u64::from(seed), Stream::Policy);
        let policy = policy.policy(&self.typical);
        let nodes = drawn.nodes.clone();
        run(nodes, policy, &self.table, &drawn.pods, &mut || choices.next_u64())
    }

    /// One run of the authors: draws the workload of the seed to [`Study::DEMAND`] and packs it.
    #[must_use]
    pub fn run(&self, policy: PolicyName, seed: u32) -> Outcome {
        self.pack(policy, seed, &self.draw(seed, Study::DEMAND.into()))
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
    let capacity = capacity_milli(&nodes);
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

fn capacity_milli(nodes: &[Node]) -> u64 {
    nodes.iter().map(|node| node.gpus().len() as u64 * u64::from(WHOLE_GPU)).sum()
}

/// A pod that comes at a time and stays for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes.
    pub at: Timestamp,
    /// The pod; one without a duration stays for ever.
    pub pod: Pod,
}

/// Lets pods come at their times, wait until they fit, and leave when their durations are over;
/// tells each start, in the order of the starts. At one instant pods leave before others come.
///
/// # Panics
/// If the arrivals go back in time.
pub fn run_timed(
    nodes: Vec<Node>,
    policy: Policy,
    arrivals: &[Arrival],
    random: &mut dyn FnMut() -> u64,
) -> Vec<Running> {
    let mut site = GpuSharingSite::new(nodes, policy, Unplaced::Waits);
    let mut ends: BTreeSet<(Timestamp, PodId)> = BTreeSet::new();
    let mut starts = Vec::new();
    let mut started = |running: Running, ends: &mut BTreeSet<(Timestamp, PodId)>| {
        ends.extend(running.pod.duration.map(|long| (running.start.plus(long), running.pod.id)));
        starts.push(running);
    };
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at), "arrivals come in order of time");
    let mut arrivals = arrivals.iter().peekable();
    loop {
        let end = ends.first().copied();
        match (arrivals.peek(), end) {
            (Some(next), end) if end.is_none_or(|(at, _)| next.at < at) => {
                let Arrival { at, pod } = **next;
                if let Some(placement) = site.submit(at, pod, random) {
                    started(Running { pod, placement, start: at }, &mut ends);
                }
                arrivals.next();
            }
            (_, Some((at, id))) => {
                ends.pop_first();
                for running in site.end(at, id, random) {
                    started(running, &mut ends);
                }
            }
            (_, None) => return starts,
        }
    }
}
