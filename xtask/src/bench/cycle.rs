//! One scheduling cycle with 100,000 pending jobs of 1,000 shapes over 50 sites that are busy:
//! 100 ends and 100 arrivals a cycle; timed are folding the changes into the snapshot, the plan
//! with its reasons, and committing it through the engine into a synced journal.

use super::network::{machine, percentile};
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use suanpan_engine::command::{
    AddSite, Caller, Command, CommitPlan, IdempotencyKey, SubmitJobs, TokenHash,
};
use suanpan_engine::event::Event;
use suanpan_engine::sequencer::{Record, Reply, Sequencer};
use suanpan_engine::state::State;
use suanpan_journal::{Append, Journal};
use suanpan_model::id::{AllocationId, BlobHash, ClusterId, Generation};
use suanpan_model::job::{End, Goal, JobSpec, PayloadReach, Shape, Usage};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Link, Node, Partition, PartitionQueue};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_sched::plan::{Plan, plan};
use suanpan_sched::policy::Policy;
use suanpan_sched::snapshot::Snapshot;
use suanpan_site::report::{Fact, Outcome, Report};

const SITES: u32 = 50;
const NODES: u32 = 64;
const PENDING: usize = 100_000;
const SHAPES: u64 = 1_000;
const PER_CYCLE: usize = 100;

/// Runs the bench: `cargo xtask bench cycle [cycles]`, with `--release` for figures that count.
///
/// # Errors
/// If the journal cannot be written.
pub fn run(args: &[String]) -> Result<()> {
    let cycles: usize = args.first().map_or(Ok(200), |text| text.parse())?;
    println!(
        "{}{}",
        machine(),
        if cfg!(debug_assertions) { ", debug build: use --release" } else { "" }
    );
    let folder = tempfile::tempdir()?;
    let mut world = World::new(Journal::open(folder.path())?)?;
    world.submit(PENDING)?;
    while world.cycle()?.placements > 0 {}
    world.submit(PENDING.saturating_sub(world.pending()))?;
    println!(
        "{SITES} sites of {NODES} nodes, {} pending jobs of {} shapes, {} running, \
         CPUs {:.1} % busy",
        world.pending(),
        world.snapshot.shapes.len(),
        world.running.len(),
        world.busy() * 100.0
    );
    let (mut whole, mut planning) = (Vec::new(), Vec::new());
    let mut placed = 0;
    for _ in 0..cycles {
        world.end(PER_CYCLE)?;
        world.submit(PER_CYCLE)?;
        let figures = world.cycle()?;
        whole.push(figures.whole_ms);
        planning.push(figures.plan_ms);
        placed += figures.placements;
        anyhow::ensure!(figures.unexplained == 0, "{} jobs have no reason", figures.unexplained);
    }
    for (what, values) in [("plan", &mut planning), ("whole cycle", &mut whole)] {
        println!(
            "{what}: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms of {cycles} cycles",
            percentile(values, 0.5),
            percentile(values, 0.99),
            percentile(values, 1.0)
        );
    }
    println!("{placed} starts; CPUs {:.1} % busy at the end; {}", world.busy() * 100.0, machine());
    Ok(())
}

struct World {
    sequencer: Sequencer,
    snapshot: Snapshot,
    journal: Journal,
    unwritten: Vec<Record>,
    running: BTreeSet<(AllocationId, ClusterId)>,
    now: Timestamp,
    random: u64,
    submitted: u64,
}

struct Figures {
    whole_ms: f64,
    plan_ms: f64,
    placements: usize,
    unexplained: usize,
}

