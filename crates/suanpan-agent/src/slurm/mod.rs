//! The `slurm` driver: jobs of a Slurm cluster, submitted by an ordinary account on a login node.
//!
//! Below the agent's state directory, which the cluster's nodes must see under the same path:
//!
//! ```text
//! network             letters that tell this network's jobs from another's in comments
//! allocations/<id>/   order.json launch.json site-script     what is to be done
//!                     submit.json                            sbatch is about to be called, or was
//!                     start.<generation>                     the fence: our supervisor began; with
//!                                                            words in it once it may go on
//!                     started payload.json alive             user code runs
//!                     requeue                                the payload asks to be run again
//!                     stop.<generation>                      asked to stop
//!                     exit.json                              what the supervisor saw
//!                     end.json                               what the agent concluded
//! news/<id>           supervisors that wait to go on or ended
//! bin/                scontrol and scancel, as scripts find them
//! finished/<id>/      its end and where its output is, after the control plane forgot it: never
//!                     run again
//! ```
//!
//! An acknowledged `sbatch` can be lost and its id given to another job, and a job can have run
//! though Slurm holds it as never started. A job begins only once the control plane knows that it
//! does, so that what it withdrew from a site out of contact never runs there. So a job is known by
//! our mark ([`mark`]), every look at the queue is a reconciliation ([`judge`]), and what ran is
//! what the fence and the exit file say ([`supervise`]). The cost at the site is that of [`desk`]:
//! one `squeue` for all jobs, and `sacct` only while something is not explained.

mod amounts;
mod client;
mod desk;
pub mod inside;
mod inventory;
pub mod judge;
mod live;
mod look;
pub mod mark;
pub mod parse;
pub mod store;
mod strays;
pub mod submit;
pub mod supervise;
mod turnover;

use crate::data::board::{Board, PUBLISH, PUBLISHED, with_outputs};
use crate::data::contract;
use crate::driver::{Driver, LaunchDocument};
use crate::local::files::{
    Dir, OUTPUTS, OutputFiles, now, numbered, private_dir, prune_finished, put_away,
};
use crate::local::stage;
use crate::sitefile::Site;
use amounts::Amounts;
use desk::{Desk, Machines};
use judge::Stop;
use live::{Live, files, live_row};
use look::{Ending, ended};
use mark::Mark;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Assignment, Conclusion, Submission, name, never_started};
use strays::Strays;
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, Launch};
use suanpan_model::site::{EnforcedLimit, Inventory};
use suanpan_site::order::{Desired, Order};
use suanpan_site::reconcile::{Observed, Progress};
use suanpan_site::report::{Fact, Report};
use suanpan_wire::agent::{LogStream, SiteWait};
use turnover::Turnover;

/// What the driver is told once.
#[derive(Clone)]
pub struct SlurmSettings {
    /// The agent's state directory, seen by the nodes too.
    pub state_dir: PathBuf,
    /// The binary whose hidden verb is the supervisor, seen by the nodes too.
    pub exe: PathBuf,
    /// Seconds between TERM and KILL of a payload that is stopped without Slurm.
    pub grace_s: u32,
    /// Tells this network from others whose agents use the same account.
    pub network: String,
    /// Has data staged and published.
    pub board: Board,
}

/// How often everything is judged when the queue did not change.
const JUDGE_PERIOD: Duration = Duration::from_secs(1);

/// A cancellation is repeated after this time.
const CANCEL_PERIOD: Duration = Duration::from_secs(5);

/// Waiting at the site for longer is reported.
const WAITING_SHOWN: Duration = Duration::from_secs(2);

/// What is asked for after the control plane forgot an allocation: how it ended, and its output.
const KEPT: [&str; 4] = [name::END, OUTPUTS, PUBLISH, PUBLISHED];

/// Mark that a payload was told that it will be stopped for another job.
const WARN: &str = "warn";

/// Runs jobs of a Slurm cluster.
pub struct SlurmDriver {
    settings: SlurmSettings,
    site: Site,
    machines: Machines,
    inventory: Option<Inventory>,
    desk: Arc<Desk>,
    live: BTreeMap<AllocationId, Live>,
    observed: BTreeMap<AllocationId, Observed>,
    acknowledged: BTreeSet<AllocationId>,
    waits: Vec<SiteWait>,
    changed: BTreeSet<AllocationId>,
    judged: (u64, Option<Instant>),
    strays_at: Instant,
    strays: Strays,
    forgets: u32,
    turnover: Turnover,
    /// How many jobs may wait in Slurm's queue, as it was told last.
    backlog: u32,
    amounts: Amounts,
}

