//! Jobs of ours that are over for the control plane and still wait in Slurm's queue: the rests of
//! submissions that were repeated, or of starts that the controller lost.
//!
//! The queue was seen a while ago. A job that waited then, and began and ended since, waits no more
//! and may not have left its node yet: cancelled now, the site would tell its user so. Only what
//! the queue still had when it was seen after the end is a stray.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Jobs that may be strays, and since when they are over.
#[derive(Debug, Default)]
pub(super) struct Strays(BTreeMap<u64, Instant>);

impl Strays {
    /// Takes in the jobs that are over and wait in the queue as it was seen at `asked`; answers
    /// with those that are certain.
    pub(super) fn certain(
        &mut self,
        waiting: &BTreeSet<u64>,
        asked: Option<Instant>,
        now: Instant,
    ) -> Vec<u64> {
        self.0.retain(|job, _| waiting.contains(job));
        for &job in waiting {
            self.0.entry(job).or_insert(now);
        }
        let seen_since = self.0.iter().filter(|(_, since)| asked > Some(**since));
        seen_since.map(|(job, _)| *job).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_job_that_just_ended_is_no_stray() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let (mut strays, none) = (Strays::default(), Vec::<u64>::new());
        let waiting = BTreeSet::from([62]);
        assert_eq!(strays.certain(&waiting, None, start), none);
        // The queue as it was before job 62 was known to be over says nothing.
        assert_eq!(strays.certain(&waiting, Some(start), after(5)), none);
        assert_eq!(strays.certain(&BTreeSet::new(), Some(after(6)), after(10)), none);
        // One that is there in a later queue waits in vain.
        assert_eq!(strays.certain(&waiting, Some(after(6)), after(11)), none);
        assert_eq!(strays.certain(&waiting, Some(after(12)), after(16)), [62]);
        assert_eq!(strays.certain(&waiting, Some(after(12)), after(21)), [62]);
    }
}
