//! EASY backfill: only the first waiting job is promised a start; any other may go ahead of it if
//! that does not delay this promise.
//!
//! Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995; in the form of Mu'alem and Feitelson,
//! IEEE TPDS 12(6), 2001. With the shortest job first as the order of the scan it is EASY-SJBF;
//! with predicted run times as well, EASY++ (Tsafrir, Etsion and Feitelson, IEEE TPDS 18(6),
//! 2007).
//!
//! A pass does three things:
//! 1. jobs start in order while the first one fits;
//! 2. the job that then is first gets the *shadow start*: the earliest time at which enough
//!    running jobs are expected to have ended;
//! 3. the others are scanned; each starts that fits now and either ends before the shadow start or
//!    uses processors that are spare then.
//!
//! Most passes need far less. What was refused stays refused until a running job ends, or is
//! expected to end at another time: starts only take, and the window only shrinks. So after a
//! submission only the new jobs are looked at, in O(1) each, and a full scan ([`WaitingList`]
//! skips what cannot fit) is made once after each end.

use super::fcfs::start_in_order;
use crate::order::waiting::{By, Gap, Place, Waiting, WaitingList};
use crate::timeline::profile::Profile;
use suanpan_model::time::{Seconds, Timestamp};

/// The waiting jobs of a machine under EASY.
#[derive(Clone, Debug, Default)]
pub struct EasyBackfill {
    /// In the order of the queue.
    waiting: WaitingList,
    /// The same jobs in the order of the scan, if that is another.
    scan: Option<WaitingList>,
    /// What the last pass left, while nothing has ended since.
    settled: Option<Settled>,
    /// Jobs submitted since then.
    fresh: Vec<Waiting>,
    ends: Ends,
}

/// By when a job must end that goes ahead of the first one on its processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ends {
    /// By the shadow start.
    #[default]
    By,
    /// Before it, as Alea has it.
    Before,
}

/// A machine on which nothing that waits can start until something ends.
#[derive(Clone, Copy, Debug)]
struct Settled {
    shadow_start: Timestamp,
    free: u32,
    spare: u32,
}

impl EasyBackfill {
    /// Nothing waits. The scan goes by rank, which is the order of the queue, or by a rank of its
    /// own.
    #[must_use]
    pub fn new(scan: By) -> EasyBackfill {
        let scan = (scan == By::ScanRank).then(|| WaitingList::new(scan));
        EasyBackfill { scan, ..EasyBackfill::default() }
    }

    /// The same with another rule about jobs that end at the shadow start.
    #[must_use]
    pub fn ending(self, ends: Ends) -> EasyBackfill {
        EasyBackfill { ends, ..self }
    }

    /// The jobs that wait, in the order of the queue.
    #[must_use]
    pub fn waiting(&self) -> &WaitingList {
        &self.waiting
    }

    /// The shadow start of the first job, as of the last pass.
    #[must_use]
    pub fn shadow_start(&self) -> Option<Timestamp> {
        self.settled.map(|settled| settled.shadow_start)
    }

    /// Takes in a job.
    pub fn submit(&mut self, job: Waiting) {
        let leads = self.waiting.first().is_none_or(|first| job.rank < first.rank);
        self.waiting.insert(job);
        if let Some(scan) = &mut self.scan {
            scan.insert(job);
        }
        if leads {
            self.disturb();
        } else if self.settled.is_some() {
            self.fresh.push(job);
        }
    }

    /// Takes out a job that waits.
    pub fn withdraw(&mut self, job: &Waiting) {
        self.remove(job);
        self.disturb();
    }

    /// Takes note that a running job ended or is expected to end at another time: what was
    /// refused may fit now.
    pub fn disturb(&mut self) {
        self.settled = None;
        self.fresh.clear();
    }

    /// One pass: starts every job that may start now, in the order in which they are chosen.
    pub fn pass(&mut self, now: Timestamp, profile: &mut Profile, start: &mut impl FnMut(Waiting)) {
        let mut started = Vec::new();
        self.settled = match self.settled {
            Some(settled) if settled.free == profile.free_at(now) => {
                Some(self.scan_fresh(now, settled, &mut started))
            }
            _ => {
                self.start_first_jobs(now, profile, start);
                self.promise(now, profile).map(|settled| self.scan_all(now, settled, &mut started))
            }
        };
        self.fresh.clear();
        for job in started {
            self.remove(&job);
            profile.take(now, now.plus(job.hold), job.processors);
            start(job);
        }
    }

    fn start_first_jobs(
        &mut self,
        now: Timestamp,
        profile: &mut Profile,
        start: &mut impl FnMut(Waiting),
    ) {
        let scan = &mut self.scan;
        start_in_order(now, &mut self.waiting, profile, &mut |job| {
            if let Some(scan) = scan {
                scan.remove(&job);
            }
            start(job);
        });
    }

    /// What the promise to the first job leaves to the others.
    fn promise(&self, now: Timestamp, profile: &Profile) -> Option<Settled> {
        let first = self.waiting.first()?;
        let shadow_start = profile.earliest(now, first.processors, first.hold)?;
        let spare = profile.free_at(shadow_start) - first.processors;
        Some(Settled { shadow_start, free: profile.free_at(now), spare })
    }

    fn scan_all(&self, now: Timestamp, settled: Settled, started: &mut Vec<Waiting>) -> Settled {
        let list = self.scan.as_ref().unwrap_or(&self.waiting);
        let first = self.waiting.first().map(|first| first.sequence);
        let (mut gap, mut place) = (self.gap(now, settled), Place::default());
        while let Some((found, job)) = list.next_fitting(place, &gap) {
            place = found.next();
            if Some(job.sequence) != first {
                gap = gap.without(job.processors, job.hold);
                started.push(job);
            }
        }
        settled.after(gap)
    }

    fn scan_fresh(
        &mut self,
        now: Timestamp,
        settled: Settled,
        started: &mut Vec<Waiting>,
    ) -> Settled {
        let by = self.scan.as_ref().map_or(By::Rank, WaitingList::by);
        self.fresh.sort_unstable_by_key(|job| by.key(job));
        let mut gap = self.gap(now, settled);
        for job in &self.fresh {
            if gap.admits(job.processors, job.hold) {
                gap = gap.without(job.processors, job.hold);
                started.push(*job);
            }
        }
        settled.after(gap)
    }

    fn gap(&self, now: Timestamp, settled: Settled) -> Gap {
        let Settled { shadow_start, free, spare } = settled;
        let micros = shadow_start.micros_since(now);
        // In whole seconds, ending before a moment is ending by a second before it.
        let window = match self.ends {
            Ends::By => micros / 1_000_000,
            Ends::Before => micros.div_ceil(1_000_000).saturating_sub(1),
        };
        Gap { free, window: Seconds(window), spare }
    }

    fn remove(&mut self, job: &Waiting) {
        self.waiting.remove(job).expect("a job that is chosen waits");
        if let Some(scan) = &mut self.scan {
            scan.remove(job);
        }
    }
}

impl Settled {
    fn after(self, gap: Gap) -> Settled {
        Settled { free: gap.free, spare: gap.spare, ..self }
    }
}