impl SlurmDriver {
    /// Looks at the cluster, and finds every allocation of the state directory again.
    ///
    /// # Errors
    /// If Slurm's commands are not there or do not answer, if the site file does not fit what
    /// they say, or if the directory cannot be used.
    pub fn open(settings: SlurmSettings, site: &Site) -> anyhow::Result<SlurmDriver> {
        use anyhow::Context as _;
        for name in ["allocations", "finished", inside::BIN, name::NEWS] {
            private_dir(&settings.state_dir.join(name))?;
        }
        submit::check_exe(&settings.exe).map_err(anyhow::Error::msg)?;
        inside::install(&settings.state_dir, &settings.exe)?;
        let answer = client::run("sbatch", &client::words(&["--version"]), client::ASK_LIMIT);
        let answer = answer.map_err(|trouble| anyhow::anyhow!("Slurm's commands: {trouble}"))?;
        let version = parse::version(&answer);
        match version {
            Some(version) if version < OLDEST => {
                anyhow::bail!("Slurm is {}; at least 20.11 is needed", answer.trim_end())
            }
            _ => tracing::info!(version = answer.trim_end(), "Slurm"),
        }
        let machines = Desk::machines_now()
            .map_err(|trouble| anyhow::anyhow!("asking Slurm for its nodes: {trouble}"))?;
        let inventory = inventory::inventory(site, &machines, &BTreeMap::new())?;
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())?;
        let user = user.context("the agent's account has no name")?.name;
        let desk = Desk::open(user, settings.network.clone())?;
        let now = Instant::now();
        let mut driver = SlurmDriver {
            settings,
            site: site.clone(),
            machines,
            inventory: Some(inventory),
            desk,
            live: BTreeMap::new(),
            observed: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            waits: Vec::new(),
            changed: BTreeSet::new(),
            judged: (0, None),
            strays_at: now,
            strays: Strays::default(),
            forgets: 0,
            turnover: Turnover::new(now),
            backlog: 0,
            amounts: Amounts::default(),
        };
        driver.scan()?;
        Ok(driver)
    }

    fn scan(&mut self) -> io::Result<()> {
        for (id, dir) in numbered(&self.settings.state_dir.join("finished"))? {
            let end = dir.read::<Conclusion>(name::END);
            let generation = end.map_or(Generation(0), |end| end.generation());
            self.observed.insert(id, Observed { generation, progress: Progress::Forgotten });
        }
        for (id, dir) in numbered(&self.settings.state_dir.join("allocations"))? {
            if let Some(end) = dir.read::<Conclusion>(name::END) {
                let generation = end.generation();
                self.observed.insert(id, Observed { generation, progress: Progress::Ended });
                continue;
            }
            let known = (dir.read::<Submission>(name::SUBMIT), dir.read::<Launch>(name::LAUNCH));
            let (Some(submission), Some(launch)) = known else {
                // It was never handed to Slurm: if it is still wanted it is ordered anew.
                fs::remove_dir_all(&dir.0)?;
                continue;
            };
            let per_node = dir.read::<Assignment>(name::ORDER);
            let per_node = per_node.and_then(|given| Some(given.run()?.per_node));
            let mark = self.mark(id, submission.generation);
            let mut live = Live::new(mark, &launch, per_node.unwrap_or_default());
            live.submission = Some(submission);
            self.settings.board.stage(id, &dir, &launch);
            let stopped = dir.marked("stop");
            if stopped.is_some() {
                live.stop = Stop::Ordered;
            }
            live.warned = dir.has(WARN);
            let generation = stopped.unwrap_or_default().max(submission.generation);
            self.live.insert(id, live);
            self.observed.insert(id, Observed { generation, progress: Progress::Staging });
            self.look_at(id);
        }
        Ok(())
    }

    fn mark(&self, allocation: AllocationId, generation: Generation) -> Mark {
        Mark { network: self.settings.network.clone(), allocation, generation }
    }

    fn dir(&self, id: AllocationId) -> Dir {
        Dir(self.settings.state_dir.join("allocations").join(id.to_string()))
    }

    fn finished_dir(&self, id: AllocationId) -> Dir {
        Dir(self.settings.state_dir.join("finished").join(id.to_string()))
    }

    fn set(&mut self, id: AllocationId, progress: Progress) {
        let warned = self.live.get(&id).is_some_and(|live| live.warned);
        let progress = match progress {
            Progress::Started if warned => Progress::Warned,
            progress => progress,
        };
        let Some(seen) = self.observed.get_mut(&id) else { return };
        if seen.progress != progress {
            seen.progress = progress;
            self.changed.insert(id);
        }
    }

    fn take_machines(&mut self) {
        let Some(machines) = self.desk.take_machines() else { return };
        self.machines = machines;
        let live = self.live.iter().map(|(id, live)| (*id, live.per_node));
        self.amounts.answered(&self.machines, live, Instant::now());
        self.find_inventory();
    }

    fn find_inventory(&mut self) {
        self.backlog = self.backlog_now();
        match inventory::inventory(&self.site, &self.machines, self.amounts.there()) {
            Ok(found) => self.inventory = Some(Inventory { backlog: self.backlog, ..found }),
            Err(error) => tracing::error!(%error, "what Slurm says of its nodes is not used"),
        }
    }

    /// As many jobs as turn over may wait in Slurm's queue, if its owner lets them.
    fn backlog_now(&mut self) -> u32 {
        self.turnover.backlog(Instant::now()).min(self.site.slurm.backlog_max)
    }

    fn assignment(&self, order: &Order) -> io::Result<Assignment> {
        let Desired::Run(run) = &order.desired else {
            return Err(io::Error::other("an order to stop is not launched"));
        };
        let place = inventory::place(&self.site, &self.machines, &run.partition, &run.flavor);
        Ok(Assignment {
            site: self.site.inventory.site.clone(),
            cluster: self.site.inventory.cluster.clone(),
            order: order.clone(),
            gres: place.gres,
            features: place.features,
            avoid: place.avoid,
            members: place.members,
            account: self.site.slurm.account.clone(),
            qos: self.site.slurm.qos.clone(),
            grace_s: self.settings.grace_s,
        })
    }
}

