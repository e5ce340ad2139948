//! What a run comes to: metrics, amounts over time, distributions.
//!
//! Everything here follows from the per-job file alone, by sums in the order of its lines and by
//! counts of integers, so that the script beside a report gets the same numbers to the last digit.

use serde::{Deserialize, Serialize};

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

pub(super) const fn metric(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    decimals: u32,
    better: Better,
) -> Metric {
    Metric { name, title, unit, decimals, better }
}

/// What a run comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Values in the order of the model's metrics.
    pub metrics: Vec<f64>,
    /// Amounts over time.
    pub timelines: Vec<Timeline>,
    /// How values are distributed.
    pub distributions: Vec<Distribution>,
    /// Amounts against the demand that has come.
    #[serde(default)]
    pub curves: Vec<Curve>,
    /// Parts of a network: its sites and its projects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// How what was expected agrees with what happened.
    #[serde(default)]
    pub agreements: Vec<Agreement>,
}

/// What a run comes to at one site, or for one project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Which of both.
    pub kind: GroupKind,
    /// Its name.
    pub name: String,
    /// Values in the order of the kind's metrics.
    pub metrics: Vec<f64>,
}

/// What a part of a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// A site.
    Site,
    /// A project.
    Project,
}

/// How what was expected agrees with what happened: how often which true value came with which
/// expected one, both in the same classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Of what.
    pub name: String,
    /// The highest value of each class but the last, which has all others.
    pub at_most: Vec<f64>,
    /// By class of the true value, then of the expected one.
    pub counts: Vec<Vec<u64>>,
}

impl Agreement {
    /// Classes of times: up to ten seconds, then four to a decade, to some four months.
    pub(super) fn new(name: &str) -> Agreement {
        let at_most: Vec<f64> = distribution(name, &[], 7).at_most;
        let at_most: Vec<f64> = at_most.into_iter().skip(16).step_by(4).collect();
        let classes = at_most.len() + 1;
        Agreement { name: name.to_owned(), at_most, counts: vec![vec![0; classes]; classes] }
    }

    pub(super) fn add(&mut self, happened: u64, expected: u64) {
        let class = |value: u64| self.at_most.partition_point(|most| *most < value as f64);
        let (row, column) = (class(happened), class(expected));
        self.counts[row][column] += 1;
    }

    /// The sum of two of the same kind.
    pub(crate) fn add_all(&mut self, other: &Agreement) {
        for (row, others) in self.counts.iter_mut().zip(&other.counts) {
            for (count, more) in row.iter_mut().zip(others) {
                *count += more;
            }
        }
    }
}

/// An amount against the demand that has come, in whole percent of the site: `None` where no
/// demand was rounded to that percentage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What it is.
    pub name: String,
    /// The amount at 0 %, 1 % and so on.
    pub values: Vec<Option<f64>>,
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

/// By nearest rank: the smallest value that at least `percent` of a hundred are not above.
pub(super) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

/// The smallest power of two of seconds that covers `until` with [`BINS_MAX`] bins.
pub(super) fn bin_width(until: u64) -> u64 {
    let mut width = 1;
    while until.div_ceil(width) > BINS_MAX {
        width *= 2;
    }
    width
}

/// Adds amounts that last from one time to another. Each takes O(1): inner bins are filled by
/// noting where the amount begins and ends.
pub(super) struct Bins {
    width: u64,
    ends: Vec<u64>,
    steps: Vec<i128>,
}

impl Bins {
    pub(super) fn new(width: u64, until: u64) -> Bins {
        let count = until.div_ceil(width) as usize;
        Bins { width, ends: vec![0; count + 1], steps: vec![0; count + 1] }
    }

    pub(super) fn add(&mut self, from: u64, to: u64, amount: u64) {
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

    pub(super) fn timeline(mut self, name: &str, of: u64) -> Timeline {
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
pub(super) fn distribution(name: &str, sorted: &[f64], decades: u32) -> Distribution {
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
