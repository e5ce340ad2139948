//! A restart with much behind it: 1,000,000 finished and 100,000 live jobs, a checkpoint and a
//! tail of 200,000 events after it. How long from the start of the process to the first request
//! served, and how much memory; then the same without the checkpoint.

use super::array::mebibytes;
use super::cycle::{inventory, shape};
use super::network::{Connection, Network, machine, percentile, release_binary};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use suanpan_engine::command::{
    AddSite, Caller, Command, CommitPlan, IdempotencyKey, SubmitJobs, TokenHash,
};
use suanpan_engine::event::{Event, PlacedAllocation};
use suanpan_engine::sequencer::{Reply, Sequencer};
use suanpan_engine::state::State;
use suanpan_journal::{Append, Checkpoints, Journal};
use suanpan_model::id::{BlobHash, ClusterId, Generation};
use suanpan_model::job::{End, Hold, JobSpec, PayloadReach, Usage};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::plan::{Plan, plan};
use suanpan_sched::policy::Policy;
use suanpan_sched::snapshot::Snapshot;
use suanpan_site::report::{Fact, Outcome, Report};

/// Jobs that run at a time while the history is made.
const TOGETHER: usize = 500;

/// The server must not save a newer checkpoint: the tail is to stay.
const FLAGS: [&str; 4] = ["--checkpoint-every", "100000000", "--log-level", "warn"];

