//! Times scheduling cycles on a generated network: 50 sites, each 95 % busy, 100,000 pending jobs
//! of 1,000 shapes, and in each cycle 100 ends and 100 arrivals.
//!
//! `cargo run --release -p suanpan-sched --example cycle [cycles] [sites] [pending] [shapes]`
//! prints p50, p99 and the longest of: folding the changes, planning, and both (by the clock and
//! in processor time); then the peak memory of the process. Ten cycles before that are not counted:
//! they fill what the set-up left free. The same arguments give the same network and the same
//! plans.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{Goal, Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Link, Node, Partition};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_sched::plan::{Plan, plan};
use suanpan_sched::policy::Policy;
use suanpan_sched::snapshot::{Change, Pending, Running, Snapshot};

const ENDS: usize = 100;
const ARRIVALS: u64 = 100;
const WARM_UP: u64 = 10;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let mut argument = |default| arguments.next().unwrap_or(default);
    let (cycles, sites) = (argument(300), argument(50) as u32);
    let (pending, shapes) = (argument(100_000), argument(1_000));
    let mut world = World::new(sites, shapes);
    let filled = world.fill(95);
    for _ in 0..pending {
        world.submit();
    }
    println!(
        "{sites} sites, {} nodes, {filled} allocations, {pending} pending of {} shapes",
        world.nodes(),
        world.snapshot.shapes.len()
    );
    let (mut fold, mut think, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = Vec::new();
    let (mut starts, mut promises) = (0, 0);
    for cycle in 0..cycles + WARM_UP {
        let changes = world.changes();
        let (begin, cpu_begin) = (Instant::now(), cpu_micros());
        for change in changes {
            world.snapshot.apply(change);
        }
        let folded = begin.elapsed();
        let plan = plan(&world.snapshot, world.now, &world.policy);
        let (planned, cpu_end) = (begin.elapsed(), cpu_micros());
        world.commit(&plan);
        if cycle < WARM_UP {
            continue;
        }
        starts += plan.placements.len();
        promises += plan.shadow_starts.len();
        fold.push(folded.as_micros());
        think.push((planned - folded).as_micros());
        all.push(planned.as_micros());
        cpu.push(cpu_end - cpu_begin);
    }
    world.snapshot.check();
    println!(
        "starts in each cycle: {}, promises: {}",
        starts as u64 / cycles,
        promises as u64 / cycles
    );
    report("fold", &mut fold);
    report("plan", &mut think);
    report("both", &mut all);
    report("both, processor time", &mut cpu);
    println!("peak memory: {} MiB", peak_kib() / 1024);
}

