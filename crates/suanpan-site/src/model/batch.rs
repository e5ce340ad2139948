//! A batch site: identical processors, one queue, one policy.
//!
//! A [`BatchSite`] knows how long its jobs really run, as the world does, and its policy does not:
//! the policy sees expected run times, which [`RunTimes`] gives. Time is the caller's. A job is
//! submitted at a time that is never before the last one; [`BatchSite::run_until`] lets time pass;
//! [`BatchSite::next_event`] is when something will happen if nothing is submitted, so that a
//! caller can keep many sites in step. What happened is taken with [`BatchSite::take_happened`].
//!
//! What happens at one instant is put in order by a [`Convention`]; published simulators differ
//! only there, and in their mistakes.
//!
//! Cost of an event under EASY: O(log r) in the running jobs, the changes of a profile of r steps,
//! and, after an end only, one scan of the waiting jobs that skips blocks of them. A job takes some
//! 150 bytes while it waits or runs and nothing afterwards.

mod convention;
mod estimate;
mod jobs;
mod load;
mod policy;

pub use convention::Convention;
pub use estimate::{StartEstimate, StartPredictor};
pub use jobs::{Happened, What};
pub use load::{RunningJob, Visible};
pub use policy::BatchPolicy;

use jobs::{Live, Slots};
use policy::Queue;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::waiting::Waiting;
use suanpan_sched::predict::{JobFeatures, RunTimePredictor};
use suanpan_sched::timeline::profile::Profile;

#[cfg(test)]
mod tests;

/// A job as it is submitted to a batch site. Numbers stand for names; 0 is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchJob {
    /// The caller's name for it.
    pub id: u64,
    /// Who submits it.
    pub user: u32,
    /// Group of the user.
    pub group: u32,
    /// Job name or program.
    pub name: u32,
    /// Queue or partition.
    pub queue: u32,
    /// Processors it needs.
    pub processors: u32,
    /// After this it is killed.
    pub requested: Seconds,
    /// How long it really runs if it is not killed; `None` if nobody knows (a live job): then it
    /// is taken to run as long as it is expected to.
    pub run: Option<Seconds>,
}

/// Where the policy's expected run times come from.
pub enum RunTimes {
    /// The requested time.
    Requested,
    /// The true run time: perfect knowledge, for comparison only.
    Clairvoyant,
    /// A prediction, cut to the requested time, at least a second.
    Predicted(Box<dyn RunTimePredictor>),
}

/// What makes one batch site different from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSettings {
    /// Identical processors.
    pub processors: u32,
    /// Which waiting job starts.
    pub policy: BatchPolicy,
    /// The order of simultaneous events.
    #[serde(default)]
    pub convention: Convention,
}

/// A job needs more processors than the site has, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeverFits {
    /// What it needs.
    pub needs: u32,
    /// What there is.
    pub processors: u32,
}

/// A submitted job, for [`BatchSite::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    sequence: u64,
}

/// When, number that breaks ties, slot.
type Alarm = Reverse<(Timestamp, u64, u32)>;

/// A model of a site under a batch system.
pub struct BatchSite {
    settings: BatchSettings,
    run_times: RunTimes,
    now: Timestamp,
    /// Whether the instant `now` is not over yet.
    open: bool,
    /// Whether the policy has to be asked before it is.
    pass_due: bool,
    /// Whether nothing more will be submitted.
    closed: bool,
    queue: Queue,
    profile: Profile,
    jobs: Slots,
    /// When running jobs really end; of those that end together, the one that started first.
    ends: BinaryHeap<Alarm>,
    /// When running jobs outlive their expected run times.
    outlived: BinaryHeap<Alarm>,
    submissions: u64,
    starts: u64,
    busy: u32,
    /// When the jobs that are about to end are looked at besides; see [`Convention::Alea`].
    look: Option<Timestamp>,
    happened: Vec<Happened>,
    chosen: Vec<Waiting>,
}

