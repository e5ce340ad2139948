//! A control plane over a journal whose disk the test commands, sites and agents that do as told.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use suanpan_engine::command::{
    AddSite, Caller, Command, IdempotencyKey, SubmitJobs, Target, TokenHash,
};
use suanpan_engine::sequencer::Reply;
use suanpan_journal::{Append, Blob, DataLock, Error, Journal};
use suanpan_model::id::{AllocationId, BlobHash, ClusterId, JobId};
use suanpan_model::job::{
    End, Goal, Hold, JobSpec, OnInvalidDependency, PayloadReach, Requeue, Shape, Sharing, Usage,
};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Node, Partition};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_site::order::{Desired, Order};
use suanpan_site::report::{Fact, Outcome, Report};

use crate::pipeline::journal_thread::Store;
use crate::pipeline::{ControlPlane, Options, Stopper, clock, start};

/// What the disk does with the next batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    Waits,
    IsFull,
    IsBroken,
}

/// The disk's switch.
pub(crate) struct Switch {
    disk: Mutex<Disk>,
    changed: Condvar,
}

impl Switch {
    pub(crate) fn set(&self, disk: Disk) {
        *self.disk.lock().unwrap() = disk;
        self.changed.notify_all();
    }
}

struct SwitchedStore {
    journal: Journal,
    switch: Arc<Switch>,
}

impl Store for SwitchedStore {
    fn append(&mut self, batch: &[Append], blobs: &[Blob]) -> Result<(), Error> {
        let disk = self.switch.disk.lock().unwrap();
        let disk = self.switch.changed.wait_while(disk, |disk| *disk == Disk::Waits).unwrap();
        let path = self.journal.dir().to_owned();
        match *disk {
            Disk::IsFull => Err(Error::DiskFull { path }),
            Disk::IsBroken => {
                Err(Error::Io { doing: "write", path, source: std::io::Error::other("a test") })
            }
            Disk::Works | Disk::Waits => self.journal.append(batch, blobs),
        }
    }
}

/// A running control plane.
pub(crate) struct Running {
    pub(crate) plane: ControlPlane,
    pub(crate) stopper: Stopper,
    pub(crate) disk: Arc<Switch>,
}

pub(crate) fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir.to_owned());
    options.contact_period = Duration::from_secs(3_600);
    options
}

pub(crate) fn start(options: Options) -> Running {
    let lock = DataLock::acquire(&options.data_dir).unwrap();
    let journal = Journal::open(&options.data_dir).unwrap();
    let switch = Switch { disk: Mutex::new(Disk::Works), changed: Condvar::new() };
    let disk = Arc::new(switch);
    let store = SwitchedStore { journal, switch: Arc::clone(&disk) };
    let (plane, stopper) = start::start_with(options, lock, Box::new(store)).unwrap();
    Running { plane, stopper, disk }
}

impl Running {
    /// One over a plain journal.
    pub(crate) fn of(plane: ControlPlane, stopper: Stopper) -> Running {
        let switch = Switch { disk: Mutex::new(Disk::Works), changed: Condvar::new() };
        Running { plane, stopper, disk: Arc::new(switch) }
    }

    /// Ends without a last checkpoint, as a crash would.
    pub(crate) async fn leave(self) {
        tokio::task::spawn_blocking(move || self.stopper.crash_for_test()).await.unwrap();
    }

    /// Stops in order; blocks, so not on the thread of a runtime.
    pub(crate) async fn stop(self) {
        tokio::task::spawn_blocking(move || self.stopper.stop()).await.unwrap().unwrap();
    }

    /// The state as a checkpoint, after everything before is durable.
    pub(crate) async fn state(&self) -> Vec<u8> {
        self.plane.ask(|state, _| state.encode_checkpoint()).await.unwrap()
    }

    pub(crate) async fn add_site(&self, name: &str, nodes: u32, cpus: u32) -> ClusterId {
        let token = TokenHash(BlobHash(*blake3::hash(name.as_bytes()).as_bytes()));
        let add = Command::AddSite(AddSite { cluster: name.to_owned(), token });
        let added = self.plane.command(Caller::System, add, Vec::new()).await.unwrap();
        let Reply::Cluster(cluster) = added.reply else { panic!("a cluster: {added:?}") };
        let command = Command::RecordInventory(Arc::new(inventory(name, nodes, cpus)));
        self.plane.orders().note_contact(cluster);
        self.plane.command(Caller::Agent(cluster), command, Vec::new()).await.unwrap();
        cluster
    }

    pub(crate) async fn submit(&self, key: u128, jobs: Vec<JobSpec>) -> Vec<JobId> {
        match self.plane.command(Caller::User("ada".into()), submit(key, jobs), vec![]).await {
            Ok(committed) => match committed.reply {
                Reply::Jobs(ids) => ids,
                other => panic!("jobs: {other:?}"),
            },
            Err(failure) => panic!("submission {key}: {failure}"),
        }
    }

    pub(crate) async fn views_are_current(&self) {
        let seq = self.plane.durable_seq();
        assert!(self.plane.views().wait_for(seq, Duration::from_secs(60)).await);
    }

