//! EASY whose queue is in a learnt order: first the job whose waiting costs most for the machine
//! time that it is expected to take.
//!
//! The mean slowdown is a weighted sum of waits, where a job's weight is `1 / run time`. Smith's
//! rule ("Various Optimizers for Single-Stage Production", 1956) minimizes such sums by the ratio
//! of weight to length, and for lengths that are not known by the ratio of their expected values
//! (Rothkopf 1966). Both come from a [`Belief`](crate::predict::learnt::Belief) about the job. They
//! are guesses from few jobs, and what makes a job wide makes it hard to place too, so they count
//! by their roots. With `u` the expected `1 / max(run time, 10 s)`, `m` the expected run time, `p`
//! the processors and `w` the time waited, the job goes first whose index
//!
//! ```text
//! sqrt(u) / (m · p^¼) · (1 + w / 12 h)³
//! ```
//!
//! is largest. The last factor keeps jobs from starving: it is the cube of WFP3 (Tang et al.,
//! "Fault-aware, utility-based job scheduling on Blue Gene/P systems", CLUSTER 2009), but of a
//! fixed time, not of the job's own. How the exponents were chosen, and where the order fails, is
//! in docs/performance.md.
//!
//! Learning decides the order alone. The promise to the first job and what may be backfilled are
//! plain EASY's, by the expected run times that the jobs come with: if those are requested times,
//! no promise is ever broken, and nothing has to be corrected.
//!
//! Beliefs are renewed while a job waits, whenever a job of the same user ends.
//!
//! Cost of a pass with `q` waiting jobs, of which `f` fit what is free: O(q + f log f). Of an end:
//! O(q), and a belief for each different job of its user that waits: many thousands of jobs of one
//! user that are all different make ends slow.

use crate::order::waiting::{Gap, Waiting};
use crate::predict::JobFeatures;
use crate::predict::learnt::History;
use crate::timeline::profile::Profile;
use std::collections::BTreeMap;
use suanpan_model::time::{Seconds, Timestamp};

#[cfg(test)]
mod tests;

/// The waiting jobs of a machine, and what was learnt from those that ended.
#[derive(Clone, Debug, Default)]
pub struct LearntBackfill {
    history: History,
    /// By submission.
    waiting: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    job: Waiting,
    features: JobFeatures,
    /// The index of a job that has not waited.
    worth: f64,
}

/// After this time of waiting a job counts eight times as much.
const PATIENCE: Seconds = Seconds(12 * 3_600);

impl Entry {
    fn index(&self, now: Timestamp) -> f64 {
        let waited = now.since(self.features.submitted);
        let grown = 1.0 + waited.0 as f64 / PATIENCE.0 as f64;
        self.worth * grown * grown * grown
    }
}

fn worth(history: &History, job: &JobFeatures) -> f64 {
    let belief = history.belief(job, Seconds(0));
    let width = f64::from(job.processors.max(1)).sqrt().sqrt();
    belief.urgency().sqrt() / (belief.mean() * width)
}

impl LearntBackfill {
    /// What was learnt.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How many jobs wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes in a job.
    pub fn submit(&mut self, job: Waiting, features: JobFeatures) {
        let worth = worth(&self.history, &features);
        self.waiting.push(Entry { job, features, worth });
    }

    /// Takes out a job that waits.
    pub fn withdraw(&mut self, job: &Waiting) {
        self.waiting.retain(|entry| entry.job.sequence != job.sequence);
    }

    /// Takes note that a job ended after `run`, and thinks anew of its user's other jobs.
    pub fn learn(&mut self, job: &JobFeatures, run: Seconds) {
        self.history.learn(job, run);
        // Users submit many jobs that are alike.
        let mut known = BTreeMap::new();
        for entry in self.waiting.iter_mut().filter(|entry| entry.features.user == job.user) {
            let JobFeatures { name, requested, processors, .. } = entry.features;
            let alike = known.entry((name, requested, processors));
            entry.worth = *alike.or_insert_with(|| worth(&self.history, &entry.features));
        }
    }

    /// The jobs that fit what is free, and the first of those that do not, in order. No other can
    /// start or be promised anything now.
    fn candidates(&self, now: Timestamp, free: u32) -> Vec<Waiting> {
        if self.waiting.iter().all(|entry| entry.job.processors > free) {
            return Vec::new();
        }
        let order = |(a, one): &(f64, Waiting), (b, other): &(f64, Waiting)| {
            b.total_cmp(a).then(one.sequence.cmp(&other.sequence))
        };
        let mut queue = Vec::new();
        let mut wide: Option<(f64, Waiting)> = None;
        for entry in &self.waiting {
            let ranked = (entry.index(now), entry.job);
            if entry.job.processors <= free {
                queue.push(ranked);
            } else if wide.is_none_or(|first| order(&ranked, &first).is_lt()) {
                wide = Some(ranked);
            }
        }
        queue.extend(wide);
        queue.sort_unstable_by(order);
        queue.into_iter().map(|(_, job)| job).collect()
    }

    /// One pass: starts every job that may start now, in the order in which they are chosen.
    pub fn pass(&mut self, now: Timestamp, profile: &mut Profile, start: &mut impl FnMut(Waiting)) {
        let mut free = profile.free_at(now);
        let queue = self.candidates(now, free);
        let mut started = Vec::new();
        let mut take = |job: Waiting, profile: &mut Profile| {
            profile.take(now, now.plus(job.hold), job.processors);
            started.push(job.sequence);
            start(job);
        };
        let (mut queue, mut first) = (queue.into_iter(), None);
        for job in queue.by_ref() {
            if job.processors > free {
                first = Some(job);
                break;
            }
            free -= job.processors;
            take(job, profile);
        }
        if let Some(mut gap) = first.and_then(|first| promise(now, &first, profile)) {
            for job in queue {
                if gap.admits(job.processors, job.hold) {
                    gap = gap.without(job.processors, job.hold);
                    take(job, profile);
                }
            }
        }
        started.sort_unstable();
        self.waiting.retain(|entry| started.binary_search(&entry.job.sequence).is_err());
    }
}

/// What the promise of a start to the first job leaves to the others.
fn promise(now: Timestamp, first: &Waiting, profile: &Profile) -> Option<Gap> {
    let shadow_start = profile.earliest(now, first.processors, first.hold)?;
    let window = Seconds(shadow_start.micros_since(now) / 1_000_000);
    let spare = profile.free_at(shadow_start) - first.processors;
    Some(Gap { free: profile.free_at(now), window, spare })
}
