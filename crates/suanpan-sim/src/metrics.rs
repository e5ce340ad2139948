//! The measures by which the literature compares schedules, each defined once: they need nothing
//! but the rows of a run, so a report's numbers can be recomputed from its per-job file.

use crate::replay::batch::JobRow;

/// The threshold that the literature uses for [`bounded_slowdown`], in seconds.
pub const SLOWDOWN_THRESHOLD: u64 = 10;

/// `max((wait + run) / max(run, threshold), 1)`, all in seconds; the threshold keeps the shortest
/// jobs from deciding everything. Feitelson et al., "Theory and practice in parallel job
/// scheduling", JSSPP 1997.
#[must_use]
pub fn bounded_slowdown(wait_s: u64, run_s: u64, threshold_s: u64) -> f64 {
    ((wait_s + run_s) as f64 / run_s.max(threshold_s).max(1) as f64).max(1.0)
}

/// The mean over all jobs; 0 if there are none.
#[must_use]
pub fn mean_bounded_slowdown(rows: &[JobRow], threshold_s: u64) -> f64 {
    // Neither is below zero: no job starts before its submission or ends before its start.
    let of = |row: &JobRow| {
        bounded_slowdown(row.wait().unsigned_abs(), row.run().unsigned_abs(), threshold_s)
    };
    mean(rows.iter().map(of))
}

/// Mean time from submission to start, in seconds; 0 if there are no jobs.
#[must_use]
pub fn mean_wait(rows: &[JobRow]) -> f64 {
    mean(rows.iter().map(|row| row.wait() as f64))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    match values.len() {
        0 => 0.0,
        count => values.sum::<f64>() / count as f64,
    }
}
