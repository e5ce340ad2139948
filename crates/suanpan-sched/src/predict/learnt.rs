//! Run times learnt from the jobs that ended: not one guess, but how likely each run time is.
//!
//! A [`History`] keeps, for each *kind* of job, a histogram of run times in which old jobs fade.
//! Kinds lie one in the other, from like scripts to everything:
//!
//! 1. same user, job name, requested time and processors;
//! 2. same user, job name and requested time;
//! 3. same user;
//! 4. same requested time;
//! 5. all jobs.
//!
//! A [`Belief`] about a job mixes them: a kind that has seen jobs worth a weight of `n` gets the
//! share `n / (n + 1)` of what narrower kinds left, so that a user's few jobs are believed without
//! being believed alone (shrinkage; the escape weight of prediction by partial matching, Cleary and
//! Witten, IEEE Trans. Communications 32(4), 1984, in its simplest form). What is left in the end
//! goes to the requested time. Fading and similarity are those of Tsafrir, Etsion and Feitelson
//! (IEEE TPDS 18(6), 2007) and Smith, Foster and Taylor (JSSPP 1998).
//!
//! A belief has a mean, quantiles, and the mean of `1 / run time` that a mean slowdown is about. A
//! job that runs already has outlived some of its possible run times; a belief is told how long
//! it has run and forgets those, so a correction is the same question asked again.
//!
//! Only sums, products and quotients are used, so that all machines give the same bits. Cost, with
//! `k` kinds and `c` cells of a histogram (at most [`Histogram::CELLS`], mostly below 10):
//! O(log k + c) for learning and for a belief.

use super::{JobFeatures, RunTimePredictor};
use std::collections::BTreeMap;
use suanpan_model::time::{Seconds, Timestamp};

#[cfg(test)]
mod tests;

/// What was learnt from jobs that ended.
#[derive(Clone, Debug, Default)]
pub struct History {
    kinds: BTreeMap<Kind, Histogram>,
}

/// A kind of job: its level, and what jobs of it have in common; 0 where they may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    level: u8,
    user: u32,
    name: u32,
    requested: Seconds,
    processors: u32,
}

/// What a weight is multiplied by with each newer job of the same kind, by level. Users change what
/// they do; all of them together less so.
const FADING: [f64; 5] = [0.8, 0.8, 0.9, 0.99, 0.999];

impl Kind {
    fn of(job: &JobFeatures) -> [Kind; 5] {
        let JobFeatures { user, name, requested, processors, .. } = *job;
        let all = Kind { level: 4, user: 0, name: 0, requested: Seconds(0), processors: 0 };
        [
            Kind { level: 0, user, name, requested, processors },
            Kind { level: 1, user, name, requested, ..all },
            Kind { level: 2, user, ..all },
            Kind { level: 3, requested, ..all },
            all,
        ]
    }
}

impl History {
    /// Takes in a job that ended after `run`.
    pub fn learn(&mut self, job: &JobFeatures, run: Seconds) {
        for (kind, fading) in Kind::of(job).into_iter().zip(FADING) {
            self.kinds.entry(kind).or_default().add(run, fading);
        }
    }

    /// What to expect of a job that has run for `elapsed` already; 0 while it waits.
    #[must_use]
    pub fn belief(&self, job: &JobFeatures, elapsed: Seconds) -> Belief {
        let mut mixed = [(0.0, 0.0); Histogram::CELLS];
        let mut left = 1.0;
        for kind in Kind::of(job) {
            let Some(found) = self.kinds.get(&kind) else { continue };
            let total = found.total();
            let share = left / (total + 1.0);
            for cell in &found.cells {
                let (weight, sum) = &mut mixed[usize::from(cell.place)];
                (*weight, *sum) = (*weight + share * cell.weight, *sum + share * cell.sum);
            }
            left -= share * total;
        }
        let (weight, sum) = &mut mixed[usize::from(place_of(job.requested))];
        (*weight, *sum) = (*weight + left, *sum + left * job.requested.0 as f64);
        Belief::new(&mixed, job.requested, elapsed)
    }
}

/// Run times in cells, four to an octave.
#[derive(Clone, Debug, Default)]
struct Histogram {
    /// By place, none of negligible weight.
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    place: u8,
    weight: f64,
    /// Sum of the run times, in seconds, each with its weight.
    sum: f64,
}

impl Histogram {
    /// Run times from 1 s to 136 years.
    const CELLS: usize = 128;
    /// A cell below this weight is dropped.
    const NEGLIGIBLE: f64 = 1e-3;

    fn total(&self) -> f64 {
        self.cells.iter().map(|cell| cell.weight).sum()
    }

