//! The `local` driver: jobs are processes on the agent's own machine.
//!
//! Below the agent's state directory:
//!
//! ```text
//! allocations/<id>/   order.json launch.json          what is to be done
//!                     start.<generation>              the fence: a supervisor began
//!                     started                         from here on user code may have run
//!                     plan.json script setup work/    staged
//!                     gate.ready                      the gate has its lock and waits
//!                     payload.json code.json          the gate: pid and start; exit code
//!                     warn warn.sent                  will be stopped for another job; was told so
//!                     stop.<generation> ending.json   asked to stop; what the supervisor does
//!                     outputs.json exit.json          where the output is; the end of it all
//!                     lock gate.lock                  held by the living
//! finished/<id>/      its end and its output, readable for a week after the control plane forgot
//!                     it: never run again
//! bin/                the srun and scontrol shims
//! ```

pub mod cgroup;
pub mod devices;
pub mod enter;
pub mod environment;
pub mod files;
pub mod gate;
pub mod processes;
pub mod stage;
pub mod supervisor;
mod watch;

use crate::data::board::{Board, HoldBack, PUBLISH, PUBLISHED, with_outputs};
use crate::driver::{Driver, LaunchDocument};
use crate::sitefile::Site;
use cgroup::JobGroups;
use files::{
    Assignment, Dir, Exit, OUTPUTS, PayloadStart, now, numbered, private_dir, prune_finished,
    put_away,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, Launch, PayloadReach, Usage};
use suanpan_model::site::{EnforcedLimit, Inventory};
use suanpan_site::order::{Desired, Order};
use suanpan_site::reconcile::{Observed, Progress};
use suanpan_site::report::{Fact, Outcome, Report};
use suanpan_wire::agent::LogStream;

/// What the driver is told once.
#[derive(Clone)]
pub struct LocalSettings {
    /// The agent's state directory.
    pub state_dir: PathBuf,
    /// The binary whose hidden verbs are supervisors, gates and shims.
    pub exe: PathBuf,
    /// Seconds between TERM and KILL.
    pub grace_s: u32,
    /// Has data staged and published.
    pub board: Board,
}

/// What is asked for after the control plane forgot an allocation: how it ended, and its output.
const KEPT: [&str; 5] = ["exit.json", "payload.json", OUTPUTS, PUBLISH, PUBLISHED];

/// How often a supervisor that is no child of this agent is looked for.
const PROBE_PERIOD: Duration = Duration::from_millis(400);

/// Staging that takes longer is reported as such.
const STAGING_SHOWN: Duration = Duration::from_secs(1);

/// How often a dead supervisor is replaced before the agent settles the job itself.
const TAKEOVERS_MAX: u32 = 3;

/// Runs jobs as processes of this machine.
pub struct LocalDriver {
    settings: LocalSettings,
    inventory: Inventory,
    plan: cgroup::Plan,
    enforced: Vec<EnforcedLimit>,
    live: BTreeMap<AllocationId, Live>,
    observed: BTreeMap<AllocationId, Observed>,
    changed: BTreeSet<AllocationId>,
    reaping: Vec<Child>,
    forgets: u32,
}

/// What this process remembers of an allocation that is not over; the rest is in its directory.
struct Live {
    child: Option<Child>,
    since: Instant,
    probed: Option<Instant>,
    takeovers: u32,
    gpus: Vec<(String, Vec<u32>)>,
    staging_shown: bool,
}

