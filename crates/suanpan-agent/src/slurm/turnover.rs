//! How many jobs may wait in the site's own queue: about what it ends in one look at it.
//!
//! A job that the control plane sends once there is room arrives too late for a short one: its end
//! is seen and told, a cycle decides, `sbatch` submits, and Slurm begins nothing at once
//! (`batch_sched_delay`, three seconds as delivered). In the meantime the place is empty, and a
//! site full of jobs of a second begins and ends them in waves. So as many as end in one period
//! may wait at the site; only ends of short jobs count, since to a long one a few seconds are
//! nothing, and what waits at the site can no longer go elsewhere.

use std::time::{Duration, Instant};

/// The period: the longest between two looks at Slurm's queue.
const PERIOD: Duration = Duration::from_secs(5);

/// How many periods the most is remembered.
const REMEMBERED: usize = 6;

/// A job that ran for longer does not count.
const SHORT: Duration = Duration::from_secs(60);

/// Fewer than these are not worth telling.
const FEWEST: u32 = 4;

/// Counts ends. Rounded to powers of two, so that it seldom changes.
#[derive(Debug)]
pub(super) struct Turnover {
    /// Ends in each of the latest periods, the present one first.
    ends: [u32; REMEMBERED],
    since: Instant,
}

impl Turnover {
    pub(super) fn new(now: Instant) -> Turnover {
        Turnover { ends: [0; REMEMBERED], since: now }
    }

    /// Takes in that a job ended which ran for so long.
    pub(super) fn ended(&mut self, ran: Duration, now: Instant) {
        self.go_on(now);
        self.ends[0] += u32::from(ran < SHORT);
    }

    /// How many jobs may wait at the site.
    pub(super) fn backlog(&mut self, now: Instant) -> u32 {
        self.go_on(now);
        let most = self.ends.into_iter().max().unwrap_or(0);
        if most < FEWEST { 0 } else { most.next_power_of_two() }
    }

    fn go_on(&mut self, now: Instant) {
        let periods = now.saturating_duration_since(self.since).as_secs() / PERIOD.as_secs();
        for _ in 0..periods.min(REMEMBERED as u64) {
            self.ends.rotate_right(1);
            self.ends[0] = 0;
        }
        self.since += PERIOD * u32::try_from(periods).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_jobs_that_end_leave_room_for_others_to_wait() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let mut turnover = Turnover::new(start);
        assert_eq!(turnover.backlog(start), 0);
        for _ in 0..100 {
            turnover.ended(Duration::from_secs(3_600), after(1));
        }
        (0..3).for_each(|_| turnover.ended(Duration::from_secs(1), after(1)));
        assert_eq!(turnover.backlog(after(1)), 0, "long ones and a few do not count");
        (0..30).for_each(|_| turnover.ended(Duration::from_secs(1), after(4)));
        assert_eq!(turnover.backlog(after(4)), 64);
        (0..5).for_each(|_| turnover.ended(Duration::from_secs(1), after(11)));
        assert_eq!(turnover.backlog(after(29)), 64, "the most of half a minute counts");
        assert_eq!(turnover.backlog(after(31)), 8);
        assert_eq!(turnover.backlog(after(100_000)), 0);
    }
}