/// The oldest version whose commands have every option that is used (`squeue -t all -u`,
/// `sacct` with `SubmitLine`).
const OLDEST: (u32, u32) = (20, 11);

/// The letters that tell this network's jobs from another's: kept in the state directory, and made
/// from the agent's token, so that an agent that lost the directory finds its jobs again.
///
/// # Errors
/// If the token cannot be read or the file not written.
pub fn network(state_dir: &Path, token_file: &Path) -> io::Result<String> {
    let path = state_dir.join("network");
    if let Ok(text) = fs::read_to_string(&path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let token = crate::config::read_token(token_file)?;
    let network = blake3::hash(token.as_bytes()).to_hex()[..8].to_owned();
    fs::write(&path, format!("{network}\n"))?;
    Ok(network)
}

impl Driver for SlurmDriver {
    fn refresh(&mut self) -> Vec<AllocationId> {
        self.take_submitted();
        self.take_machines();
        self.take_news();
        self.let_go();
        let (snapshot, _) = self.desk.view();
        let rested = self.judged.1.is_none_or(|at| at.elapsed() > JUDGE_PERIOD);
        if snapshot.number != self.judged.0 || rested {
            self.judged = (snapshot.number, Some(Instant::now()));
            for id in self.live.keys().copied().collect::<Vec<_>>() {
                self.look_at(id);
            }
            self.cancel_strays();
        }
        for (id, live) in &mut self.live {
            if !live.shown && !live.fence && live.born.elapsed() > WAITING_SHOWN {
                live.shown = true;
                self.changed.insert(*id);
            }
        }
        self.desk.set_live(self.live.len());
        if self.backlog_now() != self.backlog {
            self.find_inventory();
        }
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
        let given = self.assignment(order)?;
        let (id, generation) = (order.allocation, order.generation);
        let Some(run) = given.run() else { return Ok(()) };
        let per_node = run.per_node;
        let dir = self.dir(id);
        private_dir(&dir.0)?;
        dir.write_unsynced(name::LAUNCH, launch)?;
        dir.write_unsynced(name::ORDER, &given)?;
        let ready = stage::prepare_workdir(&dir, &given.site, launch)
            .and_then(|()| contract::check(launch))
            .and_then(|()| files(&dir, run, launch));
        let mark = self.mark(id, generation);
        self.live.insert(id, Live::new(mark, launch, per_node));
        self.observed.insert(id, Observed { generation, progress: Progress::Staging });
        self.changed.insert(id);
        match ready {
            Ok(files) => {
                self.settings.board.stage(id, &dir, launch);
                let stdout = PathBuf::from(files.stdout.replace("%%", "%"));
                let stderr = files.stderr.map(|path| PathBuf::from(path.replace("%%", "%")));
                let stderr = stderr.unwrap_or_else(|| stdout.clone());
                dir.write_unsynced(OUTPUTS, &OutputFiles { stdout, stderr })?;
                self.look_at(id);
                Ok(())
            }
            Err(trouble) => self.conclude(id, Ending::Refused(trouble.0)),
        }
    }

    fn warn(&mut self, id: AllocationId) -> io::Result<()> {
        let dir = self.dir(id);
        match dir.create_mark(WARN) {
            // An agent before this one told it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let signal = dir.read::<Launch>(name::LAUNCH).and_then(|launch| launch.signal);
                let (snapshot, _) = self.desk.view();
                let rows = self.live.get(&id).and_then(|live| snapshot.by_mark.get(&live.mark));
                if let Some(row) = rows.and_then(|rows| live_row(rows)) {
                    self.desk.signal(submit::notice(row.id, signal));
                }
            }
        }
        if let Some(live) = self.live.get_mut(&id) {
            live.warned = true;
        }
        self.set(id, Progress::Started);
        Ok(())
    }

    fn stop(&mut self, id: AllocationId, generation: Generation) -> io::Result<()> {
        let dir = self.dir(id);
        private_dir(&dir.0)?;
        match dir.create_mark(&format!("stop.{generation}")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let Some(live) = self.live.get_mut(&id) else {
            self.observed.insert(id, Observed { generation, progress: Progress::Stopping });
            return self.conclude(id, ended(never_started(End::Cancelled, "")));
        };
        live.stop = Stop::Ordered;
        let seen = self.observed.entry(id);
        let seen = seen.or_insert(Observed { generation, progress: Progress::Stopping });
        seen.generation = seen.generation.max(generation);
        self.set(id, Progress::Stopping);
        self.look_at(id);
        Ok(())
    }

    fn settle(&mut self, _id: AllocationId) -> io::Result<()> {
        // What became of a job is judged from the site at every look.
        Ok(())
    }

    fn acknowledged(&mut self, id: AllocationId) {
        self.acknowledged.insert(id);
    }

    fn take_waits(&mut self) -> Vec<SiteWait> {
        std::mem::take(&mut self.waits)
    }

    fn reports(&self, id: AllocationId) -> Vec<Report> {
        let Some(seen) = self.observed.get(&id) else { return Vec::new() };
        let report = |at, fact| Report { allocation: id, generation: seen.generation, at, fact };
        let dir = match seen.progress {
            Progress::Ended => self.dir(id),
            Progress::Forgotten => self.finished_dir(id),
            _ => {
                let Some(live) = self.live.get(&id) else { return Vec::new() };
                return match live.started {
                    Some(at) => vec![report(at, Fact::Started)],
                    None if live.shown => vec![report(now(), Fact::Staging)],
                    None => Vec::new(),
                };
            }
        };
        match dir.read::<Conclusion>(name::END) {
            None => Vec::new(),
            Some(Conclusion::Refused { at, reason, .. }) => {
                vec![report(at, Fact::Refused { reason })]
            }
            Some(Conclusion::Ended(exit)) => {
                let started = exit.started_at.map(|at| report(at, Fact::Started));
                let ended = report(exit.at, Fact::Ended(with_outputs(&dir, exit.outcome)));
                started.into_iter().chain([ended]).collect()
            }
        }
    }

    fn forget(&mut self, id: AllocationId) {
        let Some(seen) = self.observed.get(&id).copied() else { return };
        if let Err(error) = put_away(&self.dir(id), &self.finished_dir(id), &KEPT) {
            tracing::warn!(allocation = id.0, %error, "could not put a finished allocation away");
            return;
        }
        self.live.remove(&id);
        self.observed.insert(id, Observed { progress: Progress::Forgotten, ..seen });
        self.forgets += 1;
        if self.forgets.is_multiple_of(256) {
            for gone in prune_finished(&self.settings.state_dir) {
                self.observed.remove(&gone);
            }
        }
    }

    fn output(&self, id: AllocationId, stream: LogStream) -> Option<PathBuf> {
        crate::local::files::output(&self.dir(id), &self.finished_dir(id), stream)
    }

    fn enforced(&self) -> Vec<EnforcedLimit> {
        let by = |limit: &str, by: &str| EnforcedLimit { limit: limit.into(), by: by.into() };
        let configured = "Slurm, as the site has configured it";
        vec![by("memory", configured), by("cpu", configured), by("time", "Slurm")]
    }

    fn set_site(&mut self, site: &Site) {
        self.site = site.clone();
        self.find_inventory();
    }

    fn take_inventory(&mut self) -> Option<Inventory> {
        self.inventory.take()
    }
}

impl Drop for SlurmDriver {
    fn drop(&mut self) {
        self.desk.end();
    }
}