    fn add(&mut self, run: Seconds, fading: f64) {
        self.cells.retain_mut(|cell| {
            cell.weight *= fading;
            cell.sum *= fading;
            cell.weight >= Histogram::NEGLIGIBLE
        });
        let (place, seconds) = (place_of(run), run.0.max(1) as f64);
        match self.cells.binary_search_by_key(&place, |cell| cell.place) {
            Ok(at) => {
                self.cells[at].weight += 1.0;
                self.cells[at].sum += seconds;
            }
            Err(at) => self.cells.insert(at, Cell { place, weight: 1.0, sum: seconds }),
        }
    }
}

/// The cell of a run time: its octave, and the two bits after its first.
fn place_of(run: Seconds) -> u8 {
    let run = run.0.clamp(1, u64::from(u32::MAX));
    let octave = run.ilog2();
    let quarter = (run << 2 >> octave) & 3;
    (octave << 2) as u8 | quarter as u8
}

/// The shortest run time of a cell, in seconds.
fn least_of(place: usize) -> u64 {
    let (octave, quarter) = (place >> 2, place as u64 & 3);
    ((4 + quarter) << octave).div_ceil(4)
}

/// How likely each run time of a job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Belief {
    /// By run time; the weights add up to 1.
    parts: Vec<Part>,
}

/// Run times near each other.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    least: u64,
    most: u64,
    /// Their mean, in seconds.
    mean: f64,
    weight: f64,
}

impl Belief {
    fn new(mixed: &[(f64, f64); Histogram::CELLS], requested: Seconds, elapsed: Seconds) -> Belief {
        // No job runs longer than requested, and this one has run for `elapsed`.
        let most = requested.0.max(1).max(elapsed.0.saturating_add(1));
        let least = elapsed.0.saturating_add(1);
        let mut parts = Vec::new();
        for (place, (weight, sum)) in mixed.iter().enumerate() {
            let next = if place + 1 < mixed.len() { least_of(place + 1) } else { u64::MAX };
            if *weight > 0.0 && next > least {
                let (from, to) =
                    (least_of(place).clamp(least, most), (next - 1).clamp(least, most));
                let mean = (sum / weight).clamp(from as f64, to as f64);
                parts.push(Part { least: from, most: to, mean, weight: *weight });
            }
        }
        let total: f64 = parts.iter().map(|part| part.weight).sum();
        if total <= Belief::NOTHING {
            let part = Part { least, most, mean: most as f64, weight: 1.0 };
            return Belief { parts: vec![part] };
        }
        for part in &mut parts {
            part.weight /= total;
        }
        Belief { parts }
    }

    /// Nothing is known of a job that has outlived all but this share of what was known of it.
    const NOTHING: f64 = 1e-9;

    /// The expected run time in all, in seconds; more than has elapsed, at most what was requested.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.parts.iter().map(|part| part.weight * part.mean).sum()
    }

    /// The expected value of `1 / max(run time, 10 s)`: by how much a second of waiting is
    /// expected to raise the job's bounded slowdown.
    #[must_use]
    pub fn urgency(&self) -> f64 {
        self.parts.iter().map(|part| part.weight / part.mean.max(10.0)).sum()
    }

    /// The run times below and above which the job ends with a probability of `tail` each, to the
    /// width of a cell.
    #[must_use]
    pub fn range(&self, tail: f64) -> (Seconds, Seconds) {
        let mut before = 0.0;
        let (mut low, mut high) = (None, None);
        for part in &self.parts {
            before += part.weight;
            if before > tail {
                low = low.or(Some(part.least));
            }
            if before >= 1.0 - tail {
                high = high.or(Some(part.most));
            }
        }
        let last = self.parts.last().map_or(0, |part| part.most);
        (Seconds(low.unwrap_or(last)), Seconds(high.unwrap_or(last)))
    }
}

/// The mean of a [`Belief`] as a prediction; exceeded, the mean over the run times that are still
/// possible, and at least an eighth and a minute more than has passed.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    history: History,
}

impl RunTimePredictor for Learnt {
    fn predict(&mut self, job: &JobFeatures) -> Seconds {
        whole(self.history.belief(job, Seconds(0)).mean()).min(job.requested)
    }

    fn correct(&mut self, job: &JobFeatures, predicted: Seconds, _corrections: u32) -> Seconds {
        let least = predicted.0.saturating_add((predicted.0 / 8).max(60));
        whole(self.history.belief(job, predicted).mean()).max(Seconds(least)).min(job.requested)
    }

    fn ended(&mut self, job: &JobFeatures, run: Seconds, _at: Timestamp) {
        self.history.learn(job, run);
    }
}

/// Whole seconds, at least one.
fn whole(seconds: f64) -> Seconds {
    Seconds((seconds.round() as u64).max(1))
}