impl World {
    fn new(journal: Journal) -> Result<World> {
        let mut world = World {
            sequencer: Sequencer::new(State::default(), 0, 1),
            snapshot: Snapshot::default(),
            journal,
            unwritten: Vec::new(),
            running: BTreeSet::new(),
            now: Timestamp(1_000_000_000),
            random: 42,
            submitted: 0,
        };
        for number in 0..SITES {
            let name = format!("site{number:02}");
            let token = TokenHash(BlobHash([number as u8; 32]));
            let add = Command::AddSite(AddSite { cluster: name.clone(), token });
            let reply = world.ask(Caller::System, add)?;
            let Reply::Cluster(cluster) = reply else { anyhow::bail!("{reply:?}") };
            let inventory = Command::RecordInventory(Arc::new(inventory(number, &name)));
            world.ask(Caller::Agent(cluster), inventory)?;
        }
        Ok(world)
    }

    fn ask(&mut self, caller: Caller, command: Command) -> Result<Reply> {
        let (record, reply) = self.sequencer.handle(self.now, caller, command);
        for event in record.iter().flat_map(|record| &record.events) {
            match event {
                Event::PlanCommitted { allocations, .. } => {
                    self.running.extend(allocations.iter().map(|a| (a.id, a.cluster)));
                }
                Event::AllocationEnded { allocation, .. } => {
                    self.running.retain(|(id, _)| id != allocation);
                }
                _ => {}
            }
        }
        self.unwritten.extend(record);
        Ok(reply?)
    }

    /// One cycle as the server's scheduler thread runs it.
    fn cycle(&mut self) -> Result<Figures> {
        self.now = self.now.plus(Seconds(1));
        let began = Instant::now();
        for change in self.sequencer.state_mut().take_changes() {
            self.snapshot.apply(change);
        }
        let planned = Instant::now();
        let Plan { placements, explanations, preemptions, waiting, waiting_jobs, .. } =
            plan(&self.snapshot, self.now, &Policy::default());
        let plan_ms = planned.elapsed().as_secs_f64() * 1_000.0;
        let count = placements.len();
        if count > 0 {
            let commit = CommitPlan { explanations, placements, preemptions };
            self.ask(Caller::System, Command::CommitPlan(commit))?;
        }
        self.write()?;
        let whole_ms = began.elapsed().as_secs_f64() * 1_000.0;
        for change in self.sequencer.state_mut().take_changes() {
            self.snapshot.apply(change);
        }
        let has_reason = |job: &&suanpan_sched::snapshot::Pending| {
            waiting.contains_key(&job.class()) || waiting_jobs.contains_key(&job.job)
        };
        let explained = self.snapshot.pending.values().filter(has_reason).count();
        let unexplained = self.snapshot.pending.len() - explained;
        Ok(Figures { whole_ms, plan_ms, placements: count, unexplained })
    }

    fn write(&mut self) -> Result<()> {
        let append =
            |record: &Record| Append { seq: record.seq, at_us: record.at.0, body: record.encode() };
        let batch: Vec<Append> = self.unwritten.drain(..).map(|record| append(&record)).collect();
        self.journal.append(&batch, &[]).context("writing the journal")
    }

