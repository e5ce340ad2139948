//! EASY as the AccaSim simulator has it (class `EASYBackfilling` of release 1.1.3; Galleguillos
//! et al., "AccaSim: a customizable workload management simulator for job dispatching research in
//! HPC systems", Cluster Computing 2020), so that its results can be compared job by job.
//!
//! It differs from [`super::easy_backfill`] in three ways: the shadow start is computed once, when
//! the first job is refused, and stays; the first job is not tried again before it; and the jobs
//! behind it start whenever they fit, even if that delays it.

use super::fcfs::start_in_order;
use crate::order::waiting::{By, Gap, Place, Waiting, WaitingList};
use crate::timeline::profile::Profile;
use suanpan_model::time::{Seconds, Timestamp};

/// The waiting jobs of a machine under AccaSim's EASY.
#[derive(Clone, Debug)]
pub struct AccaSimEasy {
    waiting: WaitingList,
    /// Before this the first job is not tried.
    blocked_until: Option<Timestamp>,
}

impl Default for AccaSimEasy {
    fn default() -> AccaSimEasy {
        AccaSimEasy { waiting: WaitingList::new(By::Rank), blocked_until: None }
    }
}

impl AccaSimEasy {
    /// The jobs that wait.
    #[must_use]
    pub fn waiting(&self) -> &WaitingList {
        &self.waiting
    }

    /// When the first job is tried again.
    #[must_use]
    pub fn blocked_until(&self) -> Option<Timestamp> {
        self.blocked_until
    }

    /// Takes in a job.
    pub fn submit(&mut self, job: Waiting) {
        self.waiting.insert(job);
    }

    /// Takes out a job that waits.
    pub fn withdraw(&mut self, job: &Waiting) {
        if self.waiting.first() == Some(job) {
            self.blocked_until = None;
        }
        self.waiting.remove(job);
    }

    /// One pass: O(B + n/B) and what starts.
    pub fn pass(&mut self, now: Timestamp, profile: &mut Profile, start: &mut impl FnMut(Waiting)) {
        let tried = self.blocked_until.is_none_or(|until| until <= now);
        if tried {
            let before = self.waiting.len();
            start_in_order(now, &mut self.waiting, profile, start);
            if self.waiting.len() < before || self.blocked_until.is_none() {
                self.blocked_until = self
                    .waiting
                    .first()
                    .and_then(|first| profile.earliest(now, first.processors, first.hold));
            }
        }
        let first = self.waiting.first().map(|first| first.sequence);
        let (mut place, mut started) = (Place::default(), Vec::new());
        let mut gap = Gap { free: profile.free_at(now), window: Seconds(u64::MAX), spare: 0 };
        while let Some((found, job)) = self.waiting.next_fitting(place, &gap) {
            place = found.next();
            if Some(job.sequence) != first {
                gap = gap.without(job.processors, job.hold);
                started.push(job);
            }
        }
        for job in started {
            self.waiting.remove(&job).expect("a job that is chosen waits");
            profile.take(now, now.plus(job.hold), job.processors);
            start(job);
        }
    }
}
