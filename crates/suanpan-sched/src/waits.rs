//! How long a cluster keeps what is placed there waiting, learnt from what it did.
//!
//! A job is placed where its nodes are believed to be free, so what it then waits is what the
//! believer could not see: jobs that others submitted at the site in between, its own queue, its
//! rounds of scheduling. What is foretold at placement is nearly always no wait at all, so the
//! wait itself is learnt and not its ratio to what was foretold. Of the latest [`LATEST`] waits
//! the median is expected, and the 90th percentile (nearest rank) is taken as the latest. Until
//! there are [`FEWEST`], only the time limits of what runs there decide.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use suanpan_model::time::Seconds;

/// How many waits it takes before they count.
pub const FEWEST: usize = 5;

/// How many are looked back on.
pub const LATEST: usize = 50;

/// The latest waits at one cluster, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waits(VecDeque<Seconds>);

/// What is known of the waits at a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Median.
    pub median: Seconds,
    /// 90th percentile.
    pub most: Seconds,
    /// How many starts it is learnt from.
    pub starts: u32,
}

/// Where an expected start is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitBasis {
    /// What the site reports to be free now.
    Free,
    /// The same, and what others have waiting in the site's own queue, as it was seen.
    Queue,
    /// The time limits of what runs there, and what is promised to jobs ahead.
    #[default]
    Limits,
    /// So many starts there, beside either of these.
    Learnt(u32),
}

impl Waits {
    /// Takes in how long a job waited after it was placed. O(1).
    pub fn learn(&mut self, wait: Seconds) {
        if self.0.len() >= LATEST {
            self.0.pop_front();
        }
        self.0.push_back(wait);
    }

    /// What is known, once there are enough. O(n log n) of the few that are kept.
    #[must_use]
    pub fn known(&self) -> Option<Wait> {
        if self.0.len() < FEWEST {
            return None;
        }
        let mut waits: Vec<Seconds> = self.0.iter().copied().collect();
        waits.sort_unstable();
        let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100) - 1];
        let starts = u32::try_from(waits.len()).expect("few waits are kept");
        Some(Wait { median: at(50), most: at(90), starts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_ninth_tenth_of_the_latest_count() {
        let mut waits = Waits::default();
        for wait in 1..FEWEST as u64 {
            waits.learn(Seconds(wait));
            assert_eq!(waits.known(), None);
        }
        waits.learn(Seconds(100));
        let known = waits.known().expect("there are enough");
        assert_eq!((known.median, known.most, known.starts), (Seconds(3), Seconds(100), 5));
        for wait in 1..=LATEST as u64 {
            waits.learn(Seconds(wait));
        }
        let known = waits.known().expect("there are enough");
        assert_eq!((known.median, known.most, known.starts), (Seconds(25), Seconds(45), 50));
    }
}