impl BatchSite {
    /// An empty site at a moment.
    #[must_use]
    pub fn new(now: Timestamp, settings: BatchSettings, run_times: RunTimes) -> BatchSite {
        BatchSite {
            settings,
            run_times,
            now,
            open: false,
            pass_due: false,
            closed: false,
            queue: Queue::new(settings.policy, settings.convention),
            profile: Profile::new(now, settings.processors),
            jobs: Slots::default(),
            ends: BinaryHeap::new(),
            outlived: BinaryHeap::new(),
            submissions: 0,
            starts: 0,
            busy: 0,
            look: None,
            happened: Vec::new(),
            chosen: Vec::new(),
        }
    }

    /// Takes in a job at `at`, which is not before any time the site has seen.
    ///
    /// # Errors
    /// The job needs no processors or more than the site has.
    pub fn submit(&mut self, at: Timestamp, job: BatchJob) -> Result<Ticket, NeverFits> {
        self.check(&job)?;
        self.run_before(at);
        self.open(at);
        let (ticket, waiting, features) = self.take_in(&job, at);
        self.queue.submit(at, waiting, &features, &mut self.profile);
        match self.settings.convention {
            Convention::Pyss => {
                let predicted = !matches!(self.run_times, RunTimes::Requested);
                let asks = self.queue.asks_on_submission(predicted);
                if asks || waiting.processors <= self.profile.free_at(at) {
                    self.pass_within();
                }
            }
            Convention::Instant | Convention::AccaSim | Convention::Alea => self.pass_due = true,
        }
        Ok(ticket)
    }

    /// Takes out a job that waits, at `at`; false if it does not wait any more.
    pub fn cancel(&mut self, at: Timestamp, ticket: Ticket) -> bool {
        self.run_before(at);
        self.open(at);
        let Some(job) = self.jobs.get(ticket.slot) else { return false };
        if job.features.sequence != ticket.sequence || job.running.is_some() {
            return false;
        }
        let waiting = job.waiting;
        self.queue.withdraw(at, &waiting, &mut self.profile);
        self.jobs.remove(ticket.slot);
        self.pass_due = true;
        true
    }

    /// When a job started that runs now.
    #[must_use]
    pub fn start_of(&self, ticket: Ticket) -> Option<Timestamp> {
        let job = self.jobs.get(ticket.slot)?;
        (job.features.sequence == ticket.sequence).then_some(job.running?.start)
    }

