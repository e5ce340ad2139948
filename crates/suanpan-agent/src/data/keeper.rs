//! Makes a site hold what it should: compares the control plane's latest answer, and what its
//! allocations need, with what is there, and acts. One thread looks; transfers, publications and
//! the relay have threads of their own, so that nothing waits for a slow link.

use super::board::{Board, Staging};
use super::contract::{self, STAGED};
use super::fetch::Fetch;
use super::pace::Paces;
use super::store::Store;
use super::transfer::{Progress, Rate, Transfer, name};
use super::weigh::Told;
use crate::client::Client;
use crate::config::Shutdown;
use crate::local::files::{now, private_dir};
use crate::reporter::Pause;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_model::dataset::Manifest;
use suanpan_model::id::{AllocationId, BlobHash};
use suanpan_model::network::{Metric, Sample, Statistic, Taken};
use suanpan_model::time::Seconds;
use suanpan_wire::agent_data::{ChunkSource, DataAnswer, DataReports, Hold, TransferReport};

/// How often everything is compared when nothing wakes the keeper.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// Transfers at a time; the first of the control plane's list go first.
const TRANSFERS_MAX: usize = 4;

/// A shorter transfer says more of round trips than of a link's throughput.
const SAMPLE_TIME: Duration = Duration::from_secs(1);

/// What a keeper is made of.
pub struct Parts {
    /// Name of the site.
    pub site: String,
    /// The chunks and replicas.
    pub store: Arc<Store>,
    /// The control plane.
    pub client: Arc<Client>,
    /// Reaches sources of chunks.
    pub fetch: Arc<dyn Fetch>,
    /// What the drivers ask for.
    pub board: Board,
    /// Takes what is to be told.
    pub tell: Box<dyn Fn(DataReports) + Send + Sync>,
    /// Ends the keeper.
    pub shutdown: Shutdown,
}

/// Makes a site hold what it should.
pub struct Keeper {
    pub(super) parts: Parts,
    paces: Paces,
    /// Limit on the link to the control plane's store.
    pub(super) uploads: Paces,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    answer: Option<Arc<DataAnswer>>,
    is_new: bool,
    /// Transfers that run.
    running: BTreeMap<BlobHash, Arc<Progress>>,
    /// When what failed is tried again.
    resting: BTreeMap<BlobHash, (Pause, Instant)>,
    /// Sources in use, by how many transfers.
    sources: BTreeMap<Option<String>, u32>,
    publishing: BTreeSet<AllocationId>,
    /// Kinds of work of which only one thread does some at a time.
    busy: BTreeSet<&'static str>,
    pub(super) relayed: BTreeSet<BlobHash>,
    pub(super) told: BTreeMap<BlobHash, Told>,
}

