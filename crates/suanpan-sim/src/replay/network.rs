//! A whole network in virtual time: the shipped engine, scheduler and `reconcile`, around agents
//! whose driver only knows how long each job runs.
//!
//! Nothing is decided here. Submissions and reports enter by the [`Sequencer`], as the server
//! sends them; a scheduling cycle folds the state's changes into the snapshot, plans and commits;
//! agents get the orders that changed and act by [`reconcile`](suanpan_site::reconcile). Only
//! time, job lengths and the journal differ: virtual, given, and left out.
//!
//! Cost, with `e` things that happen (submissions, starts, ends) and `c` cycles: O(e log e) for
//! the agenda and the engine's maps, and `c` times one plan (see [`suanpan_sched::plan`]).

use agent::{Agent, Happening, Length};
use audit::Auditor;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use suanpan_engine::command::{
    AddSite, Caller, Command, CommitPlan, IdempotencyKey, SubmitJobs, TokenHash,
};
use suanpan_engine::event::Event;
use suanpan_engine::rejection::Rejection;
use suanpan_engine::sequencer::{Reply, Sequencer};
use suanpan_engine::state::State;
use suanpan_model::id::{BlobHash, ClusterId, JobId};
use suanpan_model::job::{JobSpec, JobState, Prediction};
use suanpan_model::money::MicroCredits;
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::priority::PriorityPolicy;
use suanpan_sched::plan::{Plan, plan};
use suanpan_sched::policy::Policy;
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::reason::Explanation;
use suanpan_sched::snapshot::Snapshot;
use suanpan_site::report::Report;

mod agent;
mod audit;
mod quota_audit;
#[cfg(test)]
mod tests;

/// A job of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it is submitted. Arrivals come in the order of time.
    pub at: Timestamp,
    /// What is asked.
    pub spec: JobSpec,
    /// How long its payload runs on a flavor of speed 1 if nothing stops it.
    pub runs: Seconds,
}

/// What a network tells while it runs. Arrivals are numbered from 0 in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The engine refused a job when it was submitted.
    Refused {
        /// Which one.
        arrival: u64,
        /// Why.
        why: Rejection,
    },
    /// An attempt of a job is over.
    Ended {
        /// Which job.
        arrival: u64,
        /// What became of the attempt.
        row: Row,
    },
}

/// What became of one attempt of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The job.
    pub job: JobId,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// Where it ran.
    pub cluster: ClusterId,
    /// In which partition.
    pub partition: String,
    /// On which flavor.
    pub flavor: String,
    /// Nodes it held.
    pub nodes: u32,
    /// CPUs it held, over all nodes.
    pub cpus: u32,
    /// GPUs it held, over all nodes.
    pub gpus: u32,
    /// When it got its nodes.
    pub placed: Timestamp,
    /// When its payload started; when it was placed if it never did.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// What the job is then: [`JobState::Pending`] if it will be tried again.
    pub state: JobState,
    /// What it was charged.
    pub charge: MicroCredits,
    /// What was foretold when it was placed.
    pub prediction: Prediction,
    /// What was compared then.
    pub explanation: Arc<Explanation>,
}

/// When scheduling cycles run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycles {
    /// At every instant at which something changed.
    AtEveryChange,
    /// At every multiple of this length at which something changed since the last one.
    Every(Seconds),
}

/// Counts of one replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs submitted and accepted.
    pub submitted: u64,
    /// Jobs the engine refused at submission.
    pub rejected: u64,
    /// Attempts that ended.
    pub attempts: u64,
    /// Scheduling cycles.
    pub cycles: u64,
    /// Records the journal would hold.
    pub records: u64,
    /// Most jobs live at once.
    pub live_max: usize,
}

/// A network that runs in virtual time.
pub struct Network {
    sequencer: Sequencer,
    snapshot: Snapshot,
    policy: Policy,
    cycles: Cycles,
    agents: BTreeMap<ClusterId, Agent>,
    auditor: Auditor,
    /// What will happen at the sites.
    agenda: BinaryHeap<Reverse<Entry>>,
    /// Numbers given to submissions and to entries of the agenda.
    number: u64,
    /// Instants at which the engine has something to do by itself.
    wakes: BTreeSet<Timestamp>,
    live: BTreeMap<JobId, Live>,
    counts: Counts,
}

/// What the world knows of a live job.
#[derive(Clone, Copy, Debug)]
struct Live {
    /// How long its payload runs at speed 1.
    runs: Seconds,
    arrival: u64,
}