fn report(what: &str, micros: &mut [u128]) {
    micros.sort_unstable();
    let at =
        |share: usize| micros[(micros.len() * share / 1_000).min(micros.len() - 1)] as f64 / 1e3;
    println!("{what}: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(500), at(990), at(1_000));
}

/// Processor time of this process so far, where the system tells it: on a machine with other work
/// it says more than the clock.
fn cpu_micros() -> u128 {
    let status = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = status.split_whitespace().next().and_then(|first| first.parse::<u128>().ok());
    nanos.unwrap_or(0) / 1_000
}

/// Peak resident memory where the system tells it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A small generator of numbers, the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

struct World {
    snapshot: Snapshot,
    policy: Policy,
    now: Timestamp,
    dice: Dice,
    shapes: Vec<Arc<Shape>>,
    next_job: u64,
    next_allocation: u64,
    running: Vec<(ClusterId, AllocationId)>,
}

impl World {
    fn new(sites: u32, shapes: u64) -> World {
        let mut dice = Dice(42);
        let mut snapshot = Snapshot::default();
        for id in 1..=sites {
            let inventory = Arc::new(inventory(&mut dice, id, sites));
            snapshot.apply(Change::Inventory(ClusterId(id), inventory));
        }
        let shapes = (0..shapes).map(|number| Arc::new(shape(&mut dice, number))).collect();
        World {
            snapshot,
            policy: Policy::default(),
            now: Timestamp(1_700_000_000_000_000),
            dice,
            shapes,
            next_job: 1,
            next_allocation: 1,
            running: Vec::new(),
        }
    }

    fn nodes(&self) -> usize {
        self.snapshot.clusters.values().map(|view| view.free.len()).sum()
    }

    /// Runs jobs on every node until this share of its CPUs is taken.
    fn fill(&mut self, percent: u32) -> usize {
        let clusters: Vec<ClusterId> = self.snapshot.clusters.keys().copied().collect();
        for cluster in clusters {
            let inventory = Arc::clone(&self.snapshot.clusters[&cluster].inventory);
            for (node, about) in (0u32..).zip(&inventory.nodes) {
                let mut left = about.capacity.cpus * percent / 100;
                let mut gpus = about.capacity.gpus;
                while left > 0 {
                    let cpus = left.min(self.dice.pick(&[4, 8, 8, 16]));
                    let gpu = u32::from(gpus > 0);
                    (left, gpus) = (left - cpus, gpus - gpu);
                    let ends = self.now.plus(Seconds(60 + self.dice.below(86_400)));
                    let memory = Mebibytes::new(u64::from(cpus) * 2_048);
                    let per_node = Tres { cpus, memory, gpus: gpu };
                    let running = Running {
                        nodes: vec![node],
                        per_node,
                        sharing: Sharing::Shared,
                        ends_by: ends,
                    };
                    let took = self.took(cluster, running);
                    self.snapshot.apply(took);
                }
            }
        }
        self.running.len()
    }

    fn took(&mut self, cluster: ClusterId, running: Running) -> Change {
        let id = AllocationId(self.next_allocation);
        self.next_allocation += 1;
        self.running.push((cluster, id));
        Change::Took(cluster, id, running)
    }

    fn arrival(&mut self) -> Pending {
        let job = JobId(self.next_job);
        self.next_job += 1;
        // Some shapes are much more frequent than others.
        let bound = 1 + self.dice.below(self.shapes.len() as u64);
        let shape = Arc::clone(&self.shapes[self.dice.below(bound) as usize]);
        Pending {
            job,
            priority: self.dice.below(5) as i64,
            submitted: self.now,
            shape,
            begin: None,
            deadline: (self.dice.below(50) == 0).then(|| self.now.plus(Seconds(7 * 86_400))),
            ready: if self.dice.below(20) == 0 { 10 } else { 1 },
            refused_by: Vec::new(),
        }
    }

    fn submit(&mut self) {
        let pending = self.arrival();
        self.snapshot.apply(Change::Pending(pending));
    }

    /// 100 allocations end and 100 jobs arrive.
    fn changes(&mut self) -> Vec<Change> {
        self.now = self.now.plus(Seconds(1));
        let mut changes = Vec::new();
        for _ in 0..ENDS.min(self.running.len()) {
            let place = self.dice.below(self.running.len() as u64) as usize;
            let (cluster, allocation) = self.running.swap_remove(place);
            changes.push(Change::Freed(cluster, allocation));
        }
        for _ in 0..ARRIVALS {
            changes.push(Change::Pending(self.arrival()));
        }
        changes
    }

    /// What the engine would make of the plan.
    fn commit(&mut self, plan: &Plan) {
        let mut started: BTreeMap<JobId, u32> = BTreeMap::new();
        for placement in &plan.placements {
            *started.entry(placement.job).or_default() += 1;
            let pending = &self.snapshot.pending[&self.snapshot.keys[&placement.job]];
            let limit = u64::from(placement.time_limit.seconds());
            let running = Running {
                nodes: placement.nodes.clone(),
                per_node: pending.shape.per_node,
                sharing: pending.shape.sharing,
                ends_by: self.now.plus(Seconds(placement.prediction.stage.0 + limit)),
            };
            let took = self.took(placement.cluster, running);
            self.snapshot.apply(took);
        }
        for (job, count) in started {
            let pending = self.snapshot.pending[&self.snapshot.keys[&job]].clone();
            let left = Pending { ready: pending.ready - count, ..pending };
            self.snapshot.apply(Change::Pending(left));
        }
    }
}

/// 64 to 128 nodes of two flavors, one with accelerators, in two partitions that overlap.
fn inventory(dice: &mut Dice, id: u32, sites: u32) -> Inventory {
    let count = 64 + dice.below(65) as u32;
    let with_gpus = count / 4;
    let price = |cpu, gpu| Price {
        cpu_hour: MicroCredits(cpu),
        gpu_hour: MicroCredits(gpu),
        gib_hour: MicroCredits(500),
    };
    let speeds = [800, 1_000, 1_250, 2_000];
    let flavors = vec![
        Flavor {
            name: format!("cpu-{}", id % 5),
            speed_milli: dice.pick(&speeds),
            price: price(10_000 + dice.below(20_000) as i64, 0),
        },
        Flavor {
            name: format!("chip-{}", id % 4),
            speed_milli: dice.pick(&speeds),
            price: price(20_000, 1_000_000 + dice.below(1_000_000) as i64),
        },
    ];
    let nodes = (0..count)
        .map(|number| {
            let gpus = if number < with_gpus { 8 } else { 0 };
            let memory = Mebibytes::new(if gpus > 0 { 512 << 10 } else { 256 << 10 });
            Node {
                name: format!("s{id}-{number}"),
                flavor: u16::from(gpus > 0),
                capacity: Tres { cpus: 64, memory, gpus },
                features: Vec::new(),
            }
        })
        .collect();
    let wall = |seconds| Walltime::from_seconds(seconds).expect("positive");
    let partition = |name: &str, nodes| Partition {
        name: name.to_owned(),
        default: name == "main",
        time_max: wall(7 * 86_400),
        time_default: wall(3_600),
        nodes_max_per_job: 64,
        nodes,
    };
    Inventory {
        site: format!("site{id}"),
        cluster: format!("cluster{id}"),
        driver: DriverKind::Noop,
        zone: "UTC".to_owned(),
        home: id == 1,
        shared_paths: vec!["/".to_owned()],
        flavors,
        nodes,
        partitions: vec![
            partition("main", (0..count).collect()),
            partition("large", (0..count / 2).collect()),
        ],
        links: (1..=sites)
            .filter(|&other| other > id)
            .map(|other| Link {
                to: format!("site{other}"),
                delay_us: 5_000 + dice.below(50_000) as u32,
                throughput_bps: 1_000_000_000 * (1 + dice.below(10)),
            })
            .collect(),
        enforced: Vec::new(),
    }
}

/// Single-node and gang shapes, with and without accelerators, some bound to flavors or sites.
fn shape(dice: &mut Dice, number: u64) -> Shape {
    let gpus = if dice.below(4) == 0 { dice.pick(&[1, 2, 4, 8]) } else { 0 };
    let nodes = if dice.below(6) == 0 { dice.pick(&[2, 4, 8, 16]) } else { 1 };
    let cpus = dice.pick(&[1, 2, 4, 8, 16, 32, 64]);
    let minutes = 5 + dice.below(24 * 60) as u32;
    let inputs = match dice.below(4) {
        0 => vec![suanpan_model::job::InputNeed { at: None, bytes: dice.below(100 << 30) }],
        _ => Vec::new(),
    };
    Shape {
        nodes,
        per_node: Tres { cpus, memory: Mebibytes::new(u64::from(cpus) * 1_024 + number % 7), gpus },
        sharing: if dice.below(50) == 0 { Sharing::Exclusive } else { Sharing::Shared },
        time: Walltime::from_seconds(minutes * 60),
        partitions: if dice.below(8) == 0 { vec!["large".to_owned()] } else { Vec::new() },
        sites: match dice.below(10) {
            0 => (1..=5).map(|_| format!("site{}", 1 + dice.below(50))).collect(),
            _ => Vec::new(),
        },
        flavors: match (gpus, dice.below(3)) {
            (1.., 0) => vec!["chip-1".to_owned(), "chip-2".to_owned()],
            _ => Vec::new(),
        },
        features: Vec::new(),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        goal: dice.pick(&[Goal::Fastest, Goal::Cheapest, Goal::Balanced]),
        budget: None,
        inputs,
        paths: Vec::new(),
    }
}