impl Keeper {
    /// Prepares it; [`Keeper::run`] makes it work.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Keeper> {
        let (paces, uploads) = (Paces::default(), Paces::default());
        Arc::new(Keeper { parts, paces, uploads, state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Takes the control plane's latest answer.
    pub fn take(&self, answer: DataAnswer) {
        let mut state = self.state();
        state.answer = Some(Arc::new(answer));
        state.is_new = true;
        drop(state);
        self.parts.board.wake();
    }

    /// Has everything told anew, because the control plane may have started anew.
    pub fn tell_again(&self) {
        self.state().told.clear();
    }

    /// Works until the agent ends.
    pub fn run(self: &Arc<Keeper>) {
        while !self.parts.shutdown.is_triggered() {
            self.parts.board.wait(LOOK_PERIOD);
            self.publish_all();
            self.drop_over();
            let (answer, is_new) = {
                let mut state = self.state();
                (state.answer.clone(), std::mem::take(&mut state.is_new))
            };
            let Some(answer) = answer else { continue };
            if is_new {
                self.take_over(&answer);
            }
            self.evict(&answer);
            for hold in &answer.hold {
                self.hold(hold);
            }
            self.look_at_staging();
            self.weigh(&answer);
            self.relay(&answer);
            self.tell_replicas(&answer);
        }
    }

    /// What follows from an answer at once.
    fn take_over(&self, answer: &DataAnswer) {
        let mut limits: BTreeMap<Option<&str>, Option<u64>> = BTreeMap::new();
        for source in answer.hold.iter().flat_map(|hold| &hold.sources) {
            let (ChunkSource::Peer { limit_bps, .. } | ChunkSource::Store { limit_bps }) = source;
            limits.insert(name(source), *limit_bps);
        }
        for (from, limit) in limits {
            self.paces.set(from, limit);
        }
        self.uploads.set(None, answer.relay_limit_bps);
        let held = answer.hold.iter().map(|hold| hold.manifest);
        let named: BTreeSet<BlobHash> = held.chain(answer.weigh.iter().copied()).collect();
        let mut state = self.state();
        state.told.retain(|hash, _| named.contains(hash));
        state.resting.retain(|hash, _| named.contains(hash));
        drop(state);
        let evict: BTreeSet<BlobHash> = answer.evict.iter().copied().collect();
        let keep = named.into_iter().filter(|hash| !evict.contains(hash));
        self.parts.store.set_keep(keep.chain(self.in_use()).collect());
    }

    /// What allocations here read, or wait to read.
    fn in_use(&self) -> BTreeSet<BlobHash> {
        let staging = self.parts.board.staging().into_values();
        staging.flat_map(|staging| staging.mounts).map(|mount| mount.manifest).collect()
    }

    /// Lets go of what is to go, once nothing here reads it any more.
    fn evict(&self, answer: &DataAnswer) {
        let in_use = if answer.evict.is_empty() { BTreeSet::new() } else { self.in_use() };
        for hash in answer.evict.iter().filter(|hash| !in_use.contains(hash)) {
            if let Err(error) = self.parts.store.remove(*hash) {
                tracing::warn!(manifest = %hash, %error, "a replica's files stay");
            }
        }
    }

    /// Starts what is needed for a replica, unless it is on its way.
    fn hold(self: &Arc<Keeper>, hold: &Hold) {
        if self.parts.store.tree(hold.manifest).is_some() {
            return;
        }
        let mut state = self.state();
        let rests = state.resting.get(&hold.manifest).is_some_and(|(_, at)| Instant::now() < *at);
        if rests
            || state.running.len() >= TRANSFERS_MAX
            || state.running.contains_key(&hold.manifest)
        {
            return;
        }
        state.running.insert(hold.manifest, Arc::new(Progress::new(0)));
        drop(state);
        let (hold, hash) = (hold.clone(), hold.manifest);
        let work = move |keeper: &Arc<Keeper>| {
            let done = keeper.fetch(&hold);
            let mut state = keeper.state();
            match done {
                Ok(()) => {
                    state.resting.remove(&hash);
                }
                Err(why) => {
                    tracing::warn!(manifest = %hash, %why, "not whole yet, tried again");
                    let entry = state.resting.entry(hash);
                    let (pause, at) = entry.or_insert((Pause::default(), Instant::now()));
                    *at = Instant::now() + pause.next();
                }
            }
        };
        self.spawn("transfer", work, move |state| {
            state.running.remove(&hash);
        });
    }

    /// Does work on a thread of its own, and `then` after it; at once if there is no thread, so
    /// that it is tried again at the next look.
    pub(super) fn spawn(
        self: &Arc<Keeper>,
        name: &str,
        work: impl FnOnce(&Arc<Keeper>) + Send + 'static,
        then: impl Fn(&mut State) + Copy + Send + 'static,
    ) {
        let keeper = Arc::clone(self);
        let run = move || {
            work(&keeper);
            then(&mut keeper.state());
            keeper.parts.board.wake();
        };
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(run) {
            tracing::error!(%error, "no thread for the data of the site");
            then(&mut self.state());
        }
    }

    /// Does one kind of work for each of these, on one thread at a time. What fails is tried again
    /// at a later look.
    pub(super) fn each_alone(
        self: &Arc<Keeper>,
        kind: &'static str,
        due: Vec<BlobHash>,
        one: impl Fn(&Keeper, BlobHash) -> Result<(), String> + Send + 'static,
    ) {
        if due.is_empty() || !self.state().busy.insert(kind) {
            return;
        }
        let work = move |keeper: &Arc<Keeper>| {
            for hash in due {
                if let Err(why) = one(keeper, hash) {
                    tracing::warn!(manifest = %hash, work = kind, %why, "tried again");
                    let _ = keeper.parts.shutdown.wait(Duration::from_secs(2));
                }
            }
        };
        self.spawn(kind, work, move |state| {
            state.busy.remove(kind);
        });
    }

    pub(super) fn manifest(&self, hash: BlobHash) -> Result<Arc<Manifest>, String> {
        if let Some(manifest) = self.parts.store.manifest(hash) {
            return Ok(manifest);
        }
        let bytes = self.parts.client.blob(hash).map_err(|error| error.to_string())?;
        self.parts.store.learn(hash, &bytes).map_err(|error| error.to_string())
    }

    /// Gets a replica and makes it a tree.
    fn fetch(&self, hold: &Hold) -> Result<(), String> {
        let manifest = self.manifest(hold.manifest)?;
        let missing = manifest.bytes().saturating_sub(self.parts.store.present_bytes(&manifest));
        let progress = Arc::new(Progress::new(missing));
        self.state().running.insert(hold.manifest, Arc::clone(&progress));
        if missing > 0 {
            self.transfer(hold, &manifest, progress)?;
        }
        let made = self.parts.store.materialize(hold.manifest, &manifest);
        made.map(|_| ()).map_err(|error| {
            let why = error.to_string();
            self.tell_failure(hold.manifest, &why);
            why
        })
    }

    fn transfer(
        &self,
        hold: &Hold,
        manifest: &Manifest,
        progress: Arc<Progress>,
    ) -> Result<(), String> {
        let alone = self.use_sources(&hold.sources, 1);
        let began = Instant::now();
        let Parts { store, fetch, shutdown, .. } = &self.parts;
        let (fetch, paces) = (fetch.as_ref(), &self.paces);
        let transfer = Transfer { store, fetch, paces, shutdown, progress };
        let done = transfer.run(hold.manifest, manifest, &hold.sources);
        let still_alone = self.use_sources(&hold.sources, 0);
        self.use_sources(&hold.sources, -1);
        let bytes: u64 = done.reports.iter().map(|report| report.bytes).sum();
        tracing::info!(
            manifest = %hold.manifest,
            bytes,
            took_ms = began.elapsed().as_millis(),
            "chunks came"
        );
        let sole = alone && still_alone;
        let samples = done.reports.iter().filter(|_| sole);
        let samples = samples.filter_map(|report| {
            let rate = done.rates.iter().find(|rate| report.from.as_ref() == Some(&rate.from))?;
            self.sample(report, rate, &hold.sources)
        });
        let samples = samples.collect();
        let transfers = done.reports;
        (self.parts.tell)(DataReports { transfers, samples, ..DataReports::default() });
        match done.failure {
            None => Ok(()),
            Some(why) => {
                self.tell_failure(hold.manifest, &why);
                Err(why)
            }
        }
    }

    fn tell_failure(&self, manifest: BlobHash, why: &str) {
        let error = Some(why.to_owned());
        let report = TransferReport { manifest, from: None, bytes: 0, took_us: 0, error };
        (self.parts.tell)(DataReports { transfers: vec![report], ..DataReports::default() });
    }

    /// Counts a transfer in or out; whether no other one uses its sources.
    fn use_sources(&self, sources: &[ChunkSource], change: i32) -> bool {
        let mut state = self.state();
        let mut alone = true;
        for source in sources {
            let count = state.sources.entry(name(source).map(str::to_owned)).or_default();
            *count = count.saturating_add_signed(change);
            alone &= *count <= 1;
        }
        alone
    }

    /// What a transfer says of its link: only one that had the link to itself, and no limit.
    fn sample(
        &self,
        report: &TransferReport,
        rate: &Rate,
        sources: &[ChunkSource],
    ) -> Option<Sample> {
        let unlimited = |source: &ChunkSource| match source {
            ChunkSource::Peer { site, limit_bps: None } => *site == rate.from,
            // What comes from the store may have to get there first.
            ChunkSource::Peer { .. } | ChunkSource::Store { .. } => false,
        };
        let took = Duration::from_micros(report.took_us);
        let says = took >= SAMPLE_TIME && report.error.is_none();
        if !says || !sources.iter().any(unlimited) {
            return None;
        }
        Some(Sample {
            from: rate.from.clone(),
            to: self.parts.site.clone(),
            metric: Metric::Throughput,
            statistic: Statistic::Mean,
            value: rate.bits_per_s,
            at: now(),
            window: Seconds(report.took_us.div_ceil(1_000_000)),
            bytes: report.bytes,
            taken: Taken::Passively,
        })
    }

    /// Marks what is staged, and says how long the rest will take.
    fn look_at_staging(&self) {
        for (id, staging) in self.parts.board.staging() {
            if staging.left == Some(Duration::ZERO) {
                continue;
            }
            match self.stage(&staging) {
                Ok(left) => self.parts.board.set_left(id, left),
                Err(error) => {
                    tracing::warn!(allocation = id.0, %error, "inputs cannot be laid out now");
                }
            }
        }
    }

    /// Lays out the inputs of an allocation if all are there; how long it will take if not.
    fn stage(&self, staging: &Staging) -> io::Result<Option<Duration>> {
        let mut trees = Vec::new();
        let mut left = Some(Duration::ZERO);
        for mount in &staging.mounts {
            // From here on it stays, whatever the control plane knew when it answered last.
            self.parts.store.keep(mount.manifest);
            match self.parts.store.tree(mount.manifest) {
                Some(tree) => trees.push((contract::entry(&mount.name), tree)),
                None => {
                    let running = self.state().running.get(&mount.manifest).cloned();
                    let one = running.and_then(|progress| progress.left());
                    left = left.zip(one).map(|(left, one)| left.max(one));
                }
            }
        }
        if trees.len() < staging.mounts.len() {
            return Ok(left.map(|left| left.max(Duration::from_millis(1))));
        }
        let inputs = staging.dir.file(contract::INPUTS);
        private_dir(&inputs)?;
        for (entry, tree) in trees {
            contract::link(&tree, &inputs.join(entry))?;
        }
        staging.dir.ensure_mark(STAGED)?;
        Ok(Some(Duration::ZERO))
    }

    /// Forgets allocations whose directories were put away.
    fn drop_over(&self) {
        for (id, staging) in self.parts.board.staging() {
            if !staging.dir.0.exists() {
                self.parts.board.unstage(id);
            }
        }
    }

    fn publish_all(self: &Arc<Keeper>) {
        for (id, dir) in self.parts.board.publishing() {
            if !self.state().publishing.insert(id) {
                continue;
            }
            let work = move |keeper: &Arc<Keeper>| keeper.publish(id, &dir);
            self.spawn("publish", work, move |state| {
                state.publishing.remove(&id);
            });
        }
    }
}