/// Runs the bench: `cargo xtask bench restart [finished] [live] [tail events] [runs]`.
///
/// # Errors
/// If the history cannot be made, or the server does not serve it.
pub fn run(args: &[String]) -> Result<()> {
    let number = |place: usize, default: usize| {
        args.get(place).map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (finished, live) = (number(0, 1_000_000)?, number(1, 100_000)?);
    let (tail, runs) = (number(2, 200_000)?, number(3, 3)?);
    let binary = release_binary()?;
    println!("{}", machine());
    let mut network = Network::prepare(&binary)?;
    let history = history(&network.data, finished, live, tail)?;
    println!(
        "history: {} records, {} events, {} of them after the checkpoint at record {}; journal \
         {:.0} MiB, checkpoint {:.1} MiB; {} live jobs",
        history.records,
        history.events,
        history.tail,
        history.checkpoint,
        mebibytes(&network.data, "journal")?,
        mebibytes(&network.data.join("checkpoints"), "")?,
        history.live,
    );
    let began = Instant::now();
    network.start_server(&FLAGS)?;
    wait_for_views(&network, history.records)?;
    println!(
        "views made once in {:.1} s: {:.0} MiB",
        began.elapsed().as_secs_f64(),
        mebibytes(&network.data, "views")?
    );
    let mut times = Vec::new();
    for run in 1..=runs {
        times.push(restart(&mut network, &format!("with checkpoint, run {run}"))?);
    }
    println!("with checkpoint: median {:.2} s of {runs} runs", percentile(&mut times, 0.5));
    network.kill_server()?;
    std::fs::remove_dir_all(network.data.join("checkpoints"))?;
    let took = restart(&mut network, "without checkpoint")?;
    println!(
        "without checkpoint: {took:.1} s, {:.0} events/s; {}",
        history.events as f64 / took,
        machine()
    );
    Ok(())
}

/// Seconds from the start of the process to the first list of jobs served.
fn restart(network: &mut Network, what: &str) -> Result<f64> {
    network.kill_server()?;
    let began = Instant::now();
    network.spawn_server(&FLAGS, &[])?;
    while !serves(network) {
        ensure!(!network.has_server_ended()?, "the server ended");
        ensure!(began.elapsed() < Duration::from_secs(900), "nothing is served");
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = began.elapsed().as_secs_f64();
    let (at_once, _) = network.server_memory_mib()?;
    std::thread::sleep(Duration::from_secs(3));
    let (now, most) = network.server_memory_mib()?;
    println!(
        "{what}: first request served after {took:.2} s; server {at_once:.0} MiB then, {now:.0} \
         MiB 3 s later, at most {most:.0} MiB"
    );
    Ok(took)
}

fn serves(network: &Network) -> bool {
    let open = Connection::open(&network.address, &network.token);
    open.and_then(|mut open| open.get("/v1/jobs?limit=1")).is_ok_and(|(status, _)| status == 200)
}

fn wait_for_views(network: &Network, records: u64) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1_800) {
        let mut connection = Connection::open(&network.address, &network.token)?;
        let (_, body) = connection.get("/v1/jobs?limit=1")?;
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        if answer["seq"].as_u64().is_some_and(|seq| seq >= records) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bail!("the views are not made after half an hour")
}

struct History {
    records: u64,
    events: u64,
    tail: u64,
    checkpoint: u64,
    live: usize,
}

/// Makes a data directory by the engine, the scheduler and the journal, as a server would have.
fn history(data: &Path, finished: usize, live: usize, tail: usize) -> Result<History> {
    // Of every four events of the tail one is a submission of a job that stays.
    let rounds = tail.div_ceil(2 * TOGETHER);
    let in_tail = rounds * TOGETHER / 2;
    let mut world = World::new(data)?;
    world.hold(live.saturating_sub(in_tail))?;
    let batches = finished.saturating_sub(in_tail).div_ceil(TOGETHER);
    for batch in 0..batches {
        let jobs = (0..TOGETHER).map(|_| world.job(Hold::None)).collect();
        world.submit(jobs)?;
        world.run_all()?;
        if batch % 200 == 199 {
            println!("  {} of {batches} batches of {TOGETHER} jobs", batch + 1);
        }
    }
    let checkpoint = world.sequencer.last_seq();
    let body = world.sequencer.state().encode_checkpoint();
    Checkpoints::open(data)?.put(checkpoint, State::CHECKPOINT_FORMAT, &body)?;
    let before = world.events;
    for _ in 0..rounds {
        for _ in 0..TOGETHER / 2 {
            let (held, free) = (world.job(Hold::User), world.job(Hold::None));
            world.submit(vec![held])?;
            world.submit(vec![free])?;
        }
        world.run_all()?;
    }
    Ok(History {
        records: world.sequencer.last_seq(),
        events: world.events,
        tail: world.events - before,
        checkpoint,
        live: world.sequencer.state().live().0,
    })
}

struct World {
    sequencer: Sequencer,
    snapshot: Snapshot,
    journal: Journal,
    unwritten: Vec<Append>,
    cluster: ClusterId,
    now: Timestamp,
    numbered: u64,
    keys: u64,
    events: u64,
}

impl World {
    fn new(data: &Path) -> Result<World> {
        std::fs::create_dir_all(data)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let days: i64 = 3 * 86_400 * 1_000_000;
        let mut world = World {
            sequencer: Sequencer::new(State::default(), 0, 1),
            snapshot: Snapshot::default(),
            journal: Journal::open(data)?,
            unwritten: Vec::new(),
            cluster: ClusterId(0),
            now: Timestamp(i64::try_from(now.as_micros())? - days),
            numbered: 0,
            keys: 0,
            events: 0,
        };
        let token = TokenHash(BlobHash([7; 32]));
        let add = Command::AddSite(AddSite { cluster: "site00".into(), token });
        let (reply, _) = world.ask(Caller::System, add)?;
        let Reply::Cluster(cluster) = reply else { bail!("{reply:?}") };
        world.cluster = cluster;
        let inventory = Command::RecordInventory(Arc::new(inventory(0, "site00")));
        world.ask(Caller::Agent(cluster), inventory)?;
        Ok(world)
    }

    fn ask(&mut self, caller: Caller, command: Command) -> Result<(Reply, Vec<Event>)> {
        let (record, reply) = self.sequencer.handle(self.now, caller, command);
        let Some(record) = record else { return Ok((reply?, Vec::new())) };
        self.events += record.events.len() as u64;
        let body = record.encode();
        self.unwritten.push(Append { seq: record.seq, at_us: record.at.0, body });
        Ok((reply?, record.events))
    }

    fn submit(&mut self, jobs: Vec<JobSpec>) -> Result<()> {
        self.keys += 1;
        let key = IdempotencyKey { key: u128::from(self.keys) << 64 | 1, body: self.keys };
        self.ask(Caller::User("bench".into()), Command::SubmitJobs(SubmitJobs { key, jobs }))?;
        Ok(())
    }

    fn hold(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let size = left.min(1_000);
            let jobs = (0..size).map(|_| self.job(Hold::User)).collect();
            self.submit(jobs)?;
            self.write()?;
            left -= size;
        }
        Ok(())
    }

    /// Starts what may start and ends it, until nothing waits.
    fn run_all(&mut self) -> Result<()> {
        loop {
            self.now = self.now.plus(Seconds(30));
            for change in self.sequencer.state_mut().take_changes() {
                self.snapshot.apply(change);
            }
            // Nobody follows the orders here.
            self.sequencer.state_mut().take_touched();
            if self.snapshot.pending.is_empty() {
                return self.write();
            }
            let plan = plan(&self.snapshot, self.now, &Policy::default());
            ensure!(!plan.placements.is_empty(), "waiting jobs do not start");
            let Plan { explanations, placements, preemptions, .. } = plan;
            let commit = Command::CommitPlan(CommitPlan { explanations, placements, preemptions });
            let (_, events) = self.ask(Caller::System, commit)?;
            let Some(Event::PlanCommitted { allocations, .. }) = events.into_iter().next() else {
                bail!("no start was committed")
            };
            for fact in [Moment::Start, Moment::End] {
                self.now = self.now.plus(Seconds(10));
                // An agent tells about many allocations at once.
                for some in allocations.chunks(50) {
                    let reports = some.iter().map(|one| self.report(one, fact)).collect();
                    self.ask(Caller::Agent(self.cluster), Command::RecordReports(reports))?;
                }
            }
        }
    }

    fn report(&self, placed: &PlacedAllocation, moment: Moment) -> Report {
        // One in twenty fails.
        let code = u8::from(placed.id.0.is_multiple_of(20));
        let outcome = Outcome {
            end: End::Exited { code },
            payload: PayloadReach::Started,
            usage: Usage { wall_us: 10_000_000, cpu_us: 9_000_000, memory_peak_bytes: 50 << 20 },
            message: String::new(),
        };
        let fact = match moment {
            Moment::Start => Fact::Started,
            Moment::End => Fact::Ended(outcome),
        };
        Report { allocation: placed.id, generation: Generation(1), at: self.now, fact }
    }

    fn write(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.unwritten);
        self.journal.append(&batch, &[]).context("writing the journal")
    }

    fn job(&mut self, hold: Hold) -> JobSpec {
        self.numbered += 1;
        let number = self.numbered;
        let mut launch = [0; 32];
        launch[..8].copy_from_slice(&number.to_le_bytes());
        JobSpec {
            name: format!("job-{number}"),
            user: "bench".into(),
            project: "bench".into(),
            shape: Arc::new(shape(match hold {
                // Those that run are small, so that many run together.
                Hold::None => number % 10 * 10,
                Hold::User => number % 1_000,
            })),
            launch: BlobHash(launch),
            array: None,
            dependency: None,
            array_sites: Default::default(),
            on_invalid_dependency: Default::default(),
            begin: None,
            deadline: None,
            hold,
            requeue: Default::default(),
            qos: None,
            nice: 0,
        }
    }
}

#[derive(Clone, Copy)]
enum Moment {
    Start,
    End,
}