impl Network {
    /// A network of these sites, all in contact, at time `start`.
    ///
    /// # Errors
    /// What the engine says of a site it does not take.
    pub fn new(
        start: Timestamp,
        sites: impl IntoIterator<Item = Arc<Inventory>>,
        policy: Policy,
        cycles: Cycles,
    ) -> Result<Network, Rejection> {
        let mut network = Network {
            sequencer: Sequencer::new(State::default(), 0, 1),
            snapshot: Snapshot::default(),
            policy,
            cycles,
            agents: BTreeMap::new(),
            auditor: Auditor::default(),
            agenda: BinaryHeap::new(),
            number: 0,
            wakes: BTreeSet::new(),
            live: BTreeMap::new(),
            counts: Counts::default(),
        };
        for inventory in sites {
            let mut token = [0; 32];
            token[..8].copy_from_slice(&(network.agents.len() as u64).to_be_bytes());
            let token = TokenHash(BlobHash(token));
            let add = AddSite { cluster: inventory.cluster.clone(), token };
            let reply =
                network.handle(start, Caller::System, Command::AddSite(add), &mut |_| {})?;
            let Reply::Cluster(cluster) = reply else { unreachable!("a site was added") };
            network.agents.insert(cluster, Agent::new(Arc::clone(&inventory)));
            let command = Command::RecordInventory(inventory);
            network.handle(start, Caller::Agent(cluster), command, &mut |_| {})?;
        }
        Ok(network)
    }

    /// Gives jobs their priority by a policy; without one they go by submission.
    ///
    /// # Panics
    /// Never: the control plane may set priorities.
    #[must_use]
    pub fn with_priorities(mut self, start: Timestamp, priorities: PriorityPolicy) -> Network {
        let command = Command::SetPriorities(Some(Box::new(priorities)));
        self.handle(start, Caller::System, command, &mut |_| {})
            .expect("the control plane may set priorities");
        self
    }

    /// The clusters of its sites, in the order in which they were given.
    #[must_use]
    pub fn clusters(&self) -> Vec<ClusterId> {
        self.agents.keys().copied().collect()
    }

