//! Folding records into the views.
//!
//! Within one transaction each job, attempt and ledger account is read at most once and written
//! once, so that a million tasks of one array cost one row each and nothing more.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use suanpan_engine::event::{Event, PlacedAllocation, SubmittedJob, Then};
use suanpan_engine::sequencer::Record;
use suanpan_ledger::{Account, AccountId};
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::{End, Hold, JobState, Usage};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Timestamp;
use suanpan_sched::snapshot::Contact;
use suanpan_site::report::Outcome;

use super::rows::{AttemptRow, AttemptState, JobRow, Moment, Requeued, StateCounts};
use super::sql;

mod notes;

/// Folds records into one transaction.
pub(crate) struct Folder<'a> {
    connection: &'a Connection,
    jobs: BTreeMap<JobId, CachedJob>,
    attempts: BTreeMap<AllocationId, AttemptRow>,
    accounts: BTreeMap<AccountId, Account>,
    clusters: BTreeMap<ClusterId, (String, String)>,
}

struct CachedJob {
    row: JobRow,
    stored: Stored,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Yes,
    NotYet,
}

/// Where in the journal an event is.
#[derive(Clone, Copy)]
struct Place {
    seq: u64,
    at: Timestamp,
    /// Place in its record.
    place: usize,
}

impl Place {
    fn moment(self, at: Timestamp) -> Moment {
        Moment { seq: self.seq, at }
    }
}

