//! The prediction of EASY++: the mean of the user's last two run times.
//!
//! Tsafrir, Etsion and Feitelson, "Backfilling Using System-Generated Predictions Rather than
//! User Runtime Estimates", IEEE TPDS 18(6), 2007.

use super::{JobFeatures, RunTimePredictor};
use std::collections::BTreeMap;
use suanpan_model::time::{Seconds, Timestamp};

/// The mean, in whole seconds, of the last two run times of the job's user, whatever the jobs
/// were; the requested time while the user has not finished two jobs.
#[derive(Clone, Debug, Default)]
pub struct LastTwo {
    /// The last run time of each user, and the one before.
    history: BTreeMap<u32, (Seconds, Option<Seconds>)>,
}

impl RunTimePredictor for LastTwo {
    fn predict(&mut self, job: &JobFeatures) -> Seconds {
        match self.history.get(&job.user) {
            Some((last, Some(before))) => Seconds(u64::midpoint(last.0, before.0)),
            _ => job.requested,
        }
    }

    fn ended(&mut self, job: &JobFeatures, run: Seconds, _at: Timestamp) {
        self.history
            .entry(job.user)
            .and_modify(|(last, before)| (*last, *before) = (run, Some(*last)))
            .or_insert((run, None));
    }
}

/// What a prediction is raised to in all, over the first one, each time that it is exceeded: 1, 5,
/// 15 and 30 minutes, 1, 2, 5, 10, 20, 50 and 100 hours (section 3 of the paper).
const RAISES: [u64; 11] =
    [60, 300, 900, 1_800, 3_600, 7_200, 18_000, 36_000, 72_000, 180_000, 360_000];

/// A prediction after one more correction: exceeded for the `corrections + 1`st time. After the
/// last raise, the prediction is given up and any request is shorter.
#[must_use]
pub fn correction(predicted: Seconds, corrections: u32) -> Seconds {
    let step = corrections as usize;
    let Some(raise) = RAISES.get(step) else { return Seconds(u64::MAX) };
    let before = step.checked_sub(1).map_or(0, |step| RAISES[step]);
    Seconds(predicted.0.saturating_sub(before).saturating_add(*raise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(user: u32) -> JobFeatures {
        JobFeatures {
            sequence: 0,
            user,
            group: 0,
            name: 0,
            queue: 0,
            processors: 1,
            requested: Seconds(1_000),
            submitted: Timestamp(0),
        }
    }

    #[test]
    fn two_run_times_make_a_prediction() {
        let mut predictor = LastTwo::default();
        predictor.ended(&job(7), Seconds(10), Timestamp(0));
        assert_eq!(predictor.predict(&job(7)), Seconds(1_000));
        predictor.ended(&job(7), Seconds(21), Timestamp(0));
        assert_eq!(predictor.predict(&job(7)), Seconds(15));
        predictor.ended(&job(7), Seconds(30), Timestamp(0));
        assert_eq!(predictor.predict(&job(7)), Seconds(25));
        assert_eq!(predictor.predict(&job(8)), Seconds(1_000));
    }

    #[test]
    fn corrections_raise_the_first_prediction() {
        let mut predicted = Seconds(100);
        for (corrections, raised) in [160, 400, 1_000, 1_900].into_iter().enumerate() {
            predicted = correction(predicted, corrections as u32);
            assert_eq!(predicted, Seconds(raised));
        }
        assert_eq!(correction(predicted, 11), Seconds(u64::MAX));
    }
}
