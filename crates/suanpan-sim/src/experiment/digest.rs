//! What a run comes to: metrics, amounts over time, distributions.
//!
//! Everything here follows from the per-job file alone, by sums in the order of its lines and by
//! counts of integers, so that the script beside a report gets the same numbers to the last digit.

use super::outcome::Outcome;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A metric and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its key, with the unit last.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its unit, if it has one.
    pub unit: &'static str,
    /// Decimals shown.
    pub decimals: u32,
    /// Which way is better.
    pub better: Better,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less of it.
    Lower,
    /// More of it.
    Higher,
    /// Neither.
    Neutral,
}

const fn metric(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    decimals: u32,
    better: Better,
) -> Metric {
    Metric { name, title, unit, decimals, better }
}

/// The metrics of a batch site. Percentiles are by nearest rank.
pub const BATCH_METRICS: [Metric; 14] = [
    metric("mean_bounded_slowdown", "Mean bounded slowdown", "", 2, Better::Lower),
    metric("median_bounded_slowdown", "Median bounded slowdown", "", 2, Better::Lower),
    metric("p95_bounded_slowdown", "95th percentile of bounded slowdown", "", 2, Better::Lower),
    metric("mean_wait_s", "Mean wait", "s", 0, Better::Lower),
    metric("median_wait_s", "Median wait", "s", 0, Better::Lower),
    metric("p95_wait_s", "95th percentile of wait", "s", 0, Better::Lower),
    metric("p99_wait_s", "99th percentile of wait", "s", 0, Better::Lower),
    metric("max_wait_s", "Longest wait", "s", 0, Better::Lower),
    metric("mean_turnaround_s", "Mean turnaround (wait and run)", "s", 0, Better::Lower),
    metric("utilization", "Utilization until the last end", "%", 1, Better::Higher),
    metric("mean_queue", "Mean jobs waiting", "jobs", 1, Better::Lower),
    metric("started_at_once", "Jobs that started at once", "%", 1, Better::Higher),
    metric("makespan_s", "From first submission to last end", "s", 0, Better::Lower),
    metric("jobs", "Jobs", "", 0, Better::Neutral),
];

/// What a run comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Values in the order of the model's metrics.
    pub metrics: Vec<f64>,
    /// Amounts over time.
    pub timelines: Vec<Timeline>,
    /// How values are distributed.
    pub distributions: Vec<Distribution>,
}

/// An amount over time, as its mean in each of a row of equal bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// What it is.
    pub name: String,
    /// Width of a bin, seconds; a power of two, so that bins of two runs can be brought together.
    pub bin_s: u64,
    /// The amount, times seconds, in each bin.
    pub sums: Vec<u64>,
    /// What the amount is a share of; 1 if of nothing.
    pub of: u64,
}

/// How values are distributed: how many are at most each threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Of what.
    pub name: String,
    /// The thresholds, rising.
    pub at_most: Vec<f64>,
    /// How many values are at most each.
    pub counts: Vec<u64>,
    /// How many there are.
    pub of: u64,
}

/// Most bins of a timeline.
const BINS_MAX: u64 = 512;

/// Digests the outcomes of a batch site. O(n log n), for the percentiles.
#[must_use]
pub fn batch(outcomes: &[Outcome], processors: u32, bounded_slowdown_s: u64) -> Digest {
    let count = outcomes.len();
    let bound = bounded_slowdown_s.max(1);
    let mut waits: Vec<u64> = outcomes.iter().map(Outcome::wait_s).collect();
    let slowdown = |outcome: &Outcome| bounded_slowdown(outcome.wait_s(), outcome.ran_s(), bound);
    let mut slowdowns: Vec<f64> = outcomes.iter().map(slowdown).collect();
    let mean = |sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
    let whole = |of: fn(&Outcome) -> u64| {
        let sum: u128 = outcomes.iter().map(|outcome| u128::from(of(outcome))).sum();
        sum as f64
    };
    let mean_slowdown = mean(slowdowns.iter().sum());
    let wait_sum = whole(Outcome::wait_s);
    let first = outcomes.iter().map(|outcome| outcome.job.submit_s).min().unwrap_or(0);
    let last = outcomes.iter().map(|outcome| outcome.end_s).max().unwrap_or(first);
    let makespan = last - first;
    let busy: u128 = outcomes
        .iter()
        .map(|outcome| u128::from(outcome.job.processors) * u128::from(outcome.ran_s()))
        .sum();
    let share = |part: f64, of: f64| if of == 0.0 { 0.0 } else { part / of };
    waits.sort_unstable();
    slowdowns.sort_unstable_by(f64::total_cmp);
    let at_once = waits.partition_point(|wait| *wait == 0);
    let metrics = vec![
        mean_slowdown,
        percentile(&slowdowns, 50).unwrap_or(0.0),
        percentile(&slowdowns, 95).unwrap_or(0.0),
        mean(wait_sum),
        percentile(&waits, 50).unwrap_or(0) as f64,
        percentile(&waits, 95).unwrap_or(0) as f64,
        percentile(&waits, 99).unwrap_or(0) as f64,
        waits.last().copied().unwrap_or(0) as f64,
        mean(whole(|outcome| outcome.end_s - outcome.job.submit_s)),
        100.0 * share(busy as f64, f64::from(processors) * makespan as f64),
        share(wait_sum, makespan as f64),
        100.0 * share(at_once as f64, count as f64),
        makespan as f64,
        count as f64,
    ];
    let bin_s = bin_width(last);
    let mut utilization = Bins::new(bin_s, last);
    let mut queue = Bins::new(bin_s, last);
    for outcome in outcomes {
        utilization.add(outcome.start_s, outcome.end_s, outcome.job.processors.into());
        queue.add(outcome.job.submit_s, outcome.start_s, 1);
    }
    let timelines =
        vec![utilization.timeline("utilization", processors.into()), queue.timeline("queue", 1)];
    let waits: Vec<f64> = waits.into_iter().map(|wait| wait as f64).collect();
    let distributions =
        vec![distribution("wait_s", &waits, 7), distribution("bounded_slowdown", &slowdowns, 5)];
    Digest { metrics, timelines, distributions }
}