impl<'a> Folder<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Folder<'a> {
        Folder {
            connection,
            jobs: BTreeMap::new(),
            attempts: BTreeMap::new(),
            accounts: BTreeMap::new(),
            clusters: BTreeMap::new(),
        }
    }

    pub(crate) fn fold(&mut self, record: &Record) -> Result<()> {
        for (place, event) in record.events.iter().enumerate() {
            let place = Place { seq: record.seq, at: record.at, place };
            self.event(place, event).with_context(|| {
                format!("record {} cannot be folded into the views", record.seq)
            })?;
        }
        Ok(())
    }

    /// Rows that wait to be written.
    pub(crate) fn rows(&self) -> usize {
        self.jobs.len() + self.attempts.len()
    }

    /// Writes what was folded. The caller commits.
    pub(crate) fn flush(self) -> Result<()> {
        for job in self.jobs.values() {
            match job.stored {
                Stored::NotYet => sql::insert_job(self.connection, &job.row)?,
                Stored::Yes => sql::update_job(self.connection, &job.row)?,
            }
        }
        for attempt in self.attempts.values() {
            sql::put_attempt(self.connection, attempt)?;
        }
        for (id, sums) in &self.accounts {
            sql::put_account(self.connection, id, sums)?;
        }
        Ok(())
    }

    fn event(&mut self, place: Place, event: &Event) -> Result<()> {
        match event {
            Event::JobsSubmitted { jobs, .. } => {
                for (number, job) in jobs.iter().enumerate() {
                    let row = new_job(place, number as u32, job);
                    self.jobs.insert(job.id, CachedJob { row, stored: Stored::NotYet });
                }
                Ok(())
            }
            Event::JobHeld { job } => self.hold(place, *job, Hold::User),
            Event::JobReleased { job } => self.hold(place, *job, Hold::None),
            Event::PlanCommitted { explanations, allocations } => {
                for (number, explanation) in explanations.iter().enumerate() {
                    let text = serde_json::to_string(&**explanation)?;
                    self.put_explanation(place.seq, number, &text)?;
                }
                allocations.iter().try_for_each(|placed| self.placed(place, placed))
            }
            Event::AllocationStopping { allocation, reason, by, .. } => {
                self.stopping(place, *allocation, *reason, *by)
            }
            Event::AllocationPreempted { allocation, by, stop_at } => {
                self.preempted(place, *allocation, *by, *stop_at)
            }
            Event::AllocationStaging { allocation, at } => {
                self.attempt(*allocation)?.staging = Some(place.moment(*at));
                Ok(())
            }
            Event::AllocationStarted { allocation, at } => self.started(place, *allocation, *at),
            Event::AllocationEnded { allocation, at, outcome, charge, then } => {
                self.ended(place.moment(*at), *allocation, outcome, *charge, *then)
            }
            Event::AllocationRefused { allocation, reason } => {
                self.refused(place, *allocation, reason)
            }
            Event::TasksEnded { job, positions, state } => {
                self.tasks_ended(place, *job, positions, *state)
            }
            Event::SiteAdded { cluster, name, .. } | Event::SiteInvited { cluster, name, .. } => {
                self.cluster_added(place, *cluster, name)
            }
            Event::InventoryRecorded { cluster, inventory } => {
                let driver = serde_json::to_value(inventory.driver)?;
                let driver = driver.as_str().unwrap_or_default().to_owned();
                self.cluster_known(*cluster, &inventory.site, &driver)
            }
            Event::ContactChanged { cluster, contact } => {
                self.contact(place.at, *cluster, *contact)
            }
            Event::SiteRevoked { cluster } => self.contact(place.at, *cluster, Contact::Silent),
            Event::UserAdded { .. }
            | Event::SiteJoined { .. }
            | Event::SiteApproved { .. }
            | Event::NodesClosed { .. }
            | Event::NodesOpened { .. }
            | Event::RefusalsForgotten { .. }
            | Event::ArraysUnbound { .. }
            | Event::PrioritiesSet { .. }
            | Event::QuotasSet { .. }
            | Event::EstimatesRecorded { .. }
            | Event::JobsPrioritized { .. }
            | Event::DatasetRegistered { .. }
            | Event::DatasetRemoved { .. }
            | Event::DatasetPinned { .. }
            | Event::ReplicasRecorded { .. }
            | Event::ReplicasEvicted { .. }
            | Event::KeysForgotten { .. } => Ok(()),
        }
    }

    fn hold(&mut self, place: Place, id: JobId, hold: Hold) -> Result<()> {
        self.job(id)?.hold = hold;
        let kind = match hold {
            Hold::User => "held",
            Hold::None => "released",
        };
        self.note(place, id, None, kind, &serde_json::json!({}))
    }

    fn placed(&mut self, place: Place, placed: &PlacedAllocation) -> Result<()> {
        let job = self.job(placed.job)?;
        job.counts.shift(JobState::Pending, JobState::Configuring, 1);
        job.attempts += 1;
        job.last_allocation = Some(placed.id);
        let project = job.project.clone();
        let (cluster_name, site) = self.cluster_names(placed.cluster)?.clone();
        let amount = placed.prediction.cost.0;
        self.account(AccountId::Project(project))?.debits_pending += amount;
        self.account(AccountId::Cluster(cluster_name.clone()))?.credits_pending += amount;
        let attempt = AttemptRow {
            allocation: placed.id,
            job: placed.job,
            index: placed.index,
            state: AttemptState::Job(JobState::Configuring),
            cluster: placed.cluster,
            cluster_name,
            site,
            partition: placed.partition.clone(),
            flavor: placed.flavor.clone(),
            nodes: placed.node_names.clone(),
            per_node: placed.per_node,
            time_limit_s: placed.time_limit.seconds(),
            prediction: placed.prediction,
            placed: place.moment(place.at),
            staging: None,
            started: None,
            ended: None,
            stopping: None,
            charged: MicroCredits::ZERO,
            end: None,
            payload: None,
            requeued: Requeued::No,
            usage: Usage::default(),
            message: String::new(),
            transfer: placed.transfer.0,
            explanation: placed.explanation,
            preempted_by: None,
        };
        self.attempts.insert(placed.id, attempt);
        Ok(())
    }

    fn started(&mut self, place: Place, id: AllocationId, at: Timestamp) -> Result<()> {
        let attempt = self.attempt(id)?;
        attempt.started = Some(place.moment(at));
        let (job, state) = (attempt.job, attempt.state);
        if state == AttemptState::Job(JobState::Configuring) {
            self.shift(id, JobState::Running)?;
        }
        let job = self.job(job)?;
        job.started_at = Some(job.started_at.map_or(at, |first| first.min(at)));
        Ok(())
    }

    fn ended(
        &mut self,
        moment: Moment,
        id: AllocationId,
        outcome: &Outcome,
        charge: MicroCredits,
        then: Then,
    ) -> Result<()> {
        let (over, requeued) = match then {
            Then::Over(state) => (state, Requeued::No),
            Then::Requeued => (state_of_end(outcome.end), Requeued::Yes),
        };
        let attempt = self.attempt(id)?;
        let before = live_state(attempt)?;
        attempt.state = AttemptState::Job(over);
        attempt.ended = Some(moment);
        attempt.charged = charge;
        attempt.end = Some(outcome.end);
        attempt.payload = Some(outcome.payload);
        attempt.requeued = requeued;
        attempt.usage = outcome.usage;
        attempt.message.clone_from(&outcome.message);
        let (job, cluster) = (attempt.job, attempt.cluster_name.clone());
        let amount = attempt.prediction.cost;
        let job = self.job(job)?;
        let next = match requeued {
            Requeued::Yes => JobState::Pending,
            Requeued::No => over,
        };
        job.counts.shift(before, next, 1);
        job.charged = job.charged.saturating_add(charge);
        add_usage(&mut job.usage, &outcome.usage);
        match outcome.end {
            End::Exited { code } if requeued == Requeued::No => {
                job.exit_code = job.exit_code.max(Some(code));
            }
            End::Signalled { signal } if requeued == Requeued::No => {
                job.signal = job.signal.max(Some(signal));
            }
            _ => {}
        }
        close_if_over(job, moment.at);
        let project = job.project.clone();
        self.settle(project, cluster, amount, charge)
    }

    fn refused(&mut self, place: Place, id: AllocationId, reason: &str) -> Result<()> {
        let attempt = self.attempt(id)?;
        let before = live_state(attempt)?;
        attempt.state = AttemptState::Refused;
        attempt.ended = Some(place.moment(place.at));
        attempt.requeued = Requeued::Yes;
        reason.clone_into(&mut attempt.message);
        let (job, cluster) = (attempt.job, attempt.cluster_name.clone());
        let amount = attempt.prediction.cost;
        let job = self.job(job)?;
        job.counts.shift(before, JobState::Pending, 1);
        let project = job.project.clone();
        self.settle(project, cluster, amount, MicroCredits::ZERO)
    }

    fn tasks_ended(
        &mut self,
        place: Place,
        id: JobId,
        positions: &IndexSet,
        state: JobState,
    ) -> Result<()> {
        let count = positions.count().max(1);
        let job = self.job(id)?;
        job.counts.shift(JobState::Pending, state, count);
        close_if_over(job, place.at);
        let detail = serde_json::json!({
            "state": state.name(), "tasks": count, "positions": positions.to_string(),
        });
        self.note(place, id, None, "tasks_ended", &detail)
    }

    /// Moves an attempt, and with it its task, to another live state.
    fn shift(&mut self, id: AllocationId, to: JobState) -> Result<()> {
        let attempt = self.attempt(id)?;
        let before = live_state(attempt)?;
        attempt.state = AttemptState::Job(to);
        let job = attempt.job;
        self.job(job)?.counts.shift(before, to, 1);
        Ok(())
    }

    /// Releases what was set aside and posts the charge.
    fn settle(
        &mut self,
        project: String,
        cluster: String,
        amount: MicroCredits,
        charge: MicroCredits,
    ) -> Result<()> {
        let debit = self.account(AccountId::Project(project))?;
        debit.debits_pending -= amount.0;
        debit.debits_posted += charge.0;
        let credit = self.account(AccountId::Cluster(cluster))?;
        credit.credits_pending -= amount.0;
        credit.credits_posted += charge.0;
        Ok(())
    }

    fn job(&mut self, id: JobId) -> Result<&mut JobRow> {
        if !self.jobs.contains_key(&id) {
            let row = sql::find_job(self.connection, id)?
                .with_context(|| format!("job {id} is not in the views"))?;
            self.jobs.insert(id, CachedJob { row, stored: Stored::Yes });
        }
        Ok(&mut self.jobs.get_mut(&id).expect("it was just inserted").row)
    }

    fn attempt(&mut self, id: AllocationId) -> Result<&mut AttemptRow> {
        if !self.attempts.contains_key(&id) {
            let row = sql::find_attempt(self.connection, id)?
                .with_context(|| format!("allocation {id} is not in the views"))?;
            self.attempts.insert(id, row);
        }
        Ok(self.attempts.get_mut(&id).expect("it was just inserted"))
    }

    fn account(&mut self, id: AccountId) -> Result<&mut Account> {
        if !self.accounts.contains_key(&id) {
            let sums = sql::find_account(self.connection, &id)?;
            self.accounts.insert(id.clone(), sums);
        }
        Ok(self.accounts.get_mut(&id).expect("it was just inserted"))
    }

    fn cluster_names(&mut self, id: ClusterId) -> Result<&(String, String)> {
        if !self.clusters.contains_key(&id) {
            let names = self
                .connection
                .prepare_cached("SELECT name, site FROM clusters WHERE id = ?1")?
                .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            self.clusters.insert(id, names);
        }
        Ok(&self.clusters[&id])
    }

    fn cluster_added(&mut self, place: Place, id: ClusterId, name: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO clusters (id, name, site, contact, contact_us)
                 VALUES (?1, ?2, ?2, 'silent', ?3) ON CONFLICT (id) DO NOTHING",
            )?
            .execute(params![id.0, name, place.at.0])?;
        Ok(())
    }

    fn cluster_known(&mut self, id: ClusterId, site: &str, driver: &str) -> Result<()> {
        self.clusters.remove(&id);
        self.connection
            .prepare_cached("UPDATE clusters SET site = ?2, driver = ?3 WHERE id = ?1")?
            .execute(params![id.0, site, driver])?;
        Ok(())
    }

    fn contact(&mut self, at: Timestamp, id: ClusterId, contact: Contact) -> Result<()> {
        let word = match contact {
            Contact::Reachable => "reachable",
            Contact::Silent => "silent",
        };
        self.connection
            .prepare_cached("UPDATE clusters SET contact = ?2, contact_us = ?3 WHERE id = ?1")?
            .execute(params![id.0, word, at.0])?;
        Ok(())
    }
}

