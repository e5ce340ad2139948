//! How long a job will run: from what its user asked for, or from history.
//!
//! A site's backfill is as good as its run times. Users ask for far more than their jobs need, so
//! a [`RunTimePredictor`] guesses when a job is submitted, learns when one ends, and corrects its
//! guess when a job outlives it. It sees what a workload manager sees, never the future; true run
//! times ("clairvoyant" in the literature) are the site model's to give.
//!
//! A prediction decides the order of a queue and what fits in a gap. It is never a limit: a job is
//! killed when its requested time is over, not its predicted one.

pub mod correction;
pub mod learnt;
pub mod range;
pub mod tsafrir;

use correction::Correction;
use suanpan_model::time::{Seconds, Timestamp};

/// What is known of a job when it is submitted. Numbers stand for names: two jobs have the same
/// user exactly if they have the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobFeatures {
    /// Number of the submission, rising; names the job between the calls.
    pub sequence: u64,
    /// Who submitted it.
    pub user: u32,
    /// Group of the user; 0 if unknown.
    pub group: u32,
    /// Job name, script or program; 0 if unknown.
    pub name: u32,
    /// Queue or partition; 0 if unknown.
    pub queue: u32,
    /// Processors it uses.
    pub processors: u32,
    /// The time its user asked for, after which it is killed.
    pub requested: Seconds,
    /// When it was submitted.
    pub submitted: Timestamp,
}

/// Guesses run times. Calls come in the order of time; one of [`predict`](Self::predict) for each
/// job, then one of [`started`](Self::started), any number of [`correct`](Self::correct), and one
/// of [`ended`](Self::ended).
pub trait RunTimePredictor: Send {
    /// How long a job that is submitted now will run. The caller cuts it to the requested time.
    fn predict(&mut self, job: &JobFeatures) -> Seconds;

    /// Takes note that a job started.
    fn started(&mut self, _job: &JobFeatures, _at: Timestamp) {}

    /// A new guess for a job that has run for all of `predicted` and still runs; `corrections` is
    /// how often that happened to it before. What is not above `predicted` is taken as the
    /// requested time.
    fn correct(&mut self, job: &JobFeatures, predicted: Seconds, corrections: u32) -> Seconds {
        Correction::Gradual.corrected(predicted, corrections, job.requested)
    }

    /// Takes note that a job ended at `at` after running for `run`.
    fn ended(&mut self, job: &JobFeatures, run: Seconds, at: Timestamp);
}