/// `max((wait + run) / max(run, bound), 1)`: Feitelson et al., "Theory and practice in parallel job
/// scheduling", JSSPP 1997.
#[must_use]
pub fn bounded_slowdown(wait_s: u64, run_s: u64, bound_s: u64) -> f64 {
    ((wait_s + run_s) as f64 / run_s.max(bound_s) as f64).max(1.0)
}

/// By nearest rank: the smallest value that at least `percent` of a hundred are not above.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

/// The smallest power of two of seconds that covers `until` with [`BINS_MAX`] bins.
fn bin_width(until: u64) -> u64 {
    let mut width = 1;
    while until.div_ceil(width) > BINS_MAX {
        width *= 2;
    }
    width
}

/// Adds amounts that last from one time to another. Each takes O(1): inner bins are filled by
/// noting where the amount begins and ends.
struct Bins {
    width: u64,
    ends: Vec<u64>,
    steps: Vec<i128>,
}

impl Bins {
    fn new(width: u64, until: u64) -> Bins {
        let count = until.div_ceil(width) as usize;
        Bins { width, ends: vec![0; count + 1], steps: vec![0; count + 1] }
    }

    fn add(&mut self, from: u64, to: u64, amount: u64) {
        let (first, last) = ((from / self.width) as usize, (to / self.width) as usize);
        if first == last {
            self.ends[first] += amount * (to - from);
            return;
        }
        self.ends[first] += amount * ((first as u64 + 1) * self.width - from);
        self.ends[last] += amount * (to - last as u64 * self.width);
        let inner = i128::from(amount) * i128::from(self.width);
        self.steps[first + 1] += inner;
        self.steps[last] -= inner;
    }

    fn timeline(mut self, name: &str, of: u64) -> Timeline {
        let mut level = 0;
        for (sum, step) in self.ends.iter_mut().zip(&self.steps) {
            level += step;
            *sum += u64::try_from(level).expect("what begins ends");
        }
        self.ends.pop();
        Timeline { name: name.to_owned(), bin_s: self.width, sums: self.ends, of }
    }
}

impl Timeline {
    /// The same with wider bins; `bin_s` is a power of two and not less than its own.
    #[must_use]
    pub fn widened(&self, bin_s: u64) -> Timeline {
        let together = (bin_s / self.bin_s).max(1) as usize;
        let sums = self.sums.chunks(together).map(|bins| bins.iter().sum()).collect();
        Timeline { name: self.name.clone(), bin_s, sums, of: self.of }
    }

    /// The mean amount in each bin.
    #[must_use]
    pub fn means(&self) -> Vec<f64> {
        let of = self.bin_s as f64 * self.of as f64;
        self.sums.iter().map(|sum| *sum as f64 / of).collect()
    }
}

/// Thresholds from 1 to ten to the power of `decades`, sixteen to a decade.
fn distribution(name: &str, sorted: &[f64], decades: u32) -> Distribution {
    const STEPS: u32 = 16;
    let at = |step: u32| {
        let value = 10f64.powi((step / STEPS) as i32) * TENTHS[(step % STEPS) as usize];
        (value * 10_000.0).round() / 10_000.0
    };
    let at_most: Vec<f64> = (0..=decades * STEPS).map(at).collect();
    let below = |threshold: &f64| sorted.partition_point(|value| value <= threshold) as u64;
    let counts = at_most.iter().map(below).collect();
    Distribution { name: name.to_owned(), at_most, counts, of: sorted.len() as u64 }
}

/// Ten to the power of each sixteenth, as everyone's logarithm has it.
const TENTHS: [f64; 16] = [
    1.0, 1.1548, 1.3335, 1.5399, 1.7783, 2.0535, 2.3714, 2.7384, 3.1623, 3.6517, 4.217, 4.8697,
    5.6234, 6.4938, 7.4989, 8.6596,
];
