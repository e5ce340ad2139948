//! What is made of jobs that a simulation cannot use.

use super::SwfJob;
use serde::{Deserialize, Serialize};

/// A documented cleaning filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Jobs stay as they are.
    #[default]
    None,
    /// As Gaussier et al., "Improving Backfilling by Using Machine Learning to Predict Running
    /// Times", SC'15: a missing number of requested or allocated processors is taken from the
    /// other; jobs wider than the machine, without a run time above zero or without a requested
    /// time are dropped; a job that ran longer than requested ran as long as requested.
    Gaussier,
    /// As [`Filter::Gaussier`], but a job without a requested time is kept and taken to have
    /// asked for the time that it ran: for logs that have no requested times.
    GaussierRunTimes,
    /// As Alea reads a log (`Alea/src/xklusac/environment/SWFLoader.java` of aleasimulator/alea on
    /// GitHub at commit b7c6cc4d): jobs without run time or allocated processors are dropped; a job
    /// uses what it was allocated, and one wider than the machine uses all of it; without a
    /// requested time it may run as long as it did; a job that ran longer than requested ran as
    /// long as requested. The limits that Alea has for logs of some names are not known here.
    Alea,
}

/// What a filter did, by its rules, in the order in which they are applied to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// Jobs whose requested or allocated processors were taken from the other.
    pub filled_processors: u64,
    /// Dropped: neither number of processors is known.
    pub without_processors: u64,
    /// Dropped, or under [`Filter::Alea`] made narrower: wider than the machine.
    pub too_wide: u64,
    /// Dropped: no run time above zero, or under [`Filter::Alea`] none at all.
    pub without_run: u64,
    /// Dropped, or under [`Filter::GaussierRunTimes`] and [`Filter::Alea`] kept: no requested time.
    pub without_request: u64,
    /// Jobs whose run time was cut to the requested time.
    pub cut_to_request: u64,
}

/// A filter needs the size of the machine, and nothing tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineSizeUnknown;

impl Filter {
    /// Cleans jobs of a machine with so many processors.
    ///
    /// # Errors
    /// The filter asks for the size of the machine, and there is none.
    pub fn apply(
        self,
        jobs: &mut Vec<SwfJob>,
        processors: Option<u32>,
    ) -> Result<Cleaned, MachineSizeUnknown> {
        let mut cleaned = Cleaned::default();
        if self != Filter::None {
            let processors = processors.ok_or(MachineSizeUnknown)?;
            jobs.retain_mut(|job| self.keep(job, processors, &mut cleaned));
        }
        Ok(cleaned)
    }

    /// Cleans one job; whether it stays.
    fn keep(self, job: &mut SwfJob, processors: u32, cleaned: &mut Cleaned) -> bool {
        if self == Filter::Alea {
            return keep_as_alea(job, processors, cleaned);
        }
        let Some(used) = job.processors() else {
            cleaned.without_processors += 1;
            return false;
        };
        if job.allocated.is_none() || job.requested_processors.is_none() {
            cleaned.filled_processors += 1;
            job.allocated.get_or_insert(used);
            job.requested_processors = Some(used);
        }
        if used.max(job.allocated.unwrap_or(used)) > processors {
            cleaned.too_wide += 1;
            return false;
        }
        let Some(run) = job.run.filter(|run| *run > 0) else {
            cleaned.without_run += 1;
            return false;
        };
        match job.requested_time {
            Some(requested) if run > requested => {
                cleaned.cut_to_request += 1;
                job.run = Some(requested);
            }
            Some(_) => {}
            None => {
                cleaned.without_request += 1;
                job.requested_time = Some(run);
                return self == Filter::GaussierRunTimes;
            }
        }
        true
    }
}

/// Cleans one job by [`Filter::Alea`]; whether it stays.
fn keep_as_alea(job: &mut SwfJob, processors: u32, cleaned: &mut Cleaned) -> bool {
    let Some(allocated) = job.allocated else {
        cleaned.without_processors += 1;
        return false;
    };
    let Some(run) = job.run else {
        cleaned.without_run += 1;
        return false;
    };
    cleaned.too_wide += u64::from(allocated > processors);
    job.requested_processors = Some(allocated.min(processors));
    cleaned.without_request += u64::from(job.requested_time.is_none());
    let limit = *job.requested_time.get_or_insert(run.max(1));
    cleaned.cut_to_request += u64::from(run > limit);
    job.run = Some(run.min(limit));
    true
}