    fn submit(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let size = left.min(1_000);
            let jobs = (0..size).map(|_| self.job()).collect();
            self.submitted += 1;
            let key = IdempotencyKey { key: self.submitted.into(), body: 0 };
            self.ask(Caller::System, Command::SubmitJobs(SubmitJobs { key, jobs }))?;
            left -= size;
        }
        self.write()
    }

    fn end(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let all = self.running.len() as u64;
            let chosen = (self.draw() % all.max(1)) as usize;
            let Some((id, cluster)) = self.running.iter().nth(chosen).copied() else { break };
            let usage = Usage { wall_us: 60_000_000, ..Usage::default() };
            let outcome = Outcome {
                end: End::Exited { code: 0 },
                payload: PayloadReach::Started,
                usage,
                message: String::new(),
            };
            let report = Report {
                allocation: id,
                generation: Generation(1),
                at: self.now,
                fact: Fact::Ended(outcome),
            };
            self.ask(Caller::Agent(cluster), Command::RecordReports(vec![report]))?;
        }
        self.write()
    }

    fn job(&mut self) -> JobSpec {
        let shape = shape(self.draw() % SHAPES);
        JobSpec {
            name: "bench".into(),
            user: "bench".into(),
            project: "bench".into(),
            shape: Arc::new(shape),
            launch: BlobHash([1; 32]),
            array: None,
            dependency: None,
            array_sites: Default::default(),
            on_invalid_dependency: Default::default(),
            begin: None,
            deadline: None,
            hold: Default::default(),
            requeue: Default::default(),
            qos: None,
            nice: 0,
        }
    }

    fn pending(&self) -> usize {
        self.sequencer.state().live().0 - self.running.len()
    }

    fn busy(&self) -> f64 {
        let (mut free, mut all) = (0u64, 0u64);
        for (_, cluster) in self.sequencer.state().clusters() {
            free += cluster.free.iter().map(|tres| u64::from(tres.cpus)).sum::<u64>();
            let nodes = cluster.inventory.iter().flat_map(|inventory| &inventory.nodes);
            all += nodes.map(|node| u64::from(node.capacity.cpus)).sum::<u64>();
        }
        1.0 - free as f64 / all as f64
    }

    /// SplitMix64: the same stream in every run.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// One of 1,000 shapes: sizes, gangs, limits, goals and flavors all differ.
pub fn shape(number: u64) -> Shape {
    let pick = |among: u64, step: u64| number / step % among;
    let minutes = 10 + 20 * pick(10, 10) as u32;
    Shape {
        nodes: [1, 1, 1, 1, 1, 1, 2, 1, 4, 8][pick(10, 1) as usize],
        per_node: Tres {
            cpus: 1 << pick(5, 100),
            memory: Mebibytes::new(1_024 + 512 * pick(2, 500)),
            gpus: 0,
        },
        sharing: Default::default(),
        time: Walltime::from_seconds(minutes * 60 + number as u32),
        partitions: Vec::new(),
        sites: Vec::new(),
        flavors: if number.is_multiple_of(3) { vec!["cpu-a".into()] } else { Vec::new() },
        features: Vec::new(),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        goal: [Goal::Fastest, Goal::Cheapest, Goal::Balanced][(number % 3) as usize],
        budget: None,
        inputs: Vec::new(),
        output_bytes: 0,
        paths: Vec::new(),
    }
}

/// A site of two flavors.
pub fn inventory(number: u32, name: &str) -> Inventory {
    let price = |micro: i64| Price { cpu_hour: MicroCredits(micro), ..Price::default() };
    let flavor = |name: &str, speed_milli, micro| Flavor {
        name: name.into(),
        speed_milli,
        price: price(micro + i64::from(number) * 100),
    };
    let nodes: Vec<Node> = (0..NODES)
        .map(|node| Node {
            name: format!("{name}-n{node:03}"),
            flavor: (node % 2) as u16,
            capacity: Tres { cpus: 32, memory: Mebibytes::new(131_072), gpus: 0 },
            features: Vec::new(),
            outside: Tres::default(),
            releases: Vec::new(),
        })
        .collect();
    let limit = Walltime::from_seconds(86_400).expect("a day is not zero");
    Inventory {
        site: name.into(),
        cluster: name.into(),
        driver: DriverKind::Noop,
        zone: "UTC".into(),
        home: number == 0,
        shared_paths: vec!["/".into()],
        flavors: vec![flavor("cpu-a", 1_000, 100_000), flavor("cpu-b", 800, 60_000)],
        partitions: vec![Partition {
            name: "normal".into(),
            default: true,
            time_max: limit,
            time_default: limit,
            nodes_max_per_job: NODES,
            nodes: (0..NODES).collect(),
            queue: PartitionQueue::default(),
        }],
        nodes,
        links: vec![Link {
            to: format!("site{:02}", (number + 1) % SITES),
            delay_us: 10_000,
            throughput_bps: 1_000_000_000,
        }],
        enforced: Vec::new(),
        peer: None,
        data_quota: None,
        backlog: 0,
    }
}
