//! How fast a class of programs runs on a flavor, learnt from jobs that finished.
//!
//! A *class* is whatever the caller counts as one kind of program (the same script, image, model);
//! its unit of work (samples, steps, tokens) is its own, so only the ratio of two flavors for the
//! same class means anything. Until a class has run on both, the ratio comes from published
//! measurements: best MLPerf Inference results of the closed division, offline, per accelerator
//! (`flavor_speed/mlperf_inference.csv`, with the identifier of each result).
//!
//! Throughputs vary by factors and have wild outliers (a job that waits for data), so estimates
//! are medians of logarithms over the latest jobs, with the distribution-free interval of the
//! median (Hahn and Meeker, Statistical Intervals, section 5.2).

use std::collections::{BTreeMap, VecDeque};

/// A throughput, or a ratio of two, with how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The estimate.
    pub value: f64,
    /// Lower end of an interval of about 95 %.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How many jobs it is from; the fewer of the two for a ratio.
    pub jobs: u64,
    /// Where it is from.
    pub source: Source,
}

/// Where a speed is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Jobs of this class.
    Jobs,
    /// A published measurement of this class.
    Published,
    /// Published measurements of all classes that both flavors ran: a mean ratio.
    PublishedMean,
}

/// What was learnt and what was published, by class and flavor.
#[derive(Clone, Debug, Default)]
pub struct FlavorSpeeds {
    learnt: BTreeMap<String, BTreeMap<String, Recent>>,
    published: BTreeMap<String, BTreeMap<String, f64>>,
}

/// The latest throughputs of one class on one flavor.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// Logarithms, the oldest first.
    logs: VecDeque<f64>,
    jobs: u64,
}

/// How many jobs a speed looks back on: enough for a narrow interval, few enough to follow a
/// change of software.
const KEPT: usize = 63;

/// Within what factor a published ratio is taken to hold for one's own program. In the MLPerf
/// table itself, the ratios of two flavors over different programs mostly lie so close.
const PUBLISHED_WITHIN: f64 = 2.0;

impl FlavorSpeeds {
    /// Knows nothing.
    #[must_use]
    pub fn new() -> FlavorSpeeds {
        FlavorSpeeds::default()
    }

    /// Knows the published measurements that ship with this crate.
    #[must_use]
    pub fn published() -> FlavorSpeeds {
        let mut speeds = FlavorSpeeds::new();
        for line in include_str!("flavor_speed/mlperf_inference.csv").lines().skip(1) {
            let mut fields = line.split(',');
            if let (Some(class), Some(flavor), Some(Ok(per_s))) =
                (fields.next(), fields.next(), fields.next().map(str::parse))
            {
                speeds.publish(class, flavor, per_s);
            }
        }
        speeds
    }

    /// Adds or replaces a published measurement, in units of work per second and accelerator.
    /// What is not a positive number is passed over.
    pub fn publish(&mut self, class: &str, flavor: &str, per_s: f64) {
        if per_s.is_finite() && per_s > 0.0 {
            let of_class = self.published.entry(class.to_owned()).or_default();
            of_class.insert(flavor.to_owned(), per_s);
        }
    }

    /// Learns from a finished job: units of work per second and accelerator. What is not a
    /// positive number is passed over. Cost: constant, beside finding the entry.
    pub fn observe(&mut self, class: &str, flavor: &str, per_s: f64) {
        if !(per_s.is_finite() && per_s > 0.0) {
            return;
        }
        let of_class = self.learnt.entry(class.to_owned()).or_default();
        let recent = of_class.entry(flavor.to_owned()).or_default();
        if recent.logs.len() == KEPT {
            recent.logs.pop_front();
        }
        recent.logs.push_back(per_s.ln());
        recent.jobs += 1;
    }

    /// Units of work per second and accelerator of a class on a flavor; from its jobs if any
    /// finished, else as published.
    #[must_use]
    pub fn speed(&self, class: &str, flavor: &str) -> Option<Speed> {
        if let Some(recent) = self.learnt.get(class).and_then(|of| of.get(flavor)) {
            return Some(recent.speed());
        }
        let per_s = *self.published.get(class)?.get(flavor)?;
        Some(within(per_s, PUBLISHED_WITHIN, Source::Published))
    }

    /// How many times faster a class runs on `to` than on `from`, by the best source that there
    /// is: its own jobs on both, a published measurement of it on both, or the published mean
    /// over all classes. `None` if nothing is known of one of them. 1 for the same flavor.
    #[must_use]
    pub fn ratio(&self, class: &str, from: &str, to: &str) -> Option<Speed> {
        if from == to {
            let known = self.learnt.get(class).and_then(|of| of.get(from));
            let jobs = known.map_or(0, |recent| recent.jobs);
            return Some(Speed { value: 1.0, low: 1.0, high: 1.0, jobs, source: Source::Jobs });
        }
        if let Some(of) = self.learnt.get(class)
            && let (Some(from), Some(to)) = (of.get(from), of.get(to))
        {
            return Some(quotient(&to.speed(), &from.speed()));
        }
        let of = |class: &BTreeMap<String, f64>| Some((class.get(to)? / class.get(from)?).ln());
        if let Some(log) = self.published.get(class).and_then(of) {
            return Some(within(log.exp(), PUBLISHED_WITHIN, Source::Published));
        }
        let logs: Vec<f64> = self.published.values().filter_map(of).collect();
        if logs.is_empty() {
            return None;
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let furthest = logs.iter().fold(0.0f64, |most, log| (log - mean).abs().max(most));
        let factor = furthest.exp().max(PUBLISHED_WITHIN);
        Some(within(mean.exp(), factor, Source::PublishedMean))
    }
}

impl Recent {
    fn speed(&self) -> Speed {
        let mut logs: Vec<f64> = self.logs.iter().copied().collect();
        logs.sort_by(f64::total_cmp);
        let n = logs.len();
        let median = (logs[(n - 1) / 2] + logs[n / 2]) / 2.0;
        // The ranks between which the true median lies in 95 of 100 cases.
        let reach = (0.98 * (n as f64).sqrt()).ceil() as usize;
        let middle = n / 2;
        let (low, high) = (middle.checked_sub(reach), middle + reach);
        // With so few jobs that the ranks run off the ends, no less than a factor of 2 for one
        // job, shrinking with their root.
        let slack = std::f64::consts::LN_2 / (n as f64).sqrt();
        let low = low.map_or(logs[0].min(median - slack), |rank| logs[rank]);
        let high = logs.get(high).copied().unwrap_or(logs[n - 1].max(median + slack));
        Speed {
            value: median.exp(),
            low: low.exp().min(median.exp()),
            high: high.exp().max(median.exp()),
            jobs: self.jobs,
            source: Source::Jobs,
        }
    }
}

/// A value known to within a factor.
fn within(value: f64, factor: f64, source: Source) -> Speed {
    Speed { value, low: value / factor, high: value * factor, jobs: 0, source }
}

/// The ratio of two independent speeds; the widths add up as the root of squares.
fn quotient(to: &Speed, from: &Speed) -> Speed {
    let value = to.value / from.value;
    let up = (to.high / to.value).ln().hypot((from.value / from.low).ln());
    let down = (to.value / to.low).ln().hypot((from.high / from.value).ln());
    Speed {
        value,
        low: value * (-down).exp(),
        high: value * up.exp(),
        jobs: to.jobs.min(from.jobs),
        source: Source::Jobs,
    }
}

#[cfg(test)]
mod tests;