    /// Runs a workload to the end of its last job. Each attempt that ends and each job that is
    /// refused is told to `tell`.
    pub fn run(
        mut self,
        arrivals: impl IntoIterator<Item = Arrival>,
        mut tell: impl FnMut(Told),
    ) -> Counts {
        let mut arrivals = arrivals.into_iter().peekable();
        loop {
            let arrives = arrivals.peek().map(|arrival| arrival.at);
            let due = self.agenda.peek().map(|Reverse(entry)| entry.at);
            let wake = self.wakes.first().copied();
            let Some(next) = arrives.into_iter().chain(due).chain(wake).min() else { break };
            let instant = self.cycles.at_or_after(next);
            self.wakes.retain(|wake| *wake > instant);
            while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= instant) {
                self.submit(arrival, &mut tell);
            }
            self.counts.live_max = self.counts.live_max.max(self.live.len());
            self.record_reports(instant, &mut tell);
            self.pass_time(instant, &mut tell);
            self.cycle(instant, &mut tell);
        }
        self.auditor.finish();
        self.counts
    }

    /// One command through the one door, seen by the auditor.
    fn handle(
        &mut self,
        at: Timestamp,
        caller: Caller,
        command: Command,
        tell: &mut impl FnMut(Told),
    ) -> Result<Reply, Rejection> {
        let (record, reply) = self.sequencer.handle(at, caller, command);
        if let Some(record) = record {
            self.counts.records += 1;
            // What is to be stopped after its grace is stopped by the engine's own clock.
            self.wakes.extend(record.events.iter().filter_map(|event| match event {
                Event::AllocationPreempted { stop_at, .. } => Some(*stop_at),
                _ => None,
            }));
            for row in self.auditor.see(&record) {
                self.counts.attempts += 1;
                let arrival = self.live[&row.job].arrival;
                if row.state.is_terminal() {
                    self.live.remove(&row.job);
                }
                tell(Told::Ended { arrival, row });
            }
        }
        reply
    }

    fn submit(&mut self, arrival: Arrival, tell: &mut impl FnMut(Told)) {
        self.number += 1;
        let number = self.counts.submitted + self.counts.rejected;
        let key = IdempotencyKey { key: self.number.into(), body: 0 };
        let command = Command::SubmitJobs(SubmitJobs { key, jobs: vec![arrival.spec] });
        match self.handle(arrival.at, Caller::System, command, tell) {
            Ok(Reply::Jobs(ids)) => {
                self.counts.submitted += 1;
                let live = Live { runs: arrival.runs, arrival: number };
                self.live.extend(ids.into_iter().map(|id| (id, live)));
            }
            Ok(_) => unreachable!("a submission answers with ids"),
            Err(why) => {
                self.counts.rejected += 1;
                tell(Told::Refused { arrival: number, why });
            }
        }
    }

    /// Lets the sites' time pass up to `now`, and takes in what their agents report.
    fn record_reports(&mut self, now: Timestamp, tell: &mut impl FnMut(Told)) {
        let mut reports: BTreeMap<ClusterId, Vec<Report>> = BTreeMap::new();
        while let Some(Reverse(entry)) = self.agenda.peek()
            && entry.at <= now
        {
            let Reverse(entry) = self.agenda.pop().expect("it was peeked at");
            let agent = self.agents.get_mut(&entry.cluster).expect("agents stay");
            let report = agent.happens(entry.at, entry.happening);
            reports.entry(entry.cluster).or_default().extend(report);
        }
        for (cluster, reports) in reports {
            let command = Command::RecordReports(reports);
            self.handle(now, Caller::Agent(cluster), command, tell)
                .expect("agents report of their own allocations");
        }
        self.deliver_orders(now);
    }

    /// Deadlines that fell due, and what is to be forgotten.
    fn pass_time(&mut self, now: Timestamp, tell: &mut impl FnMut(Told)) {
        if self.sequencer.state().is_due(now) {
            self.handle(now, Caller::System, Command::PassTime, tell)
                .expect("the control plane may pass time");
            self.deliver_orders(now);
        }
    }

    /// One scheduling cycle, as the server's scheduler thread runs it.
    fn cycle(&mut self, now: Timestamp, tell: &mut impl FnMut(Told)) {
        loop {
            for change in self.sequencer.state_mut().take_changes() {
                self.snapshot.apply(change);
            }
            self.counts.cycles += 1;
            let Plan { placements, explanations, preemptions, .. } =
                plan(&self.snapshot, now, &self.policy);
            if placements.is_empty() && preemptions.is_empty() {
                return;
            }
            // A cycle starts at most so many; the next one goes on at once.
            let full = placements.len() >= self.policy.starts_max as usize;
            let commit = Command::CommitPlan(CommitPlan { explanations, placements, preemptions });
            self.handle(now, Caller::System, commit, tell)
                .expect("the control plane may commit a plan");
            self.deliver_orders(now);
            if !full {
                return;
            }
        }
    }

    /// Limits what projects may use.
    ///
    /// # Errors
    /// What the engine says of quotas that cannot be kept.
    pub fn with_quotas(
        mut self,
        start: Timestamp,
        quotas: Arc<QuotaPolicy>,
    ) -> Result<Network, Rejection> {
        let command = Command::SetQuotas(Some(quotas));
        self.handle(start, Caller::System, command, &mut |_| {})?;
        Ok(self)
    }

    /// Sends agents the orders that changed; what they then do enters the agenda.
    fn deliver_orders(&mut self, now: Timestamp) {
        for (cluster, allocation) in self.sequencer.state_mut().take_touched() {
            let state = self.sequencer.state();
            let order = state.order(allocation);
            let agent = self.agents.get_mut(&cluster).expect("agents stay");
            let length = state.allocation(allocation).map(|live| {
                let runs = self.live.get(&live.placed.job).map_or(Seconds(0), |live| live.runs);
                let runs = agent.runs_on(runs, &live.placed.flavor);
                Length { stage: live.placed.prediction.stage, runs }
            });
            for (at, happening) in agent.reconcile(now, allocation, order, length) {
                self.number += 1;
                let entry = Entry { at, number: self.number, cluster, happening };
                self.agenda.push(Reverse(entry));
            }
        }
    }
}

/// One thing that will happen at a site. The number keeps what is due at one instant in the order
/// in which it became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Timestamp,
    number: u64,
    cluster: ClusterId,
    happening: Happening,
}

impl Cycles {
    /// The first instant from `at` on at which a cycle may run.
    fn at_or_after(self, at: Timestamp) -> Timestamp {
        match self {
            Cycles::AtEveryChange => at,
            Cycles::Every(length) => {
                let step = length.micros().max(1);
                let steps = at.0.div_euclid(step) + i64::from(at.0.rem_euclid(step) != 0);
                Timestamp(steps.saturating_mul(step))
            }
        }
    }
}