    /// When something happens next if nothing is submitted; `None` if never.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        if self.open {
            return Some(self.now);
        }
        self.next_instant()
    }

    /// Lets time pass up to and including `limit`.
    pub fn run_until(&mut self, limit: Timestamp) {
        if self.open && self.now <= limit {
            self.close();
        }
        while let Some(next) = self.next_instant()
            && next <= limit
        {
            self.open(next);
            self.close();
        }
    }

    /// Nothing more is submitted: runs until nothing happens any more.
    pub fn run_to_end(&mut self) {
        self.closed = true;
        self.run_until(Timestamp::MAX);
    }

    /// What happened since this was last asked, in the order of time.
    pub fn take_happened(&mut self) -> std::vec::Drain<'_, Happened> {
        self.happened.drain(..)
    }

    /// The last instant the site has seen.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &BatchSettings {
        &self.settings
    }

    /// How many jobs wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.count() - self.running()
    }

    /// How many jobs run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.ends.len()
    }

    /// Processors in use.
    #[must_use]
    pub fn busy(&self) -> u32 {
        self.busy
    }

    fn check(&self, job: &BatchJob) -> Result<(), NeverFits> {
        let (needs, processors) = (job.processors, self.settings.processors);
        if (1..=processors).contains(&needs) {
            Ok(())
        } else {
            Err(NeverFits { needs, processors })
        }
    }

    /// Keeps a job that was submitted, and gives what the policy sees of it.
    fn take_in(&mut self, job: &BatchJob, at: Timestamp) -> (Ticket, Waiting, JobFeatures) {
        let sequence = self.submissions;
        self.submissions += 1;
        let features = features(job, sequence, at);
        let run = job.run.map(|run| run.min(job.requested));
        let hold = self.expected(&features, run);
        let run = self.settings.convention.held(run.unwrap_or(hold));
        let waiting = self.settings.policy.waiting(&features, hold);
        let slot = self.jobs.insert(Live { id: job.id, features, run, waiting, running: None });
        (Ticket { slot, sequence }, self.jobs.name(slot), features)
    }

    /// How long a job is expected to run, as its policy sees it.
    fn expected(&mut self, job: &JobFeatures, run: Option<Seconds>) -> Seconds {
        let expected = match &mut self.run_times {
            RunTimes::Requested => job.requested,
            RunTimes::Clairvoyant => run.unwrap_or(job.requested),
            RunTimes::Predicted(predictor) => predictor.predict(job),
        };
        expected.min(job.requested).max(Seconds(1))
    }

    /// When something happens next by itself.
    fn next_instant(&self) -> Option<Timestamp> {
        let end = self.ends.peek().map(|Reverse((at, ..))| *at);
        let outlived = self.outlived.peek().map(|Reverse((at, ..))| *at);
        let promised = self.queue.next_start(self.closed && end.is_none());
        let first = [end, outlived, promised, self.look].into_iter().flatten().min();
        first.map(|at| at.max(self.now))
    }

    fn run_before(&mut self, at: Timestamp) {
        if self.open && self.now < at {
            self.close();
        }
        while let Some(next) = self.next_instant()
            && next < at
        {
            self.open(next);
            self.close();
        }
    }

    /// Begins an instant: what comes before the submissions.
    fn open(&mut self, at: Timestamp) {
        if self.open {
            return;
        }
        (self.open, self.now) = (true, at);
        self.profile.forget_before(at);
        if self.settings.convention.ends_come_first() {
            self.end_jobs();
        }
        self.correct_jobs();
    }

    /// Ends an instant: what comes after the submissions.
    fn close(&mut self) {
        match self.settings.convention {
            Convention::Pyss => {
                while self.end_job() {
                    self.queue.ended(self.now, &mut self.profile);
                    self.pass_within();
                }
                self.pass_last();
            }
            Convention::Alea => {
                self.pass_if_due();
                self.end_jobs();
                self.pass_if_due();
                self.pass_last();
            }
            Convention::Instant | Convention::AccaSim => {
                // A job that runs for no time ends in the instant in which it starts.
                let due = self.queue.next_start(self.closed && self.ends.is_empty());
                self.pass_due |= due.is_some_and(|at| at <= self.now);
                while std::mem::take(&mut self.pass_due) {
                    self.pass_within();
                    self.pass_last();
                    self.end_jobs();
                }
            }
        }
        self.open = false;
    }

    /// All jobs that end now; then the policy has to be asked.
    fn end_jobs(&mut self) {
        let mut any = false;
        let late = self.settings.convention.ends_together(self.now);
        if late > self.now && self.is_looking() {
            self.look = None;
            while let Some(Reverse((at, ..))) = self.ends.peek().copied()
                && at <= late
            {
                self.look = (at > self.now).then_some(at).or(self.look);
                any |= self.end_next();
            }
        }
        while self.end_job() {
            any = true;
        }
        if any {
            self.queue.ended(self.now, &mut self.profile);
            self.pass_due = true;
        }
    }

    fn end_job(&mut self) -> bool {
        self.ends.peek().is_some_and(|Reverse((at, ..))| *at <= self.now) && self.end_next()
    }

    /// Whether an end is due, or was before a job ended a second early.
    fn is_looking(&self) -> bool {
        let due = |at: Timestamp| at <= self.now;
        self.look.is_some_and(due) || self.ends.peek().is_some_and(|Reverse((at, ..))| due(*at))
    }

    fn end_next(&mut self) -> bool {
        let Some(Reverse((_, _, slot))) = self.ends.pop() else { return false };
        let job = self.jobs.remove(slot);
        let running = job.running.expect("a job that ends runs");
        let expected_end = running.start.plus(job.waiting.hold);
        self.profile.release(self.now, expected_end, job.waiting.processors);
        self.busy -= job.waiting.processors;
        self.queue.learn(&job.features, job.run);
        if let RunTimes::Predicted(predictor) = &mut self.run_times {
            predictor.ended(&job.features, job.run, self.now);
        }
        self.happened.push(Happened { id: job.id, at: self.now, what: What::Ended });
        true
    }

    /// Jobs that have run as long as they were expected to, and go on.
    fn correct_jobs(&mut self) {
        let mut any = false;
        while let Some(Reverse((at, order, slot))) = self.outlived.peek().copied()
            && at <= self.now
        {
            self.outlived.pop();
            let job = self.jobs.get_mut(slot).expect("a job is corrected before it ends");
            let running = job.running.as_mut().expect("a job that is corrected runs");
            // Under Alea's convention a job holds its processors a second longer than it may run.
            let (old, requested) = (job.waiting.hold, job.features.requested.max(job.run));
            let new = match &mut self.run_times {
                RunTimes::Predicted(predictor) => {
                    predictor.correct(&job.features, old, running.corrections)
                }
                RunTimes::Requested | RunTimes::Clairvoyant => requested,
            };
            let new = if new > old { new.min(requested) } else { requested };
            running.corrections += 1;
            job.waiting.hold = new;
            let (from, until) = (running.start.plus(old), running.start.plus(new));
            self.profile.take(from, until, job.waiting.processors);
            if new < job.run {
                self.outlived.push(Reverse((until, order, slot)));
            }
            any = true;
        }
        if any {
            self.queue.corrected(self.now, &mut self.profile);
            self.pass_due |= self.settings.convention.asks_when_corrected();
        }
    }

    fn pass_if_due(&mut self) {
        if std::mem::take(&mut self.pass_due) {
            self.pass_within();
        }
    }

    /// Asks the policy in the middle of an instant.
    fn pass_within(&mut self) {
        let chosen = &mut self.chosen;
        self.queue.pass_within(self.now, &mut self.profile, &mut |job| chosen.push(job));
        self.start_chosen();
    }

    /// Asks the policy at the end of an instant.
    fn pass_last(&mut self) {
        let chosen = &mut self.chosen;
        self.queue.pass_last(self.now, &mut self.profile, &mut |job| chosen.push(job));
        self.start_chosen();
    }

    fn start_chosen(&mut self) {
        let mut chosen = std::mem::take(&mut self.chosen);
        for Waiting { slot, .. } in chosen.drain(..) {
            self.start(slot);
        }
        self.chosen = chosen;
    }

    fn start(&mut self, slot: u32) {
        let (now, order) = (self.now, self.starts);
        self.starts += 1;
        let job = self.jobs.get_mut(slot).expect("a job that is chosen is kept");
        job.running = Some(jobs::Running { start: now, corrections: 0 });
        let (hold, run) = (job.waiting.hold, job.run);
        self.ends.push(Reverse((now.plus(run), order, slot)));
        if hold < run {
            self.outlived.push(Reverse((now.plus(hold), order, slot)));
        }
        self.busy += job.waiting.processors;
        if let RunTimes::Predicted(predictor) = &mut self.run_times {
            predictor.started(&job.features, now);
        }
        let what = What::Started { expected: hold };
        self.happened.push(Happened { id: job.id, at: now, what });
    }
}

fn features(job: &BatchJob, sequence: u64, submitted: Timestamp) -> JobFeatures {
    let BatchJob { user, group, name, queue, processors, requested, .. } = *job;
    JobFeatures { sequence, user, group, name, queue, processors, requested, submitted }
}
