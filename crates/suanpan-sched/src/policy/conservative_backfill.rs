//! Conservative backfill: every waiting job is promised a start when it is submitted, and none is
//! ever delayed by a later one. With a depth, only the first jobs of the queue are promised
//! something: the hybrid between EASY (depth 1) and conservative (no limit).
//!
//! Mu'alem and Feitelson, "Utilization, Predictability, Workloads, and User Runtime Estimates in
//! Scheduling the IBM SP2 with Backfilling", IEEE TPDS 12(6), 2001, with their compression: when a
//! job ends early, each promise is moved to the earliest start that is now possible, in the order
//! of submission. A promise only ever moves forward, as long as no job outlives its expected run
//! time. `reservation_depth` is Slurm's and Flux's word for the depth.
//!
//! Cost: a submission searches the profile once. An end searches it once for each promise, up to
//! the promised start, so O(q (n/B + B)) for `q` promises and `n` steps (see [`Profile`]).

use crate::order::waiting::{By, Gap, Place, Waiting, WaitingList};
use crate::timeline::profile::Profile;
use suanpan_model::time::{Seconds, Timestamp};

/// The waiting jobs of a machine under conservative or hybrid backfill.
#[derive(Clone, Debug)]
pub struct ConservativeBackfill {
    depth: usize,
    /// In the order of the queue.
    promised: Vec<Promise>,
    /// Jobs behind the depth.
    waiting: WaitingList,
    /// How many promises were made or moved.
    made: u64,
    /// The earliest of the promised starts.
    next: Option<Timestamp>,
}

/// A start that is promised to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Who holds it.
    pub job: Waiting,
    /// The shadow start.
    pub start: Timestamp,
    /// Number of the promise: of two jobs that start together, the one promised earlier is first.
    pub made: u64,
}

impl ConservativeBackfill {
    /// Nothing waits; the first `depth` jobs are promised something.
    #[must_use]
    pub fn new(depth: usize) -> ConservativeBackfill {
        let waiting = WaitingList::new(By::Rank);
        ConservativeBackfill { depth, promised: Vec::new(), waiting, made: 0, next: None }
    }

    /// The promises, in the order of the queue.
    #[must_use]
    pub fn promises(&self) -> &[Promise] {
        &self.promised
    }

    /// Jobs that wait without a promise.
    #[must_use]
    pub fn waiting(&self) -> &WaitingList {
        &self.waiting
    }

    /// The earliest promised start.
    #[must_use]
    pub fn next_start(&self) -> Option<Timestamp> {
        self.next
    }

    /// Takes in a job that is not wider than the machine.
    pub fn submit(&mut self, now: Timestamp, job: Waiting, profile: &mut Profile) {
        if self.promised.len() < self.depth && self.waiting.is_empty() {
            self.promise(now, job, profile);
        } else {
            self.waiting.insert(job);
        }
    }

    /// Takes out a job that waits, then moves the promises that may start earlier for it.
    pub fn withdraw(&mut self, now: Timestamp, job: &Waiting, profile: &mut Profile) {
        if self.waiting.remove(job).is_some() {
            return;
        }
        let Some(at) = self.promised.iter().position(|promise| promise.job == *job) else { return };
        let Promise { start, job, .. } = self.promised.remove(at);
        profile.release(start, start.plus(job.hold), job.processors);
        self.compress(now, profile);
    }

    /// Moves each promise to the earliest start that is now possible, in the order of the queue.
    /// A promise that is due stays as it is.
    pub fn compress(&mut self, now: Timestamp, profile: &mut Profile) {
        self.next = None;
        for promise in &mut self.promised {
            let Promise { job, start: old, .. } = *promise;
            if old > now
                && let Some(start) = profile.earliest_before(now, job.processors, job.hold, old)
            {
                profile.release(old, old.plus(job.hold), job.processors);
                profile.take(start, start.plus(job.hold), job.processors);
                (promise.start, promise.made) = (start, self.made);
                self.made += 1;
            }
            self.next = Some(self.next.map_or(promise.start, |next| next.min(promise.start)));
        }
    }

    /// Makes every promise anew, in the order of the queue: a running job outlives its expected run
    /// time, so that old promises may not be kept.
    pub fn replan(&mut self, now: Timestamp, profile: &mut Profile) {
        let old = std::mem::take(&mut self.promised);
        self.next = None;
        for Promise { job, start, .. } in &old {
            profile.release(*start, start.plus(job.hold), job.processors);
        }
        for promise in old {
            self.promise(now, promise.job, profile);
        }
    }

    /// Starts the jobs whose promise is due, then gives promises to those that came within the
    /// depth, then starts each of the others that fits now.
    pub fn pass(&mut self, now: Timestamp, profile: &mut Profile, start: &mut impl FnMut(Waiting)) {
        loop {
            self.start_due(now, start);
            if self.waiting.is_empty() || self.promised.len() >= self.depth {
                break;
            }
            while self.promised.len() < self.depth
                && let Some(job) = self.waiting.pop_first()
            {
                self.promise(now, job, profile);
            }
        }
        self.backfill(now, profile, start);
    }

    fn promise(&mut self, now: Timestamp, job: Waiting, profile: &mut Profile) {
        let start = profile
            .earliest(now, job.processors, job.hold)
            .expect("a job that was taken in is not wider than the machine");
        profile.take(start, start.plus(job.hold), job.processors);
        // Jobs mostly come in the order of the queue.
        let key = By::Rank.key(&job);
        let at = self.promised.partition_point(|other| By::Rank.key(&other.job) < key);
        self.promised.insert(at, Promise { job, start, made: self.made });
        self.made += 1;
        self.next = Some(self.next.map_or(start, |next| next.min(start)));
    }

    fn start_due(&mut self, now: Timestamp, start: &mut impl FnMut(Waiting)) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let mut due: Vec<Promise> =
            self.promised.extract_if(.., |promise| promise.start <= now).collect();
        due.sort_unstable_by_key(|promise| (promise.start, promise.made));
        for promise in due {
            start(promise.job);
        }
        self.next = self.promised.iter().map(|promise| promise.start).min();
    }

    fn backfill(&mut self, now: Timestamp, profile: &mut Profile, start: &mut impl FnMut(Waiting)) {
        let mut started = Vec::new();
        let mut place = Place::default();
        loop {
            let free = profile.free_at(now);
            let gap = Gap { free, window: Seconds(u64::MAX), spare: 0 };
            let Some((found, job)) = self.waiting.next_fitting(place, &gap) else { break };
            place = found.next();
            if profile.fits(now, job.processors, job.hold) {
                profile.take(now, now.plus(job.hold), job.processors);
                started.push(job);
            }
        }
        for job in started {
            self.waiting.remove(&job).expect("a job that is chosen waits");
            start(job);
        }
    }
}