fn new_job(place: Place, number: u32, submitted: &SubmittedJob) -> JobRow {
    let spec = &submitted.spec;
    let tasks = spec.array.as_ref().map_or(1, suanpan_model::array::ArraySpec::count);
    JobRow {
        id: submitted.id,
        tasks,
        array: spec.array.clone(),
        name: spec.name.clone(),
        user: spec.user.clone(),
        project: spec.project.clone(),
        counts: StateCounts::all_in(JobState::Pending, tasks),
        hold: spec.hold,
        submitted_seq: place.seq,
        submitted_place: number,
        submitted_at: place.at,
        begin: spec.begin,
        deadline: spec.deadline,
        started_at: None,
        ended_at: None,
        nodes: spec.shape.nodes,
        per_node: spec.shape.per_node,
        time_limit_s: spec.shape.time.map(|limit| limit.seconds()),
        partitions: spec.shape.partitions.clone(),
        dependency: spec.dependency.as_ref().map(ToString::to_string),
        attempts: 0,
        last_allocation: None,
        charged: MicroCredits::ZERO,
        usage: Usage::default(),
        exit_code: None,
        signal: None,
        preempted_by: None,
    }
}

fn live_state(attempt: &AttemptRow) -> Result<JobState> {
    match attempt.state {
        AttemptState::Job(state) if !state.is_terminal() => Ok(state),
        ended => anyhow::bail!("allocation {} had ended: {}", attempt.allocation, ended.name()),
    }
}

/// How an attempt is listed whose task went back to pending.
fn state_of_end(end: End) -> JobState {
    match end {
        End::Exited { code: 0 } => JobState::Completed,
        End::Exited { .. } | End::Signalled { .. } | End::StartFailed => JobState::Failed,
        End::TimedOut => JobState::Timeout,
        End::Cancelled => JobState::Cancelled,
        End::OutOfMemory => JobState::OutOfMemory,
        End::Lost => JobState::NodeFail,
    }
}

fn add_usage(sum: &mut Usage, more: &Usage) {
    sum.wall_us = sum.wall_us.saturating_add(more.wall_us);
    sum.cpu_us = sum.cpu_us.saturating_add(more.cpu_us);
    sum.memory_peak_bytes = sum.memory_peak_bytes.max(more.memory_peak_bytes);
}

fn close_if_over(job: &mut JobRow, at: Timestamp) {
    if job.counts.live() == 0 {
        job.ended_at = Some(job.ended_at.map_or(at, |last| last.max(at)));
    }
}
