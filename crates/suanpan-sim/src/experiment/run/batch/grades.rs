//! How good estimates of starts were: against what happened, over the jobs that had to wait.

use super::METRICS;
use crate::experiment::digest::{Agreement, Better, Digest, Metric, metric, percentile};
use crate::experiment::run::outcome::{Outcome, second};
use suanpan_site::model::batch::StartEstimate;

/// What is added where starts are graded.
const GRADES: [Metric; 8] = [
    metric("graded_starts", "Graded jobs that had to wait", "", 0, Better::Neutral),
    metric("start_error_median_s", "Error of expected starts, median", "s", 0, Better::Lower),
    metric("start_error_p90_s", "Error of expected starts, 90th percentile", "s", 0, Better::Lower),
    metric("start_bias_s", "Expected less true start, mean", "s", 0, Better::Neutral),
    metric("start_in_range", "Starts inside their ranges (80 % are meant to be)", "%", 1, NEITHER),
    metric("limits_error_median_s", "Error by limits alone, median", "s", 0, Better::Lower),
    metric("limits_error_p90_s", "Error by limits alone, 90th percentile", "s", 0, Better::Lower),
    metric("limits_bias_s", "Start by limits alone less true start, mean", "s", 0, NEITHER),
];

const NEITHER: Better = Better::Neutral;

/// The metrics of a batch site where starts are graded.
pub const GRADED_METRICS: [Metric; METRICS.len() + GRADES.len()] = {
    let mut all = [METRICS[0]; METRICS.len() + GRADES.len()];
    let mut place = 0;
    while place < all.len() {
        all[place] =
            if place < METRICS.len() { METRICS[place] } else { GRADES[place - METRICS.len()] };
        place += 1;
    }
    all
};

/// Adds the grades of a run; `said` has an entry for each outcome. O(n log n).
pub(super) fn add(digest: &mut Digest, outcomes: &[Outcome], said: &[Option<StartEstimate>]) {
    let mut agreement = Agreement::new("wait_s");
    let (mut expected, mut limits) = (Errors::default(), Errors::default());
    let mut inside = 0_u64;
    for (outcome, said) in outcomes.iter().zip(said) {
        let Some(said) = said else { continue };
        let (submit, start) = (outcome.job.submit_s, outcome.start_s);
        let wait = |at| second(at).saturating_sub(submit);
        agreement.add(outcome.wait_s(), wait(said.expected));
        if outcome.wait_s() > 0 {
            expected.add(second(said.expected), start);
            limits.add(second(said.by_limits), start);
            let range = second(said.earliest)..=second(said.latest);
            inside += u64::from(range.contains(&start));
        }
    }
    let graded = expected.distances.len() as f64;
    let share = if graded == 0.0 { 0.0 } else { 100.0 * inside as f64 / graded };
    let [median, p90, bias] = expected.come_to();
    digest.metrics.extend([graded, median, p90, bias, share]);
    digest.metrics.extend(limits.come_to());
    digest.agreements.push(agreement);
}

/// Distances of estimates from what happened, seconds.
#[derive(Default)]
struct Errors {
    distances: Vec<u64>,
    signed: i64,
}

impl Errors {
    fn add(&mut self, said: u64, happened: u64) {
        self.distances.push(said.abs_diff(happened));
        self.signed = self.signed.saturating_add(said.cast_signed() - happened.cast_signed());
    }

    /// Median, 90th percentile and mean with sign.
    fn come_to(mut self) -> [f64; 3] {
        self.distances.sort_unstable();
        let at = |percent| percentile(&self.distances, percent).unwrap_or(0) as f64;
        let mean = match self.distances.len() {
            0 => 0.0,
            count => self.signed as f64 / count as f64,
        };
        [at(50), at(90), mean]
    }
}
