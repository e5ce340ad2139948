//! The prediction of EASY++: the mean of the user's last two run times.
//!
//! Tsafrir, Etsion and Feitelson, "Backfilling Using System-Generated Predictions Rather than
//! User Runtime Estimates", IEEE TPDS 18(6), 2007.

use super::correction::Correction;
use super::{JobFeatures, RunTimePredictor};
use std::collections::BTreeMap;
use suanpan_model::time::{Seconds, Timestamp};

/// The mean, in whole seconds, of the last two run times of the job's user, whatever the jobs
/// were; the requested time while the user has not finished two jobs.
#[derive(Clone, Debug, Default)]
pub struct LastTwo {
    correction: Correction,
    /// The last run time of each user, and the one before.
    history: BTreeMap<u32, (Seconds, Option<Seconds>)>,
}

impl LastTwo {
    /// Without history, and with another correction than the paper's.
    #[must_use]
    pub fn new(correction: Correction) -> LastTwo {
        LastTwo { correction, ..LastTwo::default() }
    }
}

impl RunTimePredictor for LastTwo {
    fn predict(&mut self, job: &JobFeatures) -> Seconds {
        match self.history.get(&job.user) {
            Some((last, Some(before))) => Seconds(u64::midpoint(last.0, before.0)),
            _ => job.requested,
        }
    }

    fn correct(&mut self, job: &JobFeatures, predicted: Seconds, corrections: u32) -> Seconds {
        self.correction.corrected(predicted, corrections, job.requested)
    }

    fn ended(&mut self, job: &JobFeatures, run: Seconds, _at: Timestamp) {
        self.history
            .entry(job.user)
            .and_modify(|(last, before)| (*last, *before) = (run, Some(*last)))
            .or_insert((run, None));
    }
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
}