impl LocalDriver {
    /// Opens the state directory and finds every allocation in it again.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(settings: LocalSettings, inventory: &Inventory) -> io::Result<LocalDriver> {
        for name in ["allocations", "finished", "bin"] {
            private_dir(&settings.state_dir.join(name))?;
        }
        crate::shim::install(&settings.state_dir.join("bin"), &settings.exe)?;
        // Two networks on one machine may both have a cluster of this name: the state directory
        // tells their groups apart, also after a restart.
        let place = fs::metadata(&settings.state_dir)?;
        let groups = format!("{}-{:x}-{:x}", inventory.cluster, place.dev(), place.ino());
        let (plan, mut enforced) = cgroup::detect(&groups);
        enforced.push(EnforcedLimit { limit: "time".into(), by: "supervisor".into() });
        let mut driver = LocalDriver {
            settings,
            inventory: inventory.clone(),
            plan,
            enforced,
            live: BTreeMap::new(),
            observed: BTreeMap::new(),
            changed: BTreeSet::new(),
            reaping: Vec::new(),
            forgets: 0,
        };
        driver.scan()?;
        Ok(driver)
    }

    fn scan(&mut self) -> io::Result<()> {
        for (id, dir) in numbered(&self.settings.state_dir.join("finished"))? {
            let generation = dir.read::<Exit>("exit.json").map_or(Generation(0), |e| e.generation);
            self.observed.insert(id, Observed { generation, progress: Progress::Forgotten });
        }
        for (id, dir) in numbered(&self.settings.state_dir.join("allocations"))? {
            let exit = dir.read::<Exit>("exit.json");
            let fence = dir.marked("start");
            let supervised = dir.try_lock(supervisor::LOCK)?.is_none();
            if exit.is_none() && fence.is_none() && !supervised {
                // Nothing began; a supervisor that comes late is fenced like any other.
                continue;
            }
            if let Some(launch) = dir.read::<Launch>("launch.json") {
                self.settings.board.stage(id, &dir, &launch);
            }
            let gpus = dir.read::<Assignment>("order.json").map(|a| used_gpus(&a));
            let generation = exit.map_or(Generation(0), |exit| exit.generation);
            let marked = fence.max(dir.marked("stop")).unwrap_or_default();
            let generation = generation.max(marked);
            self.live.insert(id, Live { gpus: gpus.unwrap_or_default(), ..Live::new(None) });
            self.observed.insert(id, Observed { generation, progress: Progress::Staging });
            self.look_at(id, Instant::now());
        }
        Ok(())
    }

    fn dir(&self, id: AllocationId) -> Dir {
        Dir(self.settings.state_dir.join("allocations").join(id.to_string()))
    }

    fn finished_dir(&self, id: AllocationId) -> Dir {
        Dir(self.settings.state_dir.join("finished").join(id.to_string()))
    }

    fn set(&mut self, id: AllocationId, generation: Generation, progress: Progress) {
        let observed = Observed { generation, progress };
        if self.observed.insert(id, observed) != Some(observed) {
            self.changed.insert(id);
        }
    }

    /// Finds out how far an allocation is.
    fn look_at(&mut self, id: AllocationId, time: Instant) {
        let dir = self.dir(id);
        let (Some(live), Some(seen)) = (self.live.get_mut(&id), self.observed.get(&id).copied())
        else {
            return;
        };
        let mut child_gone = false;
        if let Some(child) = &mut live.child
            && !matches!(child.try_wait(), Ok(None))
        {
            live.child = None;
            child_gone = true;
        }
        if let Some(exit) = dir.read::<Exit>("exit.json") {
            self.live.get_mut(&id).expect("it was there above").gpus.clear();
            if self.settings.board.holds_back(id, &dir) == HoldBack::Publishing {
                return;
            }
            self.set(id, exit.generation.max(seen.generation), Progress::Ended);
            return;
        }
        let due = live.probed.is_none_or(|at| time.duration_since(at) > PROBE_PERIOD);
        if live.child.is_none() && (child_gone || due) {
            live.probed = Some(time);
            // The lock is free only if no supervisor lives; the exit file may have come meanwhile.
            if matches!(dir.try_lock(supervisor::LOCK), Ok(Some(_))) && !dir.has("exit.json") {
                self.set(id, seen.generation, Progress::Lost);
                return;
            }
        }
        let staging_long = !live.staging_shown && time.duration_since(live.since) > STAGING_SHOWN;
        let progress = if dir.marked("stop").is_some() {
            Progress::Stopping
        } else if dir.has(watch::WARN) {
            Progress::Warned
        } else if dir.has("payload.json") {
            Progress::Started
        } else {
            Progress::Staging
        };
        if progress == Progress::Staging && staging_long {
            live.staging_shown = true;
            self.changed.insert(id);
        }
        self.set(id, seen.generation, progress);
    }

    fn assignment(&self, order: &Order) -> io::Result<Assignment> {
        let Desired::Run(run) = &order.desired else {
            return Err(io::Error::other("an order to stop is not launched"));
        };
        let mut gpus = Vec::new();
        let mut nodes_have_gpus = false;
        for name in &run.nodes {
            let node = self.inventory.nodes.iter().find(|node| node.name == *name);
            let capacity = node.map_or(run.per_node, |node| node.capacity);
            nodes_have_gpus |= capacity.gpus > 0;
            let chosen = devices::choose(capacity.gpus, &self.gpus_in_use(name), run.per_node.gpus);
            gpus.push(chosen.ok_or_else(|| {
                io::Error::other(format!(
                    "node {name} has {} accelerators and fewer than {} of them are free",
                    capacity.gpus, run.per_node.gpus
                ))
            })?);
        }
        Ok(Assignment {
            site: self.inventory.site.clone(),
            cluster: self.inventory.cluster.clone(),
            order: order.clone(),
            gpus,
            nodes_have_gpus,
            grace_s: self.settings.grace_s,
            exe: self.settings.exe.clone(),
            shims: self.settings.state_dir.join("bin"),
            cgroups: self.plan.clone(),
        })
    }

    fn gpus_in_use(&self, node: &str) -> BTreeSet<u32> {
        let all = self.live.values().flat_map(|live| &live.gpus);
        all.filter(|(name, _)| name == node).flat_map(|(_, indexes)| indexes).copied().collect()
    }

    fn spawn_supervisor(&self, dir: &Dir) -> io::Result<Child> {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(dir.file("supervisor.log"))?;
        let mut command = Command::new(&self.settings.exe);
        command.arg("supervise").arg(&dir.0).env_remove("FAILPOINTS");
        if let Some(points) = std::env::var_os("SUANPAN_SUPERVISOR_FAILPOINTS") {
            command.env("FAILPOINTS", points);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// Writes an end for an allocation that nobody supervises; false if somebody does.
    fn end_unsupervised(&self, id: AllocationId, generation: Generation) -> io::Result<bool> {
        let dir = self.dir(id);
        let Some(_lock) = dir.try_lock(supervisor::LOCK)? else { return Ok(false) };
        if dir.has("exit.json") {
            return Ok(true);
        }
        let began = dir.marked("start").is_some();
        if began {
            let groups = self.groups(id, &dir);
            processes::kill_all(&dir.0, &groups, &[]);
            groups.remove();
        }
        let payload =
            if dir.has("started") { PayloadReach::Started } else { PayloadReach::NeverStarted };
        let (end, message) = if began {
            (End::Lost, "its supervisors died again and again")
        } else {
            (End::Cancelled, "")
        };
        let message = message.to_owned();
        let exit = Exit {
            generation,
            started_at: dir.read::<PayloadStart>("payload.json").map(|start| start.at),
            at: now(),
            outcome: Outcome { end, payload, usage: Usage::default(), message },
        };
        dir.write("exit.json", &exit)?;
        Ok(true)
    }

    /// The groups of an allocation, where the agent that launched it made them.
    fn groups(&self, id: AllocationId, dir: &Dir) -> JobGroups {
        let assignment: Option<Assignment> = dir.read("order.json");
        let plan = assignment.map_or_else(|| self.plan.clone(), |assignment| assignment.cgroups);
        JobGroups::of(&plan, &id.to_string())
    }

    fn prune(&mut self) {
        for gone in prune_finished(&self.settings.state_dir) {
            self.observed.remove(&gone);
        }
    }
}

impl Driver for LocalDriver {
    fn refresh(&mut self) -> Vec<AllocationId> {
        let time = Instant::now();
        let ids: Vec<AllocationId> = self.live.keys().copied().collect();
        for id in ids {
            if self.observed.get(&id).is_some_and(|seen| seen.progress != Progress::Ended) {
                self.look_at(id, time);
            } else if let Some(child) = self.live.get_mut(&id).and_then(|l| l.child.as_mut()) {
                // A supervisor that has written the exit file is about to end; it is reaped.
                let _ = child.try_wait();
            }
        }
        self.reaping.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    fn observed(&self) -> &BTreeMap<AllocationId, Observed> {
        &self.observed
    }

    fn launch_document(&self) -> LaunchDocument {
        LaunchDocument::Needed
    }

    fn launch(&mut self, order: &Order, launch: Option<&Launch>) -> io::Result<()> {
        let launch = launch.ok_or_else(|| io::Error::other("the launch document is missing"))?;
        let assignment = self.assignment(order)?;
        let dir = self.dir(order.allocation);
        private_dir(&dir.0)?;
        dir.write_unsynced("launch.json", launch)?;
        dir.write_unsynced("order.json", &assignment)?;
        self.settings.board.stage(order.allocation, &dir, launch);
        let child = self.spawn_supervisor(&dir)?;
        let live = Live { gpus: used_gpus(&assignment), ..Live::new(Some(child)) };
        self.live.insert(order.allocation, live);
        self.set(order.allocation, order.generation, Progress::Staging);
        Ok(())
    }

    fn warn(&mut self, id: AllocationId) -> io::Result<()> {
        self.dir(id).ensure_mark(watch::WARN)?;
        self.look_at(id, Instant::now());
        Ok(())
    }

    fn stop(&mut self, id: AllocationId, generation: Generation) -> io::Result<()> {
        let dir = self.dir(id);
        private_dir(&dir.0)?;
        dir.ensure_mark(&format!("stop.{generation}"))?;
        if !self.observed.contains_key(&id) {
            self.live.insert(id, Live::new(None));
            self.set(id, generation, Progress::Stopping);
            self.end_unsupervised(id, generation)?;
        }
        self.set(id, generation, Progress::Stopping);
        self.look_at(id, Instant::now());
        Ok(())
    }

    fn settle(&mut self, id: AllocationId) -> io::Result<()> {
        let dir = self.dir(id);
        let Some(seen) = self.observed.get(&id).copied() else { return Ok(()) };
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        if live.takeovers < TAKEOVERS_MAX {
            live.takeovers += 1;
            let child = self.spawn_supervisor(&dir)?;
            let live = self.live.get_mut(&id).expect("it was there above");
            live.child = Some(child);
            live.probed = Some(Instant::now());
            self.set(id, seen.generation, Progress::Staging);
        } else {
            self.end_unsupervised(id, seen.generation)?;
        }
        self.look_at(id, Instant::now());
        Ok(())
    }

    fn reports(&self, id: AllocationId) -> Vec<Report> {
        let Some(seen) = self.observed.get(&id) else { return Vec::new() };
        let dir = match seen.progress {
            Progress::Forgotten => self.finished_dir(id),
            _ => self.dir(id),
        };
        let report = |at, fact| Report { allocation: id, generation: seen.generation, at, fact };
        let mut reports = Vec::new();
        if let Some(start) = dir.read::<PayloadStart>("payload.json") {
            reports.push(report(start.at, Fact::Started));
        } else if self.live.get(&id).is_some_and(|live| live.staging_shown) {
            reports.push(report(now(), Fact::Staging));
        }
        if matches!(seen.progress, Progress::Ended | Progress::Forgotten)
            && let Some(exit) = dir.read::<Exit>("exit.json")
        {
            reports.push(report(exit.at, Fact::Ended(with_outputs(&dir, exit.outcome))));
        }
        reports
    }

    fn forget(&mut self, id: AllocationId) {
        let Some(seen) = self.observed.get(&id).copied() else { return };
        self.groups(id, &self.dir(id)).remove();
        if let Err(error) = put_away(&self.dir(id), &self.finished_dir(id), &KEPT) {
            tracing::warn!(allocation = id.0, %error, "could not put a finished allocation away");
            return;
        }
        // A supervisor that wrote its exit file may still be removing groups.
        self.reaping.extend(self.live.remove(&id).and_then(|live| live.child));
        self.observed.insert(id, Observed { progress: Progress::Forgotten, ..seen });
        self.forgets += 1;
        if self.forgets.is_multiple_of(256) {
            self.prune();
        }
    }

    fn output(&self, id: AllocationId, stream: LogStream) -> Option<PathBuf> {
        files::output(&self.dir(id), &self.finished_dir(id), stream)
    }

    fn enforced(&self) -> Vec<EnforcedLimit> {
        self.enforced.clone()
    }

    fn set_site(&mut self, site: &Site) {
        self.inventory = site.inventory.clone();
    }

    fn take_inventory(&mut self) -> Option<Inventory> {
        None
    }
}

impl Drop for LocalDriver {
    fn drop(&mut self) {
        // Only an empty directory goes away: jobs that go on keep theirs.
        for hierarchy in &self.plan.hierarchies {
            let _ = fs::remove_dir(&hierarchy.dir);
        }
    }
}

impl Live {
    fn new(child: Option<Child>) -> Live {
        Live {
            child,
            since: Instant::now(),
            probed: None,
            takeovers: 0,
            gpus: Vec::new(),
            staging_shown: false,
        }
    }
}

/// Name of a job's control groups.
#[must_use]
pub fn group_name(assignment: &Assignment) -> String {
    assignment.order.allocation.to_string()
}

fn used_gpus(assignment: &Assignment) -> Vec<(String, Vec<u32>)> {
    let nodes = assignment.run().map(|run| run.nodes.clone()).unwrap_or_default();
    nodes.into_iter().zip(assignment.gpus.iter().cloned()).collect()
}