    /// Reports that every running order has started and ended well, as they come, until `stop`.
    pub(crate) fn agent(&self, cluster: ClusterId) -> tokio::task::JoinHandle<()> {
        let plane = self.plane.clone();
        tokio::spawn(async move {
            let mut version = 0;
            loop {
                let answer = plane.orders().poll(cluster, version, Duration::from_secs(5)).await;
                version = answer.version;
                let orders = answer.whole.unwrap_or(answer.changed);
                let reports: Vec<Report> = orders.iter().flat_map(reports).collect();
                if reports.is_empty() {
                    continue;
                }
                let command = Command::RecordReports(reports);
                let sent = plane.command(Caller::Agent(cluster), command, Vec::new()).await;
                if sent.is_err() {
                    // As a real agent would: everything again, until it is acknowledged.
                    version = 0;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        })
    }

    pub(crate) async fn all_over(&self) {
        for _ in 0..6_000 {
            let live = self.plane.ask(|state, _| state.live()).await;
            if live == Ok((0, 0)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("jobs are left after a minute: {:?}", self.plane.health());
    }
}

fn reports(order: &Order) -> Vec<Report> {
    let fact = |fact| Report {
        allocation: order.allocation,
        generation: order.generation,
        at: clock::now(),
        fact,
    };
    match &order.desired {
        Desired::Run(_) => vec![fact(Fact::Started), fact(ended(End::Exited { code: 0 }))],
        Desired::Stop(_) => vec![fact(ended(End::Cancelled))],
    }
}

pub(crate) fn ended(end: End) -> Fact {
    Fact::Ended(Outcome {
        end,
        payload: PayloadReach::Started,
        usage: Usage { wall_us: 1_000_000, cpu_us: 500_000, memory_peak_bytes: 1 << 20 },
        message: String::new(),
    })
}

pub(crate) fn report(order: &Order, fact: Fact) -> Command {
    let allocation: AllocationId = order.allocation;
    let report = Report { allocation, generation: order.generation, at: clock::now(), fact };
    Command::RecordReports(vec![report])
}

pub(crate) fn submit(key: u128, jobs: Vec<JobSpec>) -> Command {
    Command::SubmitJobs(SubmitJobs { key: IdempotencyKey { key, body: jobs.len() as u64 }, jobs })
}

pub(crate) fn target(job: JobId) -> Target {
    Target { job, index: None }
}

pub(crate) fn job(name: &str) -> JobSpec {
    JobSpec {
        name: name.to_owned(),
        user: "ada".into(),
        project: "engines".into(),
        shape: Arc::new(shape(1)),
        launch: BlobHash([7; 32]),
        array: None,
        dependency: None,
        array_sites: Default::default(),
        on_invalid_dependency: OnInvalidDependency::Wait,
        begin: None,
        deadline: None,
        hold: Hold::None,
        requeue: Requeue::Never,
        qos: None,
        nice: 0,
    }
}

pub(crate) fn array(name: &str, indexes: &str) -> JobSpec {
    JobSpec { array: Some(indexes.parse().unwrap()), ..job(name) }
}

pub(crate) fn shape(cpus: u32) -> Shape {
    Shape {
        nodes: 1,
        per_node: Tres { cpus, memory: Mebibytes::new(64), gpus: 0 },
        sharing: Sharing::Shared,
        time: Walltime::from_seconds(60),
        partitions: Vec::new(),
        sites: Vec::new(),
        flavors: Vec::new(),
        features: Vec::new(),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        goal: Goal::Balanced,
        budget: None,
        inputs: Vec::new(),
        output_bytes: 0,
        paths: Vec::new(),
    }
}

fn inventory(name: &str, nodes: u32, cpus: u32) -> Inventory {
    let capacity = Tres { cpus, memory: Mebibytes::new(u64::from(cpus) * 1024), gpus: 0 };
    let node = |number| Node {
        name: format!("{name}{number}"),
        flavor: 0,
        capacity,
        features: Vec::new(),
        outside: Tres::default(),
        releases: Vec::new(),
    };
    Inventory {
        site: name.to_owned(),
        cluster: name.to_owned(),
        driver: DriverKind::Noop,
        zone: "Asia/Shanghai".into(),
        home: true,
        shared_paths: vec!["/".into()],
        flavors: vec![Flavor {
            name: "cpu".into(),
            speed_milli: 1_000,
            price: Price { cpu_hour: MicroCredits(360_000), ..Price::default() },
        }],
        nodes: (0..nodes).map(node).collect(),
        partitions: vec![Partition {
            name: "main".into(),
            default: true,
            time_max: Walltime::from_seconds(86_400).unwrap(),
            time_default: Walltime::from_seconds(3_600).unwrap(),
            queue: Default::default(),
            nodes_max_per_job: nodes,
            nodes: (0..nodes).collect(),
        }],
        links: Vec::new(),
        enforced: Vec::new(),
        peer: None,
        data_quota: None,
        backlog: 0,
    }
}
